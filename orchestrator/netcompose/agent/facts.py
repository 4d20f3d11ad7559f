"""Facts of this host, read without side effects."""

from __future__ import annotations

import os
import platform
from typing import Iterator

from netcompose import __version__
from netcompose.agent.snapshot import Snapshot
from netcompose.resources import HostFacts

_RESOLVED_STUB = "127.0.0.53"
_RESOLVED_FILE = "/run/systemd/resolve/resolv.conf"


def read(snapshot: Snapshot) -> HostFacts:
    """The facts that every plan needs; routes and interfaces are those of others than the topology."""
    host = snapshot.stacks[""]
    ours = {link.ifindex for link in host.links if link.group in (snapshot.group, snapshot.doomed)}
    names = {link.ifindex: link.name for link in host.links}
    nameservers, search, options = resolvers("/etc/resolv.conf")
    if nameservers == (_RESOLVED_STUB,) and os.path.exists(_RESOLVED_FILE):
        # The stub listens on the host's loopback alone; behind it are the real ones (systemd-resolved(8)).
        nameservers = resolvers(_RESOLVED_FILE)[0]
    return HostFacts(
        hostname=os.uname().nodename,
        kernel=os.uname().release,
        python=platform.python_version(),
        version=__version__,
        is_root=os.geteuid() == 0,
        nameservers=nameservers,
        search=search,
        resolver_options=options,
        routes=tuple(
            sorted(
                (route.to, names.get(index, ""))
                for index, routes in host.routes.items()
                if index not in ours
                for route in routes
                if not route.to.endswith("/0")
            )
        ),
        interfaces=tuple(sorted(link.name for link in host.links if link.ifindex not in ours)),
        interferes=tuple(_interferes()),
        memory=os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        load=os.getloadavg()[0],
    )


def resolvers(path: str) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Name servers, search domains and options of a resolv.conf(5)."""
    found: dict[str, tuple[str, ...]] = {"nameserver": (), "search": (), "options": ()}
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            for line in file:
                word, *rest = line.split("#")[0].split(";")[0].split() or [""]
                if word == "domain":
                    word = "search"
                if word == "nameserver":
                    found[word] += tuple(rest[:1])
                elif word in found:
                    found[word] = tuple(rest)
    except OSError:
        pass
    return found["nameserver"], found["search"], found["options"]


def _interferes() -> Iterator[str]:
    """What on this host is known to get in the way of container networks."""
    if os.path.exists("/run/systemd/netif/leases") and not _networkd_keeps_foreign():
        yield (
            "systemd-networkd removes routes and rules that it does not know: set ManageForeignRoutes=no and "
            "ManageForeignRoutingPolicyRules=no in networkd.conf"
        )
    if os.path.isdir("/run/firewalld"):
        yield "firewalld runs: bridged traffic passes its zones only if the bridges are in one"
    try:
        with open("/proc/sys/net/bridge/bridge-nf-call-iptables") as file:
            if file.read().strip() == "1":
                yield "br_netfilter is on: traffic inside a bridge passes the host's iptables FORWARD chain"
    except OSError:
        pass


def _networkd_keeps_foreign() -> bool:
    try:
        with open("/etc/systemd/networkd.conf", encoding="utf-8", errors="replace") as file:
            return any(line.replace(" ", "").lower().startswith("manageforeignroutes=no") for line in file)
    except OSError:
        return False
