"""What a native container is made of besides its interfaces: namespace, files, commands run once, process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from netcompose.compiler import names
from netcompose.compiler.images import is_wired
from netcompose.resources import Exec, File, Namespace, Process, Resource
from netcompose.resources.container_engine import container_id
from netcompose.resources.names import netns_name
from netcompose.topology.model import Container, Topology
from netcompose.topology.source import Problem


def stack_owners(topology: Topology) -> tuple[dict[str, str], list[Problem]]:
    """Container -> the container whose network stack it has: itself, the end of its chain of
    ``network_mode: container:X``, or an empty string for the host's stack."""
    owners: dict[str, str] = {}
    problems = []
    for start in topology.containers.values():
        current, seen = start, {start.name}
        while current.network_mode == "container":
            following = topology.containers.get(current.joins)
            if following is None or following.name in seen:
                what = "is not defined" if following is None else "joins it in turn"
                message = f"container {start.name!r} joins {current.joins!r}, which {what}"
                problems.append(topology.source.problem(message, (*start.path, "network_mode")))
                current = start  # Compiled as if it were alone: the problem is what counts.
                break
            current = following
            seen.add(current.name)
        owners[start.name] = "" if current.network_mode == "host" else current.name
    return owners, problems


def sysctl_problems(topology: Topology, owners: Mapping[str, str]) -> Iterator[Problem]:
    """Sysctls that a native container cannot have of its own."""
    for container in topology.containers.values():
        owner = owners[container.name]
        for key in container.sysctls:
            path = (*container.path, "sysctls", key)
            if container.image and not key.startswith("net."):
                continue
            if owner != container.name:
                whose = f"container {owner!r}" if owner else "the host"
                message = f"{key} cannot be set here: container {container.name!r} has the network stack of {whose}"
                hint = f"set it on {owner!r}" if owner else "set it on the host, or give the container its own networks"
                yield topology.source.problem(message, path, hint=hint, key=True)
            elif not key.startswith("net."):
                message = f"{key} cannot be set: a container without an image has its own settings below net. only"
                yield topology.source.problem(message, path, hint="set it on the host", key=True)


def namespace(topology: str, container: Container, owner: str, carrier: str = "") -> Namespace:
    """The container's own namespace, or its name for another's; ``carrier`` is the container with an image that brings
    it in the place of one without."""
    return Namespace(
        id=names.namespace_id(container.name),
        container=container.name,
        netns=netns_name(topology, container.name),
        joins="" if owner == container.name else owner,
        of=container_id(carrier or container.name) if carrier or is_wired(container) else "",
        sysctls=_of_network(container) if owner == container.name else {},
    )


def _of_network(container: Container) -> dict[str, str]:
    """The sysctls that belong to a network stack: others of a container with an image are the engine's to set."""
    if not container.sysctls:
        return {}
    return {
        key: value for key, value in sorted(container.sysctls.items()) if key.startswith("net.") or not container.image
    }


def files(topology: str, container: str, hosts: str, resolv_conf: str) -> tuple[File, File]:
    """What ip-netns(8) and the container's own mount namespace put over ``/etc``."""
    folder = f"/etc/netns/{netns_name(topology, container)}"
    return (
        File(names.file_id(container, "hosts"), container, f"{folder}/hosts", hosts),
        File(names.file_id(container, "resolv.conf"), container, f"{folder}/resolv.conf", resolv_conf),
    )


def programs(topology: str, container: Container, owner: str, after: Sequence[str]) -> Iterator[Resource]:
    """The commands of ``exec`` and the process; ``after`` are the ids of the interfaces and files they need."""
    ready = tuple(after)
    if owner and owner != container.name:
        ready = (names.namespace_id(container.name), *ready)
    if container.exec:
        run = Exec(
            id=f"exec/{container.name}",
            container=container.name,
            commands=container.exec,
            namespace=owner,
            after=ready,
        )
        ready = (*ready, run.id)
        yield run
    if container.command:
        yield Process(
            id=f"process/{container.name}",
            container=container.name,
            command=container.command,
            namespace=owner,
            netns=netns_name(topology, container.name) if owner else "",
            environment=dict(sorted(container.environment.items())),
            working_dir=container.working_dir or "/",
            user=container.user,
            hostname=container.hostname or container.name,
            restart=container.restart,
            stop_signal=container.stop_signal,
            stop_grace_period=container.stop_grace_period,
            after=ready,
        )
