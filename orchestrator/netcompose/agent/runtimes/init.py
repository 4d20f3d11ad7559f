"""The first process of a container (PID 1 in its PID namespace), and how it comes to be.

``main`` runs in a helper interpreter that the agent starts once for many containers. Per container it forks a process
that takes the namespaces, which forks PID 1, which supervises the command: it reaps, passes signals on, restarts
by policy, writes the log and records how the command ended. When it ends, the kernel ends everything in its PID
namespace. Standard library only: shipped as source.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import time

from netcompose.agent.kernel import syscalls
from netcompose.agent.runtimes import inside, output, records
from netcompose.agent.runtimes.inside import StepFailed

if False:  # for the type checker; to the helper interpreter it would be a fifth of its start
    from typing import Any, Iterator, Mapping, NoReturn, Optional, Sequence

#: Seconds before a restart: the first wait, the longest, and how long a command must run to count as settled.
FIRST_WAIT, LONGEST_WAIT, SETTLED = 0.1, 60.0, 10.0
_KEYS = (signal.SIGINT, signal.SIGQUIT)
_PASSED_ON = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH)


def main(request: Mapping[str, Any], report: int) -> int:
    """Do what the agent asks (see helper.py): ``start`` containers or ``exec`` a command in one."""
    if request["mode"] == "start":
        for fd in request["keep"]:
            os.set_inheritable(fd, False)
        start_all(request["containers"], report, request["keep"])
        return 0
    return execute(request, report)


def _tell(report: int, index: int, failure: Optional[Mapping[str, Any]] = None) -> None:
    """One line to the agent; short enough that the kernel never mixes it with another's (pipe(7))."""
    os.write(report, json.dumps({"index": index, "failure": failure}).encode() + b"\n")


@contextlib.contextmanager
def _reporting(report: int, index: int) -> Iterator[None]:
    """Tell the agent of whatever fails within; this process has nobody else to tell."""
    try:
        yield
    except StepFailed as failure:
        _tell(report, index, failure.to_data())
        os._exit(1)
    except Exception as error:
        _tell(report, index, {"step": "internal", "errno": 0, "path": "", "text": repr(error)[:1024]})
        os._exit(1)


