"""A container that a container engine runs, and the start of its program once it is wired."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Mapping

from netcompose.resources.base import IN_PLACE, OBSERVED, REPLACE, Requirement, Resource, attribute

#: The labels that mark an object of an engine as ours.
LABEL_TOPOLOGY = "io.netcompose.topology"
LABEL_RESOURCE = "io.netcompose.resource"
LABEL_SPEC = "io.netcompose.spec"
#: Processors (uname(2)) for which there is a gate.
GATED = ("x86_64", "aarch64")
#: ``Container.network``: a stack of its own, wired before its program runs; else ``host``, or ``container:NAME``.
WIRED = ""
#: ``Container.state``: what is wanted, and what is found instead.
STARTED, NOT_STARTED, SET_ASIDE = "started", "not started", "set aside"
#: It runs in the namespace that the container which it joins had before that one's last start.
LEFT_BEHIND = "left behind"
#: Behind the id in ``Namespace.of``: the container has been started since, and has another one.
BEFORE = " before its last start"

_FIXED = "the engine gives it when a container is created"


def container_id(container: str) -> str:
    """``container/web1``."""
    return "container/" + container


def start_id(container: str) -> str:
    """``start/web1``."""
    return "start/" + container


def fixed(memory: int, cpus: float, restart: str) -> dict[str, str]:
    """``Container.fixed`` for an engine that changes nothing of a container that is there."""
    return {"cpus": "{:g}".format(cpus), "memory": str(memory), "restart": restart}


@dataclass(frozen=True)
class Container(Resource):
    """``container/web1``: the engine's container, created and started; its program waits at the gate.

    ``name`` is the engine's name for it. ``image`` is as written; ``image_id`` is empty as long as the container runs
    what the engine has by that name, and for an image from a file what the file has. ``entrypoint`` and ``command``
    empty: the image's own. ``network`` is WIRED, ``host`` or ``container:NAME`` with a container of the topology.
    ``stack`` is the container without an image whose network stack is the one that this has: an engine cannot be told
    to use another's; empty for its own. ``mounts`` are ``TYPE:SOURCE:TARGET[:ro,create]`` (bind, volume, tmpfs), and
    ``files`` the container's own files by their path inside. ``memory`` is in bytes, ``cpus`` in processors, ``limits``
    the names of those that are set. ``ulimits`` are ``SOFT:HARD``; ``healthcheck`` has the engine's own keys as JSON,
    durations in nanoseconds.

    ``ready`` are the ids of what has to be there before its program runs, when it was made. ``fixed`` has what other
    engines change of a live container, where the engine cannot.

    What an engine can change of a live container is read from it; everything else cannot change, and is read from the
    label that it was created with.
    """

    kind: ClassVar[str] = "container"

    container: str = attribute(changes=REPLACE)
    name: str = attribute(changes=REPLACE)
    image: str = attribute(changes=REPLACE, disturbs="outage", why="a container runs the image that it was made from")
    image_id: str = attribute(
        changes=REPLACE, disturbs="outage", default="", why="the image is another one by now under the same name"
    )
    runtime: str = attribute(changes=REPLACE, disturbs="outage", default="docker", why="another engine runs it")
    network: str = attribute(changes=REPLACE, disturbs="outage", default=WIRED, why="its network is another one")
    stack: str = attribute(changes=REPLACE, disturbs="outage", default="", why="another container shares its network")
    entrypoint: tuple[str, ...] = attribute(changes=REPLACE, disturbs="outage", default=(), why=_FIXED)
    command: tuple[str, ...] = attribute(changes=REPLACE, disturbs="outage", default=(), why=_FIXED)
    environment: Mapping[str, str] = attribute(
        changes=REPLACE, disturbs="outage", secret=True, default_factory=dict, why="a process keeps its environment"
    )
    working_dir: str = attribute(changes=REPLACE, disturbs="outage", default="", why=_FIXED)
    user: str = attribute(changes=REPLACE, disturbs="outage", default="", why=_FIXED)
    hostname: str = attribute(changes=REPLACE, disturbs="outage", default="", why=_FIXED)
    domainname: str = attribute(changes=REPLACE, disturbs="outage", default="", why=_FIXED)
    mounts: tuple[str, ...] = attribute(changes=REPLACE, disturbs="outage", default=(), why=_FIXED)
    files: Mapping[str, str] = attribute(changes=REPLACE, disturbs="outage", default_factory=dict, why=_FIXED)
    tmpfs: tuple[str, ...] = attribute(changes=REPLACE, disturbs="outage", default=(), why=_FIXED)
    cap_add: tuple[str, ...] = attribute(changes=REPLACE, disturbs="outage", default=(), why=_FIXED)
    cap_drop: tuple[str, ...] = attribute(changes=REPLACE, disturbs="outage", default=(), why=_FIXED)
    privileged: bool = attribute(changes=REPLACE, disturbs="outage", default=False, why=_FIXED)
    devices: tuple[str, ...] = attribute(changes=REPLACE, disturbs="outage", default=(), why=_FIXED)
    sysctls: Mapping[str, str] = attribute(changes=REPLACE, disturbs="outage", default_factory=dict, why=_FIXED)
    ulimits: Mapping[str, str] = attribute(changes=REPLACE, disturbs="outage", default_factory=dict, why=_FIXED)
    limits: tuple[str, ...] = attribute(
        changes=REPLACE, disturbs="outage", default=(), why="the engine changes a limit, and cannot add or remove one"
    )
    memory: int = attribute(changes=IN_PLACE, default=0)
    cpus: float = attribute(changes=IN_PLACE, default=0.0)
    labels: Mapping[str, str] = attribute(changes=REPLACE, disturbs="outage", default_factory=dict, why=_FIXED)
    restart: str = attribute(changes=IN_PLACE, default="no")
    fixed: Mapping[str, str] = attribute(
        changes=REPLACE, disturbs="outage", default_factory=dict, why="Podman's API has no request that changes it"
    )
    stop_signal: str = attribute(changes=REPLACE, disturbs="outage", default="", why=_FIXED)
    stop_grace_period: float = attribute(changes=REPLACE, disturbs="outage", default=10.0, why=_FIXED)
    healthcheck: Mapping[str, str] = attribute(changes=REPLACE, disturbs="outage", default_factory=dict, why=_FIXED)
    tty: bool = attribute(changes=REPLACE, disturbs="outage", default=False, why=_FIXED)
    init: bool = attribute(changes=REPLACE, disturbs="outage", default=False, why=_FIXED)
    read_only: bool = attribute(changes=REPLACE, disturbs="outage", default=False, why=_FIXED)
    oci_runtime: str = attribute(changes=REPLACE, disturbs="outage", default="", why=_FIXED)
    state: str = attribute(changes=IN_PLACE, disturbs="outage", default=STARTED, why="it is started")
    engine_id: str = attribute(changes=OBSERVED, default="")
    after: tuple[str, ...] = attribute(changes=OBSERVED, default=())
    ready: tuple[str, ...] = attribute(changes=OBSERVED, default=())

    def requires(self) -> tuple[Requirement, ...]:
        joined = self.network.partition(":")[2]
        own = (Requirement(start_id(joined)),) if joined else ()
        return own + tuple(Requirement(id, order_only=True) for id in self.after)

    def restorable(self) -> Resource:
        return replace(self, state=STARTED)

    def claims(self) -> tuple[str, ...]:
        return ("engine:" + self.name,)

    def concerns(self) -> tuple[str, ...]:
        return (self.container,)


@dataclass(frozen=True)
class Start(Resource):
    """``start/web1``: the container's own program runs: everything that it is wired with was in place before.

    ``through`` is whether it was let through the gate since the container's last start; ``waits`` are the conditions
    of ``depends_on`` that are waited for before, by container: ``service_healthy`` or
    ``service_completed_successfully``. Its removal stops the program.
    """

    kind: ClassVar[str] = "start"

    container: str = attribute(changes=REPLACE)
    through: bool = attribute(changes=IN_PLACE, disturbs="none", default=True)
    grace: float = attribute(changes=OBSERVED, default=10.0)
    waits: Mapping[str, str] = attribute(changes=OBSERVED, default_factory=dict)
    engine_id: str = attribute(changes=OBSERVED, default="")
    after: tuple[str, ...] = attribute(changes=OBSERVED, default=())

    def requires(self) -> tuple[Requirement, ...]:
        own = (Requirement(container_id(self.container)),)
        return own + tuple(Requirement(id, order_only=True) for id in self.after)

    def restorable(self) -> Resource:
        return replace(self, through=True)

    def concerns(self) -> tuple[str, ...]:
        return (self.container,)
