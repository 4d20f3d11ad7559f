"""Entry point: find the command, parse its options, run it, turn errors into words and an exit status."""

from __future__ import annotations

import argparse
import contextlib
import gc
import importlib
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

from netcompose import __version__
from netcompose.errors import NetcomposeError, NotPermitted

#: name -> one line for --help. The module of the same name is imported only when it is asked for.
COMMANDS = {
    "init": "write a starter topology, or one of the ready-made ones",
    "validate": "check a topology file: every problem at once, each with its line",
    "rehearse": "bring the topology up in throw-away hosts, measure who reaches whom, leave nothing",
    "plan": "show what differs between the file and the live state; change nothing",
    "apply": "carry out a saved plan, or plan, ask and apply",
    "up": "plan and apply without asking",
    "down": "remove everything that belongs to the topology, and nothing else",
    "ps": "list the containers with their state and addresses",
    "exec": "run a command in a container",
    "logs": "show what a container's command has printed",
    "inspect": "show everything that is live of containers, networks and links",
    "graph": "draw the topology (mermaid or dot)",
    "hosts": "what each host is, can do and lacks",
    "convert": "write a topology from a Compose file or a containerlab file",
    "schema": "print the JSON Schema of the topology language or of the plan",
}

#: Of the options that every command has; argparse's own would overwrite what stands before the command.
_DEFAULTS: dict[str, Any] = {
    "file": None,
    "var": [],
    "vars_file": [],
    "hosts_file": "",
    "host": [],
    "accept_new_host_keys": False,
    "output": "text",
    "verbose": False,
}

_EPILOG = """exit status: 0 done, or no difference; 1 error; 2 the plan has changes (plan --detailed-exitcode);
3 the topology is invalid; 4 apply failed and was rolled back; 5 the saved plan is stale;
6 locked by another run; 7 a host could not be reached"""


class _Parser(argparse.ArgumentParser):
    """Errors of usage end with 1: 2 means "the plan has changes"."""

    def error(self, message: str) -> NoReturn:
        self.exit(1, f"error: {message}\n\nhint: {self.prog} --help\n")


def _shared() -> _Parser:
    """Options that are accepted before and after the command."""
    shared = _Parser(add_help=False, argument_default=argparse.SUPPRESS)
    group = shared.add_argument_group("topology")
    group.add_argument("-f", "--file", metavar="FILE", help="the topology file (default: topology.yaml)")
    group.add_argument("--var", metavar="K=V", action="append", help="set a variable of the template (repeatable)")
    group.add_argument("--vars-file", metavar="FILE", action="append", help="variables from a YAML file (repeatable)")
    group.add_argument("--hosts-file", metavar="FILE", help="hosts from a YAML file, for one topology on several sites")
    group.add_argument("--host", metavar="NAME", action="append", help="work on this host only (repeatable)")
    group.add_argument(
        "--accept-new-host-keys",
        action="store_true",
        help="accept and note the SSH keys of hosts that are not known yet; a changed key is refused all the same",
    )
    group.add_argument("--verbose", action="store_true", help="name every host of a failure that many have")
    group.add_argument("--output", metavar="FORMAT", help="text or json (plan: also markdown); default: text")
    return shared


def build_parser(chosen: str | None) -> argparse.ArgumentParser:
    """The parser; options of a command are filled in for the chosen one only."""
    parser = _Parser(
        prog="netcompose",
        description="Bring a network topology up, and keep it as written, on plain Linux hosts.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[_shared()],
    )
    parser.add_argument("--version", action="version", version=f"netcompose {__version__}")
    # Told, because argparse would load what it formats help with to find it.
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=_Parser, prog="netcompose")
    for name, help_text in COMMANDS.items():
        if name == chosen:
            command = commands.add_parser(name, help=help_text, description=help_text, parents=[_shared()])
            module = _module(name)
            module.add_arguments(command)
            command.set_defaults(run=module.run)
        else:
            commands.add_parser(name, help=help_text, add_help=False)
    return parser


def _module(name: str) -> Any:
    return importlib.import_module(f"netcompose.cli.{name}_command")


def command() -> NoReturn:
    """The program ``netcompose``. It ends at once: the kernel takes back in a moment what Python would take apart piece
    by piece, which is a good part of a short command."""
    # For good: at the end of `main` there would be all to look through that a run has made, for nothing.
    gc.disable()
    status = _with_kept_methods() if _chosen(sys.argv[1:]) else main(process_ends=True)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _with_kept_methods() -> int:
    from netcompose.cli import startup

    with startup.kept_methods():
        return main(process_ends=True)


def _chosen(arguments: Sequence[str]) -> str | None:
    """The command, as far as it can be told before anything is parsed."""
    return next((word for word in arguments if word in COMMANDS), None)


def main(argv: Sequence[str] | None = None, *, process_ends: bool = False) -> int:
    """Run the command line; the exit status. No error of the user's, the host's or the network's is a traceback.
    ``process_ends``: nothing needs to be closed that ends with the process."""
    with without_collector():
        return _main(list(sys.argv[1:] if argv is None else argv), process_ends=process_ends)


@contextlib.contextmanager
def without_collector() -> Iterator[None]:
    """No search for cyclic garbage meanwhile: a command ends soon, makes next to none, and would spend half of the
    planning of ten thousand containers on looking."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _main(arguments: list[str], *, process_ends: bool) -> int:
    chosen = _chosen(arguments)
    verbose = False
    try:
        args = build_parser(chosen).parse_args(arguments)
        if args.command is None:
            build_parser(None).print_help()
            return 1
        if args.command != chosen:
            args = build_parser(args.command).parse_args(arguments)
        for name, default in _DEFAULTS.items():
            if not hasattr(args, name):
                setattr(args, name, default)
        verbose, args.process_ends = args.verbose, process_ends
        status: int = args.run(args)
        sys.stdout.flush()
    except NetcomposeError as error:
        return _report(error, verbose=verbose)
    except PermissionError as error:
        # What belongs to root below /run/netcompose; commands that change something say it better, and earlier.
        where = f": {error.filename}" if error.filename else ""
        return _report(NotPermitted(f"no permission{where}", hint="run as root (sudo netcompose ...)"))
    except BrokenPipeError:
        # Who read our output has seen enough; Python would complain when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return 130
    return status


def _report(error: NetcomposeError, *, verbose: bool = False) -> int:
    from netcompose.cli.terminal import wants_colour
    from netcompose.views.problems import error_text

    sys.stdout.flush()
    sys.stderr.write(error_text(error, colour=wants_colour(sys.stderr), verbose=verbose))
    return error.exit_status
