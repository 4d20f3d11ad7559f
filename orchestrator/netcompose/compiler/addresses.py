"""Which address every container has on a network (IPAM).

An address is explicit, else the one that the live interface already has, else the first free one after a position
that is derived from names alone. Explicit and live addresses of the whole network are set aside first, so adding a
container never renumbers another. Nothing is enumerated: an IPv6 /64 costs what an IPv4 /29 does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from netcompose.compiler.before import Before
from netcompose.compiler.numbers import mask, parse, parse_prefix, parse_with_prefix, show
from netcompose.compiler.shapes import NOT_OURS, Address, Pool, PooledNetwork
from netcompose.resources.names import digest
from netcompose.topology.model import Attachment, Network, Subnet, Topology
from netcompose.topology.source import Problem

#: Where the subnets of networks that name none come from: /20 blocks (4093 containers) of 10.128.0.0/9.
_AUTOMATIC_RANGE = (10 << 24 | 128 << 16, 9)
_AUTOMATIC_PREFIX = 20

#: A prefix as integers: family, network, length.
Prefix = tuple[int, int, int]


def overlap(a: Prefix, b: Prefix) -> bool:
    """True when two prefixes have an address in common."""
    if a[0] != b[0]:
        return False
    shorter = mask(a[0], min(a[2], b[2]))
    return a[1] & shorter == b[1] & shorter


def pool_of(subnet: Subnet, *, has_gateway: bool = True) -> Pool:
    """A declared subnet as integers. The gateway defaults to the first host address; without ``has_gateway`` there is
    none unless it is written.

    An IPv4 subnet's first and last address name the network and everybody in it, except in a /31 (RFC 3021) or /32;
    an IPv6 subnet's first is the anycast address of its routers (RFC 4291, 2.6.1), except in a /127 (RFC 6164).
    """
    family, network, prefix = parse_prefix(subnet.subnet)
    last = network + (1 << ((32 if family == 4 else 128) - prefix)) - 1
    first_host, last_host = network, last
    if last - network > 1:
        first_host += 1
        if family == 4:
            last_host -= 1
    low, high = first_host, last_host
    if subnet.ip_range:
        _, start, length = parse_prefix(subnet.ip_range)
        low = max(low, start)
        high = min(high, start + (1 << ((32 if family == 4 else 128) - length)) - 1)
    gateway = subnet.gateway or (show(family, first_host) if has_gateway else "")
    reserved = [parse(text)[1] for text in (gateway,) if text] + [
        parse(text)[1] for text in subnet.aux_addresses.values()
    ]
    return Pool(
        family=family,
        network=network,
        prefix=prefix,
        low=low,
        high=high,
        gateway=gateway,
        reserved=frozenset(value for value in reserved if low <= value <= high),
    )


def pooled_networks(
    topology: Topology, before: Before, host_routes: Sequence[Prefix]
) -> tuple[dict[str, PooledNetwork], list[Problem]]:
    """Every network with its subnets settled; ``host_routes`` are prefixes that a chosen subnet keeps away from."""
    pooled: dict[str, PooledNetwork] = {}
    without: list[Network] = []
    for network in topology.networks.values():
        if network.subnets:
            pooled[network.name] = PooledNetwork(
                network, tuple(pool_of(subnet, has_gateway=_has_gateway(network)) for subnet in network.subnets)
            )
        else:
            without.append(network)
    if not without:
        return pooled, []
    without.sort(key=lambda network: network.name)
    declared = list(_declared(topology))
    taken = list(declared)
    members = before.member_addresses()
    waiting = []
    for network in without:
        kept = _live_block([*before.bridge_addresses(network.name), *members.get(network.name, ())], taken)
        if kept is None:
            waiting.append(network)
        else:
            taken.append(kept)
            pooled[network.name] = PooledNetwork(network, (_automatic_pool(kept, network),))
    taken += [route for route in host_routes if route[2]]
    problems = []
    for network in waiting:
        block = _free_block(topology.name, network.name, taken)
        if block is None:
            message = f"no free subnet is left for network {network.name!r} in 10.128.0.0/9"
            hint = "give it one: subnets: [172.30.0.0/24]"
            problems.append(topology.source.problem(message, network.path, hint=hint, key=True))
            pooled[network.name] = PooledNetwork(network, ())
        else:
            taken.append(block)
            pooled[network.name] = PooledNetwork(network, (_automatic_pool(block, network),))
    return {name: pooled[name] for name in topology.networks}, problems


def _declared(topology: Topology) -> Iterator[Prefix]:
    for subnet in topology.subnets.values():
        yield parse_prefix(subnet.subnet)
    for network in topology.networks.values():
        for subnet in network.subnets:
            yield parse_prefix(subnet.subnet)
    for link in topology.links:
        for end in (link.a, link.b):
            for address in end.addresses:
                family, value, prefix = parse_with_prefix(address)
                yield family, value & mask(family, prefix), prefix


def _has_gateway(network: Network) -> bool:
    """Whether the network's driver makes a gateway, or a router of the segment is asked that somebody else made."""
    return network.driver not in NOT_OURS


