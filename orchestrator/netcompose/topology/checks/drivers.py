"""What a network's driver can do, and what it needs: keys, parents, hosts."""

from __future__ import annotations

from collections.abc import Iterator

from netcompose.topology.checks.common import hosts_of, line_of, members
from netcompose.topology.checks.interfaces import LONGEST
from netcompose.topology.model import Network, Topology
from netcompose.topology.source import Problem
from netcompose.topology.words import choices, quoted

#: Key -> the drivers that have it. A key at its default has no effect and is not told.
_KEYS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("parent", ("macvlan", "ipvlan")),
    ("mode", ("macvlan", "ipvlan")),
    ("flag", ("ipvlan",)),
    ("sources", ("macvlan",)),
    ("host_access", ("macvlan", "ipvlan")),
    ("vni", ("overlay",)),
    ("port", ("overlay",)),
    ("encrypted", ("overlay",)),
)
_OFF: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("icc", ("bridge", "overlay", "routed")),
    ("masquerade", ("bridge", "overlay", "routed")),
    ("isolated", ("bridge", "overlay", "routed")),
)
_MODES = {"macvlan": ("bridge", "private", "vepa", "passthru", "source"), "ipvlan": ("l2", "l3", "l3s")}
#: The least that IPv6 needs on a link (RFC 8200, section 5).
IPV6_MTU = 1280


def check_drivers(topology: Topology) -> Iterator[Problem]:
    """Keys that do not go with the driver; what the driver needs and is not there; VNIs used twice."""
    vnis: dict[int, Network] = {}
    for network in topology.networks.values():
        yield from _keys(topology, network)
        if network.driver in _MODES:
            # macvlan without a parent is an isolated segment of its own.
            if network.driver == "ipvlan" and not network.parent and not network.external:
                message = f"{network.name} has no 'parent', which {network.driver} needs"
                hint = (
                    f"the parents are: {choices(topology.parents)}"
                    if topology.parents
                    else "define it under 'parents:'"
                )
                yield topology.source.problem(message, network.path, hint=hint, key=True)
            if network.mode and network.mode not in _MODES[network.driver]:
                message = f"{network.driver} has no mode {quoted(network.mode)}"
                hint = f"one of: {choices(_MODES[network.driver])}"
                yield topology.source.problem(message, (*network.path, "mode"), hint=hint)
        if network.mtu and network.mtu < IPV6_MTU and any(":" in subnet.subnet for subnet in network.subnets):
            message = f"{network.name} has IPv6 and an MTU of {network.mtu}"
            yield topology.source.problem(message, (*network.path, "mtu"), hint=f"IPv6 needs at least {IPV6_MTU}")
        if network.vni:
            first = vnis.setdefault(network.vni, network)
            if first is not network:
                path = (*network.path, "vni")
                message = f"the VNI {network.vni} is taken by {quoted(first.name)}"
                hint = f"see {line_of(topology, (*first.path, 'vni'))}; every overlay has one of its own"
                yield topology.source.problem(message, path, hint=hint)


def _keys(topology: Topology, network: Network) -> Iterator[Problem]:
    for key, drivers in _KEYS:
        if getattr(network, key) and network.driver not in drivers:
            yield _not_for(topology, network, key, drivers)
    for key, drivers in _OFF:
        if not getattr(network, key) and network.driver not in drivers:
            yield _not_for(topology, network, key, drivers)
    if network.external:
        for key in ("parent", "mode", "flag", "sources", "host_access", "vni", "port", "encrypted", "internal"):
            if getattr(network, key):
                message = f"{network.name} is external, so '{key}' cannot be set"
                hint = "an external network is used as it is found"
                yield topology.source.problem(message, (*network.path, key), hint=hint, key=True)


def _not_for(topology: Topology, network: Network, key: str, drivers: tuple[str, ...]) -> Problem:
    message = f"the driver {quoted(network.driver)} has no '{key}'"
    hint = f"'{key}' goes with: {choices(drivers)}"
    return topology.source.problem(message, (*network.path, key), hint=hint, key=True)


