"""A topology sorted by host, once: what is done for each of a thousand hosts may not look at what the others have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from netcompose.compiler.shapes import Interface, Interfaces
from netcompose.topology.model import Container, Link, Topology


class ByHost:
    """What each host has of a topology; empty for a host that has nothing. ``used`` are its (host, network) pairs."""

    def __init__(self, topology: Topology, used: Iterable[tuple[str, str]]) -> None:
        self._containers: dict[str, list[Container]] = {}
        self._networks: dict[str, list[str]] = {}
        self._cables: dict[str, list[Link]] = {}
        for container in topology.containers.values():
            self._containers.setdefault(container.host, []).append(container)
        for host, network in used:
            self._networks.setdefault(host, []).append(network)
        for link in topology.links:
            ends = [topology.containers[end.container].host for end in (link.a, link.b)]
            if ends[0] == ends[1]:
                self._cables.setdefault(ends[0], []).append(link)

    def containers(self, host: str) -> Sequence[Container]:
        """Its containers, in the order of the file."""
        return self._containers.get(host, ())

    def networks(self, host: str) -> Sequence[str]:
        """The networks that are on it, in the order in which its containers join them."""
        return self._networks.get(host, ())

    def cables(self, host: str) -> Sequence[Link]:
        """The links that do not leave it."""
        return self._cables.get(host, ())


def members(interfaces: Interfaces) -> Mapping[str, Sequence[Interface]]:
    """Network -> the interfaces that are on it, on whichever host, in the order of the file."""
    found: dict[str, list[Interface]] = {}
    for own in interfaces.values():
        for interface in own:
            if interface.network:
                found.setdefault(interface.network, []).append(interface)
    return found
