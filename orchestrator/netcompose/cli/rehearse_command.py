"""``netcompose rehearse``."""

from __future__ import annotations

import argparse
import sys

from netcompose.cli import common


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No options of its own."""


def run(args: argparse.Namespace) -> int:
    """Bring the topology up in throw-away hosts, print the matrix; exit status 1 if it is not as promised."""
    from netcompose.executor.rehearsal import rehearse
    from netcompose.views import matrix

    output = common.output_of(args, "text", "json", "markdown")
    topology = common.load_topology(args)
    common.refuse_unsupported(topology)
    with common.interruptible():
        owner = common.owner("rehearse", topology.name)
        ways = rehearse(topology, common.hosts_of(args, topology), owner, common.note)
    if output == "json":
        sys.stdout.write(matrix.matrix_json(ways))
    elif output == "markdown":
        sys.stdout.write(matrix.matrix_markdown(ways))
    else:
        from netcompose.cli.terminal import wants_colour

        sys.stdout.write(matrix.matrix_text(ways, colour=wants_colour(sys.stdout)))
    return 1 if matrix.differing(ways) else 0
