"""``netcompose down``."""

from __future__ import annotations

import argparse
import sys

from netcompose.cli import common
from netcompose.cli.reach import reach
from netcompose.errors import UsageError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The name, when the file is lost."""
    parser.add_argument("--name", metavar="TOPOLOGY", help="take down the topology of this name, without its file")


def run(args: argparse.Namespace) -> int:
    """Remove what is marked as the topology's."""
    from netcompose.compiler.images import engines_to_look_at
    from netcompose.planner.planner import make_plan

    common.output_of(args, "text")
    if args.name:
        if args.file is not None:
            raise UsageError("--name and --file exclude each other", hint="--name is for a file that is lost")
        topology, name, hosts = None, args.name, args.host or common.listed_hosts(args)
        # Nobody knows whether there are containers of an engine.
        images: dict[str, tuple[str, ...]] = dict.fromkeys(hosts, ("",))
    else:
        topology = common.load_topology(args)
        name, hosts = topology.name, common.hosts_of(args, topology)
        images = engines_to_look_at(topology)
    with reach(hosts, args, topology) as executor, executor.locked(name, common.owner("down", name)):
        plan = make_plan(name, {}, executor.observe(name, None, images))
        if plan.changes:
            common.carry_out(executor, plan)
        else:
            sys.stdout.write(f"Nothing of topology {name} is there.\n")
            executor.apply(plan)
    return 0
