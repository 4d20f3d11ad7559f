"""What foreign tools say of a throw-away host: everything that netcompose could leave behind or change, as data.

Runs inside, by a fork of forkserver.py or as a program: ``readings.py whole`` prints what ``whole()`` returns, as JSON. A
reading is a dozen programs for each namespace, and starting them from the outside would take as long again.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from netcompose.agent.kernel import syscalls


@contextlib.contextmanager
def _inside(netns: str) -> Iterator[None]:
    """In a named namespace, as ``ip -n``, which would also mount /sys anew for every single command."""
    if not netns:
        yield
        return
    with open("/proc/thread-self/ns/net") as back, open(f"/run/netns/{netns}") as there:
        syscalls.setns(there.fileno(), syscalls.CLONE_NEWNET)
        try:
            yield
        finally:
            syscalls.setns(back.fileno(), syscalls.CLONE_NEWNET)


def main() -> None:
    """The reading that the first argument names, for the arguments after it."""
    name, *argv = sys.argv[1:]
    readings: dict[str, Callable[..., Any]] = {
        "whole": whole,
        "seen": seen,
        "settle": settle,
        "snapshot": snapshot,
        "inventory": inventory,
    }
    print(json.dumps(readings[name](*argv)))


def _tool(*argv: str, text: str | None = None) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, input=text)
    return done.stdout if done.returncode == 0 else f"{done.stdout}\n{done.stderr}"


def _json(*argv: str) -> Any:
    return json.loads(_tool(*argv) or "[]")


def _names() -> list[str]:
    """The named namespaces; anything may lie in that folder."""
    own = os.stat("/proc/self/ns/net").st_dev
    try:
        return sorted(entry.name for entry in os.scandir("/run/netns") if os.stat(entry.path).st_dev == own)
    except FileNotFoundError:
        return []


#: What the kernel changes by itself after an interface was made, or numbers by itself.
_FLEETING = ("operstate", "link_netnsid", "linkmode", "tentative", "dadfailed", "tso_max_size", "tso_max_segs")


def _links(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    for link in found:
        for key in (*_FLEETING, "inet6_addr_gen_mode", "num_tx_queues", "num_rx_queues", "promiscuity", "allmulti"):
            link.pop(key, None)
        link["flags"] = sorted(flag for flag in link["flags"] if flag not in ("LOWER_UP", "NO-CARRIER"))
        # A port's and a bridge's timers.
        for part in ("info_data", "info_slave_data"):
            kept = link.get("linkinfo", {}).get(part, {})
            for key in [key for key in kept if "timer" in key or key.startswith(("state", "root", "designated"))]:
                kept.pop(key)
            for key in ("id", "port_id", "no", "bridge_id", "topology_change_ack", "config_pending"):
                kept.pop(key, None)
        link["addr_info"] = sorted(
            (
                {key: value for key, value in item.items() if key not in _FLEETING}
                for item in link["addr_info"]
                if not str(item.get("local", "")).startswith("fe80:")
            ),
            key=lambda item: str(item.get("local")),
        )
    return sorted(found, key=lambda link: str(link["ifname"]))


def _queues() -> list[str]:
    """Queueing disciplines without the numbers that the kernel gives to them."""
    found = _json("tc", "-j", "qdisc", "show")
    return sorted(str([item["dev"], item["kind"], item.get("root"), item["options"]]) for item in found)


def _routes(found: list[dict[str, Any]]) -> list[str]:
    kept = []
    for route in found:
        # Link-local and multicast entries, and the entries that IPv6 adds for each address (local, anycast), come
        # and go by the kernel's own clock; so does the flag that says whether there is carrier at this moment.
        own_clock = ":" in route["dst"] and (route.get("table") == "local" or route.get("type") == "anycast")
        if not own_clock and not route["dst"].startswith(("fe80:", "ff00:")):
            kept.append(json.dumps({key: value for key, value in route.items() if key != "flags"}, sort_keys=True))
    return sorted(kept)


def _settings() -> dict[str, str]:
    """The sysctls of a namespace that netcompose could touch."""
    found = {}
    for root in ("ipv4/conf", "ipv6/conf", "ipv4/ip_forward", "bridge", "core/somaxconn"):
        for folder, _, names in os.walk(f"/proc/sys/net/{root}"):
            for name in names:
                # Some cannot be read, or not now (stable_secret).
                with contextlib.suppress(OSError), open(f"{folder}/{name}") as file:
                    found[f"{folder}/{name}"] = file.read()
        if os.path.isfile(f"/proc/sys/net/{root}"):
            with open(f"/proc/sys/net/{root}") as file:
                found[root] = file.read()
    return found


def _space(netns: str) -> dict[str, Any]:
    with _inside(netns):
        links, routes = map(json.loads, _tool("ip", "-j", "-d", "-batch", "-", text=_ALL).splitlines())
        return {
            "links": _links(links),
            "routes": _routes(routes),
            "queues": _queues(),
            "sysctls": _settings(),
        }


#: Routes of all families: none is asked for.
_ALL = "address\nroute show table all\n"


def _files(*roots: str) -> list[str]:
    listed = _tool("find", *roots, "-printf", r"%p %y %m %U %G %l\n").splitlines()
    sums = _tool("sh", "-c", 'find "$@" -type f -print0 | xargs -0r sha256sum', "sh", *roots).splitlines()
    # What these records hold is another matter: when a process was started, in which order sysctls were set.
    history = re.compile(r" /run/netcompose/[^/]+/(containers|sysctls)/")
    return sorted(listed + [line for line in sums if not history.search(line)])


def snapshot() -> dict[str, Any]:
    """All that netcompose could leave behind or change: reading -> namespace -> what a tool says, or what is said at
    once."""
    spaces = {name: _space(name) for name in ("", *_names())}
    kinds = ("links", "routes", "queues", "sysctls")
    return {
        **{kind: {name: space[kind] for name, space in spaces.items()} for kind in kinds},
        "rules": _tool("ip", "rule") + _tool("ip", "-6", "rule"),
        # Elements of a set come in the order of a hash.
        "nft": sorted(_tool("nft", "list", "ruleset").splitlines()),
        "hostname": _tool("hostname"),
        "mounts": sorted(re.sub(r"\S+ ", "", line, count=2) for line in _mounts()),
        "files": _files(
            "/run/netns", "/run/netcompose", "/etc/netns", "/etc/hosts", "/etc/resolv.conf", "/etc/hostname"
        ),
        "folders": _tool("find", "/run", "/etc", "-maxdepth", "1").splitlines(),
        "processes": sorted(
            line
            for line in _tool("ps", "-eo", "args").splitlines()
            if line.startswith(("netcompose-", "sleep ", "nc-"))
        ),
    }


def _mounts() -> list[str]:
    # Peer groups and devices of pinned namespaces are numbered by the kernel as it goes.
    return re.sub(r"(shared|master|peer|net):\[?\d+\]?", r"\1", _tool("cat", "/proc/self/mountinfo")).splitlines()


def inventory() -> dict[str, dict[str, Any]]:
    """Every single object with what changes when it is touched: identity, age, counters."""
    found: dict[str, dict[str, Any]] = {}
    for netns in ["", *_names()]:
        if netns:
            found[f"namespace {netns}"] = {"inode": _tool("stat", "-L", "-c", "%i", f"/run/netns/{netns}")}
        with _inside(netns):
            links = _json("ip", "-j", "-d", "-s", "-s", "address")
            routes = _routes(_json("ip", "-j", "route", "show", "table", "all"))
        if netns and not links[0].get("ifalias", "").endswith("/" + netns.partition("-")[2]):
            continue  # The second name of a namespace that is read under its first.
        for link in links:
            name = (link.get("altnames") or [link["ifname"]])[0]
            counters = {
                f"{way} {key}": value
                for way in ("rx", "tx")
                for key, value in link["stats64"][way].items()
                if key in ("bytes", "packets")
            }
            found[f"link {netns}/{name}"] = {
                "ifindex": link["ifindex"],
                "mac": link["address"],
                "mtu": link["mtu"],
                "master": link.get("master", ""),
                "alias": link.get("ifalias", ""),
                "up": "UP" in link["flags"],
                "carrier changes": (link.get("carrier_changes"), link["stats64"]["tx"].get("carrier_changes")),
                "addresses": sorted(
                    f"{item['local']}/{item['prefixlen']}" for item in link["addr_info"] if item["scope"] != "link"
                ),
                "counters": counters,
            }
        for line in routes:
            route = json.loads(line)
            found.setdefault(f"routes {netns}/{route.get('dev', '')}", {}).setdefault("routes", []).append(line)
    for line in _tool("sh", "-c", "stat -c '%n %i %Y %y %s' /etc/netns/*/* 2>/dev/null").splitlines():
        path, _, rest = line.partition(" ")
        found[f"file {path}"] = {"stat": rest}
    for line in _tool("ps", "-eo", "pid,lstart,args").splitlines():
        words = line.split()
        if words[6:] and words[6].startswith(("sleep", "nc-")):
            found[f"process {' '.join(words[6:])}"] = {"pid": words[0], "started": words[1:6]}
    return found


#: Counters and random numbers, most of the whole machine. Every setting below net. is compared.
_VOLATILE = (
    "fs.aio-nr",
    "fs.dentry-state",
    "fs.file-nr",
    "fs.inode-",
    "kernel.keys.",
    "kernel.ns_last_pid",
    "kernel.pty.nr",
    "kernel.random.",
    "kernel.spl.",
    # Drawn by the kernel when the first server on the host asks for TCP Fast Open, as Unbound does.
    "net.ipv4.tcp_fastopen_key",
    "net.netfilter.nf_conntrack_count",
    "vm.stat_refresh",
)
_WHOLE = "link\naddr\nroute show table all\nrule\n"


def whole() -> str:
    """The whole host but for the inside of its namespaces, as text."""
    links, addresses, routes, rules = _tool("ip", "-d", "-j", "-batch", "-", text=_WHOLE).splitlines()
    parts: dict[str, Iterable[str]] = {
        "links": [json.dumps([_still(link) for link in json.loads(links)], indent=1)],
        "addresses": [json.dumps([_still(link) for link in json.loads(addresses)], indent=1)],
        "routes": map(json.dumps, json.loads(routes)),
        "rules": [rules, _tool("ip", "-6", "rule")],
        "nft": _tool("nft", "-s", "-j", "list", "ruleset").splitlines() if shutil.which("nft") else (),
        "namespaces": _tool("ip", "netns", "list").splitlines(),
        "files": _contents("/run", "/etc/netns", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf"),
        "mounts": _tool("cat", "/proc/self/mountinfo").splitlines(),
        "processes": sorted(line for line in _tool("ps", "-eo", "args=").splitlines() if not _OWN.match(line)),
        "sysctls": (line for line in _output("sysctl", "-a").splitlines() if not line.startswith(_VOLATILE)),
    }
    return "\n".join(line for name, lines in parts.items() for line in (f"# {name}", *lines)) + "\n"


#: The tools of a reading, and the kernel's threads.
_OWN = re.compile(r"ps -eo|\[.*\]$")


def _output(*argv: str) -> str:
    """What a tool prints, whatever it could not read."""
    return subprocess.run(argv, capture_output=True, text=True).stdout


def _still(item: Any) -> Any:
    """Without a bridge's timers, which count down."""
    if isinstance(item, dict):
        return {key: _still(value) for key, value in item.items() if not key.endswith("_timer")}
    return item