def _automatic_pool(block: Prefix, network: Network) -> Pool:
    family, first, prefix = block
    last = first + (1 << (32 - prefix)) - 1
    gateway = show(4, first + 1) if _has_gateway(network) else ""
    return Pool(family, first, prefix, first + 1, last - 1, gateway, frozenset({first + 1}), True)


def _live_block(addresses: Sequence[str], taken: Sequence[Prefix]) -> Prefix | None:
    for text in addresses:
        family, value, prefix = parse_with_prefix(text)
        block = (family, value & mask(family, prefix), prefix)
        if prefix == _AUTOMATIC_PREFIX and overlap(block, (4, *_AUTOMATIC_RANGE)):
            return None if any(overlap(block, other) for other in taken) else block
    return None


def _free_block(topology: str, network: str, taken: Sequence[Prefix]) -> Prefix | None:
    base, length = _AUTOMATIC_RANGE
    count = 1 << (_AUTOMATIC_PREFIX - length)
    start = int.from_bytes(digest("subnet", topology, network), "big") % count
    near = [prefix for prefix in taken if overlap(prefix, (4, base, length))]
    for step in range(count):
        block = (4, base + ((start + step) % count << (32 - _AUTOMATIC_PREFIX)), _AUTOMATIC_PREFIX)
        if not any(overlap(block, other) for other in near):
            return block
    return None


class Member(NamedTuple):
    """One container on a network: what it asks for, and the ``address/prefix`` strings that it has so far."""

    container: str
    attachment: Attachment
    live: tuple[str, ...]


def allocate(
    topology: Topology, pooled: PooledNetwork, members: Sequence[Member]
) -> tuple[dict[str, tuple[Address, ...]], list[Problem]]:
    """Container -> its addresses on the network, IPv4 first: one of every family that the network has."""
    result: dict[str, tuple[Address, ...]] = {member.container: () for member in members}
    problems: list[Problem] = []
    members = sorted(members, key=lambda member: member.container)
    for family in (4, 6):
        given, found = _allocate_family(topology, pooled, family, members)
        problems += found
        for container, address in given.items():
            result[container] += (address,)
    return result, problems


def _wanted(member: Member, family: int) -> str:
    return member.attachment.ipv4_address if family == 4 else member.attachment.ipv6_address


