"""How native containers' processes are started: side by side, by helpers that enter many containers each."""

from __future__ import annotations

import os
import signal
from typing import Any, Callable, Collection, Optional, Sequence

from netcompose.agent.rundir import container_dir
from netcompose.agent.runtimes import services
from netcompose.agent.runtimes.ending import forget
from netcompose.agent.runtimes.helper import Helper, command_of, explain
from netcompose.errors import KernelRefused, NetcomposeError, NotPermitted
from netcompose.resources import Process, resource_to_data
from netcompose.resources.names import netns_name

#: Containers per helper: bounds its open files and the memory that each init inherits from it.
_PER_HELPER = 128
#: Helpers at work at a time: one enters namespaces while another one's containers start.
_AT_ONCE = 2


def start(topology: str, process: Process) -> None:
    """Start one process and return when its command runs. See :func:`begin`."""
    start_many(topology, [process])


def start_many(topology: str, processes: Sequence[Process]) -> None:
    """Start processes side by side and return when every command runs. See :func:`begin`."""
    begin(topology, processes)()


def begin(topology: str, processes: Sequence[Process], keep: Collection[int] = ()) -> Callable[[], None]:
    """Begin to start processes side by side; what it returns waits until every command runs.

    The namespaces and the ``/etc/netns`` files have to be there. What is left of an earlier process of the same
    container is ended and removed first. ``keep`` are descriptors that whoever starts a container holds for as long as
    it is at it (the host's lock, so that no other run meets a container that is only coming). Waiting raises the first
    one's error when some cannot be started, with the names of the others; those leave nothing behind, and those that
    could be started run.
    """
    return _Starts(topology, processes, tuple(keep)).finish


class _Starts:
    """Processes that are being started. Per process there is None in ``_failures``, or why it could not be."""

    def __init__(self, topology: str, processes: Sequence[Process], keep: tuple[int, ...]) -> None:
        self._topology = topology
        self._processes = processes
        self._keep = keep
        self._failures: list[Optional[NetcomposeError]] = [None] * len(processes)
        self._begun: list[tuple[list[tuple[int, dict[str, Any]]], Helper]] = []
        wanted: list[tuple[int, dict[str, Any]]] = []
        forget(topology, [process.container for process in processes])
        for index, process in enumerate(processes):
            try:
                if not services.started_apart(topology, process, container_dir(topology, process.container)):
                    wanted.append((index, _specification(topology, process)))
            except NetcomposeError as error:
                self._failures[index] = error
        self._waiting = [wanted[first : first + _PER_HELPER] for first in range(0, len(wanted), _PER_HELPER)]
        self._send_out()

    def _send_out(self) -> None:
        while self._waiting and len(self._begun) < _AT_ONCE:
            batch = self._waiting.pop(0)
            containers = [specification for _, specification in batch]
            request = {"mode": "start", "containers": containers, "keep": self._keep}
            self._begun.append((batch, _detached(request, "netcompose-init " + self._topology, self._keep)))

    def finish(self) -> None:
        """Wait for all of them."""
        while self._begun:
            batch, helper = self._begun.pop(0)
            for (index, specification), failure in zip(batch, helper.failures(len(batch))):
                if failure is not None:
                    container = self._processes[index].container
                    self._failures[index] = explain(container, specification["command"], failure)
            helper.process.wait()
            self._send_out()
        for index, process in enumerate(self._processes):
            if self._failures[index] is None:
                self._failures[index] = services.failure(process, container_dir(self._topology, process.container))
        failed = [(process, failure) for process, failure in zip(self._processes, self._failures) if failure]
        if failed:
            forget(self._topology, [process.container for process, _ in failed])
            first = failed[0][1]
            if len(failed) > 1:
                first.message += " (and {} more: {})".format(
                    len(failed) - 1, ", ".join(process.container for process, _ in failed[1:])
                )
                first.args = (first.message,)
            raise first


def _detached(request: dict[str, Any], label: str, keep: tuple[int, ...]) -> Helper:
    import subprocess

    null = subprocess.DEVNULL
    return Helper(
        request, label=label, keep=keep, stdin=null, stdout=null, stderr=null, cwd="/", start_new_session=True
    )


def _specification(topology: str, process: Process) -> dict[str, Any]:
    """What the helper needs of a process, with its run directory made."""
    where = "container {}: ".format(process.container)
    directory = container_dir(topology, process.container)
    recorded = record(process, where)
    netns = netns_name(topology, process.namespace) if process.namespace else ""
    recorded["netns"] = inode(netns)
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
        "record": recorded,
    }


def record(process: Process, where: str) -> dict[str, Any]:
    """What is noted of a process; ``where`` begins an error's sentence."""
    return {"process": resource_to_data(process), "stop_signal": signal_number(process.stop_signal, where)}


def signal_number(name: str, where: str) -> int:
    """The number of a signal given as ``SIGTERM``, ``TERM`` or ``15``."""
    try:
        if name.isdigit():
            return int(signal.Signals(int(name)))
        return int(signal.Signals["SIG" + name.upper().replace("SIG", "", 1)])
    except (KeyError, ValueError):
        raise KernelRefused(
            "{}there is no signal {}".format(where, name), hint="signals are listed by `kill -l`"
        ) from None


def inode(netns: str) -> list[int]:
    """What identifies a namespace behind a name; empty for the host's and for one that is not there."""
    if not netns:
        return []
    try:
        found = os.stat(os.path.join("/run/netns", netns))
    except OSError:
        return []
    return [found.st_dev, found.st_ino]
