"""Interfaces of the host that networks stand on: what is made of them, and what is known of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from netcompose.resources.base import IN_PLACE, OBSERVED, REPLACE, Resource, attribute


@dataclass(frozen=True)
class Vlan(Resource):
    """``vlan/eth1.10``: a VLAN sub-interface of an interface of the host (IEEE 802.1Q), shared between topologies.

    Its mark names no topology; each of its users has given it a second name (``campus-vlan-eth1.10``), and it goes
    with the last of them. ``users`` are the other topologies.
    """

    kind: ClassVar[str] = "vlan"

    interface: str = attribute(changes=REPLACE, disturbs="outage", why="a VLAN is made on its interface")
    name: str = attribute(changes=REPLACE, disturbs="outage", why="it has another name")
    tag: int = attribute(changes=REPLACE, disturbs="outage", why="a VLAN keeps the tag that it was made with")
    mtu: int = attribute(changes=IN_PLACE)
    up: bool = attribute(changes=IN_PLACE, disturbs="outage", default=True)
    alias: str = attribute(changes=IN_PLACE, default="")
    users: tuple[str, ...] = attribute(changes=OBSERVED, default=())
    ifindex: int = attribute(changes=OBSERVED, default=0)

    def claims(self) -> tuple[str, ...]:
        return ("netdev:/" + self.name,)

    def needs(self) -> tuple[str, ...]:
        return ("8021q",)


@dataclass(frozen=True)
class Promiscuity(Resource):
    """``promiscuous/eth1``: an interface of the host takes in every frame while a topology asks for it.

    Whether it did so before is remembered on the host with the topologies that ask for it, and put back with the last
    of them. What packet sockets (tcpdump) ask for is counted apart by the kernel and not touched.
    """

    kind: ClassVar[str] = "promiscuous"
    removal: ClassVar[str] = "blip"

    interface: str = attribute(changes=REPLACE)
    on: bool = attribute(changes=IN_PLACE, default=True)


@dataclass(frozen=True)
class Child:
    """What stands on an interface of the host: a VLAN sub-interface (``mode`` is its tag), a macvlan, an ipvlan.

    ``where`` says in words in which namespace it is, empty for the host's. ``topology`` and ``id`` are netcompose's
    mark, empty for what is not netcompose's; a VLAN that netcompose made has ``*`` as its topology, and its ``users``.
    """

    kind: str
    name: str
    mode: str = ""
    flag: str = ""
    where: str = ""
    topology: str = ""
    id: str = ""
    users: tuple[str, ...] = ()
    mtu: int = 0


@dataclass(frozen=True)
class ParentFacts:
    """An interface of the host that a topology names as a parent. ``ifindex`` 0: there is none of this name.

    ``master`` says in words what it is a part of ("a port of bridge br0"), empty for nothing or for a VRF, which takes
    no frames away; ``whose`` whose it is if netcompose made it. ``addresses`` are ``address/prefix`` strings.
    """

    ifindex: int = 0
    kind: str = ""
    mac: str = ""
    mtu: int = 0
    up: bool = False
    loopback: bool = False
    wireless: bool = False
    master: str = ""
    whose: str = ""
    addresses: tuple[str, ...] = ()
    children: tuple[Child, ...] = ()
