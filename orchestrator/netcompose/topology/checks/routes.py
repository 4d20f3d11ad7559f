"""Static routes of containers."""

from __future__ import annotations

from collections.abc import Iterator

from netcompose.topology.addressing import Block, block, number
from netcompose.topology.checks.common import is_known, line_of
from netcompose.topology.interfaces import cable_ends, interface_names
from netcompose.topology.model import Container, LinkEnd, RouteSpec, Topology
from netcompose.topology.source import Path, Problem
from netcompose.topology.words import choices, quoted


def check_routes(topology: Topology) -> Iterator[Problem]:
    """The next hop is in a subnet of the container, the interface exists, and a destination has one route."""
    ends = cable_ends(topology)
    for container in topology.containers.values():
        if not container.routes or container.network_mode in ("host", "container"):
            continue
        cables = ends.get(container.name, ())
        interfaces = (*interface_names(container, cables), *(end.interface for end in cables))
        blocks = _blocks(topology, container, cables)
        seen: dict[tuple[str, int], Path] = {}
        for route in container.routes:
            yield from _route(topology, container, route, interfaces, blocks)
            first = seen.setdefault((route.to, route.metric), route.path)
            if first is not route.path:
                message = f"{container.name} has two routes to {route.to}"
                hint = f"the other one is in {line_of(topology, first)}; two need different metrics"
                yield topology.source.problem(message, (*route.path, "to"), hint=hint)


def _route(
    topology: Topology, container: Container, route: RouteSpec, interfaces: tuple[str, ...], blocks: list[Block] | None
) -> Iterator[Problem]:
    if route.interface and route.interface not in interfaces:
        hint = f"its interfaces are: {choices(interfaces)}" if interfaces else "join it to a network first"
        message = f"{container.name} has no interface {quoted(route.interface)}"
        yield topology.source.problem(message, (*route.path, "interface"), hint=hint)
    if not route.via:
        return
    via: Path = (*route.path, "via")
    version, address = number(route.via)
    if (":" in route.to) != (version == 6):
        message = f"the next hop {route.via} is IPv{version}, the destination {route.to} is not"
        yield topology.source.problem(message, via, hint="both are of one family")
    elif blocks is not None and not any(own.holds(version, address) for own in blocks):
        message = f"the next hop {route.via} is in no subnet of {container.name}"
        yield topology.source.problem(
            message, via, hint="a next hop is a neighbour: on a network or a cable of the container"
        )
    elif _is_own(container, version, address):
        message = f"the next hop {route.via} is {container.name} itself"
        yield topology.source.problem(message, via, hint="a next hop is a neighbour's address")


def _blocks(topology: Topology, container: Container, cables: tuple[LinkEnd, ...]) -> list[Block] | None:
    """The prefixes on a container's interfaces; None when the file does not show all of them."""
    blocks = [block(text) for end in cables for text in end.addresses]
    blocks.append(block("fe80::/10"))
    for attachment in container.networks:
        network = topology.networks.get(attachment.network)
        if network is None or not network.subnets or not is_known(network):
            return None
        blocks += [block(subnet.subnet) for subnet in network.subnets]
    return blocks


def _is_own(container: Container, version: int, address: int) -> bool:
    for attachment in container.networks:
        for text in (attachment.ipv4_address, attachment.ipv6_address):
            if text and number(text) == (version, address):
                return True
    return False
