"""Kernel parameters of the host that a topology needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from netcompose.resources.base import IN_PLACE, OBSERVED, REPLACE, Requirement, Resource, attribute


@dataclass(frozen=True)
class Sysctl(Resource):
    """``sysctl/net.ipv4.ip_forward``: a parameter of the host itself, not of a container.

    The value that it had is remembered on the host with the topologies that need it, and put back with the last of
    them. ``after`` are the ids of what has to be there first, and stays until it is put back.
    """

    kind: ClassVar[str] = "sysctl"

    key: str = attribute(changes=REPLACE)
    value: str = attribute(changes=IN_PLACE)
    after: tuple[str, ...] = attribute(changes=OBSERVED, default=())

    def path_risk(self, interface: str, peer: str) -> str:
        # A dot in an interface's name is a slash in a key (sysctl(8)).
        return "blip" if interface.replace(".", "/") in self.key.split(".") else "none"

    def requires(self) -> tuple[Requirement, ...]:
        return tuple(Requirement(id, order_only=True) for id in self.after)
