"""``netcompose hosts clean``: take back what ``down`` leaves on a host, the cached agent and what it imports."""

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
        names = ssh.clean(target_of(host), accept_new=accept_new)
    except NetcomposeError as error:
        return error
    # The files of one bundle begin with its name: it, and what each Python has compiled of it.
    libraries = {name.partition(".")[0] for name in names if ".library" in name}
    agents = {name.partition(".")[0] for name in names} - libraries
    what = [f"{len(agents)} cached agent{'' if len(agents) == 1 else 's'}"] if agents else []
    what += ["Docker's SDK"] if libraries else []
    return f"removed {' and '.join(what)}" if what else "nothing was kept"