def _allocate_family(
    topology: Topology, pooled: PooledNetwork, family: int, members: Sequence[Member]
) -> tuple[dict[str, Address], list[Problem]]:
    network = pooled.network
    pools = [pool for pool in pooled.pools if pool.family == family]
    if not pools:
        # Nobody gets one without asking.
        members = [member for member in members if _wanted(member, family)]
    given: dict[str, Address] = {}
    problems: list[Problem] = []
    taken: set[int] = set()
    waiting = []
    for member in members:
        wanted = _wanted(member, family)
        if not wanted:
            waiting.append(member)
            continue
        value = parse(wanted)[1]
        pool = next((pool for pool in pools if pool.contains(value)), None)
        if pool is None or pool.automatic:
            problems.append(_outside(topology, network, member, wanted, pools))
            continue
        taken.add(value)
        given[member.container] = _address(network, pool, value, wanted)
    without = []
    for member in waiting:
        kept = _kept(member, family, pools, taken)
        if kept is None:
            without.append(member)
        else:
            pool, value = kept
            taken.add(value)
            given[member.container] = _address(network, pool, value)
    free = [_Free(pool, taken) for pool in pools] if without else []
    for member in without:
        seed = int.from_bytes(digest("address", topology.name, network.name, member.container, str(family)), "big")
        for pool, room in zip(pools, free, strict=True):
            if room.left:
                given[member.container] = _address(network, pool, room.take_after(seed))
                break
        else:
            problems.append(_exhausted(topology, network, family, member, pools))
    return given, problems


def _address(network: Network, pool: Pool, value: int, text: str = "") -> Address:
    gateway = "" if network.internal else pool.gateway
    return Address(pool.family, value, pool.prefix, text or show(pool.family, value), gateway)


def _kept(member: Member, family: int, pools: Sequence[Pool], taken: set[int]) -> tuple[Pool, int] | None:
    for text in member.live:
        if (":" in text) != (family == 6):
            continue
        value = parse_with_prefix(text)[1]
        for pool in pools:
            if pool.low <= value <= pool.high and value not in pool.reserved and value not in taken:
                return pool, value
    return None


class _Free:
    """The free addresses of a pool: the next one after any position in near constant time, however full the pool
    is (a disjoint-set forest of taken positions, each pointing towards the next that may be free)."""

    def __init__(self, pool: Pool, taken: set[int]) -> None:
        self._low = pool.low
        self._size = pool.high - pool.low + 1
        self._next: dict[int, int] = {}
        for value in taken | pool.reserved:
            if pool.low <= value <= pool.high:
                self._next[value - pool.low] = value - pool.low + 1
        self.left = self._size - len(self._next)

    def take_after(self, seed: int) -> int:
        """Take the first free address at or after ``seed`` modulo the size, around the end if need be."""
        position = self._find(seed % self._size)
        if position == self._size:
            position = self._find(0)
        self._next[position] = position + 1
        self.left -= 1
        return self._low + position

    def _find(self, position: int) -> int:
        follow = self._next
        end = position
        while end in follow:
            end = follow[end]
        while position != end:
            follow[position], position = end, follow[position]
        return end


def _outside(topology: Topology, network: Network, member: Member, wanted: str, pools: Sequence[Pool]) -> Problem:
    key = "ipv6_address" if ":" in wanted else "ipv4_address"
    written = [pool for pool in pools if not pool.automatic]
    if written:
        message = f"{wanted} is in no subnet of network {network.name!r}"
        hint = "its subnets: " + ", ".join(f"{show(pool.family, pool.network)}/{pool.prefix}" for pool in written)
    else:
        message = f"{wanted} needs a subnet, and network {network.name!r} has none for it"
        hint = "add one that contains the address: networks: {" + network.name + ": {subnets: [...]}}"
    return topology.source.problem(message, (*member.attachment.path, key), hint=hint)


def _exhausted(topology: Topology, network: Network, family: int, member: Member, pools: Sequence[Pool]) -> Problem:
    ranges = ", ".join(f"{show(family, pool.low)}-{show(family, pool.high)}" for pool in pools)
    return topology.source.problem(
        f"network {network.name!r} has no free IPv{family} address for container {member.container!r}",
        member.attachment.path,
        hint=f"all of {ranges} is in use or reserved: enlarge the subnet or its ip_range, or add a subnet",
    )
