"""The shapes that pass between the compiler's rooms.

They are named tuples: made ten thousand times in a compilation, and their classes are cheap to import.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from netcompose.topology.model import EXTERNAL, Attachment, Network
from netcompose.topology.source import Path

#: Drivers whose interfaces stand on an interface of the host, as members of its segment.
STACKED = ("macvlan", "ipvlan")
#: Drivers whose networks are not netcompose's own: it publishes no ports on them and answers for no names there.
NOT_OURS = (*STACKED, EXTERNAL)


class Pool(NamedTuple):
    """One subnet of a network, as integers.

    ``network`` is its first address and ``prefix`` its length; automatic addresses come from ``low`` to ``high``
    inclusive, without those in ``reserved`` (the gateway and the auxiliary addresses). ``gateway`` is a canonical
    string. ``automatic`` tells that nobody wrote the subnet down.
    """

    family: int
    network: int
    prefix: int
    low: int
    high: int
    gateway: str
    reserved: frozenset[int]
    automatic: bool = False

    @property
    def last(self) -> int:
        """The last address of the subnet."""
        return self.network + (1 << ((32 if self.family == 4 else 128) - self.prefix)) - 1

    def contains(self, value: int) -> bool:
        """True when the address, as an integer of this family, is in the subnet."""
        return self.network <= value <= self.last


class Address(NamedTuple):
    """An address that an interface has. ``gateway`` is its subnet's, or empty (a cable, an internal network)."""

    family: int
    value: int
    prefix: int
    text: str
    gateway: str = ""

    @property
    def network(self) -> int:
        """The first address of its subnet."""
        host_bits = (32 if self.family == 4 else 128) - self.prefix
        return self.value >> host_bits << host_bits

    def __str__(self) -> str:
        return f"{self.text}/{self.prefix}"


class PooledNetwork(NamedTuple):
    """A network whose subnets are settled."""

    network: Network
    pools: tuple[Pool, ...]

    @property
    def mtu(self) -> int:
        """In bytes; the driver's default is filled in."""
        return self.network.mtu or 1500


class Asker(NamedTuple):
    """What of the file asks a host for something: its place, and what it is called in a message (``parent 'lan'``)."""

    path: Path
    what: str


class Interface(NamedTuple):
    """A container's interface on a network, or its end of a cable (``network`` empty), before its routes are known.

    ``id`` is the resource that it becomes (a part of). ``attachment`` is what the file says of it, None for an end of a
    cable. ``routed_by_host``: what is not on its subnets goes out of it without a gateway (ipvlan in layer 3).
    ``self_addressed``: the program in the container gives it its addresses, if any.
    """

    id: str
    container: str
    name: str
    network: str
    mac: str
    addresses: tuple[Address, ...]
    gw_priority: int = 0
    attachment: Attachment | None = None
    routed_by_host: bool = False
    self_addressed: bool = False


class Place(NamedTuple):
    """Where a network is on one host: ``parent`` is the interface that its interfaces stand on, by its name on the host
    or by the id of the resource that it is (drivers in STACKED; empty for others), ``mtu`` that one's.

    ``shim`` are the addresses of the host's own interface on the network, ``beside`` those of the containers of this
    host to which it has routes; both empty without ``host_access``.
    """

    host: str
    parent: str = ""
    mtu: int = 1500
    shim: tuple[Address, ...] = ()
    beside: tuple[Address, ...] = ()


#: The interfaces of every container that has a stack of its own, in the order of the file.
Interfaces = Mapping[str, Sequence[Interface]]
