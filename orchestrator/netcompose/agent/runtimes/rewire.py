"""Wire containers again whose engine has started them anew, in a namespace of which nobody knew."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Collection, Mapping, Sequence

from netcompose.agent.agent import Agent
from netcompose.agent.kernel import linkdump, rtnl
from netcompose.agent.kernel.namespaces import Namespaces
from netcompose.agent.runtimes import gate
from netcompose.errors import KernelRefused
from netcompose.planner.planner import make_plan
from netcompose.resources import Container, Namespace, Resource, resource_from_data, resource_to_data
from netcompose.resources.container_engine import BEFORE, LEFT_BEHIND, container_id, start_id
from netcompose.resources.names import mark, netns_name

_HOST = "local"


def rewire(topology: str, containers: Sequence[tuple[str, int]]) -> None:
    """Containers, each with its first process, which waits at the gate.

    What was there before is read first, from the namespaces that the containers had, and kept for whoever has to do
    this again; then their interfaces are moved, and a plan brings back what they lost. Raises ``Locked`` while a run is
    on, and why it is not as it was.
    """
    agent = Agent(_HOST)
    try:
        agent.lock(topology, "netcompose's gatekeeper of {}".format(topology), brief=True)
        wanted = _before(agent, topology)
        for id, item in wanted.items():
            if isinstance(item, Container) and item.state == LEFT_BEHIND:
                wanted[id] = item.restorable()
        stacks = set()
        for container, pid in containers:
            made = wanted.get(container_id(container))
            stack = made.stack or container if isinstance(made, Container) else container
            stacks.add(stack)
            id = "namespace/" + stack
            known = wanted.get(id)
            if isinstance(known, Namespace):
                wanted[id] = replace(known, of=container_id(container))
            _move(agent.namespaces, topology, stack, pid)
        _restore(agent, topology, wanted, stacks)
        agent.confirm()
    finally:
        agent.unlock()
        agent.close()


def _before(agent: Agent, topology: str) -> dict[str, Resource]:
    """How everything was: as it is, or as the one kept it who was killed or failed while he brought it back."""
    kept = gate.kept_wiring(topology)
    if kept is not None:
        return {item["id"]: resource_from_data(item) for item in kept}
    found = {id: item for id, item in agent.observe(topology).resources.items() if not item.half_made}
    gate.keep_wiring(topology, [resource_to_data(item) for item in found.values()])
    return found


def _move(namespaces: Namespaces, topology: str, container: str, pid: int) -> None:
    """Move the interfaces of a container's stack to the namespace that it is now, and give that one its name."""
    name = netns_name(topology, container)
    if namespaces.inode(name):
        socket = namespaces.socket(name)
        target = os.open("/proc/{}/ns/net".format(pid), os.O_RDONLY | os.O_CLOEXEC)
        try:
            for link in linkdump.links(socket):
                if link.ifindex != 1:
                    socket.request(rtnl.change_link(rtnl.link_attributes(netns_fd=target), index=link.ifindex))
        finally:
            os.close(target)
    namespaces.adopt(name, pid, mark(topology, "namespace/" + container))


def _restore(agent: Agent, topology: str, wanted: dict[str, Resource], stacks: Collection[str]) -> None:
    """Whatever the move of these containers' interfaces has changed, of others too: who shares a container's network
    has to be where that is now. When all is done the gatekeeper lets the programs through."""
    for _ in range(2):
        live = agent.observe(topology)
        changes = make_plan(topology, {_HOST: _without_others(wanted, live.resources, stacks)}, {_HOST: live}).changes
        changes = tuple(change for change in changes if not change.id.startswith(start_id("")))
        if not changes:
            return
        agent.apply(topology, changes)
    raise KernelRefused("{} is not as it was: {}".format(changes[0].address, changes[0].reason))


def _without_others(
    wanted: Mapping[str, Resource], live: Mapping[str, Resource], stacks: Collection[str]
) -> dict[str, Resource]:
    """What is wanted, with every other container that was started again by now left as it is, and so who shares its
    network: it has its own turn, when it asks."""
    namespaces = [item for item in live.values() if isinstance(item, Namespace)]
    others = [item for item in namespaces if item.of.endswith(BEFORE) and item.container not in stacks]
    away = {name for item in others for name in (item.container, item.of[: -len(BEFORE)].partition("/")[2])}
    return {**wanted, **{id: item for id, item in live.items() if _stack_of(item) in away}}


def _stack_of(item: Resource) -> str:
    """Whose network a namespace is, or a container of an engine shares; empty for any other resource."""
    if isinstance(item, Namespace):
        return item.container
    return item.network.partition(":")[2] if isinstance(item, Container) else ""
