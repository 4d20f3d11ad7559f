"""``netcompose plan``."""

from __future__ import annotations

import argparse
import sys

from netcompose.cli import common
from netcompose.cli.reach import reach


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where the plan goes, and how its answer is given."""
    parser.add_argument("--out", metavar="PLAN.json", help="also save the plan, for `netcompose apply PLAN.json`")
    parser.add_argument("--detailed-exitcode", action="store_true", help="exit with 2 when there are changes")
    parser.add_argument("--full", action="store_true", help="list every object, also of long runs of new ones")


def run(args: argparse.Namespace) -> int:
    """Print the plan. Exit status 1 when something on a host is in its way."""
    output = common.output_of(args, "text", "json", "markdown")
    topology = common.load_topology(args)
    common.refuse_unsupported(topology)
    with reach(common.hosts_of(args, topology), args, topology, then="netcompose.executor.planning") as executor:
        plan = common.make(executor, topology).plan
    if output == "json":
        from netcompose.views.plan_json import plan_to_json

        sys.stdout.write(plan_to_json(plan))
    elif output == "markdown":
        from netcompose.views.plan_markdown import plan_markdown

        sys.stdout.write(plan_markdown(plan, file=common.file_of(args), full=args.full))
    else:
        common.print_plan(plan, args, full=args.full)
    sys.stdout.flush()
    common.refuse_problems(plan)
    if args.out:
        from netcompose.cli.planfile import save

        save(plan, args.out)
    return 2 if plan.changes and args.detailed_exitcode else 0
