"""Commands that run once in a container, when it is wired."""

from __future__ import annotations

from typing import TYPE_CHECKING, Iterator, MutableMapping

from netcompose.agent import rundir
from netcompose.agent.operations import Call, Operation
from netcompose.agent.runtimes import execution
from netcompose.agent.snapshot import Snapshot
from netcompose.errors import CommandFailed
from netcompose.resources import Exec, ExecTarget, Resource
from netcompose.resources.names import netns_name

if TYPE_CHECKING:
    from netcompose.agent.context import Context

#: Seconds that one command may take.
DEADLINE = 60.0


class ExecKind:
    """See :class:`netcompose.resources.Exec`. That they ran is noted together with the namespace's identity."""

    kind = Exec.kind

    def observe(
        self, snapshot: Snapshot, found: MutableMapping[str, Resource], foreign: MutableMapping[str, str]
    ) -> None:
        """Commands that ran in the namespace that is there now."""
        for container, record in rundir.records(snapshot.topology, "exec"):
            namespace = record["namespace"]
            netns = netns_name(snapshot.topology, namespace) if namespace else ""
            commands = tuple(tuple(command) for command in record["commands"])
            if snapshot.namespaces.inode(netns) != record["inode"]:
                commands = ()
            found["exec/" + container] = Exec(
                id="exec/" + container,
                container=container,
                commands=commands,
                namespace=namespace,
                engine=record.get("engine", ""),
            )

    def create(self, context: Context, resource: Exec) -> Iterator[Operation]:
        """Run them in order; the first that fails is the change's failure."""
        yield Call(lambda: self._run(context, resource))

    @staticmethod
    def _run(context: Context, resource: Exec) -> None:
        netns = context.netns(resource.namespace)
        container = resource.container
        target = ExecTarget(netns=netns, container=container, hostname=container, engine=resource.engine)
        for command in resource.commands:
            status, _, error = execution.run_captured(context.topology, target, command, timeout=DEADLINE)
            if status != 0:
                words = error.decode(errors="replace").strip().splitlines()
                raise CommandFailed(
                    "exec of container {}: {} exited with {}{}".format(
                        resource.container, " ".join(command), status, ": " + words[-1] if words else ""
                    ),
                    hint="correct the command under containers.{}.exec".format(resource.container),
                )
        record = {
            "commands": resource.commands,
            "namespace": resource.namespace,
            "engine": resource.engine,
            "inode": context.namespaces.inode(netns),
        }
        rundir.write_json(_record(context.topology, resource.container), record)

    def update(self, context: Context, live: Exec, desired: Exec, paths: frozenset[str]) -> Iterator[Operation]:
        """No attribute changes in place."""
        return iter(())

    def delete(self, context: Context, resource: Exec) -> Iterator[Operation]:
        """Forget that they ran; what they did inside goes with the namespace."""
        yield Call(lambda: rundir.remove(_record(context.topology, resource.container)))


def _record(topology: str, container: str) -> str:
    return rundir.topology_dir(topology, "exec", container + ".json")
