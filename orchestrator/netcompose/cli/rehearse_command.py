"""``netcompose rehearse``."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from netcompose.cli import common
from netcompose.errors import RollbackFailed

if TYPE_CHECKING:
    from netcompose.executor.run import Executor
    from netcompose.topology.model import Topology
    from netcompose.transports.sandbox import Sandbox


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No options of its own."""


def run(args: argparse.Namespace) -> int:
    """Bring the topology up in a throw-away host, print the matrix; exit status 1 if it is not as promised."""
    from netcompose.executor.rehearsal import measure
    from netcompose.executor.run import Executor
    from netcompose.transports.sandbox import Sandbox
    from netcompose.views import matrix

    output = common.output_of(args, "text", "json", "markdown")
    topology = common.load_topology(args)
    common.refuse_unsupported(topology)
    ways = []
    for host in common.hosts_of(args, topology):
        with Sandbox(host) as sandbox, common.interruptible():
            executor = Executor({host: sandbox.connection})
            stood_in = _with_parents(sandbox, _possible(executor, topology), host)
            with executor.locked(topology.name, common.owner("rehearse", topology.name)):
                made = common.make(executor, stood_in)
                common.refuse_problems(made.plan)
                try:
                    executor.apply(made.plan, desired=made.desired.resources)
                except RollbackFailed as error:
                    if isinstance(error.__cause__, KeyboardInterrupt):
                        raise KeyboardInterrupt from None
                    raise
                ways += measure(sandbox.connection, made.desired, host)
    if output == "json":
        sys.stdout.write(matrix.matrix_json(ways))
    elif output == "markdown":
        sys.stdout.write(matrix.matrix_markdown(ways))
    else:
        from netcompose.cli.terminal import wants_colour

        sys.stdout.write(matrix.matrix_text(ways, colour=wants_colour(sys.stdout)))
    return 1 if matrix.differing(ways) else 0


def _possible(executor: Executor, topology: Topology) -> Topology:
    """The topology without the impairments that this machine's kernel cannot stand in for, each of which is told."""
    from netcompose.compiler.impairments import queues, without

    asked = queues(topology)
    if not asked:
        return topology
    for host, features in executor.features(dict.fromkeys(topology.hosts, asked)).items():
        lacks = {name: reason for name, reason in features.items() if reason}
        topology, left_out = without(topology, lacks)
        for words in left_out:
            sys.stderr.write(f"note: left out: {words}; host {host!r}: {', '.join(sorted(lacks.values()))}\n")
    return topology


def _with_parents(sandbox: Sandbox, topology: Topology, host: str) -> Topology:
    """The topology as the sandbox can have it, in which something stands in for each of the host's parents, and is
    told."""
    if not topology.parents:
        return topology
    from netcompose.compiler.parents import stand_ins
    from netcompose.transports import standin

    vlans = any(parent.vlan for parent in topology.parents.values())
    has_vlans = vlans and not sandbox.connection.features(["8021q"])["8021q"]
    possible, cables = stand_ins(topology, host, has_vlans=has_vlans)
    standin.lay(sandbox, cables)
    for name in cables:
        sys.stderr.write(f"note: host {host!r}: a cable that leads nowhere stands in for the interface {name}\n")
    return possible
