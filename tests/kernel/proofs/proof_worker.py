"""Runs inside a throw-away host: netcompose's command line in a fork of this process, and readings by foreign tools.

One request per line on standard input, one answer per line on standard output, both JSON. The fork saves the start of
an interpreter per command; what runs in it is ``main()`` of the command line with nothing changed, unless the request
asks for a fault:

``{"mode": "kill", "at": n}``  SIGKILL after the n-th operation, from taking the lock to giving it back
``{"mode": "fail", "at": n}``  the n-th operation of carrying the plan out fails with EIO; putting back is undisturbed
``{"mode": "signal", "at": n, "signal": s}``  the process sends itself a signal before that operation

An operation is what changes something outside the process: a netlink message, a system call on a file, a mount, a
namespace, a program that is started. Batches are of one message, so that there is a point between any two.
"""

from __future__ import annotations

import errno
import functools
import importlib
import json
import os
import re
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Mapping
from typing import Any

#: Every one is an operation when it is called: (module, name, whether this call changes anything).
_WRITING = os.O_CREAT | os.O_TRUNC
_OPERATIONS: tuple[tuple[str, str, Callable[..., bool]], ...] = (
    ("os", "mkdir", lambda *_: True),
    ("os", "open", lambda path, flags, *_, **__: bool(flags & _WRITING)),
    ("os", "write", lambda fd, data: True),
    ("os", "pwrite", lambda *_: True),
    ("os", "ftruncate", lambda *_: True),
    ("os", "replace", lambda *_, **__: True),
    ("os", "unlink", lambda *_, **__: True),
    ("os", "rmdir", lambda *_, **__: True),
    ("netcompose.agent.kernel.syscalls", "mount", lambda *_: True),
    ("netcompose.agent.kernel.syscalls", "umount", lambda *_: True),
    ("netcompose.agent.kernel.syscalls", "unshare", lambda *_: True),
    ("subprocess", "Popen", lambda *_, **__: True),
)


class Faults:
    """Counts the operations of this process and does what was asked for at one of them."""

    def __init__(self, mode: str, at: int, signal: int) -> None:
        self._mode, self._at, self._signal = mode, at, signal
        self._active = mode == "kill"
        self.count = 0
        self.hit = ""

    def install(self) -> None:
        from netcompose.agent import agent
        from netcompose.agent.kernel import netlink

        netlink.BATCH = 1
        for module, name, changes in _OPERATIONS:
            where = importlib.import_module(module)
            if name == "Popen":
                subprocess.Popen.__init__ = self._wrapped(subprocess.Popen.__init__, name, changes)  # type: ignore[method-assign]
            else:
                setattr(where, name, self._wrapped(getattr(where, name), name, changes))
        send = netlink.Socket._send_batch

        def send_one(self_: Any, messages: Any, start: int) -> Any:
            return self._around(f"netlink {messages[0].type}", lambda: send(self_, messages, start), start)

        netlink.Socket._send_batch = send_one  # type: ignore[method-assign, assignment]
        carry_out = agent.carry_out

        def first_carry_out(*arguments: Any) -> None:
            # The second time is the way back, which has to work.
            first, agent.carry_out = self._mode != "kill", carry_out
            self._active = self._active or first
            try:
                carry_out(*arguments)
            finally:
                self._active = self._mode == "kill"

        agent.carry_out = first_carry_out

    def _wrapped(self, function: Any, name: str, changes: Callable[..., bool]) -> Any:
        @functools.wraps(function)
        def wrapped(*arguments: Any, **options: Any) -> Any:
            if not (self._active and changes(*arguments, **options)):
                return function(*arguments, **options)
            return self._around(name, lambda: function(*arguments, **options))

        return wrapped

    def _around(self, name: str, operation: Callable[[], Any], position: int = -1) -> Any:
        if not self._active:
            return operation()
        self.count += 1
        number = self.count
        if number == self._at:
            self.hit = name
            if self._mode == "fail":
                if position >= 0:
                    from netcompose.agent.kernel.netlink import Refusal

                    return [Refusal(position, errno.EIO, "injected by the test")]
                raise OSError(errno.EIO, "injected by the test")
            if self._mode == "signal":
                os.kill(os.getpid(), self._signal)
        try:
            return operation()
        finally:
            # Also after one that failed, as a mkdir of a folder that is there.
            if self._mode == "kill" and number == self._at:
                os.kill(os.getpid(), signal.SIGKILL)


def _cli(argv: list[str], fault: Mapping[str, Any] | None) -> dict[str, Any]:
    out, err, note = (os.memfd_create(name) for name in ("out", "err", "note"))
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        status = 70
        try:
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.dup2(out, 1)
            os.dup2(err, 2)
            sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            faults = Faults(**fault) if fault else None
            if faults:
                faults.install()
            from netcompose.cli.main import main

            try:
                status = main(argv)
            except SystemExit as end:
                status = int(end.code or 0)
            sys.stdout.flush()
            sys.stderr.flush()
            if faults:
                with open(note, "w", closefd=False) as file:
                    file.write(json.dumps({"count": faults.count, "hit": faults.hit}))
        except BaseException:
            os.write(2, traceback.format_exc().encode())
        finally:
            os._exit(status)
    _, ended = os.waitpid(pid, 0)
    answer = {"status": os.waitstatus_to_exitcode(ended), "out": _content(out), "err": _content(err)}
    said = _content(note)
    return {**answer, **(json.loads(said) if said else {"count": 0, "hit": ""})}


