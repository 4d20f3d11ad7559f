"""Network interfaces: the parts that every kind shares, bridges, and pairs of veth ends."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Optional

from netcompose.resources.base import IN_PLACE, OBSERVED, REPLACE, Requirement, Resource, attribute
from netcompose.resources.impairment import Impairment


@dataclass(frozen=True, order=True)
class Route:
    """A route through the interface that it is listed under.

    ``to`` is a prefix (``0.0.0.0/0`` for the default), ``via`` the next hop or empty for on-link, ``metric`` the
    priority (0: the kernel's default, which is 1024 for IPv6 and is then shown as 0 here).
    """

    to: str
    via: str = ""
    metric: int = 0


@dataclass(frozen=True)
class End:
    """One end of a veth pair, or the only end of a single interface, where it lives.

    ``namespace`` is the container's name, or empty for the host. ``master`` is the bridge resource's id the end
    is a port of, empty for none, or ``foreign:NAME``; an ``isolated`` port reaches the bridge itself, and no other
    isolated port (bridge(8)). ``alias`` is the ownership mark. ``addresses`` are
    ``address/prefix`` strings and ``routes`` :class:`Route`, both sorted; link-local addresses that the kernel
    makes by itself are not listed. ``impairment`` is what happens to the packets that this end sends, None for nothing.
    ``self_addressed``: addresses and routes are for the program in the container to give, and left as they are.
    """

    namespace: str = attribute(changes=REPLACE, disturbs="outage", why="an interface is made where it lives")
    name: str = attribute(changes=IN_PLACE, disturbs="blip")
    mac: str = attribute(changes=IN_PLACE, disturbs="blip", why="peers learn the new address")
    mtu: int = attribute(changes=IN_PLACE, default=1500)
    up: bool = attribute(changes=IN_PLACE, disturbs="outage", default=True)
    master: str = attribute(changes=IN_PLACE, disturbs="outage", default="")
    isolated: bool = attribute(
        changes=IN_PLACE, disturbs="outage", default=False, why="isolated ports of a bridge do not reach each other"
    )
    alias: str = attribute(changes=IN_PLACE, default="")
    addresses: tuple[str, ...] = attribute(
        changes=IN_PLACE, disturbs="blip", default=(), why="connections from a removed address end"
    )
    routes: tuple[Route, ...] = attribute(changes=IN_PLACE, disturbs="blip", default=())
    impairment: Optional[Impairment] = attribute(changes=IN_PLACE, disturbs="blip", default=None)
    ifindex: int = attribute(changes=OBSERVED, default=0)
    self_addressed: bool = attribute(changes=OBSERVED, default=False)

    def beside(self, live: End) -> End:
        """See :meth:`Resource.beside`."""
        return replace(self, addresses=live.addresses, routes=live.routes) if self.self_addressed else self

    def needs(self) -> tuple[str, ...]:
        """The feature of a host that its impairment takes, if it has one (see :meth:`Resource.needs`)."""
        return (self.impairment.qdisc,) if self.impairment is not None else ()


@dataclass(frozen=True)
class Bridge(Resource):
    """``bridge/mynet1``: the Linux bridge of a network on this host, with the gateway's addresses if it has any.

    ``segment/mynet1`` is one without ports, on which macvlan interfaces stand that have no parent. It has the MAC
    address that the kernel gave it (``mac`` is empty): given another one it works the spanning tree out again, finds no
    port, and takes its carrier off (br_port_state_selection()).
    """

    kind: ClassVar[str] = "bridge"

    network: str = attribute(changes=REPLACE)
    name: str = attribute(changes=REPLACE, disturbs="outage", why="the bridge has another name")
    mac: str = attribute(changes=IN_PLACE, disturbs="blip", why="containers learn the gateway's new address")
    mtu: int = attribute(changes=IN_PLACE, default=1500)
    up: bool = attribute(changes=IN_PLACE, disturbs="outage", default=True)
    alias: str = attribute(changes=IN_PLACE, default="")
    addresses: tuple[str, ...] = attribute(
        changes=IN_PLACE, disturbs="blip", default=(), why="the gateway's address changes"
    )
    ifindex: int = attribute(changes=OBSERVED, default=0)

    def claims(self) -> tuple[str, ...]:
        return ("netdev:/" + self.name,)

    def path_risk(self, interface: str, peer: str) -> str:
        from ipaddress import ip_address, ip_network

        # An address on the host comes with a route to its whole subnet.
        inside = any(ip_address(peer) in ip_network(text, strict=False) for text in self.addresses)
        return "outage" if inside else "none"


@dataclass(frozen=True)
class Veth(Resource):
    """``interface/web1.eth0`` or ``link/r1.eth1-r2.eth1``: a veth pair.

    ``end`` is in a container. ``peer`` is its port on the host (member of a bridge), or the other container's
    end of a point-to-point link.
    """

    kind: ClassVar[str] = "veth"

    end: End = attribute(changes=IN_PLACE)
    peer: End = attribute(changes=IN_PLACE)

    def beside(self, live: Resource) -> Resource:
        if not isinstance(live, Veth) or not (self.end.self_addressed or self.peer.self_addressed):
            return self
        return replace(self, end=self.end.beside(live.end), peer=self.peer.beside(live.peer))

    def requires(self) -> tuple[Requirement, ...]:
        needs = []
        for path, end in (("end", self.end), ("peer", self.peer)):
            if end.namespace:
                needs.append(Requirement("namespace/" + end.namespace))
            if end.master and not end.master.startswith("foreign:"):
                needs.append(Requirement(end.master, path + ".master"))
        return tuple(needs)

    def claims(self) -> tuple[str, ...]:
        return tuple("netdev:{}/{}".format(end.namespace, end.name) for end in (self.end, self.peer))

    def needs(self) -> tuple[str, ...]:
        if self.end.impairment is None and self.peer.impairment is None:
            return ()
        return tuple(sorted({end.impairment.qdisc for end in (self.end, self.peer) if end.impairment is not None}))

    def concerns(self) -> tuple[str, ...]:
        return tuple(end.namespace for end in (self.end, self.peer) if end.namespace)


@dataclass(frozen=True)
class Leftover(Resource):
    """``leftover/web1/eth0``: an interface in our group without our mark, left by an interrupted run.

    It is never desired, so a plan always removes it.
    """

    kind: ClassVar[str] = "leftover"
    half_made: ClassVar[bool] = True

    namespace: str = attribute(changes=REPLACE)
    name: str = attribute(changes=REPLACE)

    def claims(self) -> tuple[str, ...]:
        return ("netdev:{}/{}".format(self.namespace, self.name),)
