"""Parents: the interfaces of a host that macvlan and ipvlan networks stand on, and what is made of them.

Everything is by host, because an interface may be called differently on each. What a parent is like comes from the
observation's facts; without them (``validate``, ``graph``) the file alone counts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

from netcompose.compiler.numbers import parse_with_prefix
from netcompose.compiler.shapes import STACKED, Address, Asker, Place, Pool, PooledNetwork
from netcompose.resources import Observation, ParentFacts, Promiscuity, Resource, Vlan
from netcompose.resources.names import SHARED, mark
from netcompose.topology.model import Network, Parent, Topology

#: How the host's own interface on a network is told from containers, which cannot be called so.
_SHIM = "@"


def networks_by_host(topology: Topology) -> dict[tuple[str, str], None]:
    """(host, network) for every host that a network is on, in the order of the file; one that nobody joins is on the
    first host."""
    used: dict[tuple[str, str], None] = {}
    for container in topology.containers.values():
        for attachment in container.networks:
            used[container.host, attachment.network] = None
    first_host = next(iter(topology.hosts), "local")
    joined = {network for _, network in used}
    used.update(((first_host, network), None) for network in topology.networks if network not in joined)
    return used


def interface_of(parent: Parent, host: str) -> str:
    """The parent's interface on a host, empty if it has none there (which `validate` tells)."""
    return parent.interface.get(host, parent.interface.get("", ""))


def carrier(parent: Parent, host: str) -> str:
    """The interface that networks stand on: the parent's own, or its VLAN sub-interface."""
    interface = interface_of(parent, host)
    return f"{interface}.{parent.vlan}" if parent.vlan else interface


def parents_by_host(topology: Topology) -> dict[str, tuple[str, ...]]:
    """The interfaces that a plan has to know of, by host; hosts without any are left out."""
    if not topology.parents:
        return {}
    found: dict[str, dict[str, None]] = {}
    for host, network in networks_by_host(topology):
        parent = _parent(topology, topology.networks.get(network))
        if parent is not None:
            found.setdefault(host, {}).update(dict.fromkeys((interface_of(parent, host), carrier(parent, host))))
    return {host: tuple(sorted(interfaces)) for host, interfaces in found.items()}


def _parent(topology: Topology, network: Network | None) -> Parent | None:
    return topology.parents.get(network.parent) if network is not None and network.driver in STACKED else None


def facts_of(live: Mapping[str, Observation], host: str, interface: str) -> ParentFacts | None:
    """What is known of an interface, None for nothing (nobody asked, or it is not there)."""
    found = live[host].facts.parents.get(interface) if host in live else None
    return found if found is not None and found.ifindex else None


def shim_name(host: str) -> str:
    """What the host is called among the containers of a network."""
    return _SHIM + host


def is_shim(name: str) -> bool:
    """The inverse of :func:`shim_name`."""
    return name.startswith(_SHIM)


def shim_id(network: str) -> str:
    """``shim/phys``: the host's own interface on a network."""
    return f"shim/{network}"


def segment_id(network: str) -> str:
    """``segment/phys``: what a network without a parent stands on."""
    return f"segment/{network}"


def place(
    topology: Topology,
    host: str,
    network: Network,
    live: Mapping[str, Observation],
    given: Mapping[str, tuple[Address, ...]],
) -> Place:
    """Where a network is on a host; ``given`` are the addresses on it by container."""
    if network.external:
        return Place(host, network.external_name)
    if network.driver not in STACKED:
        return Place(host)
    parent = _parent(topology, network)
    shim = given.get(shim_name(host), ())
    beside: tuple[Address, ...] = ()
    if shim:
        local = (name for name in given if not is_shim(name) and topology.containers[name].host == host)
        beside = tuple(address for name in local for address in given[name])
    if parent is None:
        # An isolated segment: a bridge of its own, which needs no port to carry frames between those on it.
        return Place(host, segment_id(network.name), network.mtu or 1500, shim, beside)
    name = carrier(parent, host)
    return Place(host, f"vlan/{name}" if parent.vlan else name, mtu_of(topology, parent, host, live), shim, beside)


