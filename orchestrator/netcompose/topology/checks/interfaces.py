"""Interface names: the kernel's rules, and every name once in a container."""

from __future__ import annotations

import functools
from collections.abc import Iterator

from netcompose.topology.interfaces import cable_ends, interface_names
from netcompose.topology.model import Topology
from netcompose.topology.source import Path, Problem
from netcompose.topology.words import quoted

#: IFNAMSIZ without the terminating zero (netdevice(7)).
LONGEST = 15


@functools.lru_cache(maxsize=256)
def name_problem(name: str) -> tuple[str, str]:
    """(message, hint) for what the kernel (dev_valid_name) would refuse, or two empty texts."""
    length = len(name.encode())
    if length > LONGEST:
        return f"the interface name {quoted(name)} has {length} bytes", f"Linux allows {LONGEST}"
    if name in (".", "..") or any(bad in name for bad in "/:%") or any(character.isspace() for character in name):
        return f"{quoted(name)} cannot be an interface's name", "no '/', ':', '%' or spaces"
    if any(ord(character) < 32 or ord(character) == 127 for character in name):
        return f"{quoted(name)} cannot be an interface's name", "no control characters"
    return "", ""


def check_interfaces(topology: Topology) -> Iterator[Problem]:
    """Names of containers' interfaces, those of cables included."""
    for parent in topology.parents.values():
        for host, name in parent.interface.items():
            path: Path = (*parent.path, "interface", host) if host else (*parent.path, "interface")
            message, hint = name_problem(name)
            if message:
                yield topology.source.problem(message, path, hint=hint)
    ends = cable_ends(topology)
    for container in topology.containers.values():
        own = ends.get(container.name, ())
        used: dict[str, Path] = {}
        names = interface_names(container, own)
        wanted = [
            (name, (*attachment.path, "interface_name") if attachment.interface_name else attachment.path)
            for name, attachment in zip(names, container.networks, strict=True)
        ]
        wanted += [(end.interface, end.path) for end in own]
        for name, path in wanted:
            message, hint = name_problem(name)
            if message:
                yield topology.source.problem(message, path, hint=hint)
            elif name == "lo":
                message = f"{container.name} has an interface 'lo' already"
                yield topology.source.problem(
                    message, path, hint="every container has its loopback; choose another name"
                )
            elif name in used and not (path[0] == used[name][0] == "links"):  # two cables: told with the cables
                line = topology.source.locate(used[name]).line
                message = f"{container.name} has two interfaces {quoted(name)}"
                yield topology.source.problem(message, path, hint=f"the other one is in line {line}")
            used.setdefault(name, path)
