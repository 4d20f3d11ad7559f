"""``netcompose ps``."""

from __future__ import annotations

import argparse
import sys

from netcompose.cli import common
from netcompose.cli.reach import reach_some


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No options of its own."""


def run(args: argparse.Namespace) -> int:
    """One row for each container, live or only in the file."""
    from netcompose.cli.terminal import wants_colour
    from netcompose.compiler.images import engines_to_look_at
    from netcompose.compiler.ports import shown
    from netcompose.views.ps import PsRow, ps_json, ps_rows, ps_text

    output = common.output_of(args, "text", "json")
    topology = common.load_topology(args)
    rows: list[PsRow] = []

    def expected(host: str) -> list[str]:
        return [container.name for container in topology.containers.values() if container.host == host]

    with reach_some(common.hosts_of(args, topology), args, topology) as (executor, failures):
        live = executor.observe(topology.name, None, engines_to_look_at(topology))
        states = executor.states(topology.name)
        for host, observation in live.items():
            ports = shown(observation)
            rows += ps_rows(host, observation.resources, states[host], expected=expected(host), ports=ports)
        for host in failures:
            rows += [PsRow(host, name, "unknown") for name in expected(host)]
    text = ps_json(rows) if output == "json" else ps_text(rows, colour=wants_colour(sys.stdout))
    sys.stdout.write(text)
    return common.report(failures, args)
