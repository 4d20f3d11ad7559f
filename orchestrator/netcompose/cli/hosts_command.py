"""``netcompose hosts``."""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from netcompose.cli import common
from netcompose.cli.reach import known_hosts, reach_some

if TYPE_CHECKING:
    from netcompose.errors import NetcomposeError
    from netcompose.views.hosts import HostRow


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to do with them."""
    parser.add_argument(
        "action", nargs="?", choices=["clean"], help="clean: remove what netcompose keeps on them (the cached agent)"
    )


def run(args: argparse.Namespace) -> int:
    """What the hosts of the topology are, can do and lack; without a file, this one."""
    from netcompose.cli.terminal import wants_colour
    from netcompose.views.hosts import HostRow, hosts_json, hosts_text

    output = common.output_of(args, "text", "json")
    topology, hosts, name = None, args.host or common.listed_hosts(args), "netcompose"
    if args.file is not None or os.path.exists(common.DEFAULT_FILE):
        topology = common.load_topology(args)
        hosts, name = common.hosts_of(args, topology), topology.name
    if args.action == "clean":
        from netcompose.cli import hosts_clean

        return hosts_clean.run(args, topology)
    addresses = {host: known.address for host, known in known_hosts(hosts, args, topology).items()}
    with reach_some(hosts, args, topology) as (executor, failures):
        live, features, clocks = executor.observe(name), executor.features(), executor.clocks()
        found = {
            host: HostRow(
                host,
                addresses[host],
                facts=replace(live[host].facts, features=features[host]),
                ahead=clocks[host],
            )
            for host in live
        }
    rows = [found.get(host) or _failed(host, addresses[host], failures[host]) for host in hosts]
    sys.stdout.write(hosts_json(rows) if output == "json" else hosts_text(rows, colour=wants_colour(sys.stdout)))
    return max((error.exit_status for error in failures.values()), default=0)


def _failed(host: str, address: str, error: NetcomposeError) -> HostRow:
    from netcompose.views.hosts import HostRow

    return HostRow(host, address, error=error.message.removeprefix(f"host {host}: "), hint=error.hint)
