"""What a host does not allow: found before any change, each with the line in the file that asks for it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from netcompose.compiler.before import Before
from netcompose.compiler.numbers import parse_prefix, show
from netcompose.compiler.shapes import Pool, PooledNetwork
from netcompose.resources import HostFacts
from netcompose.topology.model import Topology
from netcompose.topology.source import Path, Problem

#: ``BR_MAX_PORTS`` of the kernel's bridge is 1 << 10, and port 0 is not given out (net/bridge/br_private.h).
MAX_BRIDGE_PORTS = 1023


def crowded_bridges(topology: Topology) -> Iterator[Problem]:
    """Networks with more containers on a host than a Linux bridge has ports."""
    counts: dict[tuple[str, str], int] = {}
    for container in topology.containers.values():
        for attachment in container.networks:
            network = topology.networks.get(attachment.network)
            if network is None or network.driver not in _NEEDS:
                continue
            count = counts[network.name, container.host] = counts.get((network.name, container.host), 0) + 1
            if count == MAX_BRIDGE_PORTS + 1:
                message = f"network {network.name!r} has more than {MAX_BRIDGE_PORTS} containers on one host"
                hint = f"a Linux bridge has {MAX_BRIDGE_PORTS} ports: spread the containers over several networks"
                yield topology.source.problem(message, attachment.path, hint=hint)


def taken_subnets(
    topology: Topology, pooled: Iterable[PooledNetwork], host: str, facts: HostFacts, before: Before
) -> Iterator[Problem]:
    """Subnets that a route of the host covers or overlaps.

    A network that is up already has shown that it works beside the host's wider routes, and must not become a problem
    when a VPN comes up later.
    """
    routes = []
    for text, interface in facts.routes:
        family, network, prefix = parse_prefix(text)
        if prefix:
            routes.append(
                (family, network, network + (1 << ((32 if family == 4 else 128) - prefix)) - 1, prefix, text, interface)
            )
    for item in pooled:
        live = set(before.bridge_addresses(item.network.name))
        for index, pool in enumerate(item.pools):
            up = f"{pool.gateway}/{pool.prefix}" in live
            for family, first, last, prefix, text, interface in routes:
                if family != pool.family or first > pool.last or last < pool.network or (up and prefix < pool.prefix):
                    continue
                subnet = f"{show(pool.family, pool.network)}/{pool.prefix}"
                message = f"{subnet} of network {item.network.name!r} overlaps the route to {text} of host {host!r}"
                hint = f"that route goes through {interface}: choose another subnet, or remove the route"
                yield topology.source.problem(message, _subnet_path(item, pool, index), hint=hint)
                break


def _subnet_path(item: PooledNetwork, pool: Pool, index: int) -> Path:
    return item.network.path if pool.automatic else item.network.subnets[index].path


#: Features by driver, where they are not called as it is.
_NEEDS = {"bridge": ("bridge", "nft"), "overlay": ("bridge", "vxlan"), "routed": ("bridge", "nft")}


def missing_features(topology: Topology, host: str, facts: HostFacts, networks: Collection[str]) -> Iterator[Problem]:
    """Features that the topology needs of a host and that its agent reports as not usable, at their first use;
    ``networks`` are those that it has."""
    needed: dict[str, tuple[Path, str]] = {}
    for network in topology.networks.values():
        if network.name not in networks:
            continue
        for feature in _NEEDS.get(network.driver, (network.driver,)):
            needed.setdefault(feature, (network.path, f"network {network.name!r}"))
        for subnet in network.subnets:
            if ":" in subnet.subnet:
                needed.setdefault("ipv6", (subnet.path, f"subnet {subnet.subnet}"))
    for container in topology.containers.values():
        if container.host != host:
            continue
        what = f"container {container.name!r}"
        needed.setdefault("network namespaces", (container.path, what))
        if container.networks:
            needed.setdefault("veth", (container.path, what))
    for link in topology.links:
        hosts = {topology.containers[end.container].host for end in (link.a, link.b)}
        if host in hosts:
            feature = "vxlan" if len(hosts) > 1 else "veth"
            needed.setdefault(feature, (link.path, f"the link of {link.a.container!r} and {link.b.container!r}"))
    yield from _missing(topology, host, facts.features, needed)


def _missing(
    topology: Topology, host: str, features: Mapping[str, str], needed: Mapping[str, tuple[Path, str]]
) -> Iterator[Problem]:
    for feature, (path, what) in needed.items():
        reason = features.get(feature, "")
        if reason:
            message = f"host {host!r} lacks {feature}, which {what} needs: {reason}"
            yield topology.source.problem(message, path, hint="netcompose hosts shows what a host can do and lacks")
