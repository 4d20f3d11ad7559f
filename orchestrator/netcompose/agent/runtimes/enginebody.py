"""A Container as the body of the Engine API's ``POST /containers/create``, and back. Pure."""

from __future__ import annotations

import json
from typing import Any, Mapping, Optional

from netcompose.agent.runtimes import gate
from netcompose.errors import HostLacks
from netcompose.resources import Container, from_data, to_data
from netcompose.resources.container_engine import (
    LABEL_RESOURCE,
    LABEL_SPEC,
    LABEL_TOPOLOGY,
    NOT_STARTED,
    SET_ASIDE,
    STARTED,
    WIRED,
    fixed,
)
from netcompose.resources.names import netns_name

_NANO = 1_000_000_000


def create(topology: str, resource: Container, image: Mapping[str, Any]) -> dict[str, Any]:
    """The body. ``image`` is what the engine says of the image: its id, and its own entry point and command."""
    argv, words = _program(resource, image.get("Config") or {})
    host: dict[str, Any] = {
        "NetworkMode": _network_mode(topology, resource.network),
        "RestartPolicy": _policy(resource.restart),
        "Mounts": [_mount(text) for text in resource.mounts if not _makes_path(text)],
        # What an engine makes on the host if it is not there, which it does for this older form alone.
        "Binds": [_bind(text) for text in resource.mounts if _makes_path(text)],
        "Tmpfs": dict(_tmpfs(text) for text in resource.tmpfs),
        "CapAdd": list(resource.cap_add),
        "CapDrop": list(resource.cap_drop),
        "Privileged": resource.privileged,
        "Devices": [_device(text) for text in resource.devices],
        "Sysctls": dict(resource.sysctls),
        "Ulimits": [_ulimit(name, resource.ulimits[name]) for name in sorted(resource.ulimits)],
        "Init": resource.init,
        "ReadonlyRootfs": resource.read_only,
        "Runtime": resource.oci_runtime,
        **_limits(resource),
    }
    for inside, path in sorted(resource.files.items()):
        host["Mounts"].append({"Type": "bind", "Source": path, "Target": inside})
    body: dict[str, Any] = {
        "Image": image["Id"],
        "Entrypoint": argv,
        "Cmd": words,
        "Env": ["{}={}".format(key, value) for key, value in sorted(resource.environment.items())],
        "WorkingDir": resource.working_dir,
        "User": resource.user,
        "Labels": {
            **resource.labels,
            LABEL_TOPOLOGY: topology,
            LABEL_RESOURCE: resource.id,
            LABEL_SPEC: json.dumps(to_data(resource), sort_keys=True, separators=(",", ":")),
        },
        "StopTimeout": int(resource.stop_grace_period),
        "Tty": resource.tty,
        "OpenStdin": resource.tty,
        "HostConfig": host,
    }
    if resource.stop_signal:
        body["StopSignal"] = resource.stop_signal
    if ":" not in resource.network:
        body["Hostname"], body["Domainname"] = resource.hostname, resource.domainname
    if resource.healthcheck:
        body["Healthcheck"] = {key: json.loads(value) for key, value in resource.healthcheck.items()}
    if resource.network == WIRED:
        host["Mounts"].append(
            {"Type": "bind", "Source": gate.folder(topology), "Target": gate.INSIDE, "ReadOnly": True}
        )
    return body


def _program(resource: Container, image: Mapping[str, Any]) -> tuple[Optional[list[str]], Optional[list[str]]]:
    """Entry point and command: through the gate they are one vector, because an own entry point drops the image's
    command."""
    entrypoint = list(resource.entrypoint)
    command = list(resource.command)
    if resource.network != WIRED:
        return entrypoint or None, command or None
    argv = entrypoint or list(image.get("Entrypoint") or [])
    argv += command or ([] if entrypoint else list(image.get("Cmd") or []))
    if not argv:
        raise HostLacks(
            "container {}: the image {} says nothing of what to run".format(resource.container, resource.image),
            hint="write a command: under containers.{}".format(resource.container),
        )
    return [gate.PROGRAM], argv


