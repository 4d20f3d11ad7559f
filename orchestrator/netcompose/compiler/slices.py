"""Routed networks: which part of a subnet each host has, and the routes from host to host.

A slice has half of the subnet's host bits (rounded up), so that a /16 is 256 slices of 253 containers. A host's slice
is the one that explicit addresses of its containers are in, else the one that its bridge has, else the first free one
after a position derived from names: a new host never moves another.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from ipaddress import ip_address, ip_network

from netcompose.compiler import names
from netcompose.compiler.addresses import pool_of
from netcompose.compiler.numbers import parse, parse_prefix, parse_with_prefix, show
from netcompose.compiler.shapes import Pool, PooledNetwork
from netcompose.compiler.underlay import Underlay, Underlays, spans
from netcompose.resources import Bridge, HostRoute, Observation
from netcompose.resources.names import digest
from netcompose.topology.model import Network, Subnet, Topology
from netcompose.topology.source import Problem

_BITS = {4: 32, 6: 128}


class Slices:
    """The slices of a topology's routed networks. Where no host has been observed there are no routes."""

    def __init__(self, topology: Topology, live: Mapping[str, Observation], underlays: Underlays) -> None:
        self._topology = topology
        self._live = live
        self._underlays = underlays
        self.problems: list[Problem] = []
        #: Network -> its hosts, in the order of the file.
        self.spans = spans(topology, "routed")
        self._pools = {name: self._slice(topology.networks[name], hosts) for name, hosts in self.spans.items()}

    def at(self, host: str, pooled: PooledNetwork) -> PooledNetwork:
        """The network as a host has it: a routed one with its slice and an MTU that the underlay carries."""
        network = pooled.network
        if network.name not in self._pools:
            return pooled
        mtu = network.mtu
        if not mtu and self._live and len(self.spans[network.name]) > 1:
            found = [under.mtu for name in self.spans[network.name] if (under := self._underlays.of(name)) is not None]
            mtu = min([1500, *(number for number in found if number)])
        pools = self._pools[network.name].get(host) or pooled.pools
        return PooledNetwork(replace(network, mtu=mtu) if mtu != network.mtu else network, tuple(pools))

    def routes(self) -> Iterator[tuple[str, HostRoute]]:
        """``(host, route)`` to every slice of every other host. A host that is not a neighbour is a problem."""
        if not self._live:
            return
        for name, hosts in self.spans.items():
            under = {host: self._underlays.of(host) for host in hosts} if len(hosts) > 1 else {}
            reached = {host: found for host, found in under.items() if found is not None}
            for host, near in reached.items():
                for other, far in reached.items():
                    if other == host:
                        continue
                    if near.subnets and not _on_link(near, far.address):
                        self._too_far(name, host, near, other, far)
                        continue
                    for pool in self._pools[name][other]:
                        yield from self._route(host, near, far, pool)

    def _route(self, host: str, near: Underlay, far: Underlay, pool: Pool) -> Iterator[tuple[str, HostRoute]]:
        to = f"{show(pool.family, pool.network)}/{pool.prefix}"
        # The next hop of a route is of the route's own family.
        via = far.address if far.family == pool.family else _of_family(far, pool.family)
        if not via:
            message = f"there is no IPv{pool.family} address beside {far.address} that a route to {to} could lead to"
            hint = "give the underlay's interfaces addresses of both families, or take driver: overlay"
            self.problems.append(self._topology.source.problem(message, self._topology.hosts[host].path, hint=hint))
        elif host in self._live:
            yield host, HostRoute(id=f"route/{to}", to=to, via=via, interface=near.interface)

    def _too_far(self, network: str, host: str, near: Underlay, other: str, far: Underlay) -> None:
        path = (*self._topology.networks[network].path, "driver")
        message = f"network {network!r}: {other} ({far.address}) is no neighbour of {host} ({', '.join(near.subnets)})"
        hint = "a routed network needs hosts on one segment: write driver: overlay, or underlay: for the hosts"
        if all(problem.message != message for problem in self.problems):
            self.problems.append(self._topology.source.problem(message, path, hint=hint))

    def _slice(self, network: Network, hosts: list[str]) -> dict[str, list[Pool]]:
        found: dict[str, list[Pool]] = {host: [] for host in hosts}
        for subnet in network.subnets:
            for host, number in self._numbers(network, subnet, hosts).items():
                found[host].append(_pool(subnet, number))
        return found

    def _numbers(self, network: Network, subnet: Subnet, hosts: list[str]) -> dict[str, int]:
        """Which slice each host has."""
        family, base, prefix = parse_prefix(subnet.subnet)
        length = _length(family, prefix)
        shift = _BITS[family] - length
        count = 1 << (length - prefix)
        chosen: dict[str, int] = {}
        taken: dict[int, str] = {}
        for container in self._topology.containers.values():
            for attachment in container.networks:
                text = attachment.ipv4_address if family == 4 else attachment.ipv6_address
                if attachment.network != network.name or not text or not _within(text, subnet):
                    continue
                number = (parse(text)[1] - base) >> shift
                if (
                    taken.setdefault(number, container.host) != container.host
                    or chosen.setdefault(container.host, number) != number
                ):
                    at = f"{show(family, base + (number << shift))}/{length}"
                    message = f"{text} is in {at}, which is not the part of {subnet.subnet} that {container.host!r} has"
                    hint = "all addresses of a host are in one slice of a routed network; leave the address out"
                    path = (*attachment.path, "ipv4_address" if family == 4 else "ipv6_address")
                    self.problems.append(self._topology.source.problem(message, path, hint=hint))
        for host in hosts:
            live = self._live_number(host, network, subnet, shift)
            if host not in chosen and live is not None and live not in taken:
                chosen[host] = live
                taken[live] = host
        for host in hosts:
            if host in chosen:
                continue
            start = int.from_bytes(digest("slice", self._topology.name, network.name, host)[:8], "big")
            free = next((n for step in range(count) if (n := (start + step) % count) not in taken), None)
            if free is None:
                message = f"{subnet.subnet} of network {network.name!r} has {count} slices, and more hosts than that"
                self.problems.append(
                    self._topology.source.problem(message, subnet.path, hint="take a larger subnet, or driver: overlay")
                )
                free = 0
            chosen[host] = free
            taken[free] = host
        return {host: chosen[host] for host in hosts}

    def _live_number(self, host: str, network: Network, subnet: Subnet, shift: int) -> int | None:
        family, base, prefix = parse_prefix(subnet.subnet)
        found = self._live[host].resources.get(names.bridge_id(network.name)) if host in self._live else None
        for text in found.addresses if isinstance(found, Bridge) else ():
            at, value, length = parse_with_prefix(text)
            if at == family and length == _length(family, prefix) and _within(text.partition("/")[0], subnet):
                return (value - base) >> shift
        return None


def _of_family(underlay: Underlay, family: int) -> str:
    """Another address of the underlay's interface, empty if it has none of the family."""
    return next((text.partition("/")[0] for text in underlay.subnets if (":" in text) == (family == 6)), "")


def _length(family: int, prefix: int) -> int:
    return prefix + (_BITS[family] - prefix) // 2


def _pool(subnet: Subnet, number: int) -> Pool:
    """The slice as a subnet of its own, with its first address as the gateway."""
    family, base, prefix = parse_prefix(subnet.subnet)
    length = _length(family, prefix)
    start = base + (number << (_BITS[family] - length))
    return pool_of(Subnet("", subnet.path, f"{show(family, start)}/{length}", aux_addresses=subnet.aux_addresses))


def _within(text: str, subnet: Subnet) -> bool:
    return ip_address(text) in ip_network(subnet.subnet)


def _on_link(near: Underlay, address: str) -> bool:
    return any(ip_address(address) in ip_network(text, strict=False) for text in near.subnets)
