"""Names that stand for something defined elsewhere in the file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from netcompose.topology.model import Topology
from netcompose.topology.source import Path, Problem
from netcompose.topology.words import choices, did_you_mean_or, quoted


def _undefined(
    topology: Topology, what: str, name: str, known: Iterable[str], path: Path, *, key: bool = False
) -> Problem:
    names = list(known)
    otherwise = f"the {what}s are: {choices(names)}" if names else f"define it under '{what}s:'"
    hint = did_you_mean_or(name, names, otherwise)
    return topology.source.problem(f"the {what} {quoted(name)} is not defined", path, hint=hint, key=key)


def check_references(topology: Topology) -> Iterator[Problem]:
    """Networks, parents, containers that are used and not defined."""
    for network in topology.networks.values():
        if network.parent and network.parent not in topology.parents:
            yield _undefined(topology, "parent", network.parent, topology.parents, (*network.path, "parent"))
    for container in topology.containers.values():
        for attachment in container.networks:
            if attachment.network not in topology.networks:
                by_name = isinstance(attachment.path[-1], str)
                yield _undefined(
                    topology, "network", attachment.network, topology.networks, attachment.path, key=by_name
                )
        for link in container.links:
            if link.container not in topology.containers:
                yield _undefined(topology, "container", link.container, topology.containers, link.path)
            elif link.container == container.name:
                yield topology.source.problem(
                    "the link is to the container itself", link.path, hint="use 'hostname' or 'extra_hosts'"
                )
        yield from _depends_on(topology, container.name)
    for cable in topology.links:
        for end in (cable.a, cable.b):
            if end.container not in topology.containers:
                yield _undefined(topology, "container", end.container, topology.containers, end.path)


def _depends_on(topology: Topology, name: str) -> Iterator[Problem]:
    wanted = topology.containers[name].engine.get("depends_on")
    if not isinstance(wanted, dict):
        return
    path: Path = ("containers", name, "depends_on")
    for index, other in enumerate(wanted):
        if other not in topology.containers or other == name:
            at = topology.source.locate((*path, other), key=True)
            listed = at == topology.source.locate(path, key=True)
            where: Path = (*path, index) if listed else (*path, other)
            if other == name:
                yield topology.source.problem("the container waits for itself", where, hint="remove it", key=not listed)
            else:
                yield _undefined(topology, "container", other, topology.containers, where, key=not listed)


def check_hosts(topology: Topology) -> Iterator[Problem]:
    """Hosts of containers and parents."""
    for container in topology.containers.values():
        if not container.host:
            hint = f"write host: or default_host:; the hosts are: {choices(topology.hosts)}"
            yield topology.source.problem(f"{container.name} has no host", container.path, hint=hint, key=True)
        elif container.host not in topology.hosts:
            path: Path = (*container.path, "host")
            # A host that comes from default_host has been told there.
            if topology.source.locate(path, key=True) != topology.source.locate(container.path, key=True):
                yield _undefined(topology, "host", container.host, topology.hosts, path)
    for parent in topology.parents.values():
        for host in parent.interface:
            if host and host not in topology.hosts:
                yield _undefined(topology, "host", host, topology.hosts, (*parent.path, "interface", host), key=True)


def check_joins(topology: Topology) -> Iterator[Problem]:
    """``network_mode: container:X``: X exists, is on the same host, has a network of its own, and no circle."""
    for container in topology.containers.values():
        if container.network_mode != "container":
            continue
        path: Path = (*container.path, "network_mode")
        other = topology.containers.get(container.joins)
        if other is None:
            yield _undefined(topology, "container", container.joins, topology.containers, path)
            continue
        circle = _circle(topology, container.name)
        if circle:
            message = f"{' joins '.join(circle)}: nobody has a network to share"
            yield topology.source.problem(message, path, hint="give one of them networks, or network_mode: none")
        elif other.network_mode == "host":
            message = f"{other.name} uses the host's own network"
            yield topology.source.problem(message, path, hint="write network_mode: host")
        elif other.host != container.host:
            message = f"{other.name} is on host {quoted(other.host)}, this one on {quoted(container.host)}"
            yield topology.source.problem(message, path, hint="only containers of one host can share a network stack")


def _circle(topology: Topology, start: str) -> list[str]:
    """The names on the way from ``start`` back to itself, or nothing. Told for each container of the circle."""
    way, at = [start], topology.containers[start].joins
    while at in topology.containers and at not in way:
        way.append(at)
        at = topology.containers[at].joins
    return [*way, start] if at == start else []
