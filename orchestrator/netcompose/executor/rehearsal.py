"""A rehearsal: the topology brought up in throw-away hosts, measured, and gone.

Every host is a sandbox on this machine; with several there is a segment between them, which is the underlay. What a
sandbox cannot have is stood in for (parents), or left out (impairments that this machine's kernel lacks), and told.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from netcompose.compiler import images, impairments, parents
from netcompose.errors import PlanRefused, RollbackFailed
from netcompose.executor.measure import measure
from netcompose.executor.planning import make
from netcompose.executor.run import Executor
from netcompose.resources.way import Way
from netcompose.topology.model import Topology
from netcompose.transports import segment, standin
from netcompose.transports.sandbox import Sandbox

#: Called with each sentence on what is otherwise than on the real hosts.
Note = Callable[[str], None]


def rehearse(topology: Topology, hosts: Sequence[str], owner: str, note: Note) -> list[Way]:
    """Every way between the containers of these hosts, as promised and as measured. ``owner`` is who holds the locks.

    Raises what `up` raises: ``TopologyError``, ``PlanRefused``, ``ApplyFailed`` and what the hosts lack.
    """
    topology, stood_in = images.without(topology)
    if stood_in:
        note(f"a rehearsal has no container engine: bare namespaces stand in for {', '.join(stood_in)}")
    with _sandboxes(hosts) as sandboxes:
        executor = Executor({name: sandbox.connection for name, sandbox in sandboxes.items()})
        topology = _joined(topology, sandboxes)
        topology = _possible(topology, executor, next(iter(sandboxes)), note)
        topology = _with_parents(topology, sandboxes, note)
        with executor.locked(topology.name, owner):
            made = make(executor, topology)
            for sentence in made.desired.notes:
                note(sentence)
            if made.plan.problems:
                raise PlanRefused(made.plan.problems)
            try:
                executor.apply(made.plan, desired=made.desired.resources)
            except RollbackFailed as error:
                # The hosts are gone in a moment: that they were not put back means nothing.
                if isinstance(error.__cause__, KeyboardInterrupt):
                    raise KeyboardInterrupt from None
                raise
            return measure({name: sandbox.connection for name, sandbox in sandboxes.items()}, made.desired)


@contextlib.contextmanager
def _sandboxes(names: Sequence[str]) -> Iterator[dict[str, Sandbox]]:
    sandboxes: dict[str, Sandbox] = {}
    with contextlib.ExitStack() as stack:
        for name in names:
            beside = next(iter(sandboxes.values()), None)
            sandboxes[name] = stack.enter_context(Sandbox(name, beside=beside))
        yield sandboxes


def _joined(topology: Topology, sandboxes: Mapping[str, Sandbox]) -> Topology:
    """The topology with its hosts where they are in a rehearsal: on a segment of their own, if there are several."""
    underlay = segment.join(list(sandboxes.values())) if len(sandboxes) > 1 else {}
    hosts = {name: replace(host, underlay=underlay.get(name, "")) for name, host in topology.hosts.items()}
    return replace(topology, hosts=hosts)


def _possible(topology: Topology, executor: Executor, host: str, note: Note) -> Topology:
    """The topology without the impairments that this machine's kernel, which all the hosts have, cannot do."""
    asked = impairments.queues(topology)
    if not asked:
        return topology
    lacks = {name: reason for name, reason in executor.features({host: asked})[host].items() if reason}
    topology, left_out = impairments.without(topology, lacks)
    for words in left_out:
        note(f"left out: {words}; this machine: {', '.join(sorted(lacks.values()))}")
    return topology


def _with_parents(topology: Topology, sandboxes: Mapping[str, Sandbox], note: Note) -> Topology:
    """The topology as the sandboxes can have it, in which something stands in for each parent of a host."""
    if not topology.parents:
        return topology
    vlans = any(parent.vlan for parent in topology.parents.values())
    first = next(iter(sandboxes.values()))
    has_vlans = vlans and not first.connection.features(["8021q"])["8021q"]
    possible, stand_ins = parents.stand_ins(topology, list(sandboxes), has_vlans=has_vlans)
    for number, stand_in in enumerate(stand_ins):
        on = {host: sandboxes[host] for host in stand_in.interfaces}
        standin.lay(number, [(on[host], name) for host, name in stand_in.interfaces.items()], stand_in.mtu)
        if len(on) == 1:
            ((host, name),) = stand_in.interfaces.items()
            note(f"host {host!r}: a cable that leads nowhere stands in for the interface {name}")
        else:
            told = " and ".join(f"{name} of host {host!r}" for host, name in stand_in.interfaces.items())
            note(f"a segment between the hosts stands in for the interface {told}")
    return possible
