"""The gatekeeper: answers containers at their gates, and wires those again that were started anew. One per topology.

``up`` starts it as the service ``@gate``; it runs as long as the topology has containers of an engine. A container
that ``up`` is making has to wait until ``up`` has noted it as wired (gate.py). One that was wired before and comes
again, from a new namespace, was started by somebody else (``docker restart``, its restart policy, the engine's own
restart): its interfaces are moved over from the namespace that it had, which outlives it because it is pinned, and what
they lose on the way is put back by a plan from what is to what was. So peers keep their ends.

It is a process of the host, in two halves: one that starts the other again when it fails.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import socket
import struct
import sys
import time
from typing import NamedTuple, NoReturn, Optional, Sequence

from netcompose.agent import rundir, selfpack
from netcompose.agent.kernel import syscalls
from netcompose.agent.runtimes import gate, output, records
from netcompose.errors import Locked, NetcomposeError
from netcompose.resources import Process
from netcompose.resources.names import GATE_SERVICE

_FILE = "gatekeeper.pyz"
_MAIN = "import sys\nfrom netcompose.agent.runtimes.gatekeeper import main\nsys.exit(main(*sys.argv[1:]))\n"
#: Seconds between two looks at what a waiting container waits for, and before a failed wiring is tried again.
_PAUSE, _AGAIN = 0.01, 1.0
#: Seconds before the working half is started again.
_RESTART = 0.2
_ID = re.compile(r"[0-9a-f]{64}")


def start(topology: str, process: Process, directory: str, record: dict[str, object]) -> None:
    """Start it with its run directory, which is made; ``record`` is what the process is known by."""
    import subprocess

    gate.prepare(topology)
    os.makedirs(directory, mode=0o700)
    path = os.path.join(directory, _FILE)
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(fd, "wb") as file:
        file.write(selfpack.archive(_MAIN))
    null = subprocess.DEVNULL
    child = subprocess.Popen(
        [sys.executable, "-I", "-S", path, topology],
        stdin=null,
        stdout=null,
        stderr=null,
        cwd="/",
        start_new_session=True,
    )
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        records.write(fd, records.PROCESS, {**record, **records.identity(child.pid)})
    finally:
        os.close(fd)


def main(topology: str) -> int:
    """The outer half: keeps the working half running until it is asked to end."""
    directory = rundir.container_dir(topology, GATE_SERVICE)
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    log = output.Writer(fd)
    child = 0

    def stop(number: int, frame: object) -> None:
        if child:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        os._exit(0)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    started = time.time()
    restarts = 0
    while True:
        records.write(fd, records.STATE, {"status": "running", "started": started, "restarts": restarts})
        child = os.fork()
        if child == 0:
            _work(topology, log)
        _, status = os.waitpid(child, 0)
        log.note("its working half ended with {}, and is started again".format(status), time.time())
        restarts += 1
        time.sleep(_RESTART)


def _work(topology: str, log: output.Writer) -> NoReturn:
    try:
        syscalls.die_with_parent(signal.SIGKILL)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        _Gatekeeper(topology, log).run()
    except BaseException as error:
        log.note("stopped: {!r}".format(error), time.time())
    os._exit(1)


class _Visitor(NamedTuple):
    """A container at its gate: the process, its namespace, and the container's id for the engine."""

    pid: int
    netns: int
    id: str


