"""Whom a change disturbs, and how: from the declared effect of attributes and from who stands on the object."""

from __future__ import annotations

from typing import Collection, Mapping, Optional, Sequence

from netcompose.planner.diff import Found
from netcompose.planner.plan import CREATE, UPDATE, Disturbance
from netcompose.resources import Resource
from netcompose.resources.base import DISTURBANCES


class Disturbances:
    """Answers for one host. ``going`` are the ids of what is removed, be it to be made anew."""

    def __init__(self, live: Mapping[str, Resource], going: Collection[str]) -> None:
        self._live = live
        # A container that comes or goes as a whole is not disturbed by its own parts coming or going.
        self._in_motion = {
            concerned for id in going if id in live and live[id].carries_container for concerned in live[id].concerns()
        }
        self._dependents: Optional[dict[str, list[str]]] = None

    def of(
        self, id: str, actions: tuple[str, ...], before: Optional[Resource], found: Sequence[Found]
    ) -> tuple[Disturbance, ...]:
        """Who is disturbed by one change, sorted; nobody by something that is new."""
        if before is None or actions == CREATE:
            return ()
        how, why = self._effect(before, actions, found)
        if how == "none":
            return ()
        return tuple(
            Disturbance(container=name, how=how, why=why) for name in sorted(self._users(id, before) - self._in_motion)
        )

    @staticmethod
    def _effect(before: Resource, actions: tuple[str, ...], found: Sequence[Found]) -> tuple[str, str]:
        if actions != UPDATE:
            return before.removal, "it is removed" if "create" not in actions else "it is made anew"
        worst = max(found, key=lambda item: DISTURBANCES.index(item.declared.disturbs))
        return worst.declared.disturbs, worst.declared.why or "{} changes".format(worst.difference.path)

    def _users(self, id: str, before: Resource) -> set[str]:
        if self._dependents is None:
            self._dependents = {}
            for other, resource in self._live.items():
                for need in resource.requires():
                    if not need.order_only:
                        self._dependents.setdefault(need.id, []).append(other)
        users = set(before.concerns())
        seen = {id}
        waiting = [id]
        while waiting:
            for other in self._dependents.get(waiting.pop(), ()):
                if other not in seen:
                    seen.add(other)
                    users.update(self._live[other].concerns())
                    waiting.append(other)
        return users
