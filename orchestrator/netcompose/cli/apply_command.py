"""``netcompose apply``."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

from netcompose.cli import common
from netcompose.cli.reach import reach
from netcompose.errors import StalePlan, UsageError
from netcompose.planner.plan import Plan

if TYPE_CHECKING:
    from netcompose.topology.model import Topology


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The saved plan, and whether to ask."""
    parser.add_argument("plan", nargs="?", metavar="PLAN.json", help="a plan saved by `netcompose plan --out`")
    parser.add_argument("-y", "--yes", action="store_true", help="without a saved plan: do not ask")


def run(args: argparse.Namespace) -> int:
    """Carry out a saved plan or refuse it as stale; without one plan, ask and apply."""
    return _saved(args) if args.plan else _asked(args)


def _saved(args: argparse.Namespace) -> int:
    from netcompose.cli.planfile import read
    from netcompose.executor import images
    from netcompose.executor.stale import refuse_stale

    plan = read(args.plan)
    common.refuse_problems(plan)
    if plan.empty:
        sys.stdout.write("The plan has no changes.\n")
        return 0
    hosts = sorted({change.host for change in plan.changes})
    with (
        reach(hosts, args, _topology(args, hosts)) as executor,
        executor.locked(plan.topology, common.owner("apply", plan.topology)),
    ):
        refuse_stale(plan, executor.observe(plan.topology))
        images.refuse_missing(executor, plan)
        common.carry_out(executor, _with_secrets(plan, args))
    return 0


def _topology(args: argparse.Namespace, hosts: list[str]) -> Topology | None:
    """The topology, where it is needed for knowing how the plan's hosts are reached."""
    from netcompose.topology.build import LOCAL

    if hosts == [LOCAL] or (args.file is None and not os.path.exists(common.DEFAULT_FILE)):
        return None
    return common.load_topology(args)


def _with_secrets(plan: Plan, args: argparse.Namespace) -> Plan:
    """A saved plan has no secrets; those that it needs come from the topology file."""
    from netcompose.views.secrets import restore_secrets, unredacted

    if not any(unredacted(plan)):
        return plan
    if args.file is None and not os.path.exists(common.DEFAULT_FILE):
        raise UsageError(
            "the plan needs values that are not saved in plans (environment)",
            hint="give the topology file that it was made from: -f FILE",
        )
    from netcompose.compiler.compile import compile_topology

    return restore_secrets(plan, compile_topology(common.load_topology(args), {}).resources)


def _asked(args: argparse.Namespace) -> int:
    with common.locked_plan(args, "apply") as (executor, made):
        plan = made.plan
        common.print_plan(plan, args)
        common.refuse_problems(plan)
        if not plan.changes and not made.coming:
            return 0
        if not args.yes:
            _ask()
        now = common.bring_images(executor, made)
        if [change.address for change in now.plan.changes] != [change.address for change in plan.changes]:
            raise StalePlan("an image that was pulled is a new one, and its containers change", hint="apply again")
        common.carry_out(executor, now.plan, now.desired)
    return 0


def _ask() -> None:
    if not sys.stdin.isatty():
        raise UsageError("nobody is there to say yes (standard input is no terminal)", hint="use --yes, or `up`")
    sys.stderr.write("\nApply these changes? Only 'yes' is taken for yes: ")
    sys.stderr.flush()
    if sys.stdin.readline().strip() != "yes":
        raise UsageError("nothing was changed")
