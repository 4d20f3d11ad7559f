"""``netcompose hosts``."""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import replace

from netcompose.cli import common


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No options of its own."""


def run(args: argparse.Namespace) -> int:
    """What the hosts of the topology are, can do and lack; without a file, this one."""
    from netcompose.cli.terminal import wants_colour
    from netcompose.views.hosts import HostRow, hosts_json, hosts_text

    output = common.output_of(args, "text", "json")
    hosts, name = args.host or ["local"], "netcompose"
    if args.file is not None or os.path.exists(common.DEFAULT_FILE):
        topology = common.load_topology(args)
        hosts, name = common.hosts_of(args, topology), topology.name
    with common.reach(hosts) as executor:
        live = executor.observe(name)
        features = executor.features()
        rows = [HostRow(host, facts=replace(live[host].facts, features=features[host])) for host in live]
    sys.stdout.write(hosts_json(rows) if output == "json" else hosts_text(rows, colour=wants_colour(sys.stdout)))
    return 0