def _network_mode(topology: str, network: str) -> str:
    kind, _, joined = network.partition(":")
    return "container:" + netns_name(topology, joined) if joined else kind or "none"


def _policy(restart: str) -> dict[str, Any]:
    name, _, count = restart.partition(":")
    return {"Name": name, "MaximumRetryCount": int(count or 0)}


def _mount(text: str) -> dict[str, Any]:
    kind, source, target, options = [*text.split(":"), ""][:4]
    mount: dict[str, Any] = {"Type": kind, "Target": target, "ReadOnly": "ro" in options.split(",")}
    if source:
        mount["Source"] = source
    return mount


def _makes_path(text: str) -> bool:
    return "create" in text.rsplit(":", maxsplit=1)[-1].split(",")


def _bind(text: str) -> str:
    _, source, target, options = text.split(":")
    return ":".join([source, target, *(word for word in options.split(",") if word == "ro")])


def _tmpfs(text: str) -> tuple[str, str]:
    path, _, options = text.partition(":")
    return path, options


def _device(text: str) -> dict[str, str]:
    source, _, rest = text.partition(":")
    target, _, rights = rest.partition(":")
    return {"PathOnHost": source, "PathInContainer": target or source, "CgroupPermissions": rights or "rwm"}


def _ulimit(name: str, text: str) -> dict[str, Any]:
    soft, _, hard = text.partition(":")
    return {"Name": name, "Soft": int(soft), "Hard": int(hard)}


def _limits(resource: Container) -> dict[str, Any]:
    """The limits that are set; swap as the engine itself has it by default: as much again."""
    limits: dict[str, Any] = {}
    if resource.memory:
        limits.update(Memory=resource.memory, MemorySwap=2 * resource.memory)
    if resource.cpus:
        limits["NanoCpus"] = round(resource.cpus * _NANO)
    return limits


def update(resource: Container) -> dict[str, Any]:
    """The body of ``POST /containers/ID/update``: what an engine can change."""
    return {**_limits(resource), "RestartPolicy": _policy(resource.restart)}


def live(inspected: Mapping[str, Any]) -> Optional[Container]:
    """The resource that a container was created from, with what may have changed since; None if it is none of ours."""
    labels = inspected["Config"].get("Labels") or {}
    try:
        made: Container = from_data(Container, json.loads(labels[LABEL_SPEC]))
    except (KeyError, ValueError):
        return None
    host = inspected["HostConfig"]
    policy = host.get("RestartPolicy") or {}
    restart = policy.get("Name") or "no"
    if policy.get("MaximumRetryCount"):
        restart += ":{}".format(policy["MaximumRetryCount"])
    data = to_data(made)
    memory, cpus = int(host.get("Memory") or 0), (host.get("NanoCpus") or 0) / _NANO
    data.update(
        name=inspected["Name"].lstrip("/"),
        image_id=inspected["Image"],
        memory=memory,
        cpus=cpus,
        restart=restart,
        fixed=fixed(memory, cpus, restart) if made.fixed else {},
        state=_state(inspected, made),
        engine_id=inspected["Id"],
    )
    if data["name"] != made.name:
        # Renamed by us, to be put back if the run that did it fails.
        data.update(name=made.name, state=SET_ASIDE)
    found: Container = from_data(Container, data)
    return found


def _state(inspected: Mapping[str, Any], made: Container) -> str:
    """``started`` also of one whose program is done, if its restart policy leaves it at that."""
    state = inspected["State"]
    if state.get("Running") or state.get("Restarting") or state.get("Paused"):
        return STARTED
    if state.get("Status") == "created" or state.get("StartedAt", "0001").startswith("0001"):
        return NOT_STARTED
    again = made.restart == "always" or (made.restart == "on-failure" and state.get("ExitCode") != 0)
    return NOT_STARTED if again else STARTED
