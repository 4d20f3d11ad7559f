"""Subnets by themselves and beside each other."""

from __future__ import annotations

from collections.abc import Iterator

from netcompose.topology.addressing import Block, block, number
from netcompose.topology.addressing import text as show
from netcompose.topology.checks.common import hosts_of, line_of, members
from netcompose.topology.interfaces import cable_ends
from netcompose.topology.model import Network, Subnet, Topology
from netcompose.topology.source import Path, Problem
from netcompose.topology.words import quoted

#: Prefixes that cannot be a network's, with the reason (RFC 6890, RFC 4291).
_SPECIAL = (
    (block("0.0.0.0/8"), "is not for hosts (RFC 6890)"),
    (block("127.0.0.0/8"), "is the loopback range"),
    (block("224.0.0.0/4"), "is the multicast range"),
    (block("240.0.0.0/4"), "is reserved"),
    (block("::1/128"), "is the loopback address"),
    (block("fe80::/10"), "is the link-local range: every interface has it"),
    (block("ff00::/8"), "is the multicast range"),
)


def check_subnets(topology: Topology) -> Iterator[Problem]:
    """Each subnet: a possible prefix; gateway, range and reserved addresses in it and apart from each other."""
    told: set[Path] = set()
    for subnet in _all(topology):
        if subnet.subnet and subnet.path not in told:
            told.add(subnet.path)
            yield from _subnet(topology, subnet)
    for network in topology.networks.values():
        if network.internal:
            for subnet in network.subnets:
                if subnet.gateway:
                    message = f"{network.name} is internal, so it cannot have the gateway {subnet.gateway}"
                    hint = f"remove 'internal', or the gateway in {line_of(topology, (*subnet.path, 'gateway'))}"
                    yield topology.source.problem(message, (*network.path, "internal"), hint=hint, key=True)


def _all(topology: Topology) -> Iterator[Subnet]:
    yield from topology.subnets.values()
    for network in topology.networks.values():
        yield from network.subnets


def _at(subnet: Subnet, *steps: str) -> Path:
    """The place of a part of a subnet; a subnet that is one text is the place of all its parts."""
    return (*subnet.path, *steps)


def _subnet(topology: Topology, subnet: Subnet) -> Iterator[Problem]:
    source, own = topology.source, block(subnet.subnet)
    for special, reason in _SPECIAL:
        if own.overlaps(special):
            hint = "take a private one, like 172.18.0.0/16 or fd00:18::/64"
            yield source.problem(f"{subnet.subnet} {reason}", _at(subnet, "subnet"), hint=hint)
            return
    if subnet.ip_range:
        part = block(subnet.ip_range)
        if part.version != own.version:
            message = (
                f"the range {subnet.ip_range} is IPv{part.version}, the subnet {subnet.subnet} is IPv{own.version}"
            )
            yield source.problem(message, _at(subnet, "ip_range"), hint="a range is a part of its subnet")
        elif not (own.first <= part.first and part.last <= own.last):
            message = f"the range {subnet.ip_range} is outside its subnet {subnet.subnet}"
            yield source.problem(message, _at(subnet, "ip_range"), hint="a range is a part of its subnet")
    taken: dict[tuple[int, int], str] = {}
    wanted: list[tuple[str, str, tuple[str, ...]]] = (
        [("gateway", subnet.gateway, ("gateway",))] if subnet.gateway else []
    )
    wanted += [
        (f"reserved address {quoted(name)}", text, ("aux_addresses", name))
        for name, text in subnet.aux_addresses.items()
    ]
    for what, text, steps in wanted:
        message, hint = misfit(own, subnet.subnet, text)
        known = number(text)
        if not message and known in taken:
            message, hint = f"{text} is taken by the {taken[known]}", "every address stands here once"
        taken.setdefault(known, what)
        if message:
            yield source.problem(f"the {what}: {message}", _at(subnet, *steps), hint=hint)


