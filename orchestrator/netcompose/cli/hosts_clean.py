"""``netcompose hosts clean``: take back the one thing that ``down`` leaves on a host, the cached agent."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from netcompose.cli import common
from netcompose.errors import NetcomposeError, UsageError

if TYPE_CHECKING:
    from netcompose.topology.model import Host, Topology

#: Hosts that are worked on at the same time.
_POOL = 32


def run(args: argparse.Namespace, topology: Topology | None) -> int:
    """Clean every host, whatever becomes of the others; the exit status is that of the first failure."""
    if topology is None:
        raise UsageError(
            "there is no topology that names the hosts", hint="name its file: netcompose -f FILE hosts clean"
        )
    hosts = [topology.hosts[name] for name in common.hosts_of(args, topology)]
    from concurrent.futures import ThreadPoolExecutor

    failures: dict[str, NetcomposeError] = {}
    with ThreadPoolExecutor(max_workers=_POOL) as pool:
        answers = list(pool.map(lambda host: _clean(host, accept_new=args.accept_new_host_keys), hosts))
    for host, answer in zip(hosts, answers, strict=True):
        if isinstance(answer, NetcomposeError):
            failures[host.name] = answer
        else:
            sys.stdout.write(f"{host.name}: {answer}\n")
    common.report(failures, args)
    return next((error.exit_status for error in failures.values()), 0)


def _clean(host: Host, *, accept_new: bool) -> str | NetcomposeError:
    if not host.address:
        return "this machine; nothing is kept"
    from netcompose.cli.connections import target_of
    from netcompose.transports import ssh

    try:
        # An agent's files begin with its name: the bundle, and what each Python has compiled of it.
        removed = {name.partition(".")[0] for name in ssh.clean(target_of(host), accept_new=accept_new)}
    except NetcomposeError as error:
        return error
    return f"removed {len(removed)} cached agent{'' if len(removed) == 1 else 's'}" if removed else "nothing was kept"
