"""Native containers' processes, without a daemon: started, stopped, listed and read by what is in ``/run/netcompose``.

Each running container has a small init of its own (init.py), which outlives the agent. What the agent needs to know
of it is in the container's run directory (records.py).
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from dataclasses import dataclass, replace
from typing import Any, Iterator, Optional, Sequence

from netcompose.agent import lock
from netcompose.agent.rundir import topology_dir
from netcompose.agent.runtimes import output, records, services
from netcompose.agent.runtimes.execution import attach, run_captured
from netcompose.agent.runtimes.helper import Helper, command_of, explain
from netcompose.agent.runtimes.hostname import rename
from netcompose.errors import KernelRefused, NetcomposeError, NotPermitted
from netcompose.resources import ContainerState, Process, resource_from_data, resource_to_data
from netcompose.resources.names import NOT_READ, netns_name

__all__ = [
    "GONE",
    "attach",
    "containers",
    "forget",
    "live",
    "logs",
    "run_captured",
    "start",
    "start_many",
    "state",
    "stop",
    "stop_many",
    "sweep",
    "update",
]

#: What ``live`` shows as the namespace of a process whose namespace was deleted or made anew behind its back.
GONE = "(deleted)"
#: Containers per helper: bounds its open files and the memory that each init inherits from it.
_PER_HELPER = 128
#: Seconds that the kernel is given to end a container that was killed.
_KILL_WAIT = 10.0


def start(topology: str, process: Process) -> None:
    """Start one process and return when its command runs. See :func:`start_many`."""
    start_many(topology, [process])


def start_many(topology: str, processes: Sequence[Process]) -> None:
    """Start processes side by side and return when every command runs.

    The namespaces and the ``/etc/netns`` files have to be there. What is left of an earlier process of the same
    container is ended and removed first. Raises the first one's error when some cannot be started, with the names of
    the others; those leave nothing behind, and those that could be started run.
    """
    failed = [(process, failure) for process, failure in zip(processes, _start(topology, processes)) if failure]
    if failed:
        forget(topology, [process.container for process, _ in failed])
        first = failed[0][1]
        if len(failed) > 1:
            first.message += " (and {} more: {})".format(
                len(failed) - 1, ", ".join(process.container for process, _ in failed[1:])
            )
            first.args = (first.message,)
        raise first


def _start(topology: str, processes: Sequence[Process]) -> list[Optional[NetcomposeError]]:
    """Per process None, or why it could not be started."""
    failures: list[Optional[NetcomposeError]] = [None] * len(processes)
    wanted: list[tuple[int, dict[str, Any]]] = []
    forget(topology, [process.container for process in processes])
    for index, process in enumerate(processes):
        try:
            wanted.append((index, _specification(topology, process)))
        except NetcomposeError as error:
            failures[index] = error
    batches = [wanted[first : first + _PER_HELPER] for first in range(0, len(wanted), _PER_HELPER)]
    # Two at a time: one helper enters namespaces while another one's containers start.
    for first in range(0, len(batches), 2):
        started = []
        for batch in batches[first : first + 2]:
            request = {"mode": "start", "containers": [specification for _, specification in batch]}
            started.append((batch, _detached(request, "netcompose-init " + topology)))
        for batch, helper in started:
            for (index, specification), failure in zip(batch, helper.failures(len(batch))):
                if failure is not None:
                    failures[index] = explain(processes[index].container, specification["command"], failure)
            helper.process.wait()
    for index, process in enumerate(processes):
        if failures[index] is None:
            failures[index] = services.failure(process, _directory(topology, process.container))
    return failures


def _detached(request: dict[str, Any], label: str) -> Helper:
    import subprocess

    null = subprocess.DEVNULL
    # A run that is killed now leaves the helper at work: nobody is to change the host until it is done.
    own = {"cwd": "/", "start_new_session": True, "stdin": null, "stdout": null, "stderr": null}
    return Helper(request, label=label, locks=lock.shared(), **own)


def _specification(topology: str, process: Process) -> dict[str, Any]:
    """What the helper needs of a process, with its run directory made."""
    where = "container {}: ".format(process.container)
    directory = _directory(topology, process.container)
    record = _record(process, where)
    netns = netns_name(topology, process.namespace) if process.namespace else ""
    record["netns"] = _inode(netns)
    try:
        os.makedirs(directory, mode=0o700)
        argv = services.command(process, directory)
    except PermissionError as error:
        raise NotPermitted(
            "{}no permission to write {}".format(where, error.filename), hint="run as root (sudo netcompose ...)"
        ) from error
    command = command_of(
        argv,
        process.environment,
        working_dir=process.working_dir,
        user=process.user,
        hostname=process.hostname,
        where=where,
    )
    return {
        "directory": directory,
        "container": process.container,
        "netns": netns,
        "etc": process.netns,
        "hostname": process.hostname,
        "restart": process.restart,
        "command": command,
        "record": record,
    }


def _record(process: Process, where: str) -> dict[str, Any]:
    return {"process": resource_to_data(process), "stop_signal": _signal_number(process.stop_signal, where)}


def _signal_number(name: str, where: str) -> int:
    """The number of a signal given as ``SIGTERM``, ``TERM`` or ``15``."""
    try:
        if name.isdigit():
            return int(signal.Signals(int(name)))
        return int(signal.Signals["SIG" + name.upper().replace("SIG", "", 1)])
    except (KeyError, ValueError):
        raise KernelRefused(
            "{}there is no signal {}".format(where, name), hint="signals are listed by `kill -l`"
        ) from None


@dataclass
class _Ending:
    """A container on its way down."""

    container: str
    pidfd: int
    deadline: float
    killed: bool = False


def stop(topology: str, container: str, grace: Optional[float] = None) -> None:
    """Stop one process and remove its run directory. See :func:`stop_many`."""
    stop_many(topology, [container], grace)


def stop_many(topology: str, names: Sequence[str], grace: Optional[float] = None) -> None:
    """Stop processes side by side and remove their run directories, logs included.

    Each gets its stop signal, then ``grace`` seconds (default: its own ``stop_grace_period``), then SIGKILL for all
    that is in its PID namespace. Containers without a process are passed over. Raises ``KernelRefused`` naming
    those that even SIGKILL did not end.
    """
    endings = {}
    poller = select.poll()
    for container in dict.fromkeys(names):
        ending = _ask_to_end(topology, container, grace)
        if ending is not None:
            endings[ending.pidfd] = ending
            poller.register(ending.pidfd, select.POLLIN)
    stuck = []
    while endings:
        now = time.monotonic()
        for pidfd, ending in list(endings.items()):
            if ending.deadline > now:
                continue
            if not ending.killed:
                _send(pidfd, signal.SIGKILL)
                ending.killed, ending.deadline = True, now + _KILL_WAIT
            else:
                stuck.append(ending.container)
                _drop(endings, poller, pidfd)
        if endings:
            nearest = min(ending.deadline for ending in endings.values())
            for pidfd, _ in poller.poll(max(0.0, nearest - now) * 1000 + 1):
                _drop(endings, poller, pidfd)
    for container in names:
        if container not in stuck:
            _remove(_directory(topology, container))
    if stuck:
        raise KernelRefused(
            "processes of {} did not end {:g} s after SIGKILL".format(", ".join(stuck), _KILL_WAIT),
            hint="they wait for a device; `ps -o pid,stat,wchan,cmd` shows where",
        )


def _remove(directory: str) -> None:
    """Remove a run directory; it holds plain files only. One that is not there is fine."""
    with contextlib.suppress(OSError):
        for name in os.listdir(directory):
            os.unlink(os.path.join(directory, name))
        os.rmdir(directory)


def _drop(endings: dict[int, _Ending], poller: Any, pidfd: int) -> None:
    poller.unregister(pidfd)
    os.close(pidfd)
    del endings[pidfd]


def _ask_to_end(topology: str, container: str, grace: Optional[float]) -> Optional[_Ending]:
    recorded = records.read(_directory(topology, container), records.PROCESS)
    pidfd = -1 if recorded is None else _pidfd(recorded)
    if pidfd < 0:
        return None
    # The init knows which signal its command wants (init.py).
    _send(pidfd, signal.SIGTERM)
    patience = float(recorded["process"]["stop_grace_period"]) if grace is None else grace
    return _Ending(container, pidfd, time.monotonic() + patience)


def _pidfd(recorded: Any) -> int:
    """A descriptor of the recorded init, -1 if it is gone. Opened first and compared then: no other can slip in."""
    try:
        pidfd = os.pidfd_open(recorded["pid"])
    except ProcessLookupError:
        return -1
    if records.alive(recorded):
        return pidfd
    os.close(pidfd)
    return -1


def _send(pidfd: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(pidfd, number)


def forget(topology: str, names: Sequence[str]) -> None:
    """Kill at once what is left of these containers' processes and remove their run directories."""
    stop_many(topology, names, grace=0.0)


