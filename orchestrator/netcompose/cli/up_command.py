"""``netcompose up``."""

from __future__ import annotations

import argparse

from netcompose.cli import common


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How much of the plan is printed."""
    parser.add_argument("--full", action="store_true", help="list every object, also of long runs of new ones")


def run(args: argparse.Namespace) -> int:
    """Plan and apply; nothing is printed of a file that the live state agrees with but one line."""
    common.output_of(args, "text")
    with common.locked_plan(args, "up") as (executor, first):
        common.refuse_problems(first.plan)
        made = common.bring_images(executor, first)
        plan = made.plan
        common.print_plan(plan, args, full=args.full)
        common.refuse_problems(plan)
        if plan.changes:
            common.carry_out(executor, plan, made.desired)
    return 0
