"""``netcompose init``."""

from __future__ import annotations

import argparse
import os
import sys

from netcompose.cli import common


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which topology to start from."""
    parser.add_argument("topology", nargs="?", metavar="NAME", help="a ready-made topology (default: a small starter)")
    parser.add_argument("--list", action="store_true", help="list the ready-made topologies with their parameters")


def run(args: argparse.Namespace) -> int:
    """Write the file; one that is there is never overwritten."""
    from netcompose import catalog

    if args.list:
        for name in catalog.names():
            sys.stdout.write(f"{name}\n")
            for parameter in catalog.parameters(name):
                sys.stdout.write(f"    {parameter.name}={parameter.default}  {parameter.description}\n")
        return 0
    text = catalog.read(args.topology) if args.topology else catalog.starter()
    path = common.file_of(args)
    common.write_new(path, text, "-f")
    where = "" if path == common.DEFAULT_FILE else f" -f {path}"
    root = "" if os.geteuid() == 0 else "sudo "
    sys.stdout.write(f"{path} is written. Next: netcompose plan{where}, then {root}netcompose up{where}.\n")
    return 0
