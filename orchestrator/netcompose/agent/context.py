"""What kinds need to know while they turn changes into operations."""

from __future__ import annotations

from netcompose.agent import rundir
from netcompose.agent.kernel import rtnl
from netcompose.agent.kernel.namespaces import HOST, Namespaces
from netcompose.agent.snapshot import Snapshot
from netcompose.resources.names import group, netns_name


class Context:
    """One run on one host for one topology."""

    def __init__(self, topology: str, namespaces: Namespaces, snapshot: Snapshot) -> None:
        self.topology = topology
        self.namespaces = namespaces
        self.snapshot = snapshot
        self.group = group(topology)
        self._next_index = {container: stack.highest_index() + 1 for container, stack in snapshot.stacks.items()}
        self._bridges: dict[str, int] = {}
        self.made = rundir.read_json(_MADE) or {}

    def netns(self, container: str) -> str:
        """The namespace's name of a container; ``""`` for the host."""
        return netns_name(self.topology, container) if container else HOST

    def fresh_stack(self, container: str) -> None:
        """A container has a new namespace, in which ``lo`` has index 1."""
        self._next_index[container] = 2

    def next_index(self, container: str) -> int:
        """An interface index that is free in a container's namespace.

        Chosen here so that the next messages of a batch can name it without a look-up.
        """
        index = self._next_index.get(container, 2)
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

    def forget_index(self, name: str) -> None:
        """An interface on the host is gone; its name may come back with another index."""
        self._bridges.pop(name, None)

    def link(self, container: str, name: str) -> rtnl.Link | None:
        """An interface as it was when the snapshot was taken."""
        stack = self.snapshot.stacks.get(container)
        return next((link for link in stack.links if link.name == name), None) if stack else None

    def remember(self, **made: bool) -> None:
        """Note what was made for the host as a whole, so that the last topology takes it back."""
        new = {key: True for key, value in made.items() if value and not self.made.get(key)}
        if new:
            self.made = {**self.made, **new}
            rundir.write_json(_MADE, self.made)


_MADE = rundir.ROOT + "/host.json"
