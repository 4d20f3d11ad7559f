"""From the hosts of a command line to an executor over them: side by side, everything in the way told at once."""

from __future__ import annotations

import argparse
import contextlib
import importlib
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from netcompose.errors import NetcomposeError, UsageError

if TYPE_CHECKING:
    from netcompose.executor.run import Executor
    from netcompose.topology.model import Host, Topology
    from netcompose.transports.base import Connection
    from netcompose.transports.remote import RemoteAgent
    from netcompose.transports.ssh.approach import Approach


@contextlib.contextmanager
def reach(
    names: Sequence[str], args: argparse.Namespace, topology: Topology | None = None, *, then: str = ""
) -> Iterator[Executor]:
    """Connections to all of these hosts, closed at the end; raises why any of them cannot be reached. ``then`` is the
    module that is wanted next: there is time to import it while several hosts are reached."""
    from netcompose.executor.fanout import refuse

    with reach_some(names, args, topology, then=then) as (executor, failures):
        refuse(failures, len(names))
        yield executor


@contextlib.contextmanager
def reach_some(
    names: Sequence[str], args: argparse.Namespace, topology: Topology | None = None, *, then: str = ""
) -> Iterator[tuple[Executor, dict[str, NetcomposeError]]]:
    """Connections to those of these hosts that can be reached, and what is wrong with the others; ``then``: see
    :func:`reach`."""
    hosts = known_hosts(names, args, topology)
    alone = len(hosts) == 1 and not next(iter(hosts.values())).address
    if alone:
        from netcompose.transports import local

        connections: dict[str, Connection] = {name: local.connect(name) for name in hosts}
        failures: dict[str, NetcomposeError] = {}
    else:
        connections, failures = _all_at_once(hosts, args, then)
    from netcompose.executor.run import Executor

    try:
        # With this machine alone the agent is this process; every other run has to survive the loss of a connection.
        yield Executor(connections, None if alone else lambda name: connect(hosts[name], args)), failures
    finally:
        for name, connection in connections.items():
            # The kernel closes sockets with the process, after the last word; one by one that is a part of each plan.
            if not (args.process_ends and hosts[name].address):
                connection.close()


def known_hosts(names: Sequence[str], args: argparse.Namespace, topology: Topology | None) -> dict[str, Host]:
    """What is known of these hosts: from the topology, or without one from the file of hosts; ``local`` is this one."""
    from netcompose.topology.build import LOCAL
    from netcompose.topology.model import Host

    known: Mapping[str, Host] = {}
    if topology is not None:
        known = topology.hosts
    elif args.hosts_file:
        from netcompose.topology import inventory

        known = inventory.hosts(args.hosts_file)
    found = {}
    for name in names:
        if name not in known and name != LOCAL:
            raise UsageError(
                f"nothing is known of the host {name!r}",
                hint="give the topology that has it (-f FILE), or a file of hosts (--hosts-file FILE)",
            )
        found[name] = known.get(name) or Host(name=name, path=("hosts", name))
    return found


def connect(host: Host, args: argparse.Namespace, approach: Approach | None = None) -> RemoteAgent:
    """The agent of one of several hosts. On this machine it is a process of its own, armed like the others.
    ``approach`` is what was begun for one behind SSH."""
    if not host.address:
        from netcompose.transports import local

        return local.spawn(host.name)
    from netcompose.cli import connections

    return connections.connect(host, accept_new=args.accept_new_host_keys, approach=approach)


def _all_at_once(
    hosts: Mapping[str, Host], args: argparse.Namespace, then: str
) -> tuple[dict[str, Connection], dict[str, NetcomposeError]]:
    from netcompose.cli.connections import approach
    from netcompose.executor.fanout import POOL, side_by_side

    connections: dict[str, Connection] = {}
    failures: dict[str, NetcomposeError] = {}

    def one(host: Host) -> None:
        try:
            connections[host.name] = connect(host, args, begun(host.name))
        except NetcomposeError as error:
            failures[host.name] = error

    try:
        # Of those that go first.
        with approach(list(hosts.values())[:POOL]) as begun:
            calls = {name: lambda host=host: one(host) for name, host in hosts.items()}
            modules = ["netcompose.executor.run", *([then] if then else [])]
            side_by_side(calls, meanwhile=lambda: [importlib.import_module(name) for name in modules])
    except BaseException:
        for connection in connections.values():
            connection.close()
        raise
    return connections, {name: failures[name] for name in hosts if name in failures}
