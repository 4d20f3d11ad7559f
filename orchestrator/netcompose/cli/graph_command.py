"""``netcompose graph``."""

from __future__ import annotations

import argparse
import sys

from netcompose.cli import common


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The drawing language."""
    parser.add_argument("--format", choices=["mermaid", "dot"], default="mermaid", help="default: mermaid")


def run(args: argparse.Namespace) -> int:
    """Draw the file; no host is contacted."""
    from netcompose.views.graph import dot, mermaid

    topology = common.load_topology(args)
    sys.stdout.write(dot(topology) if args.format == "dot" else mermaid(topology))
    return 0
