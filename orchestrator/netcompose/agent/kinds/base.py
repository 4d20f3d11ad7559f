"""What every kind offers to the agent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Iterable, MutableMapping, Protocol, runtime_checkable

from netcompose.agent.operations import Operation
from netcompose.agent.snapshot import Snapshot
from netcompose.resources import Resource

if TYPE_CHECKING:
    from netcompose.agent.context import Context


class Kind(Protocol):
    """Observe, create, update and delete one kind of resource.

    ``observe`` adds what it finds to ``found`` and the claims that others hold to ``foreign`` (claim -> whose).
    The other three return operations and do nothing themselves; ``update`` is called for attributes that change
    in place only, whose paths are given.
    """

    kind: str

    def observe(
        self, snapshot: Snapshot, found: MutableMapping[str, Resource], foreign: MutableMapping[str, str]
    ) -> None:
        """Add the topology's live resources of this kind."""

    def create(self, context: Context, resource: Any) -> Iterable[Operation]:
        """Make a resource that is not there."""

    def update(self, context: Context, live: Any, desired: Any, paths: frozenset[str]) -> Iterable[Operation]:
        """Change a live resource in place."""

    def delete(self, context: Context, resource: Any) -> Iterable[Operation]:
        """Remove a resource; it is no error if it is gone."""


@runtime_checkable
class GivesUp(Protocol):
    """A kind whose claims other objects take over while theirs stay: what they exchange is free before any has it."""

    def give_up(self, context: Context, live: Any, desired: Any) -> Iterable[Operation]:
        """Put aside what another object of this run takes of a live one, before anything else is done."""
