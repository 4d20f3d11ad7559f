"""One reading of a host's kernel state: the host's own namespace and those of one topology."""

from __future__ import annotations

import contextlib
import functools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Collection, Mapping, Optional

from netcompose.agent.kernel import iptables, linkdump, rtnl, sysctl
from netcompose.agent.kernel.namespaces import HOST, Namespaces
from netcompose.agent.runtimes import gate
from netcompose.errors import HostLacks
from netcompose.resources.names import SHARED, doomed_group, group, host_interface_name, netns_name, owner_of

if TYPE_CHECKING:
    from netcompose.agent.kernel.qdisc import Qdisc
    from netcompose.agent.runtimes.engine import View


@dataclass
class Stack:
    """The interfaces of one namespace with their addresses, routes and impairing queues by interface index. Of a
    container's routes those that the kernel made by itself are left out."""

    links: list[linkdump.Link]
    addresses: dict[int, list[str]] = field(default_factory=dict)
    routes: dict[int, list[rtnl.LiveRoute]] = field(default_factory=dict)
    qdiscs: Mapping[int, Qdisc] = field(default_factory=dict)

    def highest_index(self) -> int:
        """The highest interface index in use."""
        return max((link.ifindex for link in self.links), default=1)


@dataclass
class Snapshot:
    """What was read. ``stacks`` is by container name, ``""`` for the host; ``joined`` maps a container to the
    owner of the stack that it shares; ``netns_taken`` maps names under ``/run/netns`` that are not this topology's
    to who has them; ``half_pinned`` are this topology's names with nothing behind them; ``by_index`` are the
    host's interfaces; ``known`` the containers that the run directory remembers; ``taken`` the interfaces
    (container, index) that a kind has recognised; ``has_engine`` whether a container engine is worth a look,
    ``told_by_facts`` that one which does not answer is told by the facts."""

    topology: str
    namespaces: Namespaces
    known: frozenset[str]
    stacks: dict[str, Stack] = field(default_factory=dict)
    joined: dict[str, str] = field(default_factory=dict)
    netns_taken: dict[str, str] = field(default_factory=dict)
    half_pinned: list[str] = field(default_factory=list)
    by_index: dict[int, linkdump.Link] = field(default_factory=dict)
    taken: set[tuple[str, int]] = field(default_factory=set)
    group: int = 0
    doomed: int = 0
    has_engine: bool = False
    told_by_facts: bool = False
    _masters: dict[int, str] = field(default_factory=dict)

    @functools.cached_property
    def engine(self) -> Optional[View]:
        """The engine's containers, where there may be any; read when first asked for."""
        if not self.has_engine:
            return None
        from netcompose.agent.runtimes import engine

        try:
            found = engine.at_hand()
            if found is not None:
                with contextlib.closing(found):
                    return found.view(self.topology)
        except HostLacks:
            # Whether that matters is for the compiler to say, if it is asked: it knows the lines.
            if not self.told_by_facts:
                raise
        if gate.known(self.topology) and not self.told_by_facts:
            raise HostLacks(engine.lacking(), hint="start the engine: its containers of this topology are there still")
        return None

    @functools.cached_property
    def docker(self) -> Mapping[str, iptables.Filter]:
        """The filter tables of a Docker Engine, by program; read when first asked for."""
        return iptables.dockers()

    def id_of(self, link: linkdump.Link, *prefixes: str) -> str:
        """The resource that an interface's mark names, if it is this topology's and starts with one of the
        prefixes; empty otherwise. When the alias was cleared by hand the altname still tells it."""
        owner = owner_of(link.alias) if link.alias else None
        if owner is not None:
            return owner[1] if owner[0] == self.topology and owner[1].startswith(prefixes) else ""
        if link.group in (self.group, self.doomed) and not link.alias:
            for prefix in prefixes:
                readable = "{}-{}-".format(self.topology, prefix[:-1])
                for altname in link.altnames:
                    id = prefix + altname[len(readable) :]
                    if altname.startswith(readable) and link.name == host_interface_name(self.topology, id):
                        return id
        return ""

    @staticmethod
    def shared_id_of(link: linkdump.Link, prefix: str) -> str:
        """The resource that the mark of a shared interface names, empty if it is none."""
        owner = owner_of(link.alias) if link.alias else None
        return owner[1] if owner is not None and owner[0] == SHARED and owner[1].startswith(prefix) else ""

    def master(self, link: linkdump.Link) -> str:
        """The resource id of an interface's master, or ``foreign:NAME``."""
        found = self._masters.get(link.master)
        if found is None:
            master = self.by_index.get(link.master)
            found = "foreign:?"
            if master is not None:
                found = self.id_of(master, "bridge/") or "foreign:" + master.name
            self._masters[link.master] = found
        return found

    @staticmethod
    def whose(link: linkdump.Link) -> str:
        """A sentence on the owner of an interface that is not this topology's."""
        owner = owner_of(link.alias)
        return "an interface of topology {}".format(owner[0]) if owner else "an interface that netcompose did not make"

    def sysctls(self, container: str, recorded: Mapping[str, str]) -> dict[str, str]:
        """The live values of the keys that netcompose has set in a container."""
        values = {}
        if recorded:
            with self.namespaces.inside(netns_name(self.topology, container)):
                for key in recorded:
                    with contextlib.suppress(OSError):
                        values[key] = sysctl.read(key)
        return values


