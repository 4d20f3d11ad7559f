"""``network_mode`` and the keys that do not go with it; engine keys without an image."""

from __future__ import annotations

from collections.abc import Iterator

from netcompose.topology.model import Container, Topology
from netcompose.topology.source import Problem

#: Keys that a mode excludes, with the reason.
_EXCLUDED = {
    "none": (("networks", "ports"), "there is loopback only", "remove network_mode, or wire it with 'links:'"),
    "host": (
        ("networks", "ports", "links", "routes"),
        "network_mode 'host' is the host's own network",
        "remove the key: every port and interface of the host is there already",
    ),
    "container": (
        ("networks", "ports", "links", "routes", "dns", "dns_search", "dns_options", "extra_hosts"),
        "the network is another container's",
        "write the key at the container whose network is shared",
    ),
}  # fmt: skip

_YAML_KEYS = {"dns_options": "dns_opt"}


def check_modes(topology: Topology) -> Iterator[Problem]:
    """Keys that the network mode makes meaningless."""
    for container in topology.containers.values():
        if container.network_mode == "networks":
            continue
        keys, reason, hint = _EXCLUDED[container.network_mode]
        for field in keys:
            if getattr(container, field):
                key = _YAML_KEYS.get(field, field)
                message = f"{container.name} cannot have '{key}': {reason}"
                yield topology.source.problem(message, (*container.path, key), hint=hint, key=True)
        if container.network_mode != "none":
            yield from _sysctls(topology, container)


def _sysctls(topology: Topology, container: Container) -> Iterator[Problem]:
    for name in container.sysctls:
        if name.startswith(("net.", "net/")):
            path = (*container.path, "sysctls", name)
            message = f"{container.name} cannot set {name}: it would change the network of somebody else"
            yield topology.source.problem(message, path, hint="set it where the network belongs", key=True)
            return


def check_engine_keys(topology: Topology) -> Iterator[Problem]:
    """Keys that only a container engine understands."""
    for container in topology.containers.values():
        if container.image or not container.engine:
            continue
        for key in container.engine:
            message = f"{container.name} cannot have '{key}' without an 'image'"
            hint = "a container engine does this; a native container has no engine"
            yield topology.source.problem(message, (*container.path, key), hint=hint, key=True)
