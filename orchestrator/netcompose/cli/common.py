"""What commands share: load the file, reach the hosts, compile, plan, print."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from netcompose.cli.reach import reach
from netcompose.errors import NetcomposeError, PlanRefused, TopologyError, UsageError

if TYPE_CHECKING:
    from netcompose.compiler.desired import Desired
    from netcompose.executor.planning import Planned
    from netcompose.executor.run import Executor
    from netcompose.planner.plan import Plan
    from netcompose.resources import ExecTarget
    from netcompose.topology.model import Container, Topology

DEFAULT_FILE = "topology.yaml"


def file_of(args: argparse.Namespace) -> str:
    """The topology file that is meant."""
    return args.file or DEFAULT_FILE


def output_of(args: argparse.Namespace, *formats: str) -> str:
    """The output format, which has to be one of those that the command has."""
    if args.output not in formats:
        raise UsageError(f"no output format {args.output!r} here", hint=f"use one of: {', '.join(formats)}")
    return str(args.output)


def variables_of(args: argparse.Namespace) -> dict[str, str]:
    """The variables of ``--var``."""
    variables = {}
    for item in args.var:
        key, separator, value = item.partition("=")
        if not separator or not key:
            raise UsageError(f"--var {item!r} is not of the form K=V", hint="for example: --var spines=4")
        variables[key] = value
    return variables


def write_new(path: str, text: str, option: str) -> None:
    """Write a file that is not there yet, ``UsageError`` if it cannot be; ``option`` is how its name is given."""
    try:
        with open(path, "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(f"{path} is there already", hint=f"choose another name with {option} FILE") from None
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written: {error.strerror}", hint=f"choose another name with {option} FILE"
        ) from error


def load_topology(args: argparse.Namespace) -> Topology:
    """The topology of the command line, loaded and checked."""
    from netcompose.topology.load import load

    topology = load(file_of(args), variables=variables_of(args), vars_files=args.vars_file, hosts_file=args.hosts_file)
    for name in args.host:
        if name not in topology.hosts:
            raise UsageError(
                f"--host {name}: the topology has no such host", hint=f"it has: {', '.join(topology.hosts)}"
            )
    return topology


def refuse_unsupported(topology: Topology) -> None:
    """Raise for everything in the file that this version cannot do, before a host is contacted."""
    from netcompose.compiler.unsupported import problems

    found = problems(topology)
    if found:
        raise TopologyError(found)


def hosts_of(args: argparse.Namespace, topology: Topology) -> list[str]:
    """The hosts to work on: all of the topology, or those of ``--host``."""
    return list(args.host) or list(topology.hosts)


def listed_hosts(args: argparse.Namespace) -> list[str]:
    """The hosts to work on without a topology: those of ``--hosts-file``, else this machine."""
    from netcompose.topology.build import LOCAL

    if not args.hosts_file:
        return [LOCAL]
    from netcompose.topology import inventory

    return list(inventory.hosts(args.hosts_file))


def make(executor: Executor, topology: Topology) -> Planned:
    """Observe, compile and plan, and say what a host lacks that the topology can do without, and what comes first."""
    from netcompose.executor import planning

    made = planning.make(executor, topology)
    for sentence in (*made.desired.notes, *map(str, made.coming)):
        note(sentence)
    return made


def bring_images(executor: Executor, made: Planned) -> Planned:
    """Load and pull what a plan needs first, with progress on a terminal; the plan that is made of it."""
    from netcompose.cli.progress import Transfer
    from netcompose.executor import images, planning

    if not made.coming:
        return made
    with Transfer(sys.stderr) as progress, interruptible():
        images.bring(executor, made.topology.name, made.coming, progress.step)
    return planning.make(executor, made.topology, pulled=True)


def note(sentence: str) -> None:
    """Say something beside the results."""
    sys.stderr.write(f"note: {sentence}\n")


@contextlib.contextmanager
def locked_plan(args: argparse.Namespace, command: str) -> Iterator[tuple[Executor, Planned]]:
    """The hosts of the command line's topology, locked, and the plan for them."""
    topology = load_topology(args)
    refuse_unsupported(topology)
    with (
        reach(hosts_of(args, topology), args, topology, then="netcompose.executor.planning") as executor,
        executor.locked(topology.name, owner(command, topology.name)),
    ):
        yield executor, make(executor, topology)


def report(failures: Mapping[str, NetcomposeError], args: argparse.Namespace) -> int:
    """Say which hosts could not be asked, after what the others had to say; the exit status."""
    from netcompose.cli.terminal import wants_colour
    from netcompose.views.failures import collected
    from netcompose.views.problems import error_text

    sys.stdout.flush()
    for error in failures.values() if args.verbose else collected(list(failures.items())):
        sys.stderr.write(error_text(error, colour=wants_colour(sys.stderr)))
    return max((error.exit_status for error in failures.values()), default=0)


def refuse_problems(plan: Plan) -> None:
    """Raise if something on a host is in the way of the plan."""
    if plan.problems:
        raise PlanRefused(plan.problems)


def owner(command: str, topology: str) -> str:
    """Who holds a lock, in words: ``root@lab1, netcompose up of campus``."""
    import getpass

    try:
        user = os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return f"{user}@{os.uname().nodename}, netcompose {command} of {topology}"


def carry_out(executor: Executor, plan: Plan, desired: Desired | None = None) -> None:
    """Apply a plan with progress on a terminal, and say what was done; ``desired`` is what it was made for."""
    from netcompose.cli.progress import Progress
    from netcompose.views.plan_text import done_text

    with Progress(sys.stderr, len(plan.changes)) as progress, interruptible():
        executor.apply(plan, progress.step, desired.resources if desired is not None else None)
    sys.stdout.write(f"Done: {done_text(plan)}.\n")


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end a run as Ctrl-C does: everything is put back."""
    import signal

    def stop(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def print_plan(plan: Plan, args: argparse.Namespace, *, full: bool = False) -> None:
    """A plan for people on standard output."""
    from netcompose.cli.terminal import wants_colour
    from netcompose.views.plan_text import plan_text

    sys.stdout.write(plan_text(plan, file=file_of(args), colour=wants_colour(sys.stdout), full=full))


def container_of(topology: Topology, name: str) -> Container:
    """A container of the topology by name."""
    if name not in topology.containers:
        import difflib

        near = difflib.get_close_matches(name, list(topology.containers), n=1)
        hint = f"did you mean {near[0]!r}?" if near else "netcompose ps lists the containers"
        raise UsageError(f"the topology has no container {name!r}", hint=hint)
    return topology.containers[name]


def exec_target(topology: Topology, container: Container) -> ExecTarget:
    """Where and as what commands run in a container."""
    from netcompose.resources import ExecTarget
    from netcompose.resources.names import netns_name

    return ExecTarget(
        container=container.name,
        netns="" if container.network_mode == "host" else netns_name(topology.name, container.name),
        hostname=container.hostname,
        environment=container.environment,
        working_dir=container.working_dir or "/",
        user=container.user,
        engine=netns_name(topology.name, container.name) if container.image else "",
    )
