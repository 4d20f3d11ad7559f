"""``netcompose exec``."""

from __future__ import annotations

import argparse
import sys

from netcompose.cli import common
from netcompose.cli.reach import connect
from netcompose.errors import UsageError

#: Seconds that a command on another host may take.
_TIMEOUT = 3600.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The container and the command."""
    parser.add_argument("container", help="the container's name")
    parser.add_argument("argv", nargs=argparse.REMAINDER, metavar="COMMAND ...", help="the command and its arguments")


def run(args: argparse.Namespace) -> int:
    """Run a command inside with the terminal, pipes and exit status of this one; on another host without its input."""
    argv = args.argv[1:] if args.argv[:1] == ["--"] else args.argv
    if not argv:
        raise UsageError("no command is given", hint=f"for example: netcompose exec {args.container} -- ip addr")
    topology = common.load_topology(args)
    container = common.container_of(topology, args.container)
    host = topology.hosts[container.host]
    target = common.exec_target(topology, container)
    if not host.address:
        from netcompose.transports.local import attach

        return attach(topology.name, target, argv)
    connection = connect(host, args)
    try:
        status, out, error = connection.run(topology.name, target, argv, _TIMEOUT)
    finally:
        connection.close()
    sys.stdout.buffer.write(out)
    sys.stderr.buffer.write(error)
    return status
