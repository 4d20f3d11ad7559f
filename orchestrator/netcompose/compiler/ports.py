"""Published ports: which port of the host leads to which container.

A port is explicit, else the one that it has so far, else the first free one after a position that is derived from
names alone. The host's packet filter carries what comes from elsewhere; one process per topology, the publisher,
holds every published port, so that nobody else takes it, and passes on what reaches its own sockets.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from netcompose.compiler import names_port
from netcompose.compiler.shapes import NOT_OURS, Interface
from netcompose.resources import Firewall, HostFacts, Listener, Observation, Process
from netcompose.resources.names import NOT_READ, PORTS_SERVICE, PUBLISHER, digest
from netcompose.topology.model import Container, Port, Topology
from netcompose.topology.source import Problem

PROCESS_ID = f"process/{PORTS_SERVICE}"
#: Host addresses that mean all of them, of both families or of one.
ANY = ("", "0.0.0.0", "::")
#: Ports that Linux itself gives to programs that ask for none (ip_local_port_range).
_FIRST, _LAST = 32768, 60999


class Published(NamedTuple):
    """One port of the host and where it leads: ``targets`` are the container's addresses by family, on ``networks``."""

    container: str
    protocol: str
    host_address: str
    host_port: int
    container_port: int
    networks: tuple[str, ...]
    targets: Mapping[int, str]

    @property
    def family(self) -> int:
        """The family of the host address, 0 for both."""
        return family_of(self.host_address)


class Ports(NamedTuple):
    """The published ports of a host, in the order of the file. ``contested`` are the sockets (by inode) that others
    have on such ports, or on the one that the name server had."""

    published: tuple[Published, ...]
    problems: tuple[Problem, ...] = ()
    contested: tuple[int, ...] = ()


def family_of(address: str) -> int:
    """4, 6, or 0 for no address."""
    return 0 if not address else 6 if ":" in address else 4


def is_loopback(address: str) -> bool:
    """True for an address that only the host itself reaches."""
    return address.startswith("127.") or address == "::1"


def publish(
    topology: Topology,
    host: str,
    containers: Iterable[Container],
    interfaces: Mapping[str, Sequence[Interface]],
    defaults: Mapping[str, Mapping[int, str]],
    *,
    live: Observation | None,
) -> Ports:
    """What ``containers``, a host's, publish. ``defaults`` maps a container to the networks of its default routes."""
    lost = names_port.lost(live) if live is not None else None
    contested = {lost.taken_by.inode: None} if lost else {}
    containers = [container for container in containers if container.ports and container.name in interfaces]
    if not containers:
        return Ports((), contested=tuple(contested))
    facts = live.facts if live is not None else HostFacts()
    so_far = _so_far(live)
    # By address too: beside a socket of ours on 127.0.0.1 others may have the port on another address.
    ours = {(entry.protocol, entry.host_address, entry.host_port) for entry in listening(live)}
    others = [item for item in facts.listeners if (item.protocol, item.address, item.port) not in ours]
    our_ports = {(protocol, port) for protocol, _, port in ours}
    taken = {(item.protocol, item.port) for item in others} - our_ports
    chosen = _Choice(topology, containers, taken, so_far)
    published: list[Published] = []
    problems: list[Problem] = []
    for container in containers:
        networks, targets = _targets(topology, interfaces[container.name], defaults.get(container.name, {}))
        if not targets:
            message = f"container {container.name!r} publishes a port, and no network of it can be reached from outside"
            hint = "join it to a network that is not internal"
            problems.append(topology.source.problem(message, (*container.path, "ports"), hint=hint, key=True))
            continue
        for port in container.ports:
            number = port.host_port or chosen.port(container, port)
            problems += _refused(topology, host, facts, port)
            for item in others if port.host_port else ():
                if clashes(item, port.protocol, port.host_address, number):
                    contested[item.inode] = None
                    problems.append(_in_use(topology, host, port, item))
                    break
            published.append(
                Published(
                    container.name, port.protocol, port.host_address, number, port.container_port, networks, targets
                )
            )
    return Ports(tuple(published), tuple(problems), tuple(contested))


def publisher(published: Sequence[Published], after: Iterable[str]) -> Process:
    """The process that holds the ports."""
    return Process(
        id=PROCESS_ID,
        container=PORTS_SERVICE,
        command=(PUBLISHER,),
        restart="always",
        stop_grace_period=1.0,
        reads=dict(sorted(item for port in published for item in _listeners(port))),
        after=tuple(after),
    )


def shown(live: Observation | None) -> dict[str, tuple[str, ...]]:
    """Container -> its published ports as people read them: ``8080->80/tcp``, ``127.0.0.1:5353->53/udp``."""
    found: dict[str, dict[str, None]] = {}
    for entry in listening(live):
        where = "" if entry.host_address in ANY else f"{_bracketed(entry.host_address)}:"
        text = f"{where}{entry.host_port}->{entry.container_port}/{entry.protocol}"
        found.setdefault(entry.container, {})[text] = None
    return {container: tuple(texts) for container, texts in found.items()}


def listening(live: Observation | None) -> Iterator[Published]:
    """What the live publisher serves."""
    process = live.resources.get(PROCESS_ID) if live is not None else None
    if not isinstance(process, Process) or process.command[:1] != (PUBLISHER,):
        return
    for socket, leads in process.reads.items():
        if socket == NOT_READ:
            continue
        listen, _, protocol = socket.rpartition("/")
        address, _, port = listen.rpartition(":")
        target, _, container = leads.partition("@")
        inner, _, inner_port = target.rpartition(":")
        inner = inner.strip("[]")
        yield Published(
            container, protocol, address.strip("[]"), int(port), int(inner_port), (), {family_of(inner): inner}
        )


