"""What kinds need to know while they turn changes into operations."""

from __future__ import annotations

import functools
import os
import re
from typing import TYPE_CHECKING, Collection, Sequence

from netcompose.agent import rundir
from netcompose.agent.kernel import rtnl
from netcompose.agent.kernel.namespaces import HOST, Namespaces, prepare_directory
from netcompose.agent.kernel.netlink import GONE, Socket
from netcompose.agent.snapshot import Snapshot
from netcompose.errors import HostLacks
from netcompose.planner.plan import Change
from netcompose.resources.names import doomed_group, group, netns_name

if TYPE_CHECKING:
    from netcompose.agent.runtimes.engine import Engine


class Context:
    """One run on one host for one topology."""

    def __init__(
        self,
        topology: str,
        namespaces: Namespaces,
        snapshot: Snapshot,
        changes: Sequence[Change] = (),
        lock: Collection[int] = (),
    ) -> None:
        #: What a process has to keep open in order to share the lock of this run.
        self.lock = lock
        #: Containers whose namespace goes in this run, and with it every interface inside.
        self.dying = frozenset(
            name
            for change in changes
            if change.before is not None and change.after is None and change.before.carries_container
            for name in change.before.concerns()
        )
        self._changes = changes
        self.topology = topology
        self.namespaces = namespaces
        self.snapshot = snapshot
        self.group = group(topology)
        self._has_netns_directory = False
        self._remembered: set[str] = set()
        self._first_index = _first_index(os.uname().release)
        self._next_index = {
            container: max(self._first_index, stack.highest_index() + 1) for container, stack in snapshot.stacks.items()
        }
        self._bridges: dict[str, int] = {}
        self.made = rundir.read_json(_MADE) or {}

    @functools.cached_property
    def taking(self) -> frozenset[str]:
        """The names that something in this run takes (:meth:`Resource.claims`)."""
        return frozenset(claim for change in self._changes if change.after for claim in change.after.claims())

    @functools.cached_property
    def engine(self) -> Engine:
        """The host's container engine."""
        from netcompose.agent.runtimes import engine

        found = engine.at_hand()
        if found is None:
            raise HostLacks(engine.lacking(), hint="install docker.io, or leave out 'image'")
        return found

    def netns(self, container: str) -> str:
        """The namespace's name of a container; ``""`` for the host."""
        return netns_name(self.topology, container) if container else HOST

    def need_netns_directory(self) -> None:
        """Make the folder of the namespaces' names, once in a run, and note what was made for it."""
        if not self._has_netns_directory:
            prepare_directory(lambda folder, mount: self.remember(netns_folder=folder, netns_mount=mount))
            self._has_netns_directory = True

    def remember_container(self, container: str) -> None:
        """Note, once in a run, that things named after a container are being made."""
        if container not in self._remembered:
            rundir.remember_container(self.topology, container)
            self._remembered.add(container)

    def fresh_stack(self, container: str) -> None:
        """A container has a new namespace, in which ``lo`` has index 1."""
        self._next_index[container] = self._first_index

    def next_index(self, container: str) -> int:
        """An interface index that is free in a container's namespace.

        Chosen here so that the next messages of a batch can name it without a look-up.
        """
        index = self._next_index.get(container, self._first_index)
        self._next_index[container] = index + 1
        return index

    def host_index(self, name: str) -> int:
        """The index of an interface on the host, 0 if there is none."""
        import socket

        index = self._bridges.get(name, 0)
        if not index:
            with self.namespaces.inside(HOST):
                try:
                    index = socket.if_nametoindex(name)
                except OSError:
                    return 0
            self._bridges[name] = index
        return index

    def forget_host_index(self, name: str) -> None:
        """An interface on the host goes."""
        self._bridges.pop(name, None)

    def remove_host_links(self, names: list[str]) -> None:
        """Remove interfaces on the host all at once: removing a group takes as long as removing one of it.

        A removal of its own costs about 20 ms each (the kernel waits for readers), a thousand of them 20 s.
        """
        socket = self.namespaces.socket(HOST)
        doomed = doomed_group(self.topology)
        ours = rtnl.link_attributes(group=self.group)
        # What a killed run had marked for removal may be wanted again by now.
        spared = [
            rtnl.change_link(ours, name=link.name)
            for link in self.snapshot.stacks[HOST].links
            if link.group == doomed and link.name not in names
        ]
        socket.send(spared)
        try:
            self._remove_group(socket, names, doomed)
        except OSError:
            # Nothing is doomed any more: what was to go may be all that a rollback finds of it.
            socket.send([rtnl.change_link(ours, name=name) for name in names])
            raise
        for name in names:
            self._bridges.pop(name, None)

    @staticmethod
    def _remove_group(socket: Socket, names: list[str], doomed: int) -> None:
        marks = [rtnl.change_link(rtnl.link_attributes(group=doomed), name=name) for name in names]
        found = 0
        while marks:
            refusals = socket.send(marks)
            for refusal in refusals:
                if refusal.errno not in GONE:
                    raise OSError(refusal.errno, refusal.words or os.strerror(refusal.errno), names[0])
            sent = socket.after(refusals[-1].position) if refusals else len(marks)
            found += min(sent, len(marks)) - len(refusals)
            marks = marks[sent:]
        if found:
            socket.request(rtnl.delete_group(doomed))

    def remember(self, **made: bool) -> None:
        """Note what was made for the host as a whole, so that the last topology takes it back."""
        new = {key: True for key, value in made.items() if value and not self.made.get(key)}
        if new:
            self.made = {**self.made, **new}
            rundir.write_json(_MADE, self.made)


_MADE = rundir.ROOT + "/host.json"

#: Where indexes in containers start on a kernel for which they have to be free on the host, too: no host comes so far.
_APART = 1 << 24


def _first_index(release: str) -> int:
    """The first index for an interface in a container, by the kernel's release.

    An interface that is created in another namespace (``IFLA_NET_NS_FD``) has its own index there. But before Linux
    6.15 ``rtnl_newlink`` looks in the sender's namespace whether the index is taken, and says "File exists" of an
    index that an interface of the host has, as ``eth0`` has 2.
    """
    match = re.match(r"(\d+)\.(\d+)", release)
    return 2 if match and (int(match[1]), int(match[2])) >= (6, 15) else _APART