class _Gatekeeper:
    """Listens at the gates of one topology."""

    def __init__(self, topology: str, log: output.Writer) -> None:
        self._topology = topology
        self._log = log
        self._waiting: dict[socket.socket, _Visitor] = {}
        #: What was known of those that wait for `up` when they were last looked at.
        self._seen: dict[socket.socket, int] = {}
        self._not_before = 0.0
        path = os.path.join(gate.folder(topology), gate.SOCKET)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        self._listener.bind(path)
        # Containers run as any user; who asks is told by the kernel, and nothing that they say is read.
        os.chmod(path, 0o666)  # noqa: S103
        self._listener.listen(1024)

    def run(self) -> None:
        """For ever."""
        while True:
            timeout = _PAUSE if self._waiting else None
            ready, _, _ = select.select([self._listener, *self._waiting], [], [], timeout)
            for end in ready:
                if end is self._listener:
                    self._receive()
                else:
                    # It has nothing to say: it is gone.
                    self._dismiss(end)
            self._look()

    def _receive(self) -> None:
        end, _ = self._listener.accept()
        pid = struct.unpack("3i", end.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
        id = _container_of(pid)
        if not id or not gate.noted(self._topology, id):
            # Somebody else's, or not noted yet: it asks again.
            end.close()
            return
        self._waiting[end] = _Visitor(pid, gate.inode_of(pid), id)

    def _dismiss(self, end: socket.socket) -> None:
        self._waiting.pop(end, None)
        self._seen.pop(end, None)
        end.close()

    def _look(self) -> None:
        """Let those pass that may; wire those that came back."""
        back = []
        for end, visitor in list(self._waiting.items()):
            stamp = gate.stamp(self._topology, visitor.id)
            if stamp and stamp == self._seen.get(end):
                # It waits for `up`, as it did before.
                continue
            noted = gate.noted(self._topology, visitor.id)
            if noted is None:
                self._dismiss(end)
            elif noted["netns"] == visitor.netns:
                with contextlib.suppress(OSError):
                    end.send(b"g")
                self._dismiss(end)
            elif noted["netns"]:
                back.append((str(noted["container"]), visitor))
            else:
                self._seen[end] = stamp
        if back and time.monotonic() >= self._not_before:
            try:
                self._wire(back)
            except Locked:
                # A run is on; it may itself be what wires them.
                self._not_before = time.monotonic() + 10 * _PAUSE
            except (NetcomposeError, OSError) as error:
                self._not_before = time.monotonic() + _AGAIN
                names = ", ".join(container for container, _ in back)
                self._log.note("{} cannot be wired again: {}".format(names, error), time.time())

    def _wire(self, back: Sequence[tuple[str, _Visitor]]) -> None:
        """Wire containers that were started again. A process in a container could ask as well: only the container's
        first one, as the engine has it, is meant."""
        from netcompose.agent.runtimes import engine as engines
        from netcompose.agent.runtimes import rewire

        engine = engines.at_hand()
        if engine is None:
            raise NetcomposeError(engines.lacking())
        with contextlib.closing(engine):
            meant = []
            for container, visitor in back:
                inspected = engine.inspect(visitor.id)
                state = inspected["State"] if inspected is not None else {}
                if inspected is not None and _is_first(state, visitor.pid):
                    meant.append((container, visitor.pid))
        if not meant:
            self._not_before = time.monotonic() + 5 * _PAUSE
            return
        begun = time.monotonic()
        rewire.rewire(self._topology, meant)
        for container, visitor in back:
            if (container, visitor.pid) in meant:
                gate.note(self._topology, visitor.id, container, visitor.netns)
        took = (time.monotonic() - begun) * 1000
        names = ", ".join(container for container, _ in meant)
        self._log.note("wired again after a restart: {} ({:.0f} ms)".format(names, took), time.time())


def _is_first(state: dict[str, object], pid: int) -> bool:
    """Whether a process is a container's first one, or the gate below an init of the engine's."""
    first = state.get("Pid")
    return bool(first) and first in (pid, _parent(pid))


def _parent(pid: int) -> int:
    try:
        with open("/proc/{}/stat".format(pid), "rb") as file:
            return int(file.read().rpartition(b")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return 0


def _container_of(pid: int) -> Optional[str]:
    """The engine's id of the container that a process is in, by its control group."""
    try:
        with open("/proc/{}/cgroup".format(pid), encoding="utf-8", errors="replace") as file:
            for line in file:
                found = _ID.findall(line)
                if found:
                    return str(found[-1])
    except OSError:
        pass
    return None


def ready(topology: str) -> bool:
    """Whether the gatekeeper listens."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as asking:
        try:
            asking.connect(os.path.join(gate.folder(topology), gate.SOCKET))
        except OSError:
            return False
    return True
