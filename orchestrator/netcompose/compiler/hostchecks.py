"""What a host does not allow: found before any change, each with the line in the file that asks for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from netcompose.compiler.before import Before
from netcompose.compiler.links import asker
from netcompose.compiler.numbers import parse_prefix, show
from netcompose.compiler.shapes import Asker, Pool, PooledNetwork
from netcompose.resources import HostFacts
from netcompose.topology.model import Container, Link, Network, Topology
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


def unmet(
    topology: Topology, needs: Mapping[str, Mapping[str, Asker]], features: Mapping[str, Mapping[str, str]]
) -> Iterator[Problem]:
    """What the hosts turned out to lack: ``needs`` are a compilation's, ``features`` the hosts' answers."""
    for host, asked in needs.items():
        yield from lacking(topology, host, asked, features.get(host, {}))


def lacking(
    topology: Topology, host: str, asked: Mapping[str, Asker], features: Mapping[str, str]
) -> Iterator[Problem]:
    """What a host lacks of what is asked of it; ``features`` are those that are known of it."""
    for feature, asks in asked.items():
        reason = features.get(feature, "")
        if reason:
            message = f"host {host!r}: {reason}, needed by {asks.what}"
            hint = "netcompose hosts shows what a host can do and lacks"
            yield topology.source.problem(message, asks.path, hint=hint, key=True)


#: What every network of a driver takes, whoever is on it. What only some kernels have, resources say themselves.
_NEEDS = {"bridge": ("bridge", "nft"), "overlay": ("bridge",), "routed": ("bridge", "nft")}


def basics(networks: Iterable[Network], containers: Iterable[Container], cables: Iterable[Link]) -> dict[str, Asker]:
    """Features that any topology takes, by their first use on a host; the arguments are what the host has."""
    needed: dict[str, Asker] = {}
    bridges = set()
    for network in networks:
        if network.driver in _NEEDS:
            bridges.add(network.name)
        for feature in _NEEDS.get(network.driver, ()):
            needed.setdefault(feature, Asker(network.path, f"network {network.name!r}"))
        for subnet in network.subnets:
            if ":" in subnet.subnet:
                needed.setdefault("ipv6", Asker(subnet.path, f"subnet {subnet.subnet}"))
    for container in containers:
        joins = any(item.network in bridges for item in container.networks)
        if joins or "network namespaces" not in needed:
            asks = Asker(container.path, f"container {container.name!r}")
            needed.setdefault("network namespaces", asks)
            if joins:
                needed["veth"] = asks
                return needed
    for link in cables:
        needed["veth"] = asker(link)
        break
    return needed