def sweep(topology: str) -> None:
    """Remove the run directories of processes that vanished (:func:`live` does not know them any more)."""
    forget(topology, [container for container in containers(topology) if live(topology, container) is None])


def live(topology: str, container: str) -> Optional[Process]:
    """The process that the container was started with, if it is as it should be.

    It is so while its init runs, and after its command has ended for good by the restart policy: a command that
    is done is no drift. None if there never was one or if it vanished. If it runs in a namespace that was deleted or
    made anew since, its ``namespace`` is ``GONE``, so that it differs from every desired one.
    """
    directory = _directory(topology, container)
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
    if process.namespace and recorded["netns"] != _inode(netns_name(topology, process.namespace)):
        return replace(process, namespace=GONE)
    return process


def _inode(netns: str) -> list[int]:
    """What identifies a namespace behind a name; empty for the host's and for one that is not there."""
    if not netns:
        return []
    try:
        found = os.stat(os.path.join("/run/netns", netns))
    except OSError:
        return []
    return [found.st_dev, found.st_ino]


def update(topology: str, live: Process, desired: Process) -> None:
    """Change what can change while the process runs: its hostname, its stop signal and grace period; a server whose
    files changed gets its reload signal, which its init passes on."""
    where = "container {}: ".format(desired.container)
    directory = _directory(topology, desired.container)
    recorded = records.read(directory, records.PROCESS)
    if recorded is None:
        raise KernelRefused("{}its process is not there any more".format(where))
    if desired.hostname != live.hostname and desired.hostname and records.alive(recorded):
        rename(recorded["pid"], desired.hostname, where)
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if desired.reads != live.reads:
            # Nobody may take the new ones for read yet: after a crash or a refusal there is a difference to mend.
            unread = _record(replace(desired, reads={**live.reads, NOT_READ: ""}), where)
            records.write(fd, records.PROCESS, {**recorded, **unread})
            _reload(topology, desired, recorded, where)
        records.write(fd, records.PROCESS, {**recorded, **_record(desired, where)})
    finally:
        os.close(fd)


def _reload(topology: str, process: Process, recorded: Any, where: str) -> None:
    """Have a server read its files again; a command that is waiting for its restart does so by itself."""
    directory = _directory(topology, process.container)
    before = services.before_reload(process, directory)
    pidfd = _pidfd(recorded)
    if pidfd >= 0:
        try:
            _send(pidfd, signal.Signals(_signal_number(process.reload_signal, where)))
        finally:
            os.close(pidfd)
    failure = services.failure(process, directory, before)
    if failure is not None:
        raise failure


def state(topology: str, container: str) -> ContainerState:
    """What ``ps`` shows. The process id is that of the container's init, whose namespaces nsenter(1) can join."""
    directory = _directory(topology, container)
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
    directory = _directory(topology, container)

    def more() -> bool:
        recorded = records.read(directory, records.PROCESS)
        return recorded is not None and records.alive(recorded)

    return output.read(directory, tail=tail, follow=more if follow else None, since=since, timestamps=timestamps)


def _directory(topology: str, container: str) -> str:
    return topology_dir(topology, "containers", container)
