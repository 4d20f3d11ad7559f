"""``netcompose exec``."""

from __future__ import annotations

import argparse

from netcompose.cli import common
from netcompose.errors import UsageError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The container and the command."""
    parser.add_argument("container", help="the container's name")
    parser.add_argument("argv", nargs=argparse.REMAINDER, metavar="COMMAND ...", help="the command and its arguments")


def run(args: argparse.Namespace) -> int:
    """Run a command inside with the terminal, pipes and exit status of this one."""
    argv = args.argv[1:] if args.argv[:1] == ["--"] else args.argv
    if not argv:
        raise UsageError("no command is given", hint=f"for example: netcompose exec {args.container} -- ip addr")
    topology = common.load_topology(args)
    container = common.container_of(topology, args.container)
    from netcompose.transports.local import attach

    return attach(topology.name, common.exec_target(topology, container), argv)
