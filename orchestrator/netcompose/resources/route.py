"""Routes of the host itself: the way to what a network has on other hosts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from netcompose.resources.base import IN_PLACE, REPLACE, Resource, attribute


@dataclass(frozen=True)
class HostRoute(Resource):
    """``route/10.20.3.0/24``: where a slice of a routed network is, in the host's main table.

    ``via`` is the underlay address of the host that has it, and ``interface`` the one of this host that leads there.
    A route is marked by its protocol and its metric, which is the topology's own (:func:`route_metric`).
    """

    kind: ClassVar[str] = "route"

    to: str = attribute(changes=REPLACE)
    via: str = attribute(changes=IN_PLACE, disturbs="blip", why="packets to another host take another way")
    interface: str = attribute(changes=IN_PLACE, disturbs="blip", why="packets to another host take another way")

    def path_risk(self, interface: str, peer: str) -> str:
        from ipaddress import ip_address, ip_network

        return "outage" if ip_address(peer) in ip_network(self.to) else "none"
