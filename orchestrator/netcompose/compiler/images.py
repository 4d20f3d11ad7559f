"""Containers from images: what the engine of their host runs, and when each program may start."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from netcompose.compiler import names
from netcompose.resources import Container, EngineFacts, Exec, File, Observation, Process, Resource, Start
from netcompose.resources.container_engine import GATED, container_id, fixed, start_id
from netcompose.resources.names import GATE_SERVICE, GATEKEEPER, netns_name
from netcompose.topology.model import Container as Spec
from netcompose.topology.model import Topology
from netcompose.topology.source import Problem

GATE_ID = f"process/{GATE_SERVICE}"


def images_by_host(topology: Topology) -> dict[str, tuple[str, ...]]:
    """The images that containers of each host run, as written; hosts without any are left out."""
    found: dict[str, dict[str, None]] = {}
    for container in topology.containers.values():
        if container.image:
            found.setdefault(container.host, {})[container.image] = None
    return {host: tuple(sorted(images)) for host, images in found.items()}


def engines_to_look_at(topology: Topology) -> dict[str, tuple[str, ...]]:
    """For an observation that needs no facts of images: the hosts whose engines have containers of the topology, also
    where nothing is noted of them because the host was started again."""
    return dict.fromkeys(images_by_host(topology), ("",))


#: The stronger one counts where containers of one host ask for the same image.
_POLICIES = ("never", "missing", "always")


def pull_policies(topology: Topology) -> dict[str, dict[str, str]]:
    """By host, the policy of each image as written: the strongest that a container asks for."""
    found: dict[str, dict[str, str]] = {}
    for container in topology.containers.values():
        if container.image:
            policy = str(container.engine.get("pull_policy", "missing")).replace("if_not_present", "missing")
            of_host = found.setdefault(container.host, {})
            of_host[container.image] = max(policy, of_host.get(container.image, "never"), key=_POLICIES.index)
    return found


def gatekeeper() -> Process:
    """The service that lets programs run once their containers are wired."""
    return Process(id=GATE_ID, container=GATE_SERVICE, command=(GATEKEEPER,), restart="always")


def is_wired(container: Spec) -> bool:
    """Whether it has a network stack of its own, which the engine makes at each start."""
    return bool(container.image) and container.network_mode in ("networks", "none")


def carriers(topology: Topology, owners: Mapping[str, str]) -> dict[str, str]:
    """For containers without an image whose network others with one share: the one of those that brings the namespace.

    An engine cannot start a container in a namespace that is there, but everything else can use the engine's.
    """
    found: dict[str, str] = {}
    for name in sorted(topology.containers):
        owner = topology.containers.get(owners[name])
        if topology.containers[name].image and owner is not None and not owner.image:
            found.setdefault(owner.name, name)
    return found


def without(topology: Topology) -> tuple[Topology, list[str]]:
    """The topology with bare namespaces in the place of containers from images, and the names of those: what a host
    without an engine can have of it."""
    names_of = [container.name for container in topology.containers.values() if container.image]
    containers = {
        name: replace(
            container,
            image="",
            command=(),
            exec=(),
            engine={},
            sysctls={key: value for key, value in container.sysctls.items() if key.startswith("net.")},
        )
        if container.image
        else container
        for name, container in topology.containers.items()
    }
    return replace(topology, containers=containers), names_of


def problems(topology: Topology, live: Mapping[str, Observation]) -> Iterator[Problem]:
    """What the hosts' engines lack, each with the line that asks for it."""
    for container in topology.containers.values():
        if not container.image or container.host not in live:
            continue
        path = (*container.path, "image")
        engine = live[container.host].facts.engine
        if engine.lacks:
            message = f"host {container.host!r}: {engine.lacks}"
            hint = (
                "install docker.io there, or leave 'image' out: then it is a namespace that runs programs of the host"
            )
            yield topology.source.problem(message, path, hint=hint)
        elif engine.machine and engine.machine not in GATED and is_wired(container):
            message = f"host {container.host!r}: its processor ({engine.machine}) has no gate to start containers with"
            hint = f"there is one for {' and '.join(GATED)}; a container without an image can be anywhere"
            yield topology.source.problem(message, path, hint=hint)
        elif engine.runtime and topology.hosts[container.host].runtime not in ("", engine.runtime):
            wanted = topology.hosts[container.host].runtime
            message = f"host {container.host!r}: {wanted} is asked for, and {engine.runtime} is what answers there"
            hint = "stop the other one, or name the socket there: DOCKER_HOST=unix:///run/podman/podman.sock"
            yield topology.source.problem(message, (*topology.hosts[container.host].path, "runtime"), hint=hint)
        elif engine.runtime and not engine.images.get(container.image) and container.image not in engine.coming:
            message = f"host {container.host!r}: {engine.runtime} has no image {container.image!r}"
            yield topology.source.problem(
                message, path, hint=f"fetch it there: {engine.runtime} pull {container.image}"
            )
        elif engine.runtime and not _has_start_interval(engine) and "start_interval" in _check(container):
            message = f"host {container.host!r}: {engine.runtime} {engine.version} has no 'start_interval'"
            hint = "Docker has it from version 25 on; leave it out, and give a shorter 'interval' instead"
            yield topology.source.problem(message, (*container.path, "healthcheck", "start_interval"), hint=hint)