def _contents(*roots: str) -> Iterator[str]:
    """Every file with its kind, mode and owner, and what is in it."""
    present = [root for root in roots if os.path.exists(root)]
    for line in sorted(_tool("find", *present, "-printf", r"%p %y %m %u %g %l\n").splitlines()):
        yield line
        path, kind, *_ = line.split(" ")
        if kind == "f" and not path.startswith("/run/netns/") and os.path.getsize(path) < 1000 << 10:
            with open(path, errors="replace") as file:
                yield from file.read().splitlines()


def seen(topology: str) -> dict[str, tuple[Any, tuple[int, ...]]]:
    """Every interface, routing table, namespace, process and container file: name -> state, and counters."""
    prefix = f"{topology}-"
    found: dict[str, tuple[Any, tuple[int, ...]]] = {}
    for netns in ["", *_names()]:
        place = netns.removeprefix(prefix) or "host"
        with _inside(netns):
            links = _json("ip", "-s", "-s", "-d", "-j", "addr")
            routes = _json("ip", "-j", "route", "show", "table", "all")
        for link in links:
            rx, tx = link["stats64"]["rx"], link["stats64"]["tx"]
            name = link.get("ifalias", "").split(":")[-1] if not netns else ""
            state = {
                **{key: link.get(key) for key in ("ifindex", "ifname", "address", "mtu", "flags", "master", "ifalias")},
                "carrier_changes": tx.get("carrier_changes"),
                "addresses": sorted(f"{a['local']}/{a['prefixlen']}" for a in link["addr_info"]),
            }
            found[f"{place} {name or link['ifname']}"] = (state, (rx["packets"], tx["packets"]))
        for family in ("-4", "-6"):
            table = [json.dumps(route) for route in routes if _is_ipv6(route) == (family == "-6")]
            found[f"{place} routes {family}"] = (sorted(table), ())
        if netns:
            found[f"{place} namespace"] = (os.stat(f"/run/netns/{netns}").st_ino, ())
    if os.path.exists("/etc/netns"):
        for line in _tool("find", "/etc/netns", "-type", "f", "-printf", "%P|%i %T@ %s\n").splitlines():
            path, _, state = line.partition("|")
            found[path.removeprefix(prefix).replace("/", " ")] = (state, ())
    processes: dict[str, list[str]] = {}
    for line in _tool("ps", "-eo", "comm:32=,pid=,lstart=,args=").splitlines():
        # Not this reading itself; and a virtual machine has the kernel's own threads as well, in brackets.
        if line.split()[1] != str(os.getpid()) and not line.startswith("ps ") and not line.endswith("]"):
            processes.setdefault(line.split()[0], []).append(line)
    found.update({f"process {name}": (lines, ()) for name, lines in processes.items()})
    return found


def _is_ipv6(route: dict[str, Any]) -> bool:
    """Only IPv6 routes have a preference (RFC 4191)."""
    return "pref" in route


def settle() -> None:
    """Wait for the kernel's own IPv6 link-local addresses, which come into use after a second."""
    end = time.monotonic() + 10
    for netns in ["", *_names()]:
        with _inside(netns):
            while _tentative():
                assert time.monotonic() < end, f"addresses in {netns or 'the host'} do not come into use"
                time.sleep(0.02)


def _tentative() -> bool:
    """IFA_F_TENTATIVE, the flag 0x40 (linux/if_addr.h); a line of the file has the address and four numbers."""
    with open("/proc/thread-self/net/if_inet6") as file:
        return any(int(line.split()[4], 16) & 0x40 for line in file)


if __name__ == "__main__":
    main()
