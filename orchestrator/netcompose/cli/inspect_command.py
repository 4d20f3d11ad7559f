"""``netcompose inspect``."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from netcompose.cli import common
from netcompose.cli.reach import reach_some


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to inspect."""
    parser.add_argument("names", nargs="*", metavar="NAME", help="containers, networks or links (default: all)")


def run(args: argparse.Namespace) -> int:
    """Everything that is live of the named objects."""
    from netcompose.cli.terminal import wants_colour
    from netcompose.compiler.images import engines_to_look_at
    from netcompose.views.inspect import inspect_json, inspect_objects, inspect_text, select

    output = common.output_of(args, "text", "json")
    topology = common.load_topology(args)
    objects: list[dict[str, Any]] = []
    with reach_some(common.hosts_of(args, topology), args, topology) as (executor, failures):
        live = executor.observe(topology.name, None, engines_to_look_at(topology))
        states = executor.states(topology.name)
        for host, observation in live.items():
            objects += inspect_objects(host, observation.resources, states[host])
    chosen = select(objects, args.names)
    text = inspect_json(chosen) if output == "json" else inspect_text(chosen, colour=wants_colour(sys.stdout))
    sys.stdout.write(text)
    return common.report(failures, args)
