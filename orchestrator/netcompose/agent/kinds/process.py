"""The commands of native containers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Iterator, MutableMapping

from netcompose.agent.operations import Bulk, Call, Operation
from netcompose.agent.runtimes import namespace as runtime
from netcompose.agent.snapshot import Snapshot
from netcompose.resources import Process, Resource

if TYPE_CHECKING:
    from netcompose.agent.context import Context


class ProcessKind:
    """See :class:`netcompose.resources.Process`; the work is the runtime's."""

    kind = Process.kind

    def observe(
        self, snapshot: Snapshot, found: MutableMapping[str, Resource], foreign: MutableMapping[str, str]
    ) -> None:
        """What runs, or ended as its restart policy allows."""
        for container in runtime.containers(snapshot.topology):
            process = runtime.live(snapshot.topology, container)
            if process is not None:
                found[process.id] = process

    def create(self, context: Context, resource: Process) -> Iterator[Operation]:
        """Start it, side by side with the others of the stage."""
        yield Bulk(_start, (context, resource))

    def update(self, context: Context, live: Process, desired: Process, paths: frozenset[str]) -> Iterator[Operation]:
        """Hostname, stop signal and grace period change while it runs."""
        yield Call(lambda: runtime.update(context.topology, live, desired))

    def delete(self, context: Context, resource: Process) -> Iterator[Operation]:
        """Stop it, side by side with the others of the stage."""
        yield Bulk(_stop, (context.topology, resource.container))


def _start(arguments: list[Any]) -> Callable[[], None]:
    context: Context = arguments[0][0]
    return runtime.begin(context.topology, [process for _, process in arguments], context.lock)


def _stop(arguments: list[Any]) -> None:
    runtime.stop_many(arguments[0][0], [container for _, container in arguments])
