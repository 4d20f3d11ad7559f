"""The process that puts a host back when nobody confirms a run: it outlives the connection, and the agent.

It is armed before the first change: a fork of the agent in a session of its own, with the state of every object that
the run is going to touch in its memory, and with a share of the host's lock (flock(2): it lasts as long as anybody has
it). It puts everything back when the agent ends without a word, when nobody has asked the agent for anything for too
long (a connection that is cut tells the agent nothing), or when it is told to; it ends when the run is confirmed.

It listens on a socket without a file (unix(7), abstract), which the agent of a new connection finds by the run's token
(:func:`ask`). Between agent and watchdog is a pipe: ``B`` work on a request begins, ``I`` it has ended, ``D`` the run
is over.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import struct
import time
from typing import Callable, Collection, NamedTuple, NoReturn

from netcompose.errors import NetcomposeError, RollbackFailed

#: Seconds that one request may take without a sign of life of the agent: a change may wait for a process that stops
#: slowly, or run commands of a minute each.
BUSY_LIMIT = 900.0
#: Seconds that :func:`ask` waits: the watchdog may be putting back.
ANSWER_TIMEOUT = 600.0
_START_TIMEOUT = 10.0
_PREFIX = "\0netcompose-run-"
#: A rollback that fails is tried again, in case that what failed was in passing.
_TRIES = 3
_LONGEST = 4096

#: What is asked, and what is answered.
READY, CONFIRM, ROLL_BACK = "ready", "confirm", "roll back"
CONFIRMED, ROLLED_BACK, FAILED = "confirmed", "rolled back", "failed: "
#: What :func:`ask` finds where there is no watchdog of that token any more.
GONE = "gone"


class Job(NamedTuple):
    """What a watchdog does at the end: the agent's own functions, and descriptors that they need.

    ``restore`` puts back, ``settle`` follows a confirmation, ``unlock`` comes last.
    """

    restore: Callable[[], None]
    settle: Callable[[], None]
    unlock: Callable[[], None]
    keep: Collection[int]


class Watchdog:
    """The agent's end: the pipe to a running watchdog."""

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe

    def at_work(self, busy: bool) -> None:
        """A request has come, or is answered: somebody is there."""
        self._say(b"B" if busy else b"I")

    def dismiss(self) -> None:
        """The run is over, one way or the other."""
        self._say(b"D")
        self.leave()

    @property
    def alive(self) -> bool:
        """False when it has ended: the run was confirmed."""
        return self._pipe >= 0 and self._say(b"I")

    def leave(self) -> None:
        """Close the pipe; without a word before, this is what the watchdog acts on."""
        if self._pipe >= 0:
            os.close(self._pipe)
            self._pipe = -1

    def _say(self, word: bytes) -> bool:
        try:
            return self._pipe >= 0 and os.write(self._pipe, word) > 0
        except BrokenPipeError:
            return False


def start(token: str, seconds: float, job: Job) -> Watchdog:
    """Start a watchdog for the run of this process, and wait until it listens.

    ``seconds`` is how long the agent may be without a request. ``OSError`` if the host cannot start one.
    """
    receive, send = os.pipe()
    ready, inform = os.pipe()
    agent = os.getpid()
    child = os.fork()
    if child == 0:
        # A grandchild: the host's first process reaps it, not an agent that may be gone by then.
        with contextlib.suppress(BaseException):
            if os.fork() == 0:
                _live(token, seconds, job, pipe=receive, inform=inform, agent=agent)
        os._exit(0)
    os.close(receive)
    os.close(inform)
    os.waitpid(child, 0)
    poller = select.poll()
    poller.register(ready, select.POLLIN)
    word = os.read(ready, _LONGEST) if poller.poll(_START_TIMEOUT * 1000) else b"it did not start in time"
    os.close(ready)
    if word != b"R":
        os.close(send)
        raise OSError(0, "the watchdog: " + (word.decode("utf-8", "replace") or "it did not start"))
    return Watchdog(send)


