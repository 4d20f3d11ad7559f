"""``netcompose logs``."""

from __future__ import annotations

import argparse
import contextlib
import sys

from netcompose.cli import common


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The container, and how much of its output."""
    parser.add_argument("container", help="the container's name; @ports for the published ports' own process")
    parser.add_argument("--tail", type=int, metavar="N", help="the last N lines only")
    parser.add_argument("--follow", action="store_true", help="wait for more until the command ends")
    parser.add_argument("--timestamps", action="store_true", help="put the time in front of each line")


def run(args: argparse.Namespace) -> int:
    """What the container's command has printed, as it is."""
    topology = common.load_topology(args)
    # A name with an @ is one of netcompose's own processes beside the containers.
    own = args.container.startswith("@")
    name = args.container if own else common.container_of(topology, args.container).name
    from netcompose.transports.local import logs

    pieces = logs(topology.name, name, tail=args.tail, follow=args.follow, timestamps=args.timestamps)
    with contextlib.suppress(KeyboardInterrupt):
        for piece in pieces:
            sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()
    return 0