def read_stack(namespaces: Namespaces, netns: str) -> Stack:
    """Links, addresses and routes of one namespace; queues only where a link says that there is one of interest."""
    socket = namespaces.socket(netns)
    stack = Stack(linkdump.links(socket))
    for address in rtnl.addresses(socket):
        stack.addresses.setdefault(address.ifindex, []).append(address.text)
    for route in rtnl.routes(socket, kernels_own=netns == HOST):
        stack.routes.setdefault(route.ifindex, []).append(route)
    if any(link.impaired for link in stack.links):
        from netcompose.agent.kernel import qdisc

        stack.qdiscs = qdisc.roots(socket)
    return stack


def take(
    namespaces: Namespaces, topology: str, known: frozenset[str], touched: Optional[Collection[str]] = None
) -> Snapshot:
    """Read the host and every namespace of the topology.

    ``known`` are containers that the run directory remembers, by which a name that a crash left without a
    namespace is told from somebody's file. With ``touched``, of the topology's namespaces only those of these
    containers are read: what a run needs that knows its changes.
    """
    host = read_stack(namespaces, HOST)
    snapshot = Snapshot(topology, namespaces, known, group=group(topology), doomed=doomed_group(topology))
    snapshot.stacks[HOST] = host
    snapshot.has_engine = gate.used(topology)
    snapshot.by_index = {link.ifindex: link for link in host.links}
    prefix = netns_name(topology, "")
    owners: dict[int, str] = {}
    for name in namespaces.names():
        container = name[len(prefix) :] if name.startswith(prefix) else ""
        if touched is not None and container not in touched:
            continue
        inode = namespaces.inode(name)
        if not container:
            snapshot.netns_taken[name] = "a network namespace that netcompose did not make"
        elif inode == 0:
            if container in known:
                snapshot.half_pinned.append(container)
            else:
                snapshot.netns_taken[name] = "a file that is no network namespace"
        else:
            stack = read_stack(namespaces, name)
            marked, taken = _owner(stack, topology)
            if taken:
                namespaces.forget(name)
                snapshot.netns_taken[name] = taken
            elif marked == container:
                snapshot.stacks[container] = stack
                owners[inode] = container
            else:
                snapshot.joined[container] = marked
    for container, owner in snapshot.joined.items():
        # The owner's name may have been removed, or pinned to another namespace, behind our back.
        if owners.get(namespaces.inode(netns_name(topology, container))) != owner:
            snapshot.joined[container] = "gone:" + owner
    return snapshot


def _owner(stack: Stack, topology: str) -> tuple[str, str]:
    """The container that a stack's ``lo`` is marked with, or else the sentence on whose namespace it is."""
    alias = next((link.alias for link in stack.links if link.ifindex == 1), "")
    owner = owner_of(alias)
    if owner is None:
        return "", "a network namespace that has no mark of netcompose on its lo"
    if owner[0] != topology:
        return "", "a network namespace that belongs to topology {}".format(owner[0])
    return owner[1].partition("/")[2], ""