def _check(container: Spec) -> dict[str, Any]:
    return _mapping(container.engine.get("healthcheck"))


def _has_start_interval(engine: EngineFacts) -> bool:
    """Docker's API has it since 1.44, which is version 25; Podman's answer to the same request leaves it out."""
    major = engine.version.partition(".")[0]
    return engine.runtime == "docker" and (not major.isdigit() or int(major) >= 25)


def resources(
    topology: Topology,
    container: Spec,
    owner: str,
    live: Observation | None,
    *,
    files: Sequence[File],
    after: Sequence[str],
    carrier: str = "",
) -> Iterator[Resource]:
    """The engine's container, the start of its program, and its commands; ``after`` are the ids of its interfaces and
    of what else has to be there before its program runs. ``carrier`` is the container that brings the namespace of a
    stack whose owner has no image."""
    wired = is_wired(container) or carrier == container.name
    waits = _dependencies(topology, container)
    ready = (
        *after,
        *([names.namespace_id(container.name)] if owner else []),
        *(_started(topology, other) for other in waits),
    )
    made = _container(topology, container, live, files, [GATE_ID] if wired else ready)
    if carrier:
        own = carrier == container.name
        made = replace(made, network="" if own else f"container:{carrier}", stack=owner if own else "")
    yield replace(made, ready=ready)
    yield Start(
        id=start_id(container.name),
        container=container.name,
        grace=container.stop_grace_period,
        waits={other: condition for other, condition in waits.items() if condition != "service_started"},
        after=ready,
    )
    if container.exec:
        yield Exec(
            id=f"exec/{container.name}",
            container=container.name,
            commands=container.exec,
            namespace=owner,
            engine=netns_name(topology.name, container.name),
            after=(start_id(container.name),),
        )


def _container(
    topology: Topology, container: Spec, live: Observation | None, files: Sequence[File], after: Sequence[str]
) -> Container:
    keys = container.engine
    engine = live.facts.engine if live is not None else None
    memory, cpus = _bytes(keys.get("mem_limit", 0)), float(str(keys.get("cpus", 0)))
    joined = container.network_mode == "container"
    return Container(
        id=container_id(container.name),
        container=container.name,
        name=netns_name(topology.name, container.name),
        image=engine.names.get(container.image, container.image) if engine is not None else container.image,
        runtime=engine.runtime if engine is not None and engine.runtime else "docker",
        network=f"container:{container.joins}" if joined else "host" if container.network_mode == "host" else "",
        entrypoint=_words(keys.get("entrypoint", ())),
        command=container.command,
        environment=dict(sorted(container.environment.items())),
        working_dir=container.working_dir,
        user=container.user,
        hostname="" if joined else container.hostname or container.name,
        domainname=str(keys.get("domainname", "")),
        mounts=tuple(_mount(topology, item) for item in _list(keys.get("volumes"))),
        files={f"/etc/{os.path.basename(file.path)}": file.path for file in files},
        tmpfs=_words(keys.get("tmpfs", ())),
        cap_add=_words(keys.get("cap_add", ())),
        cap_drop=_words(keys.get("cap_drop", ())),
        privileged=bool(keys.get("privileged")),
        devices=_words(keys.get("devices", ())),
        sysctls={key: value for key, value in sorted(container.sysctls.items()) if not key.startswith("net.")},
        ulimits=_ulimits(keys.get("ulimits")),
        limits=tuple(name for name, value in (("cpus", cpus), ("memory", memory)) if value),
        memory=memory,
        cpus=cpus,
        labels=_mapping(keys.get("labels")),
        restart=container.restart,
        fixed=fixed(memory, cpus, container.restart) if engine is not None and engine.runtime == "podman" else {},
        stop_signal="" if container.stop_signal == "SIGTERM" else container.stop_signal,
        stop_grace_period=container.stop_grace_period,
        healthcheck=_healthcheck(_check(container)),
        tty=bool(keys.get("tty")),
        init=bool(keys.get("init")),
        read_only=bool(keys.get("read_only")),
        oci_runtime=str(keys.get("runtime", "")),
        after=(*after, *(file.id for file in files)),
    )


