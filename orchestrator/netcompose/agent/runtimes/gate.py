"""The gate in front of an image container's own program: where it is, and which containers may pass.

An engine makes a container's network namespace when it starts the container, and runs the program at once: nobody can
wire the namespace in between. So a container starts with the gate (tools/gate/gate.c), which asks a socket of the
gatekeeper (gatekeeper.py) until the answer is that it is wired, and then becomes the program. That holds for every
start, whoever causes it.

    <topology>/gate/gate      the program, on a file system of its own: /run is often mounted noexec
    <topology>/gate/socket    where the gatekeeper answers
    <topology>/engine/<id>    for each container that was created, by the engine's id: JSON with ``container``, and
                              ``netns``, the namespace that it may run its program in; 0 while it has to wait; and
                              the ``start`` that last let it through
    <topology>/wiring.json    while containers are wired again: everything as it was before, as resources, for the next
                              one who tries if this one is killed or fails half-way
"""

from __future__ import annotations

import contextlib
import os
from typing import Any, Mapping, Optional, Sequence

from netcompose.agent import rundir
from netcompose.agent.kernel import syscalls
from netcompose.agent.runtimes import records
from netcompose.errors import HostLacks

#: Where a container finds it, and what it is started with.
INSIDE = "/.netcompose"
PROGRAM = INSIDE + "/gate"
_NAME, SOCKET = "gate", "socket"
_RECORDS = "engine"
_WIRING = "wiring.json"


def folder(topology: str) -> str:
    """The folder on the host that containers have mounted."""
    return rundir.topology_dir(topology, "gate")


def prepare(topology: str) -> None:
    """Put the gate in place, for this machine's processor. Containers hold the mount: it is made once and kept."""
    import base64
    import zlib

    from netcompose.agent.runtimes.gatebinary import PROGRAMS

    machine = os.uname().machine
    if machine not in PROGRAMS:
        raise HostLacks(
            "containers with an image cannot be run on {}: there is no gate for it".format(machine),
            hint="there is one for {}".format(", ".join(sorted(PROGRAMS))),
        )
    path = folder(topology)
    os.makedirs(path, mode=0o755, exist_ok=True)
    if not os.path.ismount(path):
        syscalls.mount("netcompose", path, "tmpfs", syscalls.MS_NOSUID | syscalls.MS_NODEV, "mode=0755,size=256k")
    program = zlib.decompress(base64.b64decode(PROGRAMS[machine]))
    temporary = os.path.join(path, _NAME + ".new")
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o755)
    with open(fd, "wb") as file:
        file.write(program)
    os.chmod(temporary, 0o755)  # noqa: S103
    os.replace(temporary, os.path.join(path, _NAME))


def remove(topology: str) -> None:
    """Take it away; containers that are there still keep what they have mounted."""
    path = folder(topology)
    if os.path.ismount(path):
        syscalls.umount(path, syscalls.MNT_DETACH)
    with contextlib.suppress(OSError):
        os.rmdir(path)


def used(topology: str) -> bool:
    """Whether anything was ever made with an engine for this topology since the host was started. One look."""
    return os.path.isdir(rundir.topology_dir(topology, _RECORDS))


def note(topology: str, id: str, container: str, netns: int = 0, start: Optional[Mapping[str, Any]] = None) -> None:
    """Note a container by the engine's id, and the namespace (its inode) in which its program may run; ``start`` is the
    resource that says so, kept from before if it is not given."""
    if start is None:
        start = (noted(topology, id) or {}).get("start")
    rundir.write_json(_path(topology, id), {"container": container, "netns": netns, "start": start})


def note_aside(topology: str, id: str, container: str) -> None:
    """Note that this process is setting a container aside, as a part of a run."""
    start = (noted(topology, id) or {}).get("start")
    by = records.identity(os.getpid())
    rundir.write_json(_path(topology, id), {"container": container, "netns": 0, "start": start, "aside": by})


def is_aside(topology: str, id: str) -> bool:
    """Whether a run that is still on has set a container aside."""
    by = (noted(topology, id) or {}).get("aside")
    return by is not None and records.alive(by)


def noted(topology: str, id: str) -> Any:
    """What was noted of a container; None if it is unknown."""
    return rundir.read_json(_path(topology, id))


def stamp(topology: str, id: str) -> int:
    """What changes whenever something else is noted of a container; 0 if it is unknown. Much cheaper than reading."""
    try:
        return os.stat(_path(topology, id)).st_ino
    except OSError:
        return 0


def forget(topology: str, id: str) -> None:
    """Forget a container."""
    rundir.remove(_path(topology, id))


def keep_wiring(topology: str, resources: Sequence[Mapping[str, Any]]) -> None:
    """Keep how everything was before containers are wired again."""
    rundir.write_json(rundir.topology_dir(topology, _WIRING), resources)


def kept_wiring(topology: str) -> Any:
    """What a wiring that did not come to its end has kept, None if there was none."""
    return rundir.read_json(rundir.topology_dir(topology, _WIRING))


def forget_wiring(topology: str) -> None:
    """Everything is as it should be."""
    rundir.remove(rundir.topology_dir(topology, _WIRING))


def begin(topology: str) -> None:
    """Note that an engine is about to be used, so that a killed run leaves a trace to look for."""
    os.makedirs(rundir.topology_dir(topology, _RECORDS), mode=0o700, exist_ok=True)


def known(topology: str) -> list[str]:
    """The ids of the containers that were noted."""
    try:
        names = os.listdir(rundir.topology_dir(topology, _RECORDS))
    except FileNotFoundError:
        return []
    return [name[: -len(".json")] for name in names if name.endswith(".json")]


def _path(topology: str, id: str) -> str:
    return rundir.topology_dir(topology, _RECORDS, id + ".json")


def inode_of(pid: int) -> int:
    """The network namespace of a process, by its inode; 0 if the process is gone."""
    try:
        return os.stat("/proc/{}/ns/net".format(pid)).st_ino
    except OSError:
        return 0


def waits(pid: int) -> bool:
    """Whether a container's first process is still the gate (or docker-init with the gate below it)."""
    try:
        return os.readlink("/proc/{}/exe".format(pid)) == PROGRAM
    except OSError:
        return False
