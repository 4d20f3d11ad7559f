"""What the desired resources of the hosts promise: which container reaches which address of which other.

A simulation of what the kernel does with the compiled addresses, routes and forwarding settings: longest-prefix
match, hop by hop, there and back. Bridges, cables and parents are segments; isolated ports of a bridge do not hear each
other, nor do interfaces on a parent whose mode keeps them apart.
The host answers for its bridges' addresses and forwards what its packet filter lets through: within a network, and
between those that are not isolated. Over several hosts routes lead to the host that has the address. What ``exec``
commands and processes do to the routes is not known here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from netcompose.compiler import dns
from netcompose.compiler import segments as layer2
from netcompose.compiler.numbers import mask, parse, parse_prefix, parse_with_prefix
from netcompose.resources import Bridge, End, File, Firewall, HostRoute, Namespace, Resource, Stacked, Veth, Vxlan

#: The segment that the hosts are on themselves.
_UNDERLAY = "underlay"
#: The hop limit that Linux gives to packets (``net.ipv4.ip_default_ttl``).
_HOPS = 64


@dataclass(frozen=True, slots=True)
class Promise:
    """``source`` reaches ``address`` of ``target``, or does not.

    ``name`` is the name by which the source knows the address (the target's own if it is there), empty
    if it has none.
    """

    source: str
    target: str
    family: int
    address: str
    name: str
    reaches: bool


def promised(*hosts: Mapping[str, Resource]) -> tuple[Promise, ...]:
    """For every ordered pair of containers with a namespace, one promise for each address of the target; the arguments
    are the resources of each host.

    Sorted by source, target, family and address. A container that joins another's stack counts with its addresses.
    """
    world = _World(hosts)
    containers = sorted(world.owner)
    addresses = {name: sorted(world.nodes[world.owner[name]].own) for name in containers}
    promises = []
    for source in containers:
        known = names(hosts[world.at[source]], source)
        by_address: dict[str, list[str]] = {}
        for name, found in known.items():
            for address in found:
                by_address.setdefault(address, []).append(name)
        for target in containers:
            if target == source:
                continue
            for family, value, text in addresses[target]:
                candidates = by_address.get(text, [])
                name = target if target in candidates else min(candidates, default="")
                reaches = world.both_ways(world.owner[source], world.owner[target], family, value)
                promises.append(Promise(source, target, family, text, name, reaches))
    return tuple(promises)


def names(resources: Mapping[str, Resource], container: str) -> dict[str, tuple[str, ...]]:
    """What a container's hosts file says: name -> addresses, in the order of the file, and then the name server that
    it asks. Loopback and multicast lines at the file's top included; empty for a container without such a file."""
    file = resources.get(f"file/{container}/hosts")
    known: dict[str, tuple[str, ...]] = {}
    if isinstance(file, File):
        for line in file.content.splitlines():
            words = line.partition("#")[0].split()
            for name in words[1:]:
                if words[0] not in known.get(name, ()):
                    known[name] = (*known.get(name, ()), words[0])
    for name, address in dns.told(resources, container):
        if address not in known.get(name, ()):
            known[name] = (*known.get(name, ()), address)
    return known


@dataclass(slots=True)
class _Hop:
    """One line of a routing table: ``via`` 0 means that the destination itself is on the segment."""

    network: int
    prefix: int
    metric: int
    segment: str
    interface: str
    via: int


@dataclass(slots=True)
class _Node:
    """A network stack. ``own`` are its addresses as (family, value, text)."""

    name: str
    forwards: frozenset[int] = frozenset()
    own: set[tuple[int, int, str]] = field(default_factory=set)
    by_interface: dict[tuple[str, int], list[tuple[int, int]]] = field(default_factory=dict)
    table: dict[int, list[_Hop]] = field(default_factory=lambda: {4: [], 6: []})


class _World:
    """All stacks of the hosts, the segments between them, and the answers found so far."""

    def __init__(self, hosts: Sequence[Mapping[str, Resource]]) -> None:
        self.owner: dict[str, str] = {}
        #: Container -> which of the hosts it is on.
        self.at: dict[str, int] = {}
        #: A host's own stack is called by its number, which no container can be.
        self._hosts = {f"@{number}" for number in range(len(hosts))}
        self.nodes: dict[str, _Node] = {name: _Node(name) for name in self._hosts}
        self._on_segment: dict[tuple[str, int, int], str] = {}
        self._owns: set[tuple[str, int, int]] = set()
        self._next: dict[tuple[str, int, int], tuple[_Hop, str] | None] = {}
        self._apart: set[tuple[str, str]] = set()
        #: The interfaces that a stack has on a parent's segment.
        self._standing: dict[tuple[str, str], list[layer2.Standing]] = {}
        self._routed: set[tuple[str, str]] = set()
        #: Segments that the host's packet filter keeps shut, and those that it lets out to others unasked.
        self._closed: set[str] = set()
        self._outward: set[tuple[str, str]] = set()
        #: By host, the prefixes that leave it behind its own address.
        self._masqueraded: dict[str, list[tuple[int, int, int]]] = {}
        self._cut = layer2.cut(hosts)
        parents = layer2.of_parents(hosts)
        for number, resources in enumerate(hosts):
            self._add_host(number, resources, parents)
        for number, resources in enumerate(hosts):
            self._add_routes(f"@{number}", resources)
        for node in self.nodes.values():
            for table in node.table.values():
                table.sort(key=lambda hop: (-hop.prefix, hop.metric, hop.interface))

    def _add_host(self, number: int, resources: Mapping[str, Resource], parents: Mapping[tuple[int, str], str]) -> None:
        host = f"@{number}"
        for resource in resources.values():
            if isinstance(resource, Namespace):
                self.owner[resource.container] = resource.joins or resource.container
                self.at[resource.container] = number
                if not resource.joins:
                    forwards = _forwarding(resource.sysctls)
                    self.nodes[resource.container] = _Node(resource.container, forwards)
        segments = layer2.of_bridges(host, resources)
        for id in sorted(resources):
            resource = resources[id]
            if isinstance(resource, Bridge):
                end = End("", resource.name, resource.mac, up=resource.up, addresses=resource.addresses)
                self._plug(end, segments[id], host)
            elif isinstance(resource, Vxlan) and resource.end.namespace:
                self._plug(resource.end, self._segment(id, resource.end, id), host)
            elif isinstance(resource, Veth):
                plugged = resource.peer.master or resource.end.master
                segment = segments.get(plugged, plugged) if plugged else f"{host}/{id}"
                for end in (resource.end, resource.peer):
                    if not end.master:
                        self._plug(end, self._segment(id, end, segment), host)
                if resource.peer.isolated:
                    self._apart.add((segment, resource.end.namespace))
            elif isinstance(resource, Stacked):
                segment = self._segment(id, resource.end, parents[number, resource.parent])
                self._plug(resource.end, segment, host)
                standing = layer2.Standing(number, resource)
                self._standing.setdefault((segment, resource.end.namespace or host), []).append(standing)
        self._closed |= _bridges(resources, segments, "set internal")
        self._outward |= _outward(number, resources, segments, parents)
        self._routed |= _routed(resources, segments) | self._outward
        self._masqueraded[host] = [parse_prefix(subnet) for subnet in _elements(resources, "set masquerade")]

    def _segment(self, id: str, end: End, segment: str) -> str:
        """The one that an end is on, unless all is lost on the way: then it is on its own."""
        return f"{end.namespace}/{end.name}" if id in self._cut else segment

    def _add_routes(self, host: str, resources: Mapping[str, Resource]) -> None:
        """What the host knows to be on another one."""
        for resource in resources.values():
            if isinstance(resource, HostRoute):
                family, value, prefix = parse_with_prefix(resource.to)
                via = parse(resource.via)[1]
                self.nodes[host].table[family].append(_Hop(value, prefix, 1 << 30, _UNDERLAY, resource.interface, via))
                for other in self._hosts - {host}:
                    if any(
                        kind == family and at & mask(family, prefix) == value for kind, at, _ in self.nodes[other].own
                    ):
                        self._on_segment[_UNDERLAY, family, via] = other

    def _plug(self, end: End, segment: str, host: str) -> None:
        node = self.nodes.get(end.namespace or host)
        if node is None or not end.up:
            return
        for text in end.addresses:
            family, value, prefix = parse_with_prefix(text)
            node.own.add((family, value, text.partition("/")[0]))
            node.by_interface.setdefault((end.name, family), []).append((value, prefix))
            self._owns.add((node.name, family, value))
            self._on_segment.setdefault((segment, family, value), node.name)
            metric = 0 if family == 4 else 256
            node.table[family].append(_Hop(value & mask(family, prefix), prefix, metric, segment, end.name, 0))
        for route in end.routes:
            family, value, prefix = parse_with_prefix(route.to)
            metric = route.metric or (0 if family == 4 else 1024)
            via = parse(route.via)[1] if route.via else 0
            node.table[family].append(_Hop(value, prefix, metric, segment, end.name, via))

    def both_ways(self, source: str, target: str, family: int, value: int) -> bool:
        """True when a packet from ``source`` arrives at the address of ``target`` and the answer comes back."""
        if source == target:
            return True
        first = self._step(source, family, value)
        if first is None:
            return False
        reply_to = self._source_address(source, family, value, first[0])
        if reply_to is None or not self._arrives(source, target, family, value):
            return False
        receiver, family, reply_to = self._behind(first, family, value, reply_to) or (source, family, reply_to)
        return self._arrives(target, receiver, family, reply_to, answers=first[1] in self._hosts)

    def _behind(self, first: tuple[_Hop, str], family: int, value: int, source: int) -> tuple[str, int, int] | None:
        """Who is answered in the place of the source: its host, if it sends the packet on to a parent's segment behind
        its own address there."""
        host = first[1]
        step = self._step(host, family, value) if host in self._hosts else None
        if step is None or (first[0].segment, step[0].segment) not in self._outward:
            return None
        behind = self._masqueraded[host]
        if not any(kind == family and source & mask(kind, prefix) == net for kind, net, prefix in behind):
            return None
        address = self._source_address(host, family, value, step[0])
        return (host, family, address) if address is not None else None

    def _arrives(self, source: str, target: str, family: int, value: int, *, answers: bool = False) -> bool:
        """``answers``: it answers what the host has let through, whichever way it comes (connection tracking)."""
        current = source
        for _ in range(_HOPS):
            step = self._step(current, family, value)
            if step is None:
                return False
            came_by, current = step[0].segment, step[1]
            if (current, family, value) in self._owns:
                return current == target
            if current in self._hosts:
                onward = self._step(current, family, value)
                if onward is None or not self._passes(came_by, onward[0].segment, answers):
                    return False
            elif family not in self.nodes[current].forwards:
                return False
        return False

    def _passes(self, came_by: str, goes_by: str, answers: bool) -> bool:
        """Whether the host's packet filter lets a packet through from one segment to another."""
        if answers and came_by not in self._closed and goes_by not in self._closed:
            return True
        return (came_by, goes_by) in self._routed

    def _step(self, node: str, family: int, value: int) -> tuple[_Hop, str] | None:
        """The route that a stack uses for an address, and the stack that it hands the packet to."""
        key = (node, family, value)
        if key not in self._next:
            self._next[key] = None
            for hop in self.nodes[node].table[family]:
                if value & mask(family, hop.prefix) == hop.network:
                    receiver = self._on_segment.get((hop.segment, family, hop.via or value))
                    if receiver is not None and not self._hear(hop.segment, node, receiver):
                        receiver = None
                    self._next[key] = (hop, receiver) if receiver is not None else None
                    break
        return self._next[key]

    def _hear(self, segment: str, one: str, other: str) -> bool:
        """Whether frames pass between two stacks on a segment."""
        ends = (segment, one), (segment, other)
        if self._apart.issuperset(ends):
            return False
        here, there = (self._standing.get(end, ()) for end in ends)
        return all(layer2.exchange(at, to) for at in here for to in there)

    def _source_address(self, node: str, family: int, value: int, hop: _Hop) -> int | None:
        """The address that the kernel puts into the packet: one of the outgoing interface, in the subnet of the next
        hop where there is one; any other of the stack if that interface has none."""
        own = self.nodes[node].by_interface.get((hop.interface, family), [])
        for address, prefix in own:
            if (hop.via or value) & mask(family, prefix) == address & mask(family, prefix):
                return address
        if own:
            return own[0][0]
        return min((found for kind, found, _ in self.nodes[node].own if kind == family), default=None)


def _routed(resources: Mapping[str, Resource], segments: Mapping[str, str]) -> set[tuple[str, str]]:
    """The pairs of segments between which the host's packet filter lets new connections through."""
    bridges = {item.name: segments[item.id] for item in resources.values() if isinstance(item, Bridge)}
    pairs = set()
    for table in (item.table for item in resources.values() if isinstance(item, Firewall)):
        for line in table["map within"][1:]:
            bridge = bridges[line.split('"')[1]]
            if line.endswith(": accept"):
                pairs.add((bridge, bridge))
        opened = [bridges[line.split('"')[1]] for line in table["set routed"][1:]]
        pairs |= {(one, other) for one in opened for other in opened if one != other}
        for line in table["chain forward"]:
            if " daddr " in line and line.startswith('iifname "'):
                pairs.add((bridges[line.split('"')[1]], _UNDERLAY))
            elif " saddr " in line and line.startswith('oifname "'):
                pairs.add((_UNDERLAY, bridges[line.split('"')[1]]))
    return pairs


def _outward(
    number: int, resources: Mapping[str, Resource], segments: Mapping[str, str], parents: Mapping[tuple[int, str], str]
) -> set[tuple[str, str]]:
    """From each bridge that is not internal to each segment that the host has an interface on: what leaves the networks
    is not filtered, and what answers comes back. The other way only published ports are open."""
    opened = _bridges(resources, segments, "set networks") - _bridges(resources, segments, "set internal")
    own = {
        parents[number, item.parent]
        for item in resources.values()
        if isinstance(item, Stacked) and not item.end.namespace
    }
    return {(bridge, segment) for bridge in opened for segment in own}


def _bridges(resources: Mapping[str, Resource], segments: Mapping[str, str], part: str) -> set[str]:
    """The segments of the bridges that are elements of a set."""
    bridges = {item.name: segments[item.id] for item in resources.values() if isinstance(item, Bridge)}
    return {bridges[name.strip('"')] for name in _elements(resources, part)}


def _elements(resources: Mapping[str, Resource], part: str) -> list[str]:
    """The first words of the elements of the packet filter's sets whose names start like this."""
    tables = [item.table for item in resources.values() if isinstance(item, Firewall)]
    return [
        line.split()[0]
        for table in tables
        for name in sorted(table)
        if name.startswith(part)
        for line in table[name][1:]
    ]


def _forwarding(sysctls: Mapping[str, str]) -> frozenset[int]:
    """The families that a stack forwards. The kernel asks the incoming interface for IPv4, which has what ``default``
    said when it was made, and ``all`` for IPv6 (ip_forward(), ip6_forward())."""
    families = set()
    keys = ("net.ipv4.ip_forward", "net.ipv4.conf.all.forwarding", "net.ipv4.conf.default.forwarding")
    if any(sysctls.get(key, "0").strip() == "1" for key in keys):
        families.add(4)
    if sysctls.get("net.ipv6.conf.all.forwarding", "0").strip() == "1":
        families.add(6)
    return frozenset(families)