def start_all(containers: list[dict[str, Any]], report: int, keep: Sequence[int]) -> None:
    """Start every container of a request and wait until each has a PID 1 or has failed.

    ``keep`` are descriptors that a container's processes hold only until its command runs.
    """
    opened = {}
    for index, spec in enumerate(containers):
        try:
            with inside.step("run directory"):
                directory = os.open(spec["directory"], os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            opened[index] = (directory, inside.open_netns(spec["netns"]))
        except StepFailed as failure:
            _tell(report, index, failure.to_data())
    # One mount namespace without the named namespaces, from which each container then copies little.
    try:
        inside.leave_host_mounts()
    except StepFailed as failure:
        for index in opened:
            _tell(report, index, failure.to_data())
        return
    children = []
    for index in opened:
        pid = os.fork()
        if pid == 0:
            _enter(containers[index], index, opened, report, keep)
        children.append(pid)
    os.close(report)
    for pid in children:
        os.waitpid(pid, 0)


def _enter(
    spec: Mapping[str, Any], index: int, opened: Mapping[int, tuple[int, int]], report: int, keep: Sequence[int]
) -> NoReturn:
    """Take the container's namespaces, fork PID 1, write down who it is, and let it go."""
    with _reporting(report, index):
        directory, netns = opened[index]
        inside.enter_netns(netns)
        for other, (other_directory, other_netns) in opened.items():
            # A namespace that somebody has open is not gone when it is deleted.
            if other_netns >= 0:
                os.close(other_netns)
            if other != index:
                os.close(other_directory)
        with inside.step("namespaces"):
            syscalls.unshare(
                syscalls.CLONE_NEWNS | syscalls.CLONE_NEWUTS | syscalls.CLONE_NEWIPC | syscalls.CLONE_NEWPID
            )
        ready, go = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(go)
            # Without the word the container is not on record: whoever should have written it is gone.
            if os.read(ready, 1):
                _first_process(spec, index, directory, report, keep)
            os._exit(1)
        with inside.step("record"):
            records.write(directory, records.PROCESS, {**spec["record"], **records.identity(pid)})
        os.write(go, b"x")
    os._exit(0)


def _first_process(spec: Mapping[str, Any], index: int, directory: int, report: int, keep: Sequence[int]) -> NoReturn:
    with _reporting(report, index):
        os.setsid()
        log = output.Writer(directory)
        inside.fresh_proc()
        inside.name_process("nc-" + spec["container"])
        for target in inside.bind_etc(spec["etc"]):
            text = "{} is not there on this host, so the container's own could not take its place"
            log.note(text.format(target), time.time())
        inside.set_hostname(spec["hostname"])
        supervisor = Supervisor(spec, directory, log)
        supervisor.start()
    for fd in keep:
        os.close(fd)
    # An agent that was killed in between leaves a container that runs, as it is on record.
    with contextlib.suppress(BrokenPipeError):
        _tell(report, index)
    os.close(report)
    try:
        supervisor.run()
    except Exception as error:
        log.note("stopped by a defect of netcompose: {!r}".format(error), time.time())
    os._exit(0)


class Supervisor:
    """Runs one command until it ends for good."""

    def __init__(self, spec: Mapping[str, Any], directory: int, log: output.Writer) -> None:
        self._command = spec["command"]
        self._policy = spec["restart"]
        self._directory = directory
        self._log = log
        self._pid = 0
        self._stopping = False
        self._restarts = 0
        self._started = 0.0
        self._begun = 0.0
        self._wait = FIRST_WAIT
        self._output, self._input = os.pipe()
        os.set_blocking(self._output, False)
        self._wake, wake = os.pipe()
        os.set_blocking(self._wake, False)
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        for number in (signal.SIGCHLD, signal.SIGTERM, *_PASSED_ON):
            signal.signal(number, lambda *_: None)

    def start(self) -> None:
        """Start the command; raises ``StepFailed`` if it cannot be."""
        self._pid = inside.launch(self._command, self._input, new_session=True)
        self._started, self._begun = time.time(), time.monotonic()
        self._record("running")

    def run(self) -> None:
        """Supervise until the command has ended and is not to be started again."""
        poller = select.poll()
        poller.register(self._output, select.POLLIN)
        poller.register(self._wake, select.POLLIN)
        due: Optional[float] = None
        while True:
            timeout = None if due is None else max(0.0, due - time.monotonic()) * 1000
            for fd, _ in poller.poll(timeout):
                if fd == self._output:
                    self._copy()
                else:
                    self._signals()
            ended = self._reap()
            if ended is not None:
                due = self._next(ended)
            if (self._stopping and not self._pid) or (not self._pid and due is None):
                return
            if due is not None and time.monotonic() >= due:
                due = self._again()

    def _copy(self) -> bool:
        """Copy what is there of the output to the log; False if nothing is."""
        try:
            data = os.read(self._output, 1 << 16)
        except BlockingIOError:
            return False
        self._log.write(data, time.time())
        return True

    def _signals(self) -> None:
        with contextlib.suppress(BlockingIOError):
            for number in os.read(self._wake, 64):
                if number == signal.SIGTERM:
                    self._stopping = True
                    self._signal(self._stop_signal())
                elif number != signal.SIGCHLD:
                    self._signal(number)

    def _stop_signal(self) -> int:
        """The signal to stop with, from the record: it may have been changed since the start."""
        recorded = records.read(self._directory, records.PROCESS) or {}
        return int(recorded.get("stop_signal", signal.SIGTERM))

    def _signal(self, number: int) -> None:
        if self._pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, number)

    def _reap(self) -> Optional[int]:
        """Collect every child that ended; the exit code of the command if it is among them."""
        ended = None
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    break
                if pid == self._pid:
                    ended, self._pid = inside.status_of(status), 0
        return ended

    def _next(self, exit_code: int) -> Optional[float]:
        """Record the end of the command; the monotonic time of the restart, or None if that was it."""
        while self._copy():
            pass
        if time.monotonic() - self._begun >= SETTLED:
            self._wait = FIRST_WAIT
        again = not self._stopping and records.should_run(self._policy, exit_code, self._restarts, False)
        self._record("exited", exit_code=exit_code, finished=time.time(), final=not again)
        if not again:
            return None
        # A restart is of the whole container: nothing of the last run may hold its ports or files.
        with contextlib.suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)
        due = time.monotonic() + self._wait
        self._wait = min(self._wait * 2, LONGEST_WAIT)
        return due

    def _again(self) -> Optional[float]:
        self._restarts += 1
        try:
            self.start()
        except StepFailed as failure:
            self._log.note("cannot start the command again: {}".format(failure.error), time.time())
            return self._next(127)
        return None

    def _record(self, status: str, **more: Any) -> None:
        state = {
            "status": status,
            "started": self._started,
            "restarts": self._restarts,
            "stopped": self._stopping,
            **more,
        }
        # A full disk must not end the container.
        with contextlib.suppress(OSError):
            records.write(self._directory, records.STATE, state)


def execute(request: Mapping[str, Any], report: int) -> int:
    """Run one more command in a container; the exit status to end with, 128 and more for a signal."""
    with _reporting(report, 0):
        if request["join"]:
            inside.join(request["join"]["pid"], request["join"]["start"])
        else:
            netns = inside.open_netns(request["netns"])
            inside.leave_host_mounts()
            inside.enter_netns(netns)
            with inside.step("namespaces"):
                syscalls.unshare(syscalls.CLONE_NEWUTS)
            inside.bind_etc(request["etc"])
            inside.set_hostname(request["hostname"])
        # The command may be heard of, and keys be meant for it, before this process goes on.
        signal.pthread_sigmask(signal.SIG_BLOCK, _KEYS)
        pid = inside.launch(request["command"], None, new_session=request["terminal"])
    os.close(report)
    # Keys at the terminal reach the command by themselves (same process group); this process only waits.
    for number in _KEYS:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _KEYS)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda received, _: os.kill(pid, received))
    code = inside.status_of(os.waitpid(pid, 0)[1])
    return code if code >= 0 else 128 - code
