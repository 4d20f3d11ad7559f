"""Addresses that containers ask for on networks, and room for those that are chosen."""

from __future__ import annotations

from collections.abc import Iterator

from netcompose.topology.addressing import block, gateway, number
from netcompose.topology.checks.common import is_known, line_of, members
from netcompose.topology.checks.subnets import misfit
from netcompose.topology.model import Network, Subnet, Topology
from netcompose.topology.source import Path, Problem
from netcompose.topology.words import choices, quoted

_KEYS = ((4, "ipv4_address"), (6, "ipv6_address"))


def check_addresses(topology: Topology) -> Iterator[Problem]:
    """Explicit addresses: in a configured subnet, of a host, not the gateway's, not reserved, and only once."""
    for name, on in members(topology).items():
        network = topology.networks[name]
        if not is_known(network):
            continue
        blocks = [(block(subnet.subnet), subnet) for subnet in network.subnets]
        kept = {4: _kept(network, 4), 6: _kept(network, 6)}
        taken: dict[tuple[int, int], Path] = {}
        for _, attachment in on:
            for version, key in _KEYS:
                text: str = getattr(attachment, key)
                if not text:
                    continue
                path: Path = (*attachment.path, key)
                known = number(text)
                subnet = next((subnet for own, subnet in blocks if own.holds(*known)), None)
                if subnet is None:
                    yield _homeless(topology, network, version, text, path)
                    continue
                message, hint = misfit(block(subnet.subnet), subnet.subnet, text)
                if not message and known in kept[version]:
                    message = f"{text} is {kept[version][known]} of {quoted(name)} ({subnet.subnet})"
                    hint = "take another address" + ("" if subnet.gateway else ", or set another gateway")
                if not message and known in taken:
                    message = f"{text} is used twice on {quoted(name)} ({subnet.subnet})"
                    hint = f"the other one is in {line_of(topology, taken[known])}"
                taken.setdefault(known, path)
                if message:
                    yield topology.source.problem(message, path, hint=hint)


def _homeless(topology: Topology, network: Network, version: int, text: str, path: Path) -> Problem:
    prefixes = [subnet.subnet for subnet in network.subnets]
    if not any((":" in prefix) == (version == 6) for prefix in prefixes):
        kind = f"IPv{version} subnet" if prefixes else "configured subnet"
        message = f"{text} cannot be given: {quoted(network.name)} has no {kind}"
        example = "fd00:18::/64" if version == 6 else "172.18.0.0/16"
        return topology.source.problem(message, path, hint=f"add one to it, like  subnets: [{example}]")
    message = f"{text} is outside every subnet of {quoted(network.name)}"
    return topology.source.problem(message, path, hint=f"its subnets are: {choices(prefixes)}")


def _kept(network: Network, version: int) -> dict[tuple[int, int], str]:
    """Addresses of one family that no container gets, with what they are."""
    found: dict[tuple[int, int], str] = {}
    for subnet in network.subnets:
        for name, text in subnet.aux_addresses.items():
            found.setdefault(number(text), f"the reserved address {quoted(name)}")
        own = gateway(network, subnet)
        if own:
            found[number(own)] = "the gateway"
    return {known: what for known, what in found.items() if known[0] == version}


def check_room(topology: Topology) -> Iterator[Problem]:
    """Subnets that have fewer free addresses than containers without one of their own."""
    for name, on in members(topology).items():
        network = topology.networks[name]
        if not network.subnets or not is_known(network):
            continue
        for version, key in _KEYS:
            pools = [subnet for subnet in network.subnets if (":" in subnet.subnet) == (version == 6)]
            if pools:
                asked = [getattr(attachment, key) for _, attachment in on]
                yield from _room(topology, network, pools, [number(text) for text in asked if text], asked.count(""))


def _room(
    topology: Topology, network: Network, pools: list[Subnet], explicit: list[tuple[int, int]], wanting: int
) -> Iterator[Problem]:
    """Pools are of one family; ``explicit`` are the addresses asked for, ``wanting`` counts those that are chosen."""
    if not wanting:
        return
    taken = {*_kept(network, block(pools[0].subnet).version), *explicit}
    free = 0
    for subnet in pools:
        own, part = block(subnet.subnet), block(subnet.ip_range or subnet.subnet)
        if part.version != own.version or not (own.first <= part.first and part.last <= own.last):
            return  # told with the subnet
        gone = {value for _, value in taken if part.first <= value <= part.last}
        gone.update(
            value
            for value in (own.network_address, own.broadcast_address)
            if value is not None and part.first <= value <= part.last
        )
        free += part.last - part.first + 1 - len(gone)
    if free < wanting:
        ranges = choices(subnet.ip_range or subnet.subnet for subnet in pools)
        there = f"{free} free address{'' if free == 1 else 'es'} in {ranges}"
        message = f"{quoted(network.name)} has {there} for {wanting} container{'' if wanting == 1 else 's'}"
        first = pools[0]
        path = first.path if first.name == "" or first.path[0] == "networks" else network.path
        hint = "take a larger subnet or range, or add a second one"
        yield topology.source.problem(message, path, hint=hint, key=path == network.path)


def check_macs(topology: Topology) -> Iterator[Problem]:
    """MAC addresses that containers ask for on networks."""
    for name, on in members(topology).items():
        network = topology.networks[name]
        taken: dict[str, Path] = {}
        for _, attachment in on:
            if not attachment.mac_address:
                continue
            path: Path = (*attachment.path, "mac_address")
            message, hint = mac_problem(attachment.mac_address)
            if not message and network.driver == "ipvlan":
                message = "an ipvlan interface has its parent's MAC address"
                hint = "remove mac_address, or use driver: macvlan"
            if not message and attachment.mac_address in taken:
                message = f"{attachment.mac_address} is used twice on {quoted(name)}"
                hint = f"the other one is in {line_of(topology, taken[attachment.mac_address])}"
            taken.setdefault(attachment.mac_address, path)
            if message:
                yield topology.source.problem(message, path, hint=hint)


def mac_problem(mac: str) -> tuple[str, str]:
    """(message, hint) when no interface can have a MAC address, else two empty texts."""
    if int(mac[:2], 16) & 1:
        return f"{mac} is a multicast address", "the first pair must be even; 02:... is yours to choose"
    if mac == "00:00:00:00:00:00":
        return f"{mac} is no interface's address", "leave it out and one is chosen"
    return "", ""