def clashes(item: Listener, protocol: str, address: str, port: int) -> bool:
    """True if a socket holds a port that is to be published on an address of the host (empty: on all of them)."""
    if item.protocol != protocol or item.port != port:
        return False
    # A socket on :: mostly takes the IPv4 port too (ipv6(7), IPV6_V6ONLY).
    if not address or item.address == "::":
        return True
    if family_of(item.address) != family_of(address):
        return False
    return address in ANY or item.address in (*ANY, address)


def _listeners(port: Published) -> Iterator[tuple[str, str]]:
    """``0.0.0.0:8080/tcp``, ``172.18.0.2:80@web1``: a socket, and where it leads. One for each family of the host
    address; a container without an address of that family is reached by its other one."""
    addresses = [port.host_address] if port.host_address else ["0.0.0.0", "::"]
    for address in addresses:
        target = port.targets.get(family_of(address)) or next(iter(port.targets.values()))
        listen = f"{_bracketed(address)}:{port.host_port}/{port.protocol}"
        yield listen, f"{_bracketed(target)}:{port.container_port}@{port.container}"


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _targets(
    topology: Topology, interfaces: Sequence[Interface], defaults: Mapping[int, str]
) -> tuple[tuple[str, ...], dict[int, str]]:
    """The networks that ports are published through and the container's address there by family: on the network of
    its default route, as with Docker, else on the first that is not internal. What is on a segment outside of the host
    (macvlan, ipvlan) is reached there by itself, and what is on a network of an engine is the engine's to publish."""
    networks: dict[str, None] = {}
    targets: dict[int, str] = {}
    for family in (4, 6):
        own = [
            (item.network, a)
            for item in interfaces
            if item.network and topology.networks[item.network].driver not in NOT_OURS
            for a in item.addresses
            if a.family == family and a.gateway
        ]
        for network, address in sorted(own, key=lambda found: found[0] != defaults.get(family)):
            targets[family] = address.text
            networks[network] = None
            break
    return tuple(networks), targets


class _Choice:
    """Chooses host ports for those who ask for none."""

    def __init__(
        self,
        topology: Topology,
        containers: Sequence[Container],
        taken: Iterable[tuple[str, int]],
        so_far: Mapping[tuple[str, int, str, str], list[int]],
    ) -> None:
        self._topology = topology.name
        self._so_far = {key: list(ports) for key, ports in so_far.items()}
        self._taken = set(taken)
        self._taken |= {(port.protocol, port.host_port) for c in containers for port in c.ports if port.host_port}
        self._kept = {
            (key[2], number): key
            for key, numbers in self._so_far.items()
            for number in numbers
            if (key[2], number) not in self._taken
        }

    def port(self, container: Container, port: Port) -> int:
        """The port that it has so far, else a free one."""
        address = "" if port.host_address in ANY else port.host_address
        key = (container.name, port.container_port, port.protocol, address)
        for number in self._so_far.get(key, ()):
            if (port.protocol, number) not in self._taken and _FIRST <= number <= _LAST:
                self._taken.add((port.protocol, number))
                return number
        count = _LAST - _FIRST + 1
        start = int.from_bytes(digest("port", self._topology, *map(str, key)), "big") % count
        for step in range(count):
            number = _FIRST + (start + step) % count
            found = (port.protocol, number)
            if found not in self._taken and self._kept.get(found, key) == key:
                self._taken.add(found)
                return number
        return _FIRST + start


def _so_far(live: Observation | None) -> dict[tuple[str, int, str, str], list[int]]:
    """(container, its port, protocol, host address) -> the host's ports so far: from the publisher, or while that is
    gone from the packet filter."""
    found: dict[tuple[str, int, str, str], list[int]] = {}
    for entry in listening(live):
        address = "" if entry.host_address in ANY else entry.host_address
        found.setdefault((entry.container, entry.container_port, entry.protocol, address), []).append(entry.host_port)
    tables = [item for item in live.resources.values() if isinstance(item, Firewall)] if live is not None else []
    for table in tables:
        for name in ("map published4", "map published6"):
            for line in table.table.get(name, ())[1:]:
                # tcp . 40001 comment "web1" : 172.18.0.2 . 80
                words = line.split()
                if len(words) == 9 and words[3] == "comment" and words[2].isdigit() and words[8].isdigit():
                    key = (words[4].strip('"'), int(words[8]), words[0], "")
                    found.setdefault(key, []).append(int(words[2]))
    return found


def _refused(topology: Topology, host: str, facts: HostFacts, port: Port) -> Iterator[Problem]:
    reason = facts.features.get("sctp", "")
    if port.protocol == "sctp" and reason:
        message = f"host {host!r} has no SCTP: {reason}"
        yield topology.source.problem(message, port.path, hint="publish it as tcp or udp, or use another kernel")
    if facts.addresses and port.host_address not in (*ANY, *facts.addresses) and not is_loopback(port.host_address):
        message = f"host {host!r} has no address {port.host_address} to publish a port on"
        hint = "its addresses: " + ", ".join(facts.addresses)
        yield topology.source.problem(message, port.path, hint=hint)


def _in_use(topology: Topology, host: str, port: Port, item: Listener) -> Problem:
    where = f"{_bracketed(item.address)}:{item.port}/{item.protocol}"
    who = item.owner or "another program"
    message = f"the port {port.host_port}/{port.protocol} of host {host!r} is in use: {who} has {where}"
    return topology.source.problem(message, port.path, hint="stop it, or publish another port")
