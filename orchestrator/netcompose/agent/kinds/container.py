"""Containers of an engine, and the start of their programs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Iterator, MutableMapping

from netcompose.agent.operations import Bulk, Call, Operation
from netcompose.agent.runtimes import gate
from netcompose.agent.snapshot import Snapshot
from netcompose.resources import Container, Resource, Start, from_data
from netcompose.resources.container_engine import SET_ASIDE, WIRED, start_id
from netcompose.resources.names import netns_name

if TYPE_CHECKING:
    from netcompose.agent.context import Context


class ContainerKind:
    """See :class:`netcompose.resources.Container`; the work is the engine's."""

    kind = Container.kind

    def observe(
        self, snapshot: Snapshot, found: MutableMapping[str, Resource], foreign: MutableMapping[str, str]
    ) -> None:
        """Those with the topology's label. One that is set aside counts where no other has taken its place."""
        if snapshot.engine is None:
            return
        for live in (*snapshot.engine.aside, *snapshot.engine.own.values()):
            found[live.resource.id] = live.resource
        foreign.update(("engine:" + name, whose) for name, whose in snapshot.engine.others.items())

    def create(self, context: Context, resource: Container) -> Iterator[Operation]:
        """Create and start it, side by side with the others of the stage."""
        yield Bulk(_create, (context, resource))

    def update(
        self, context: Context, live: Container, desired: Container, paths: frozenset[str]
    ) -> Iterator[Operation]:
        """Limits and restart policy change while it runs; one that does not run is started."""
        if live.state == SET_ASIDE:
            yield Bulk(_create, (context, desired))
        elif "state" in paths:
            yield Call(lambda: context.engine.start(context.topology, desired))
        if paths - {"state"}:
            yield Call(lambda: context.engine.update(desired))

    def delete(self, context: Context, resource: Container) -> Iterator[Operation]:
        """Stop it and set it aside, side by side with the others of the stage; it is removed when the run is
        confirmed."""
        yield Bulk(_delete, (context, resource))


def _create(arguments: list[Any]) -> None:
    context = arguments[0][0]
    for _, resource in arguments:
        context.remember_container(resource.container)
    context.engine.create(context.topology, [resource for _, resource in arguments])


def _delete(arguments: list[Any]) -> None:
    context = arguments[0][0]
    context.engine.put_aside(context.topology, [resource for _, resource in arguments])


class StartKind:
    """See :class:`netcompose.resources.Start`."""

    kind = Start.kind

    def observe(
        self, snapshot: Snapshot, found: MutableMapping[str, Resource], foreign: MutableMapping[str, str]
    ) -> None:
        """Whether each container was let through the gate since its last start."""
        for container, live in snapshot.engine.own.items() if snapshot.engine is not None else ():
            noted = gate.noted(snapshot.topology, live.id) or {}
            wired = live.resource.network == WIRED
            through = bool(noted.get("netns")) and (not live.netns or noted["netns"] == live.netns)
            start = Start(id=start_id(container), container=container, after=live.resource.ready)
            if noted.get("start"):
                start = from_data(Start, noted["start"])
            found[start.id] = replace(
                start,
                through=through or not wired,
                grace=live.resource.stop_grace_period,
                engine_id=live.id,
            )

    def create(self, context: Context, resource: Start) -> Iterator[Operation]:
        """Let it through, side by side with the others of the stage."""
        yield Bulk(_let_through, (context, resource))

    def update(self, context: Context, live: Start, desired: Start, paths: frozenset[str]) -> Iterator[Operation]:
        """It was started again, and waits."""
        yield Bulk(_let_through, (context, desired))

    def delete(self, context: Context, resource: Start) -> Iterator[Operation]:
        """Stop the program. The container that is meant is known by the engine's id: another may have its name."""
        if resource.engine_id:
            yield Bulk(_stop, (context, resource))


def _let_through(arguments: list[Any]) -> None:
    from netcompose.agent.runtimes import enginestart

    context = arguments[0][0]
    starts = [(start, netns_name(context.topology, start.container)) for _, start in arguments]
    enginestart.let_through(context.engine, context.topology, starts)


def _stop(arguments: list[Any]) -> None:
    context = arguments[0][0]
    for _, start in arguments:
        # It is not somebody else who stops it: a run that fails starts it again.
        gate.note(context.topology, start.engine_id, start.container)
    context.engine.stop([(start.engine_id, start.grace) for _, start in arguments])