def ask(token: str, what: str) -> str:
    """Ask the watchdog of a run, from whichever process: READY, CONFIRM or ROLL_BACK.

    The answer is READY, CONFIRMED, ROLLED_BACK, or GONE where none is left. ``RollbackFailed`` with its reason.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as connection:
        connection.settimeout(ANSWER_TIMEOUT)
        try:
            connection.connect(_PREFIX + token)
            connection.sendall(what.encode())
            answer = connection.recv(_LONGEST).decode("utf-8", "replace")
        except (ConnectionError, FileNotFoundError):
            return GONE
    if answer.startswith(FAILED):
        raise RollbackFailed(
            answer[len(FAILED) :], hint="run `netcompose plan` to see what is left, then `up` or `down`"
        )
    return answer or GONE


def _live(token: str, seconds: float, job: Job, *, pipe: int, inform: int, agent: int) -> NoReturn:
    """The watchdog's own process, from its first breath to its end."""
    status = 1
    try:
        os.setsid()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGPIPE):
            signal.signal(number, signal.SIG_IGN)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        listener.bind(_PREFIX + token)
        listener.listen(8)
        _take_leave({pipe, inform, listener.fileno(), *job.keep})
        os.write(inform, b"R")
        os.close(inform)
        _Watch(seconds, job, pipe, listener, agent).run()
        status = 0
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.write(inform, str(error).encode()[:_LONGEST])
        _log("the watchdog of run {} failed: {!r}".format(token, error))
    finally:
        os._exit(status)


def _take_leave(keep: Collection[int]) -> None:
    """Close everything that is the agent's, its stream first of all: the connection has to end when the agent does.

    The agent's objects stay as they are and are not used any more; nothing here ever collects them.
    """
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2 and int(name) not in keep:
            with contextlib.suppress(OSError):
                os.close(int(name))


class _Watch:
    """Waits for the end of a run, and sees to it."""

    def __init__(self, seconds: float, job: Job, pipe: int, listener: socket.socket, agent: int) -> None:
        self._seconds = seconds
        self._job = job
        self._pipe = pipe
        self._listener = listener
        self._agent = agent
        self._outcome = ""

    def _agent_is_gone(self) -> bool:
        poller = select.poll()
        poller.register(self._pipe, 0)
        return any(events & select.POLLHUP for _, events in poller.poll(0))

    def run(self) -> None:
        """Until the run is over and everybody who asked has been answered."""
        poller = select.poll()
        poller.register(self._pipe, select.POLLIN)
        poller.register(self._listener, select.POLLIN)
        deadline = time.monotonic() + self._seconds
        while not self._outcome:
            ready = [fd for fd, _ in poller.poll(max(0.0, deadline - time.monotonic()) * 1000)]
            if self._listener.fileno() in ready:
                self._serve()
                deadline = max(deadline, time.monotonic() + self._seconds)
            if self._pipe in ready:
                words = os.read(self._pipe, _LONGEST)
                if not words:
                    self._roll_back("the agent is gone")
                elif b"D" in words:
                    return
                else:
                    deadline = time.monotonic() + (BUSY_LIMIT if words.endswith(b"B") else self._seconds)
            elif not ready and not self._outcome:
                self._roll_back("nobody has asked for anything in {:g} s".format(self._seconds))
        self._listener.settimeout(0)
        with contextlib.suppress(BlockingIOError):
            while True:
                self._serve()

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        with connection, contextlib.suppress(OSError):
            connection.settimeout(_START_TIMEOUT)
            # Anybody in this network namespace can see the name; only the agent's own user is heard (unix(7)).
            _, user, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
            what = connection.recv(_LONGEST).decode("utf-8", "replace")
            if user != os.geteuid():
                return
            if not self._outcome:
                if what == CONFIRM:
                    # From here on nothing is put back; whoever waits for the answer may be told so.
                    self._outcome = CONFIRMED
                    self._job.settle()
                elif what == ROLL_BACK:
                    self._roll_back("asked to")
            connection.sendall((self._outcome or READY).encode())

    def _roll_back(self, why: str) -> None:
        """Put back, with the agent out of the way. It is alive as long as the pipe has not ended."""
        if not self._agent_is_gone():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._agent, signal.SIGKILL)
        failure = ""
        for attempt in range(_TRIES):
            if attempt:
                time.sleep(1.0)
            try:
                self._job.restore()
                failure = ""
                break
            except NetcomposeError as error:
                failure = error.message
            except Exception as error:
                failure = repr(error)
        self._job.unlock()
        self._outcome = FAILED + failure if failure else ROLLED_BACK
        _log("an unconfirmed run was taken back ({}){}".format(why, ": " + failure if failure else ""))


def _log(text: str) -> None:
    import syslog

    with contextlib.suppress(OSError):
        syslog.openlog("netcompose")
        syslog.syslog(text)
