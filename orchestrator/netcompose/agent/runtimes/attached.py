"""A command in a container at somebody's keyboard: on a terminal of its own (pty(7)) or on three pipes, fed and read
while it runs. What both sides say to each other meanwhile is in protocol.py."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import signal
import struct
import subprocess
import termios
from typing import Any, Mapping, Optional, Sequence

from netcompose.agent.protocol import Peer, bytes_from_data
from netcompose.agent.runtimes import execution
from netcompose.agent.runtimes.helper import explain
from netcompose.resources import ExecTarget

#: Bytes that wait for a command which does not read; nobody is heard any more until it does.
_MOST_WAITING = 1 << 20
#: Seconds that a command has for its end when whoever started it is gone.
_GRACE = 2.0
#: Seconds between looks at a process where the kernel has no descriptor for it (before Linux 5.3).
_LOOK = 0.1
#: Signals that are passed on: what keys and kill(1) send.
_PASSED_ON = (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP)


def attach(
    topology: str, target: ExecTarget, argv: Sequence[str], terminal: Optional[Mapping[str, Any]], peer: Peer
) -> int:
    """Run a command for ``peer`` until it ends; its exit status, 128 and more for a signal.

    ``terminal`` has ``rows``, ``columns`` and ``term`` ($TERM), None for pipes. A peer that goes ends the command: it
    is hung up on, then killed. Raises what :func:`execution.run_captured` does when the command cannot run.
    """
    if target.engine:
        from netcompose.agent.runtimes import engineexec

        with engineexec.engine() as engine:
            return engineexec.converse(engine, target, argv, terminal, peer)
    command = _Command(topology, target, argv, terminal)
    try:
        peer.say(0, b"")
        return _converse(command, peer)
    finally:
        command.end()


class _Command:
    """The running command, and this side's ends of what it reads and writes."""

    def __init__(
        self, topology: str, target: ExecTarget, argv: Sequence[str], terminal: Optional[Mapping[str, Any]]
    ) -> None:
        self.waiting = bytearray()
        self._ended = False
        self._terminal = terminal is not None
        if terminal is not None:
            near, far = os.openpty()
            self.feed, self.outputs = near, {near: 1}
            self.resize(terminal)
            theirs = [far, far, far]
        else:
            pipes = [os.pipe() for _ in range(3)]
            self.feed, self.outputs = pipes[0][1], {pipes[1][0]: 1, pipes[2][0]: 2}
            theirs = [pipes[0][0], pipes[1][1], pipes[2][1]]
        try:
            helper, command = execution.spawn(
                topology,
                target,
                argv,
                terminal=str(terminal.get("term") or "dumb") if terminal is not None else "",
                stdin=theirs[0],
                stdout=theirs[1],
                stderr=theirs[2],
                start_new_session=True,
            )
        except BaseException:
            self._close()
            raise
        finally:
            for fd in set(theirs):
                os.close(fd)
        self.process: subprocess.Popen[bytes] = helper.process
        os.set_blocking(self.feed, False)
        self.watch = _descriptor(self.process.pid)
        try:
            failure = helper.failure()
            if failure is not None:
                raise explain(target.container, command, failure)
        except BaseException:
            self.end()
            raise

    def resize(self, size: Mapping[str, Any]) -> None:
        """Tell the terminal how large the window is (tty_ioctl(4)); the kernel tells the command."""
        if self._terminal and self.feed >= 0:
            packed = struct.pack("HHHH", int(size["rows"]) & 0xFFFF, int(size["columns"]) & 0xFFFF, 0, 0)
            fcntl.ioctl(self.feed, termios.TIOCSWINSZ, packed)

    def write(self) -> None:
        """Hand on what waits, as far as the command takes it."""
        try:
            del self.waiting[: os.write(self.feed, self.waiting)]
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno not in (errno.EPIPE, errno.EIO):
                raise
            # It reads no more.
            self.waiting.clear()
            self._ended = True
        if self._ended and not self.waiting:
            self._close_feed()

    def take(self, data: bytes) -> None:
        """Input, of which nothing is the end. A terminal has none: that is a key."""
        if data and not self._ended:
            self.waiting += data
        elif not data and not self._terminal:
            self._ended = True
            if not self.waiting:
                self._close_feed()

    def _close_feed(self) -> None:
        if self.feed >= 0 and not self._terminal:
            os.close(self.feed)
            self.feed = -1

    def read(self, fd: int) -> bytes:
        """What the command has written; empty at the end, from when on nothing more is read there."""
        try:
            data = os.read(fd, 1 << 16)
        except OSError as error:
            # How a terminal says that nobody has it open any more.
            if error.errno != errno.EIO:
                raise
            data = b""
        if not data:
            del self.outputs[fd]
            if fd != self.feed:
                os.close(fd)
        return data

    def signal(self, number: int) -> None:
        """As a key or kill(1) would, to everything that the command has started in its process group."""
        if number in _PASSED_ON:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)

    def end(self) -> None:
        """Close everything; what still runs is hung up on and, if that does not help, killed."""
        self._close()
        if self.process.poll() is None:
            self.signal(signal.SIGHUP)
            try:
                self.process.wait(_GRACE)
            except subprocess.TimeoutExpired:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()

    def _close(self) -> None:
        for fd in {self.feed, getattr(self, "watch", -1), *self.outputs}:
            if fd >= 0:
                os.close(fd)
        self.feed, self.watch, self.outputs = -1, -1, {}


def _descriptor(pid: int) -> int:
    """What can be waited for together with other descriptors (pidfd_open(2)); -1 where there is none."""
    try:
        return os.pidfd_open(pid)
    except (OSError, AttributeError):
        return -1


def _converse(command: _Command, peer: Peer) -> int:
    while True:
        ended = command.process.poll() is not None
        reading = [*command.outputs, *([command.watch] if command.watch >= 0 and not ended else [])]
        writing = [command.feed] if command.waiting and command.feed >= 0 and not ended else []
        listening = len(command.waiting) < _MOST_WAITING
        patience = 0.0 if ended else None if command.watch >= 0 else _LOOK
        readable, writable, spoken = peer.wait(reading, writing, listening, patience)
        spoke = [fd for fd in readable if fd in command.outputs]
        # What a command leaves in the background may hold its output open for ever: its own end is the end.
        if ended and not spoke:
            return command.process.wait()
        if writable:
            command.write()
        for fd in spoke:
            stream = command.outputs[fd]
            data = command.read(fd)
            if data:
                peer.say(stream, data)
        if spoken:
            _hear(command, peer.hear())


def _hear(command: _Command, said: Mapping[str, Any]) -> None:
    if "input" in said:
        command.take(bytes_from_data(said["input"]))
    elif "size" in said:
        command.resize(said["size"])
    elif "signal" in said:
        command.signal(int(said["signal"]))
