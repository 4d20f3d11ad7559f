"""Published ports that two containers of a host want."""

from __future__ import annotations

from collections.abc import Iterator

from netcompose.topology.checks.common import line_of
from netcompose.topology.model import Port, Topology
from netcompose.topology.source import Problem

_ALL = ("", "0.0.0.0", "::")


def check_ports(topology: Topology) -> Iterator[Problem]:
    """Every port of a host is published once for an address; without an address, for all of them."""
    used: dict[tuple[str, str, int], list[tuple[str, Port]]] = {}
    for container in topology.containers.values():
        told = set()
        for port in container.ports:
            if not port.host_port:
                continue
            others = used.setdefault((container.host, port.protocol, port.host_port), [])
            clash = next(
                ((name, other) for name, other in others if _overlap(port.host_address, other.host_address)), None
            )
            if clash is None:
                others.append((container.name, port))
            elif port.path not in told:
                told.add(port.path)
                name, other = clash
                whose = "this container" if name == container.name else name
                message = f"the host port {port.host_port}/{port.protocol} is published by {whose} already"
                hint = f"see {line_of(topology, other.path)}; take another port, or another address of the host"
                yield topology.source.problem(message, port.path, hint=hint)


def _overlap(one: str, other: str) -> bool:
    if not one or not other:
        return True
    if (":" in one) != (":" in other):
        return False
    return one == other or one in _ALL or other in _ALL