def _content(fd: int) -> str:
    data = os.pread(fd, 1 << 24, 0).decode(errors="replace")
    os.close(fd)
    return data


def _tool(*argv: str) -> str:
    done = subprocess.run(argv, capture_output=True, text=True)
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


def _links(netns: str) -> list[dict[str, Any]]:
    where = ("-n", netns) if netns else ()
    found = _json("ip", "-j", "-d", *where, "address")
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


def _queues(netns: str) -> list[str]:
    """Queueing disciplines without the numbers that the kernel gives to them."""
    where = ("-n", netns) if netns else ()
    found = _json("tc", *where, "-j", "qdisc", "show")
    return sorted(str([item["dev"], item["kind"], item.get("root"), item["options"]]) for item in found)


def _routes(netns: str) -> list[str]:
    where = ("-n", netns) if netns else ()
    found = []
    for family in ("-4", "-6"):
        for route in _json("ip", "-j", family, *where, "route", "show", "table", "all"):
            # Link-local and multicast entries, and the entries that IPv6 adds for each address (local, anycast), come
            # and go by the kernel's own clock; so does the flag that says whether there is carrier at this moment.
            own_clock = family == "-6" and (route.get("table") == "local" or route.get("type") == "anycast")
            if own_clock or str(route["dst"]).startswith(("fe80:", "ff00:")):
                continue
            found.append(json.dumps({key: value for key, value in route.items() if key != "flags"}, sort_keys=True))
    return sorted(found)


def _files(*roots: str) -> list[str]:
    listed = _tool("find", *roots, "-printf", r"%p %y %m %U %G %l\n").splitlines()
    sums = _tool("sh", "-c", 'find "$@" -type f -print0 | xargs -0r sha256sum', "sh", *roots).splitlines()
    # What these records hold is another matter: when a process was started, in which order sysctls were set.
    history = re.compile(r" /run/netcompose/[^/]+/(containers|sysctls)/")
    return sorted(listed + [line for line in sums if not history.search(line)])


def _snapshot(names: list[str] | None) -> dict[str, Any]:
    """All that netcompose could leave behind or change, as foreign tools tell it."""
    spaces = ["", *(_names() if names is None else names)]
    return {
        "links": {name: _links(name) for name in spaces},
        "routes": {name: _routes(name) for name in spaces},
        "queues": {name: _queues(name) for name in spaces},
        "rules": _tool("ip", "rule") + _tool("ip", "-6", "rule"),
        # Elements of a set come in the order of a hash.
        "nft": sorted(_tool("nft", "list", "ruleset").splitlines()),
        "sysctls": {
            name: _tool(
                *(("ip", "netns", "exec", name) if name else ()),
                *("sysctl", "-a", "-r", r"^net\.(ipv[46]\.(conf|ip_forward)|bridge|core\.somaxconn)"),
            )
            for name in spaces
        },
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


def _inventory() -> dict[str, dict[str, Any]]:
    """Every single object with what changes when it is touched: identity, age, counters."""
    found: dict[str, dict[str, Any]] = {}
    for netns in ["", *_names()]:
        where = ("-n", netns) if netns else ()
        if netns:
            found[f"namespace {netns}"] = {"inode": _tool("stat", "-L", "-c", "%i", f"/run/netns/{netns}")}
        links = _json("ip", "-j", "-d", "-s", "-s", *where, "address")
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
        for line in _routes(netns):
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


def _run(argv: list[str]) -> dict[str, Any]:
    done = subprocess.run(argv, capture_output=True, text=True)
    return {"status": done.returncode, "out": done.stdout, "err": done.stderr}


def main() -> None:
    for name in [
        "netcompose.agent.agent",
        "netcompose.compiler.compile",
        "netcompose.executor.run",
        "netcompose.transports.local",
        "netcompose.topology.load",
        "netcompose.views.plan_json",
        "netcompose.views.problems",
        "netcompose.views.plan_text",
        "netcompose.cli.main",
        "netcompose.cli.up_command",
        "netcompose.cli.down_command",
        "netcompose.cli.plan_command",
        "netcompose.cli.common",
        "netcompose.cli.progress",
        "concurrent.futures.thread",
    ]:
        importlib.import_module(name)
    handlers: dict[str, Callable[..., Any]] = {
        "cli": _cli,
        "snapshot": _snapshot,
        "inventory": _inventory,
        "run": _run,
    }
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = {"answer": handlers[request["do"]](*request["arguments"])}
        except Exception:
            answer = {"error": traceback.format_exc()}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
