"""What several checks look up."""

from __future__ import annotations

from netcompose.topology.model import Attachment, Container, Network, Topology
from netcompose.topology.source import Path

Member = tuple[Container, Attachment]


def members(topology: Topology) -> dict[str, list[Member]]:
    """Who is on each network, in the order of the file; networks without members have an empty list."""
    found: dict[str, list[Member]] = {name: [] for name in topology.networks}
    for container in topology.containers.values():
        for attachment in container.networks:
            if attachment.network in found:
                found[attachment.network].append((container, attachment))
    return found


def hosts_of(topology: Topology, on: list[Member]) -> list[str]:
    """The hosts that a network is on, in the order of its members; without members, the only host there is."""
    found = dict.fromkeys(container.host for container, _ in on if container.host in topology.hosts)
    if not found and not on and len(topology.hosts) == 1:
        return list(topology.hosts)
    return list(found)


def is_known(network: Network) -> bool:
    """Whether all subnets of a network could be read; of others, and of an engine's, nothing more is said."""
    return not network.external and all(subnet.subnet for subnet in network.subnets)


def line_of(topology: Topology, path: Path) -> str:
    """``line 12``, for a message that points at a second place."""
    return f"line {topology.source.locate(path).line}"
