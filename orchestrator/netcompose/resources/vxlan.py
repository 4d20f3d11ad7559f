"""VXLAN tunnels between hosts (RFC 7348): one end of a cable, or a host's port of an overlay network."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Mapping

from netcompose.resources.base import IN_PLACE, REPLACE, Requirement, Resource, attribute
from netcompose.resources.interface import End

_MADE = "a tunnel keeps what it was made with"


@dataclass(frozen=True)
class Vxlan(Resource):
    """``link/r1.eth1-r2.eth1``: a container's end of a cable to another host, the only other end being ``remote``.
    ``tunnel/ov1``: an overlay network's port on its bridge, with no ``remote`` but the ``stations`` that it leads to.

    ``local`` and ``remote`` are addresses of hosts on the underlay, where the packets go whatever namespace the end is
    in; ``port`` is the UDP port. A station is a container's interface on another host, by its MAC address: first the
    host's underlay address, then the interface's own, sorted. Nothing is learned and nothing flooded; with
    ``suppress`` the bridge answers for the stations' addresses itself (bridge(8), neigh_suppress).
    """

    kind: ClassVar[str] = "vxlan"

    end: End = attribute(changes=IN_PLACE)
    vni: int = attribute(changes=REPLACE, disturbs="outage", why=_MADE)
    port: int = attribute(changes=REPLACE, disturbs="outage", why=_MADE)
    local: str = attribute(changes=REPLACE, disturbs="outage", why=_MADE)
    remote: str = attribute(changes=REPLACE, disturbs="outage", default="", why=_MADE)
    suppress: bool = attribute(changes=IN_PLACE, default=False)
    stations: Mapping[str, tuple[str, ...]] = attribute(changes=IN_PLACE, default_factory=dict)

    def beside(self, live: Resource) -> Resource:
        return replace(self, end=self.end.beside(live.end)) if isinstance(live, Vxlan) else self

    def requires(self) -> tuple[Requirement, ...]:
        needs = []
        if self.end.namespace:
            needs.append(Requirement("namespace/" + self.end.namespace))
        if self.end.master and not self.end.master.startswith("foreign:"):
            needs.append(Requirement(self.end.master, "end.master"))
        return tuple(needs)

    def claims(self) -> tuple[str, ...]:
        return ("netdev:{}/{}".format(self.end.namespace, self.end.name), tunnel_claim(self.vni, self.port))

    def needs(self) -> tuple[str, ...]:
        return (self.kind, *self.end.needs())

    def concerns(self) -> tuple[str, ...]:
        return (self.end.namespace,) if self.end.namespace else ()


def tunnel_claim(vni: int, port: int) -> str:
    """The name that only one tunnel of a host can have: number and port."""
    return "vxlan:VNI {} on UDP port {}".format(vni, port)
