"""Facts of this host, read without side effects."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import Iterator, Mapping, Sequence

from netcompose import __version__
from netcompose.agent import interference, nameserver, programs, session
from netcompose.agent.kernel import listeners, sysctl
from netcompose.agent.kernel.vxlan import decode
from netcompose.agent.snapshot import Snapshot, Stack
from netcompose.resources import EngineFacts, HostFacts, ParentFacts
from netcompose.resources.names import ROUTE_PROTOCOL, route_metric

_RESOLVED_STUB = "127.0.0.53"
_RTPROT_RA = 9  # rtnetlink(7): a route from a router advertisement
_RESOLVED_FILE = "/run/systemd/resolve/resolv.conf"


def read(snapshot: Snapshot, parents: Sequence[str] = (), images: Sequence[str] = ()) -> HostFacts:
    """The facts that every plan needs; routes and interfaces are those of others than the topology. ``parents``
    are the interfaces that the topology names as such, ``images`` the images."""
    host = snapshot.stacks[""]
    ours = {link.ifindex for link in host.links if link.group in (snapshot.group, snapshot.doomed)}
    names = {link.ifindex: link.name for link in host.links}
    own_routes = (ROUTE_PROTOCOL, route_metric(snapshot.topology))
    nameservers, search, options = resolvers("/etc/resolv.conf")
    forwarders = nameservers
    server, no_server = nameserver.program()
    if nameservers == (_RESOLVED_STUB,) and os.path.exists(_RESOLVED_FILE):
        # The stub listens on the host's loopback alone; behind it are the real ones (systemd-resolved(8)).
        nameservers = resolvers(_RESOLVED_FILE)[0]
    return HostFacts(
        hostname=os.uname().nodename,
        kernel=os.uname().release,
        python="{}.{}.{}".format(*sys.version_info[:3]),
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
                if not route.to.endswith("/0") and (route.protocol, route.metric) != own_routes
            )
        ),
        interfaces=tuple(sorted(link.name for link in host.links if link.ifindex not in ours)),
        addresses=tuple(
            sorted({text.partition("/")[0] for i, own in host.addresses.items() if i not in ours for text in own})
        ),
        listeners=tuple(listeners.read()),
        accept_ra=dict(_accept_ra(host, names)),
        name_server=server,
        name_server_user=nameserver.account() if server else "",
        forwarders=forwarders,
        features={**_lacks(), **({"dns": no_server} if no_server else {})},
        interferes=tuple(interference.sentences(snapshot.docker)),
        docker_chains={
            program: tuple(sorted(chain for chain in table if chain.startswith("DOCKER")))
            for program, table in snapshot.docker.items()
        },
        parents=_parents(snapshot, parents),
        interface_addresses={
            link.name: tuple(sorted(host.addresses.get(link.ifindex, ())))
            for link in host.links
            if link.ifindex not in ours and link.ifindex != 1 and link.up and host.addresses.get(link.ifindex)
        },
        mtus={link.name: link.mtu for link in host.links if link.ifindex not in ours},
        tunnels=tuple(
            (found.vni, found.port)
            for found in (decode(link) for link in host.links if link.kind == "vxlan" and link.ifindex not in ours)
        ),
        session=session.read(snapshot.namespaces, names),
        engine=_engine(images),
        memory=os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        load=os.getloadavg()[0],
    )


def _parents(snapshot: Snapshot, names: Sequence[str]) -> Mapping[str, ParentFacts]:
    if not names:
        return {}
    from netcompose.agent import parents

    return parents.read(snapshot, names)


def _engine(images: Sequence[str]) -> EngineFacts:
    if not any(images):
        return EngineFacts()
    from netcompose.agent.runtimes import engine

    found = engine.at_hand()
    if found is None:
        return EngineFacts(lacks=engine.lacking())
    with contextlib.closing(found):
        return found.facts(images)


def _accept_ra(host: Stack, names: Mapping[int, str]) -> Iterator[tuple[str, str]]:
    """The setting of each interface with a default route that a router advertised."""
    for index, routes in sorted(host.routes.items()):
        if any(route.to == "::/0" and route.protocol == _RTPROT_RA for route in routes):
            with contextlib.suppress(OSError):
                name = names.get(index, "")
                yield name, sysctl.read("net.ipv6.conf.{}.accept_ra".format(name.replace(".", "/")))


def _lacks() -> dict[str, str]:
    """What networks need and this host has not, as far as that is seen without trying: feature -> why not."""
    found = {}
    if not programs.which("nft"):
        found["nft"] = "no program nft on this host (package nftables)"
    if not _has_sctp():
        found["sctp"] = "the kernel has no SCTP"
    return found


def _has_sctp() -> bool:
    """SCTP in the kernel, or as a module that comes with the first socket (sctp(7))."""
    if os.path.isdir("/proc/net/sctp"):
        return True
    modules = "/lib/modules/{}".format(os.uname().release)
    try:
        with open(modules + "/modules.dep", "rb") as file:
            return b"/sctp.ko" in file.read()
    except OSError:
        return False


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
