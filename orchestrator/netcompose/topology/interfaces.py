"""Names of interfaces inside containers. Shared by checks and compiler."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from netcompose.topology.model import Container, LinkEnd, Topology


def cable_ends(topology: Topology) -> Mapping[str, tuple[LinkEnd, ...]]:
    """The ends of point-to-point links by container, in the order of the file."""
    found: dict[str, list[LinkEnd]] = {}
    for link in topology.links:
        for end in (link.a, link.b):
            found.setdefault(end.container, []).append(end)
    return {name: tuple(ends) for name, ends in found.items()}


def interface_names(container: Container, ends: Iterable[LinkEnd] = ()) -> tuple[str, ...]:
    """The names of a container's interfaces, one for each of its ``networks`` in their order.

    Those without ``interface_name`` get eth0, eth1, ... in the order of the networks, leaving out every name that
    another network or one of ``ends`` (the cables that end in it) has asked for.
    """
    taken = {end.interface for end in ends}
    taken.update(attachment.interface_name for attachment in container.networks)
    names, counter = [], 0
    for attachment in container.networks:
        name = attachment.interface_name
        if not name:
            while f"eth{counter}" in taken:
                counter += 1
            name = f"eth{counter}"
            counter += 1
        names.append(name)
    return tuple(names)