def misfit(own: Block, subnet: str, address: str) -> tuple[str, str]:
    """(message, hint) when no host of a subnet can have an address, else two empty texts."""
    version, value = number(address)
    if version != own.version:
        return f"{address} is IPv{version}, the subnet {subnet} is IPv{own.version}", "both are of one family"
    if not own.holds(version, value):
        return f"{address} is outside the subnet {subnet}", _extent(own)
    if value == own.network_address:
        name = "network address" if version == 4 else "router anycast address (RFC 4291)"
        return f"{address} is the {name} of {subnet}", "no host can have it; take another one"
    if value == own.broadcast_address:
        return f"{address} is the broadcast address of {subnet}", "no host can have it; take another one"
    return "", ""


def _extent(own: Block) -> str:
    return f"it goes from {show(own.version, own.first)} to {show(own.version, own.last)}"


_Placed = tuple[Block, str, str, Path]  # block, prefix, network or cable, where


def check_overlaps(topology: Topology) -> Iterator[Problem]:
    """Subnets that overlap: in one network, between bridges of one host, on one parent, in one container."""
    on = members(topology)
    told: set[frozenset[str]] = set()
    groups: dict[tuple[str, ...], list[_Placed]] = {}
    placed: dict[str, list[_Placed]] = {}
    for network in topology.networks.values():
        own = [
            (block(subnet.subnet), subnet.subnet, network.name, _where(network, index, subnet))
            for index, subnet in enumerate(network.subnets)
            if subnet.subnet
        ]
        placed[network.name] = own
        for first, second in _overlapping(own):
            told.add(frozenset((network.name,)))
            yield _problem(topology, first, second)
        if network.driver in ("bridge", "routed"):
            for host in hosts_of(topology, on[network.name]):
                groups.setdefault(("host", host), []).extend(own)
        elif network.parent:
            groups.setdefault(("parent", network.parent), []).extend(own)
    for group in groups.values():
        for first, second in _overlapping(group):
            pair = frozenset((first[2], second[2]))
            if len(pair) == 2 and pair not in told:
                told.add(pair)
                yield _problem(topology, first, second)
    yield from _inside(topology, placed, told)


def _inside(topology: Topology, placed: dict[str, list[_Placed]], told: set[frozenset[str]]) -> Iterator[Problem]:
    """Two interfaces of one container in overlapping prefixes: it could not know which one to use."""
    ends = cable_ends(topology)
    for container in topology.containers.values():
        cables = ends.get(container.name, ())
        if len(container.networks) + len(cables) < 2:
            continue
        own: list[_Placed] = []
        for attachment in container.networks:
            own += [(*entry[:3], attachment.path) for entry in placed.get(attachment.network, ())]
        for end in cables:
            for text in end.addresses:
                prefix = block(text)
                if prefix.first != prefix.last:
                    own.append((prefix, text, end.interface, end.path))
        for first, second in _overlapping(own):
            pair = frozenset((first[2], second[2]))
            if first[3] != second[3] and first[2] != second[2] and pair not in told:
                message = (
                    f"{container.name} is in {first[1]} ({first[2]}) and in {second[1]} ({second[2]}), which overlap"
                )
                hint = "it could not know which interface leads to a neighbour; change one of them"
                by_name = isinstance(second[3][-1], str)
                yield topology.source.problem(message, second[3], hint=hint, key=by_name)


def _where(network: Network, index: int, subnet: Subnet) -> Path:
    return (*network.path, "subnets", index) if subnet.name else subnet.path


def _overlapping(entries: list[_Placed]) -> Iterator[tuple[_Placed, _Placed]]:
    """Pairs that overlap; each entry is told with one that came before it, the earlier in the list first."""
    order = sorted(range(len(entries)), key=lambda i: (entries[i][0].version, entries[i][0].first, -entries[i][0].last))
    widest = -1
    for index in order:
        if widest >= 0 and entries[widest][0].overlaps(entries[index][0]):
            first, second = sorted((widest, index))
            yield entries[first], entries[second]
            if entries[index][0].last > entries[widest][0].last:
                widest = index
        else:
            widest = index


def _problem(topology: Topology, first: _Placed, second: _Placed) -> Problem:
    line = line_of(topology, first[3])
    same = "is" if first[1] == second[1] else "overlaps"
    other = "its own subnet" if first[2] == second[2] else f"the subnet of {quoted(first[2])}"
    message = f"{second[1]} of {quoted(second[2])} {same} {other}" + (f" {first[1]}" if same == "overlaps" else "")
    return topology.source.problem(message, second[3], hint=f"the other one is in {line}; take a free range")