def check_parents(topology: Topology) -> Iterator[Problem]:
    """Parents that clash with each other, or cannot carry the networks on them."""
    seen: dict[tuple[str, str, int], str] = {}
    for parent in topology.parents.values():
        for host, interface in parent.interface.items():
            name = f"{interface}.{parent.vlan}"
            if parent.vlan and len(name.encode()) > LONGEST >= len(interface.encode()):
                message = f"the interface of the VLAN would be {quoted(name)}, {len(name.encode())} bytes"
                yield topology.source.problem(message, (*parent.path, "vlan"), hint=f"Linux allows {LONGEST}")
            first = seen.setdefault((host, interface, parent.vlan), parent.name)
            if first != parent.name:
                what = f"VLAN {parent.vlan} of {interface}" if parent.vlan else f"the interface {interface}"
                message = f"{what} is the parent {quoted(first)} already"
                hint = f"see {line_of(topology, ('parents', first))}; networks can share one parent"
                yield topology.source.problem(message, parent.path, hint=hint, key=True)
    on = members(topology)
    drivers: dict[tuple[str, str, int], Network] = {}
    for network in topology.networks.values():
        known = topology.parents.get(network.parent)
        if known is None or network.driver not in _MODES:
            continue
        if known.mtu and network.mtu > known.mtu:
            message = f"{network.name} has an MTU of {network.mtu}, its parent has {known.mtu}"
            yield topology.source.problem(message, (*network.path, "mtu"), hint="it cannot be larger than the parent's")
        for host in hosts_of(topology, on[network.name]):
            interface = known.interface.get(host, known.interface.get("", ""))
            if not interface:
                message = f"the parent {quoted(known.name)} has no interface on host {quoted(host)}"
                hint = f"{network.name} is used there; add  {host}: INTERFACE  to the parent"
                yield topology.source.problem(message, (*known.path, "interface"), hint=hint, key=True)
                continue
            place = (host, interface, known.vlan)
            beside = drivers.setdefault(place, network)
            if beside.driver != network.driver:
                message = f"{quoted(beside.name)} is {beside.driver} on the same parent, this is {network.driver}"
                hint = "an interface carries macvlan or ipvlan, not both"
                yield topology.source.problem(message, (*network.path, "driver"), hint=hint)
            elif beside is not network and "passthru" in (beside.mode, network.mode):
                message = f"{quoted(beside.name)} is on the same parent, and mode passthru shares it with nobody"
                yield topology.source.problem(message, (*network.path, "parent"), hint="use mode bridge, or a VLAN")


def check_spans(topology: Topology) -> Iterator[Problem]:
    """Networks whose members are where the driver cannot reach, or more than it can have."""
    on = members(topology)
    for network in topology.networks.values():
        hosts = hosts_of(topology, on[network.name])
        if network.driver == "bridge" and len(hosts) > 1 and not network.external:
            first = on[network.name][0][0].host
            for container, attachment in on[network.name]:
                if container.host != first:
                    here = f"{container.name} on {quoted(container.host)}"
                    message = f"the bridge {quoted(network.name)} is on host {quoted(first)}, {here}"
                    hint = f"a bridge is on one host; write driver: overlay for {network.name}"
                    key = isinstance(attachment.path[-1], str)
                    yield topology.source.problem(message, attachment.path, hint=hint, key=key)
                    break
        if network.mode == "passthru" and network.driver == "macvlan":
            seen: dict[str, str] = {}
            for container, attachment in on[network.name]:
                first = seen.setdefault(container.host, container.name)
                if first != container.name:
                    message = f"{quoted(network.name)} is passthru, and {first} has it already"
                    key = isinstance(attachment.path[-1], str)
                    hint = "passthru is for one container per parent; use mode bridge"
                    yield topology.source.problem(message, attachment.path, hint=hint, key=key)