def mtu_of(topology: Topology, parent: Parent, host: str, live: Mapping[str, Observation]) -> int:
    """The MTU of what networks stand on. A VLAN that others use keeps the one that it has unless the file asks for
    another (which is refused)."""
    if parent.vlan and parent.mtu:
        return parent.mtu
    facts = facts_of(live, host, interface_of(parent, host))
    if facts is None:
        return 1500
    if parent.vlan:
        for child in facts.children:
            if child.name == carrier(parent, host) and set(child.users) - {topology.name}:
                return child.mtu
    return facts.mtu


def reserve(
    topology: Topology, pooled: PooledNetwork, used: Iterable[tuple[str, str]], live: Mapping[str, Observation]
) -> PooledNetwork:
    """The network without the addresses that its parents themselves have: they are on the same segment."""
    parent = _parent(topology, pooled.network)
    if parent is None:
        return pooled
    own = set()
    for host in [host for host, network in used if network == pooled.network.name]:
        facts = facts_of(live, host, carrier(parent, host))
        own |= {parse_with_prefix(text)[:2] for text in (facts.addresses if facts is not None else ())}
    return pooled._replace(pools=tuple(_without(pool, own) for pool in pooled.pools)) if own else pooled


def _without(pool: Pool, own: set[tuple[int, int]]) -> Pool:
    taken = {value for family, value in own if family == pool.family and pool.low <= value <= pool.high}
    return pool._replace(reserved=pool.reserved | taken) if taken else pool


def resources(
    topology: Topology, host: str, networks: list[Network], live: Mapping[str, Observation]
) -> Iterator[tuple[Resource, Asker]]:
    """What is made of the parents of these networks of a host, once for each parent."""
    for parent in {p.name: p for p in (_parent(topology, network) for network in networks) if p is not None}.values():
        interface = interface_of(parent, host)
        asker = Asker(parent.path, f"parent {parent.name!r}")
        if parent.vlan and interface:
            id = f"vlan/{carrier(parent, host)}"
            yield (
                Vlan(
                    id=id,
                    interface=interface,
                    name=carrier(parent, host),
                    tag=parent.vlan,
                    mtu=mtu_of(topology, parent, host, live),
                    alias=mark(SHARED, id),
                ),
                asker,
            )
        if parent.promiscuous and interface:
            yield Promiscuity(id=f"promiscuous/{interface}", interface=interface), asker


class StandIn(NamedTuple):
    """What stands in for interfaces (by host) that are on one segment."""

    interfaces: Mapping[str, str]
    mtu: int


def stand_ins(topology: Topology, hosts: Collection[str], *, has_vlans: bool) -> tuple[Topology, tuple[StandIn, ...]]:
    """For hosts that are made up: the topology as it can be there, and what is to be made for its parents. The
    interfaces of one parent are on one segment. Without VLANs in the kernel each VLAN is an interface of its own."""
    used: dict[str, list[tuple[str, Network]]] = {}
    for host, name in networks_by_host(topology):
        parent = _parent(topology, topology.networks[name])
        if host in hosts and parent is not None and interface_of(parent, host):
            used.setdefault(parent.name, []).append((host, topology.networks[name]))
    parents = dict(topology.parents)
    segments: list[StandIn] = []
    for name, places in used.items():
        parent = parents[name]
        if parent.vlan and not has_vlans:
            tagged = {host: carrier(parent, host) for host, _ in places}
            parent = parents[name] = replace(parent, interface=tagged, vlan=0)
        made = {host: interface_of(parent, host) for host, _ in places}
        mtu = max([1500, parent.mtu, *(network.mtu for _, network in places)])
        # Parents of several VLANs share their interfaces.
        for beside in [item for item in segments if item.interfaces.items() & made.items()]:
            segments.remove(beside)
            made, mtu = {**beside.interfaces, **made}, max(mtu, beside.mtu)
        segments.append(StandIn(made, mtu))
    return replace(topology, parents=parents), tuple(segments)
