"""``netcompose rehearse``."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from netcompose.cli import common
from netcompose.errors import RollbackFailed

if TYPE_CHECKING:
    from netcompose.topology.model import Topology
    from netcompose.transports.sandbox import Sandbox


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No options of its own."""


def run(args: argparse.Namespace) -> int:
    """Bring the topology up in throw-away hosts, print the matrix; exit status 1 if it is not as promised."""
    from netcompose.executor.rehearsal import measure
    from netcompose.executor.run import Executor
    from netcompose.views import matrix

    output = common.output_of(args, "text", "json", "markdown")
    topology = common.load_topology(args)
    common.refuse_unsupported(topology)
    with _hosts(common.hosts_of(args, topology)) as (hosts, underlay), common.interruptible():
        connections = {name: host.connection for name, host in hosts.items()}
        executor = Executor(connections)
        topology = _on_segment(topology, underlay)
        with executor.locked(topology.name, common.owner("rehearse", topology.name)):
            made = common.make(executor, topology)
            common.refuse_problems(made.plan)
            try:
                executor.apply(made.plan, desired=made.desired.resources)
            except RollbackFailed as error:
                if isinstance(error.__cause__, KeyboardInterrupt):
                    raise KeyboardInterrupt from None
                raise
            ways = measure(connections, made.desired)
    cells = [matrix.Cell(w.source, w.target, w.how, w.family, w.promised, w.measured) for w in ways]
    if output == "json":
        sys.stdout.write(matrix.matrix_json(cells))
    elif output == "markdown":
        sys.stdout.write(matrix.matrix_markdown(cells))
    else:
        from netcompose.cli.terminal import wants_colour

        sys.stdout.write(matrix.matrix_text(cells, colour=wants_colour(sys.stdout)))
    return 1 if matrix.differing(cells) else 0


@contextlib.contextmanager
def _hosts(names: list[str]) -> Iterator[tuple[dict[str, Sandbox], dict[str, str]]]:
    """A throw-away host for each, and their addresses on the segment between them, if there are several."""
    from netcompose.transports.sandbox import Sandbox

    hosts: dict[str, Sandbox] = {}
    with contextlib.ExitStack() as stack:
        for name in names:
            hosts[name] = stack.enter_context(Sandbox(name, beside=next(iter(hosts.values()), None)))
        underlay = {}
        if len(hosts) > 1:
            from netcompose.transports import segment

            underlay = segment.join(list(hosts.values()))
        yield hosts, underlay


def _on_segment(topology: Topology, underlay: dict[str, str]) -> Topology:
    """The topology with its hosts where they are in a rehearsal."""
    hosts = {name: replace(host, underlay=underlay.get(name, "")) for name, host in topology.hosts.items()}
    return replace(topology, hosts=hosts)
