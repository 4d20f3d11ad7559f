"""Interfaces on an interface of the host, with which they share its segment: macvlan and ipvlan (ip-link(8))."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from netcompose.resources.base import IN_PLACE, REPLACE, Requirement, Resource, attribute
from netcompose.resources.interface import End


@dataclass(frozen=True)
class Stacked(Resource):
    """What both have. ``interface/web1.eth0`` is a container's, ``shim/phys`` the host's own on the network.

    ``parent`` is the name of an interface of the host, or the id of the resource that makes it (``vlan/eth1.10``,
    ``segment/phys``); no interface has a slash in its name. ``network`` is the network that it is for.
    """

    network: str = attribute(changes=IN_PLACE)
    parent: str = attribute(changes=REPLACE, disturbs="outage", why="an interface stays on the parent it was made on")
    end: End = attribute(changes=IN_PLACE)

    def requires(self) -> tuple[Requirement, ...]:
        needs = []
        if self.end.namespace:
            needs.append(Requirement("namespace/" + self.end.namespace))
        if "/" in self.parent:
            needs.append(Requirement(self.parent))
        return tuple(needs)

    def claims(self) -> tuple[str, ...]:
        name = "netdev:{}/{}".format(self.end.namespace, self.end.name)
        # The kernel refuses a second one of these on the same parent.
        alone = (self.end.mac,) if self.end.mac else tuple(text.partition("/")[0] for text in self.end.addresses)
        return (name, *("on {}:{}".format(self.parent, what) for what in alone))

    def needs(self) -> tuple[str, ...]:
        # A feature is called as its kind of interface.
        return (self.kind, *self.end.needs())

    def concerns(self) -> tuple[str, ...]:
        return (self.end.namespace,) if self.end.namespace else ()


@dataclass(frozen=True)
class Macvlan(Stacked):
    """An interface with a MAC address of its own on its parent's segment.

    ``mode`` is ip-link(8)'s: ``bridge``, ``private``, ``vepa``, ``source`` or ``passthru``, and ``passthru`` says
    whether it is that one. ``sources`` are the MAC addresses that mode ``source`` takes frames from, sorted. In mode
    passthru the MAC address is the parent's, and ``end.mac`` empty.
    """

    kind: ClassVar[str] = "macvlan"

    mode: str = attribute(changes=IN_PLACE, disturbs="blip", default="bridge", why="who may talk to whom changes")
    passthru: bool = attribute(
        changes=REPLACE, disturbs="outage", default=False, why="passthru is settled when the interface is made"
    )
    sources: tuple[str, ...] = attribute(changes=IN_PLACE, disturbs="blip", default=())


@dataclass(frozen=True)
class Ipvlan(Stacked):
    """An interface with its parent's MAC address, told from others by its IP addresses (so ``end.mac`` is empty).

    ``mode`` is ``l2``, ``l3`` or ``l3s``, ``flag`` ``bridge``, ``private`` or ``vepa``. The kernel keeps both for all
    ipvlans of one parent.
    """

    kind: ClassVar[str] = "ipvlan"

    mode: str = attribute(changes=IN_PLACE, disturbs="blip", default="l2", why="who may talk to whom changes")
    flag: str = attribute(changes=IN_PLACE, disturbs="blip", default="bridge", why="who may talk to whom changes")
