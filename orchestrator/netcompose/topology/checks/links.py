"""``links:`` of containers: names for other containers."""

from __future__ import annotations

from collections.abc import Iterator

from netcompose.topology.checks.common import line_of
from netcompose.topology.model import Container, Topology
from netcompose.topology.source import Path, Problem
from netcompose.topology.words import quoted


def check_links(topology: Topology) -> Iterator[Problem]:
    """The other container can be reached, and a name stands for one container."""
    cabled: set[tuple[str, str]] = set()
    for cable in topology.links:
        cabled.add((cable.a.container, cable.b.container))
        cabled.add((cable.b.container, cable.a.container))
    for container in topology.containers.values():
        if not container.links or container.network_mode not in ("networks", "none"):
            continue
        names: dict[str, tuple[str, Path]] = {}
        own = {attachment.network for attachment in container.networks}
        for link in container.links:
            other = topology.containers.get(link.container)
            if other is None or other is container:
                continue  # told with the references
            first, path = names.setdefault(link.alias, (link.container, link.path))
            if first != link.container:
                message = f"the name {quoted(link.alias)} is given to {first} and to {link.container}"
                hint = f"the other one is in {line_of(topology, path)}"
                yield topology.source.problem(message, link.path, hint=hint)
            stack = _stack(topology, other)
            shared = own & {attachment.network for attachment in stack.networks}
            if stack.network_mode != "host" and not shared and (container.name, stack.name) not in cabled:
                message = f"{container.name} and {link.container} share no network"
                hint = "join both to one, or remove the link"
                yield topology.source.problem(message, link.path, hint=hint)


def _stack(topology: Topology, container: Container) -> Container:
    """The container whose network one uses: itself, or the one that it joins."""
    seen = {container.name}
    while container.joins in topology.containers and container.joins not in seen:
        container = topology.containers[container.joins]
        seen.add(container.name)
    return container
