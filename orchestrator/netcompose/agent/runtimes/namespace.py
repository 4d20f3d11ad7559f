"""Native containers' processes, without a daemon: started, stopped, listed and read by what is in ``/run/netcompose``.

Each running container has a small init of its own (init.py), which outlives the agent. What the agent needs to know
of it is in the container's run directory (records.py).
"""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from typing import Any, Iterator, Optional

from netcompose.agent.rundir import container_dir, topology_dir
from netcompose.agent.runtimes import output, records, services
from netcompose.agent.runtimes.ending import forget, pidfd_of, send, stop_many
from netcompose.agent.runtimes.execution import attach, run_captured
from netcompose.agent.runtimes.hostname import rename
from netcompose.agent.runtimes.starting import begin, inode, record, signal_number, start, start_many
from netcompose.errors import KernelRefused
from netcompose.resources import ContainerState, Process, resource_from_data
from netcompose.resources.names import NOT_READ, netns_name

__all__ = [
    "GONE",
    "attach",
    "begin",
    "containers",
    "forget",
    "live",
    "logs",
    "run_captured",
    "start",
    "start_many",
    "state",
    "stop_many",
    "sweep",
    "update",
]

#: What ``live`` shows as the namespace of a process whose namespace was deleted or made anew behind its back.
GONE = "(deleted)"


def sweep(topology: str) -> None:
    """Remove the run directories of processes that vanished (:func:`live` does not know them any more)."""
    forget(topology, [container for container in containers(topology) if live(topology, container) is None])


def live(topology: str, container: str) -> Optional[Process]:
    """The process that the container was started with, if it is as it should be.

    It is so while its init runs, and after its command has ended for good by the restart policy: a command that
    is done is no drift. None if there never was one or if it vanished. If it runs in a namespace that was deleted or
    made anew since, its ``namespace`` is ``GONE``, so that it differs from every desired one.
    """
    directory = container_dir(topology, container)
    recorded = records.read(directory, records.PROCESS)
    if recorded is None:
        return None
    process = resource_from_data(recorded["process"])
    if not isinstance(process, Process):
        return None
    ended = records.read(directory, records.STATE) or {}
    if ended.get("final"):
        # Its init may still be on its way out.
        if records.should_run(process.restart, ended["exit_code"], ended["restarts"], ended["stopped"]):
            return None
    elif not records.alive(recorded):
        return None
    if process.namespace and recorded["netns"] != inode(netns_name(topology, process.namespace)):
        return replace(process, namespace=GONE)
    return process


def update(topology: str, live: Process, desired: Process) -> None:
    """Change what can change while the process runs: its hostname, its stop signal and grace period; a server whose
    files changed gets its reload signal, which its init passes on."""
    where = "container {}: ".format(desired.container)
    directory = container_dir(topology, desired.container)
    recorded = records.read(directory, records.PROCESS)
    if recorded is None:
        raise KernelRefused("{}its process is not there any more".format(where))
    if desired.hostname != live.hostname and desired.hostname and records.alive(recorded):
        rename(recorded["pid"], desired.hostname, where)
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if desired.reads != live.reads:
            # Nobody may take the new ones for read yet: after a crash or a refusal there is a difference to mend.
            unread = record(replace(desired, reads={**live.reads, NOT_READ: ""}), where)
            records.write(fd, records.PROCESS, {**recorded, **unread})
            _reload(topology, desired, recorded, where)
        records.write(fd, records.PROCESS, {**recorded, **record(desired, where)})
    finally:
        os.close(fd)


def _reload(topology: str, process: Process, recorded: Any, where: str) -> None:
    """Have a server read its files again; a command that is waiting for its restart does so by itself."""
    directory = container_dir(topology, process.container)
    before = services.before_reload(process, directory)
    pidfd = pidfd_of(recorded)
    if pidfd >= 0:
        try:
            send(pidfd, signal.Signals(signal_number(process.reload_signal, where)))
        finally:
            os.close(pidfd)
    failure = services.failure(process, directory, before)
    if failure is not None:
        raise failure


def state(topology: str, container: str) -> ContainerState:
    """What ``ps`` shows. The process id is that of the container's init, whose namespaces nsenter(1) can join."""
    directory = container_dir(topology, container)
    recorded = records.read(directory, records.PROCESS)
    if recorded is None:
        wired = os.path.exists(os.path.join("/run/netns", netns_name(topology, container)))
        return ContainerState(container, "wired" if wired else "absent")
    known = records.read(directory, records.STATE) or {}
    started, restarts = known.get("started", 0.0), known.get("restarts", 0)
    running = records.alive(recorded) and not known.get("final")
    if running and known.get("status") != "exited":
        return ContainerState(container, "running", recorded["pid"], started=started, restarts=restarts)
    if known.get("status") == "exited":
        return ContainerState(
            container,
            "exited",
            recorded["pid"] if running else 0,
            exit_code=known["exit_code"],
            started=started,
            finished=known["finished"],
            restarts=restarts,
        )
    return ContainerState(container, "dead", started=started, restarts=restarts)


def containers(topology: str) -> list[str]:
    """The containers of a topology that have a process or had one, by name."""
    folder = topology_dir(topology, "containers")
    try:
        names = sorted(os.listdir(folder))
    except FileNotFoundError:
        return []
    return [name for name in names if os.path.exists(os.path.join(folder, name, records.PROCESS))]


def logs(
    topology: str,
    container: str,
    *,
    tail: Optional[int] = None,
    follow: bool = False,
    since: float = 0.0,
    timestamps: bool = False,
) -> Iterator[bytes]:
    """The output of a container's command, oldest first, as pieces of bytes; see ``output.read``.

    ``follow`` waits for more until the container has ended for good.
    """
    directory = container_dir(topology, container)

    def more() -> bool:
        recorded = records.read(directory, records.PROCESS)
        return recorded is not None and records.alive(recorded)

    return output.read(directory, tail=tail, follow=more if follow else None, since=since, timestamps=timestamps)
