"""``netcompose convert``."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

from netcompose.cli import common

if TYPE_CHECKING:
    from netcompose.convert.convert import Converted


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What is converted, and where to."""
    parser.add_argument("source", metavar="SOURCE", help="a Compose file, or a containerlab file")
    parser.add_argument("--from", dest="format", choices=["compose", "containerlab"], help="default: by its content")
    parser.add_argument("--out", metavar="FILE", help="write the topology there, not to standard output")
    parser.add_argument("--profile", metavar="NAME", action="append", default=[], help="of Compose (repeatable)")


def run(args: argparse.Namespace) -> int:
    """Print the topology, and on standard error what has no counterpart; no host is contacted."""
    from netcompose.convert import convert, variables
    from netcompose.topology.sourcetext import read_file

    output = common.output_of(args, "text", "json")
    source = read_file(args.source, "source")
    env = os.path.join(os.path.dirname(args.source), ".env")
    known = variables.read_env(read_file(env, "environment").text) if os.path.isfile(env) else {}
    known.update(common.variables_of(args))
    target = os.path.dirname(args.out) if args.out else os.path.dirname(args.source)
    folder = os.path.relpath(os.path.dirname(args.source) or ".", target or ".")
    made = convert.convert(source, format=args.format or "", variables=known, profiles=args.profile, folder=folder)
    if args.out:
        common.write_new(args.out, made.text, "--out")
    elif output == "text":
        sys.stdout.write(made.text)
    if output == "json":
        _print_json(made, printed=not args.out)
    else:
        _tell(made, args)
    return 0


def _print_json(made: Converted, *, printed: bool) -> None:
    import json

    from netcompose.views.jsontext import json_text
    from netcompose.views.problems import problems_json

    data = {"format": made.format, "findings": json.loads(problems_json(made.findings))}
    sys.stdout.write(json_text({**data, "topology": made.text} if printed else data))


def _tell(made: Converted, args: argparse.Namespace) -> None:
    from netcompose.convert.convert import FORMATS

    sys.stdout.flush()
    for finding in made.findings:
        sys.stderr.write(f"{finding.position}: {finding.message}\n")
    what = f"{args.source} ({FORMATS[made.format]})"
    count = len(made.findings)
    left = f"{count} thing{'' if count == 1 else 's'} to look at" if count else "everything has its counterpart"
    where = f" to {args.out}" if args.out else ""
    sys.stderr.write(f"{what} converted{where}: {left}.\n")
    if args.out:
        sys.stderr.write(f"Next: netcompose validate -f {args.out}\n")