def _dependencies(topology: Topology, container: Spec) -> dict[str, str]:
    """``depends_on``: condition by container, those on another host left out."""
    found = _mapping(container.engine.get("depends_on"))
    return {name: condition for name, condition in found.items() if topology.containers[name].host == container.host}


def _started(topology: Topology, name: str) -> str:
    other = topology.containers[name]
    if other.image:
        return start_id(name)
    return f"process/{name}" if other.command else names.namespace_id(name)


def _mount(topology: Topology, item: Any) -> str:
    """``TYPE:SOURCE:TARGET[:ro,create]``. A relative path is below the topology file's folder; a volume's name has the
    topology's before it, as Compose has the project's. A path in the short form is made if it is not there, as by
    Compose."""
    options: list[str]
    if isinstance(item, str):
        parts = item.split(":")
        if len(parts) == 1:
            return f"volume::{item}"
        source, target, options = parts[0], parts[1], parts[2].split(",") if len(parts) > 2 else []
        kind = "bind" if source.startswith((".", "/", "~")) else "volume"
        options = [word for word in ("ro",) if word in options] + (["create"] if kind == "bind" else [])
    else:
        kind, source, target = item["type"], item.get("source", ""), item["target"]
        options = ["ro"] if item.get("read_only") else []
    if kind == "bind":
        folder = os.path.dirname(os.path.abspath(topology.source.file))
        source = os.path.normpath(os.path.join(folder, os.path.expanduser(source)))
    elif kind == "volume" and source:
        source = f"{topology.name}_{source}"
    return ":".join([kind, source, target, ",".join(options)]).rstrip(":")


def _healthcheck(spec: Mapping[str, Any]) -> dict[str, str]:
    """The engine's keys; durations in nanoseconds, everything as JSON."""
    from netcompose.topology.values import duration

    if not spec:
        return {}
    if spec.get("disable"):
        return {"Test": '["NONE"]'}
    found = {}
    test = spec.get("test")
    if test is not None:
        found["Test"] = json.dumps(["CMD-SHELL", test] if isinstance(test, str) else [str(word) for word in test])
    for key, name in (
        ("interval", "Interval"),
        ("timeout", "Timeout"),
        ("start_period", "StartPeriod"),
        ("start_interval", "StartInterval"),
    ):
        if key in spec:
            found[name] = str(round(duration(spec[key]) * 1e9))
    if "retries" in spec:
        found["Retries"] = str(int(spec["retries"]))
    return found


def _ulimits(spec: Any) -> dict[str, str]:
    found = {}
    for name, value in sorted(_mapping(spec).items()):
        soft, hard = (value["soft"], value["hard"]) if isinstance(value, Mapping) else (value, value)
        found[name] = f"{soft}:{hard}"
    return found


_UNITS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


def _bytes(value: Any) -> int:
    """Bytes of ``512m``, ``1.5gb`` or a number."""
    if isinstance(value, int):
        return value
    text = str(value).lower()
    text = text[:-1] if len(text) > 1 and text[-1] == "b" and text[-2] in "kmg" else text
    unit = text[-1] if text[-1] in "bkmg" else ""
    return int(float(text.removesuffix(unit)) * _UNITS[unit])


def _words(value: Any) -> tuple[str, ...]:
    return tuple(str(word) for word in value or ())


def _list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, (list, tuple)) else ()


def _mapping(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}
