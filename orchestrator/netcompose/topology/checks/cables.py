"""Point-to-point links between containers."""

from __future__ import annotations

from collections.abc import Iterator

from netcompose.topology.addressing import block, number
from netcompose.topology.checks.addresses import mac_problem
from netcompose.topology.checks.common import line_of
from netcompose.topology.checks.drivers import IPV6_MTU
from netcompose.topology.checks.subnets import misfit
from netcompose.topology.model import Link, LinkEnd, Topology
from netcompose.topology.source import Path, Problem
from netcompose.topology.words import quoted


def check_cables(topology: Topology) -> Iterator[Problem]:
    """Ends that are used twice or cannot take a cable, MTUs and MAC addresses."""
    used: dict[tuple[str, str], Path] = {}
    for link in topology.links:
        for end in (link.a, link.b):
            container = topology.containers.get(end.container)
            if container is not None and container.network_mode in ("host", "container"):
                whose = "the host's" if container.network_mode == "host" else f"{container.joins}'s"
                message = f"{end.container} cannot have a cable: its network is {whose}"
                hint = (
                    f"use {container.joins}:{end.interface}"
                    if container.joins
                    else "a cable ends in a container's own network"
                )
                yield topology.source.problem(message, end.path, hint=hint)
            place = (end.container, end.interface)
            if place in used:
                message = f"the endpoint {end.container}:{end.interface} is used twice"
                yield topology.source.problem(
                    message, end.path, hint=f"the other one is in {line_of(topology, used[place])}"
                )
            used.setdefault(place, end.path)
        if link.mtu and link.mtu < IPV6_MTU and any(":" in text for end in (link.a, link.b) for text in end.addresses):
            message = f"the link has IPv6 addresses and an MTU of {link.mtu}"
            yield topology.source.problem(message, (*link.path, "mtu"), hint=f"IPv6 needs at least {IPV6_MTU}")
        for side, end in enumerate((link.a, link.b)):
            if end.mac_address:
                message, hint = mac_problem(end.mac_address)
                if not message and side and end.mac_address == link.a.mac_address:
                    message, hint = (
                        f"both ends have the MAC address {end.mac_address}",
                        "leave one out and it is chosen",
                    )
                if message:
                    yield topology.source.problem(message, (*link.path, "mac_addresses", side), hint=hint)


def check_cable_addresses(topology: Topology) -> Iterator[Problem]:
    """Addresses of cables: of a host, in one subnet, of the same families, and once in a container."""
    taken: dict[tuple[str, int, int], Path] = {}
    for container in topology.containers.values():
        for attachment in container.networks:
            for key in ("ipv4_address", "ipv6_address"):
                text = getattr(attachment, key)
                if text:
                    taken[(container.name, *number(text))] = (*attachment.path, key)
    for link in topology.links:
        for side, end in enumerate((link.a, link.b)):
            path: Path = (*link.path, "addresses", side)
            for text in end.addresses:
                message, hint = misfit(block(text), str(block(text)), text.partition("/")[0])
                known = (end.container, *number(text.partition("/")[0]))
                if not message and known in taken:
                    message = f"{end.container} has the address {text.partition('/')[0]} twice"
                    hint = f"the other one is in {line_of(topology, taken[known])}"
                taken.setdefault(known, path)
                if message:
                    yield topology.source.problem(message, path, hint=hint)
        yield from _both_ends(topology, link)


def _both_ends(topology: Topology, link: Link) -> Iterator[Problem]:
    if not link.a.addresses or not link.b.addresses:
        return
    path: Path = (*link.path, "addresses")
    near, far = (_families(end) for end in (link.a, link.b))
    for version in (4, 6):
        ours, theirs = near.get(version, []), far.get(version, [])
        if bool(ours) != bool(theirs):
            with_it, without = (link.a, link.b) if ours else (link.b, link.a)
            message = f"{with_it.container} has an IPv{version} address on this link, {without.container} has none"
            yield topology.source.problem(message, path, hint="give both ends addresses of the same families", key=True)
            return
        elif ours:
            same = {text.partition("/")[0] for text in ours} & {text.partition("/")[0] for text in theirs}
            if same:
                message = f"both ends have the address {min(same)}"
                yield topology.source.problem(message, path, hint="each end has its own", key=True)
            elif not any(block(a).overlaps(block(b)) for a in ours for b in theirs):
                message = f"{quoted(ours[0])} and {quoted(theirs[0])} are not in one subnet"
                yield topology.source.problem(message, path, hint="both ends of a cable are in the same one", key=True)


def _families(end: LinkEnd) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for text in end.addresses:
        found.setdefault(6 if ":" in text else 4, []).append(text)
    return found
