"""``netcompose logs``."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from netcompose.cli import common
from netcompose.cli.reach import connect
from netcompose.errors import UsageError

if TYPE_CHECKING:
    from netcompose.topology.model import Host, Topology


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
    hosts = common.hosts_of(args, topology) if own else [topology.containers[name].host]
    options = {"tail": args.tail, "follow": args.follow, "timestamps": args.timestamps}
    if own and len(hosts) > 1 and args.follow:
        raise UsageError(f"every host has a {name}, and one can be followed", hint="name it: --host NAME")
    with contextlib.suppress(KeyboardInterrupt):
        for host in hosts:
            _show(args, topology, topology.hosts[host], name, options)
    return 0


def _show(args: argparse.Namespace, topology: Topology, host: Host, name: str, options: Mapping[str, Any]) -> None:
    if not host.address:
        from netcompose.transports import local

        _write(local.logs(topology.name, name, **options))
        return
    from netcompose.transports import output

    connection = connect(host, args)
    try:
        _write(output.logs(connection, topology.name, name, **options))
    finally:
        connection.close()


def _write(pieces: Iterable[bytes]) -> None:
    for piece in pieces:
        sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
