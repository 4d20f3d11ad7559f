"""``netcompose exec``."""

from __future__ import annotations

import argparse
import sys

from netcompose.cli import common
from netcompose.cli.reach import connect
from netcompose.errors import UsageError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The container and the command."""
    parser.add_argument("-i", "--interactive", action="store_true", help="pass standard input on, which is done anyway")
    parser.add_argument(
        "-t",
        "--tty",
        action="store_true",
        help="give it a terminal, or refuse where there is none (default: if there is one)",
    )
    parser.add_argument("-T", "--no-tty", action="store_true", help="give it no terminal")
    parser.add_argument("container", help="the container's name")
    parser.add_argument("argv", nargs=argparse.REMAINDER, metavar="COMMAND ...", help="the command and its arguments")


def run(args: argparse.Namespace) -> int:
    """Run a command inside with the terminal, or the pipes, and the exit status of this one, on whichever host."""
    argv = args.argv[1:] if args.argv[:1] == ["--"] else args.argv
    if not argv:
        raise UsageError("no command is given", hint=f"for example: netcompose exec {args.container} -- ip addr")
    if args.tty and args.no_tty:
        raise UsageError("-t and -T exclude each other")
    terminal = sys.stdin.isatty() and sys.stdout.isatty() and not args.no_tty
    if args.tty and not terminal:
        raise UsageError("-t asks for a terminal, and standard input or output is none", hint="leave -t out")
    topology = common.load_topology(args)
    container = common.container_of(topology, args.container)
    host = topology.hosts[container.host]
    target = common.exec_target(topology, container)
    if not host.address and not terminal:
        from netcompose.transports import local

        return local.attach(topology.name, target, argv)
    from netcompose.transports import attached

    # A terminal of its own takes an agent beside it, also here.
    connection = connect(host, args)
    try:
        return attached.attach(connection, topology.name, target, argv, terminal=terminal)
    finally:
        connection.close()
