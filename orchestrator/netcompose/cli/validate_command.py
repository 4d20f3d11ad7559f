"""``netcompose validate``."""

from __future__ import annotations

import argparse
import sys

from netcompose.cli import common
from netcompose.errors import TopologyError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No options of its own."""


def run(args: argparse.Namespace) -> int:
    """Print one line for a valid file; every problem of an invalid one (as a list with ``--output json``)."""
    output = common.output_of(args, "text", "json")
    try:
        topology = common.load_topology(args)
        common.refuse_unsupported(topology)
    except TopologyError as error:
        if output == "text":
            raise
        from netcompose.views.problems import problems_json

        sys.stdout.write(problems_json(error.problems))
        return error.exit_status
    if output == "json":
        sys.stdout.write("[]\n")
    else:
        parts = [
            _count(len(topology.containers), "container"),
            _count(len(topology.networks), "network"),
            _count(len(topology.links), "link"),
        ]
        sys.stdout.write(f"{common.file_of(args)} is valid: topology {topology.name}, {', '.join(parts)}.\n")
    return 0


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
