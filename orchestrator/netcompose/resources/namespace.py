"""A container's network namespace, pinned under ``/run/netns`` so that it outlives every process in it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Mapping

from netcompose.resources.base import IN_PLACE, REPLACE, Requirement, Resource, attribute


@dataclass(frozen=True)
class Namespace(Resource):
    """``namespace/web1``: the stack of one container, or a second name for the stack of another.

    A fresh one has ``lo`` up. ``joins`` names the container whose namespace is shared (``network_mode:
    container:X``), or is empty. ``of`` is the resource whose namespace it is (``container/web1``: an engine makes
    one at every start of a container), or empty for one of our own making. ``sysctls`` has the keys that the topology
    sets, below ``net.``.
    """

    kind: ClassVar[str] = "namespace"
    carries_container: ClassVar[bool] = True

    container: str = attribute(changes=REPLACE)
    netns: str = attribute(changes=REPLACE)
    joins: str = attribute(changes=REPLACE, disturbs="outage", default="", why="a namespace cannot become another one")
    of: str = attribute(
        changes=REPLACE, disturbs="outage", default="", why="an engine makes a new one at each start of a container"
    )
    loopback_up: bool = attribute(changes=IN_PLACE, disturbs="blip", default=True)
    sysctls: Mapping[str, str] = attribute(changes=IN_PLACE, default_factory=dict)

    def requires(self) -> tuple[Requirement, ...]:
        if self.of:
            return (Requirement(self.of.partition(" ")[0]),)
        return (Requirement("namespace/" + self.joins),) if self.joins else ()

    def restorable(self) -> Resource:
        # The namespace of a container's last start but one is gone.
        return replace(self, of=self.of.partition(" ")[0])

    def claims(self) -> tuple[str, ...]:
        return ("netns:" + self.netns,)

    def concerns(self) -> tuple[str, ...]:
        return (self.container,)
