"""What connects containers of different hosts: a VXLAN for each cable between hosts, and for each overlay network.

Numbers are explicit, else what the live tunnel has, else derived from a hash of the name; the UDP port is VXLAN's own
unless a program has it. All hosts of a tunnel have the same ones, so a number is free when it is on each of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from netcompose.compiler import links, names
from netcompose.compiler.shapes import Interface, PooledNetwork
from netcompose.compiler.underlay import Underlays, spans
from netcompose.resources import End, Observation, Vxlan
from netcompose.resources.names import digest, host_interface_name, mark
from netcompose.topology.model import Link, Topology
from netcompose.topology.source import Path, Problem

#: VXLAN's port at IANA (RFC 7348, section 5), and where another one comes from.
PORT = 4789
_FIRST_PORT, _PORTS = 40000, 8000
#: Numbers are chosen above those that people like to write; a VNI has 24 bits.
_FIRST_VNI, _LAST_VNI = 1 << 12, (1 << 24) - 1


def tunnel_id(network: str) -> str:
    """``tunnel/ov1``."""
    return f"tunnel/{network}"


class Tunnels:
    """The tunnels of a topology. Where no host has been observed there are none."""

    def __init__(self, topology: Topology, live: Mapping[str, Observation]) -> None:
        self._topology = topology
        self._live = live
        self.underlays = Underlays(topology, live)
        self._problems: list[Problem] = []
        #: Overlay network -> its hosts, in the order of the file.
        self.spans = spans(topology, "overlay")
        self._numbers = self._choose() if live else {}

    @property
    def problems(self) -> list[Problem]:
        """What is in the way, all of it once everything has been asked for."""
        return self._problems + self.underlays.problems

    def crosses(self, link: Link) -> bool:
        """True if the ends of a cable are on different hosts."""
        return len(set(self._hosts(link))) > 1

    def _hosts(self, link: Link) -> list[str]:
        found = (self._topology.containers.get(end.container) for end in names.ordered_ends(link))
        return [container.host for container in found if container is not None]

    def fitted(self, pooled: Mapping[str, PooledNetwork]) -> dict[str, PooledNetwork]:
        """The networks, the overlays among them with the MTU that fits, and without a gateway that nobody wrote: no
        host answers for one."""
        found = dict(pooled)
        for name, hosts in self.spans.items():
            network = pooled[name].network
            room = self.underlays.room(hosts) if self._live else self.underlays.room(())
            if network.mtu > room and self._live:
                self._too_large(network.mtu, room, hosts, (*network.path, "mtu"), f"network {name!r}")
            pools = tuple(
                pool if not pool.automatic and network.subnets[index].gateway else pool._replace(gateway="")
                for index, pool in enumerate(pooled[name].pools)
            )
            found[name] = PooledNetwork(replace(network, mtu=network.mtu or room), pools)
        return found

    def _too_large(self, mtu: int, room: int, hosts: Iterable[str], path: Path, what: str) -> None:
        under = [(host, found) for host in hosts if (found := self.underlays.of(host)) is not None]
        told = ", ".join(
            f"{found.interface or found.address} of {host} has {found.mtu or '1500'}" for host, found in under
        )
        message = f"an MTU of {mtu} for {what} does not fit through the underlay: {told}"
        hint = f"at most {room} is left inside: write that, or leave mtu out"
        self._problems.append(self._topology.source.problem(message, path, hint=hint))

    def cable(self, link: Link, ends: tuple[Interface, Interface], routes: links.Routes) -> Iterator[tuple[str, Vxlan]]:
        """``(host, tunnel)`` of both ends of a cable between two hosts; nothing if one cannot be reached."""
        hosts = self._hosts(link)
        under = [self.underlays.of(host) for host in hosts] if self._live else []
        if not under or under[0] is None or under[1] is None:
            return
        if under[0].family != under[1].family:
            self._families(hosts, link.path)
            return
        room = self.underlays.room(hosts)
        if link.mtu > room:
            self._too_large(link.mtu, room, hosts, (*link.path, "mtu"), "this link")
        vni, port = self._numbers[ends[0].id]
        specs = names.ordered_ends(link)
        for end, spec, host, near, far in zip(ends, specs, hosts, under, reversed(under), strict=True):
            assert near is not None and far is not None  # noqa: S101 (for the type checker)
            yield (
                host,
                Vxlan(
                    id=end.id,
                    end=links.end(self._topology.name, end, spec, link.mtu or room, routes),
                    vni=vni,
                    port=port,
                    local=near.address,
                    remote=far.address,
                ),
            )

    def overlay(self, pooled: PooledNetwork, members: Iterable[Interface]) -> Iterator[tuple[str, Vxlan]]:
        """``(host, tunnel)`` of an overlay on each of its hosts; nothing for one that has a single host. ``members``
        are the interfaces on it."""
        network = pooled.network
        hosts = self.spans[network.name]
        under = {host: self.underlays.of(host) for host in hosts} if self._live and len(hosts) > 1 else {}
        reached = {host: found for host, found in under.items() if found is not None}
        if len({found.family for found in reached.values()}) > 1:
            self._families(hosts, network.path)
            return
        stations: dict[str, dict[str, tuple[str, ...]]] = {host: {} for host in reached}
        for interface in members:
            home = self._topology.containers[interface.container].host
            if home in reached:
                addresses = sorted(address.text for address in interface.addresses)
                stations[home][interface.mac] = (reached[home].address, *addresses)
        id = tunnel_id(network.name)
        for host, near in reached.items():
            far = {mac: where for other, theirs in stations.items() if other != host for mac, where in theirs.items()}
            vni, port = self._numbers[id]
            yield (
                host,
                Vxlan(
                    id=id,
                    end=End(
                        namespace="",
                        name=host_interface_name(self._topology.name, id),
                        mac=names.mac(self._topology.name, id, host),
                        mtu=pooled.mtu,
                        master=names.bridge_id(network.name),
                        isolated=not network.icc,
                        alias=mark(self._topology.name, id),
                    ),
                    vni=vni,
                    port=port,
                    local=near.address,
                    suppress=True,
                    stations=far,
                ),
            )

    def _families(self, hosts: Sequence[str], path: Path) -> None:
        told = ", ".join(f"{host} {found.address}" for host in hosts if (found := self.underlays.of(host)) is not None)
        message = f"the underlay addresses of its hosts are of both families: {told}"
        hint = "write underlay: ADDRESS for the hosts, all IPv4 or all IPv6"
        self._problems.append(self._topology.source.problem(message, path, hint=hint))

    def _choose(self) -> dict[str, tuple[int, int]]:
        """``(VNI, UDP port)`` of every tunnel by its id."""
        wanted: dict[str, tuple[int, int, list[str], Path]] = {}
        for name, hosts in self.spans.items():
            network = self._topology.networks[name]
            wanted[tunnel_id(name)] = (network.vni, network.port, hosts, network.path)
        for link in self._topology.links:
            if self.crosses(link):
                wanted[names.link_id(link)] = (0, 0, self._hosts(link), link.path)
        if not wanted:
            return {}
        before = {
            id: (found.vni, found.port)
            for observation in self._live.values()
            for id, found in observation.resources.items()
            if isinstance(found, Vxlan)
        }
        taken = {pair for observation in self._live.values() for pair in observation.facts.tunnels}
        ports = {
            listener.port
            for observation in self._live.values()
            for listener in observation.facts.listeners
            # A tunnel's own socket is the kernel's and has no inode.
            if listener.protocol == "udp" and listener.inode
        }
        used = {(vni, port or PORT) for vni, port, _, _ in wanted.values() if vni}
        usual = self._port(ports)
        chosen: dict[str, tuple[int, int]] = {}
        for id in sorted(wanted, key=lambda id: (id not in before, id)):
            vni, port, _, _ = wanted[id]
            live_vni, live_port = before.get(id, (0, 0))
            port = port or live_port or usual
            if not vni and live_vni and (live_vni, port) not in used:
                vni = live_vni
            vni = vni or self._vni(id, port, used, taken)
            used.add((vni, port))
            chosen[id] = (vni, port)
        return chosen

    def _port(self, taken: set[int]) -> int:
        start = int.from_bytes(digest("vxlan port", self._topology.name)[:4], "big")
        others = (_FIRST_PORT + (start + step) % _PORTS for step in range(_PORTS))
        return next((port for port in (PORT, *others) if port not in taken), PORT)

    def _vni(self, id: str, port: int, *taken: set[tuple[int, int]]) -> int:
        count = _LAST_VNI - _FIRST_VNI + 1
        start = int.from_bytes(digest("vni", self._topology.name, id)[:8], "big")
        candidates = (_FIRST_VNI + (start + step) % count for step in range(count))
        return next(vni for vni in candidates if not any((vni, port) in pairs for pairs in taken))
