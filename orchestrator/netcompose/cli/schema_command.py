"""``netcompose schema``."""

from __future__ import annotations

import argparse
import sys


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which schema."""
    parser.add_argument("which", nargs="?", choices=["topology", "plan"], default="topology", help="default: topology")


def run(args: argparse.Namespace) -> int:
    """Print a JSON Schema (draft 2020-12), for editors and other programs."""
    from netcompose.catalog import schema_text

    sys.stdout.write(schema_text(args.which))
    return 0
