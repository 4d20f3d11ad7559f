"""From a topology to a plan for hosts that are connected: observe, compile, ask what is not known yet, plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from netcompose.compiler.compile import compile_topology
from netcompose.compiler.images import images_by_host
from netcompose.compiler.parents import parents_by_host
from netcompose.errors import TopologyError
from netcompose.executor import externals
from netcompose.executor.images import find
from netcompose.planner.planner import make_plan

if TYPE_CHECKING:
    from netcompose.compiler.desired import Desired
    from netcompose.executor.images import Wanted
    from netcompose.executor.run import Executor
    from netcompose.planner.plan import Plan
    from netcompose.resources import Observation
    from netcompose.topology.model import Topology


@dataclass(frozen=True)
class Planned:
    """A plan and what it was made from."""

    topology: Topology
    live: Mapping[str, Observation]
    desired: Desired
    plan: Plan
    coming: tuple[Wanted, ...] = ()


def make(executor: Executor, topology: Topology, *, pulled: bool = False) -> Planned:
    """Observe, compile and plan. Raises ``TopologyError`` for what compiler and hosts find wrong with the file.

    ``coming`` are images that a run has to bring first, with a plan made anew behind; ``pulled`` is for that one.
    """
    seen = executor.observe(topology.name, parents_by_host(topology), images_by_host(topology))
    images = find(executor, topology, seen, pulled=pulled)
    live = images.live
    joined, absent = externals.adopt(executor, topology, seen)
    desired = compile_topology(joined, live)
    contested = {host: inodes for host, inodes in desired.contested.items() if inodes}
    if contested:
        # Compiled once more, for messages that name who has the ports.
        live = _named(live, executor.owners(contested))
        desired = compile_topology(joined, live)
    problems = [*externals.without_consequences(desired.problems, absent), *images.problems, *absent]
    if desired.needs:
        from netcompose.compiler.hostchecks import unmet

        # Asked only for what is to be made with features that not every host has.
        problems += unmet(topology, desired.needs, executor.features(desired.needs_by_host()))
    if problems:
        raise TopologyError(problems)
    wanted = {host: desired.resources.get(host, {}) for host in live}
    plan = make_plan(topology.name, wanted, live, desired.moved)
    return Planned(topology, live, desired, plan, images.wanted)


def _named(live: Mapping[str, Observation], owners: Mapping[str, Mapping[int, str]]) -> dict[str, Observation]:
    """The observations with the owners of sockets filled in."""
    named = dict(live)
    for host, known in owners.items():
        facts = live[host].facts
        listeners = tuple(replace(item, owner=known.get(item.inode, "")) for item in facts.listeners)
        named[host] = replace(live[host], facts=replace(facts, listeners=listeners))
    return named
