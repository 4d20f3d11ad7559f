"""How native containers' processes are ended: side by side, asked first and killed when they take too long."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from dataclasses import dataclass
from typing import Any, Optional, Sequence

from netcompose.agent.rundir import container_dir
from netcompose.agent.runtimes import records
from netcompose.errors import KernelRefused

#: Seconds that the kernel is given to end a container that was killed.
_KILL_WAIT = 10.0


@dataclass
class _Ending:
    """A container on its way down."""

    container: str
    pidfd: int
    deadline: float
    killed: bool = False


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
                send(pidfd, signal.SIGKILL)
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
            _remove(container_dir(topology, container))
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
    recorded = records.read(container_dir(topology, container), records.PROCESS)
    pidfd = -1 if recorded is None else pidfd_of(recorded)
    if pidfd < 0:
        return None
    # The init knows which signal its command wants (init.py).
    send(pidfd, signal.SIGTERM)
    patience = float(recorded["process"]["stop_grace_period"]) if grace is None else grace
    return _Ending(container, pidfd, time.monotonic() + patience)


def pidfd_of(recorded: Any) -> int:
    """A descriptor of the recorded init, -1 if it is gone. Opened first and compared then: no other can slip in."""
    try:
        pidfd = os.pidfd_open(recorded["pid"])
    except ProcessLookupError:
        return -1
    if records.alive(recorded):
        return pidfd
    os.close(pidfd)
    return -1


def send(pidfd: int, number: int) -> None:
    """Send a signal, unless the process is gone."""
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(pidfd, number)


def forget(topology: str, names: Sequence[str]) -> None:
    """Kill at once what is left of these containers' processes and remove their run directories."""
    stop_many(topology, names, grace=0.0)
