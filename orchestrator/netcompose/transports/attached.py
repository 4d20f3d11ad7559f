"""This process's keyboard, or whatever its stdin is, at a command in a container: here or on another host."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import Any

from netcompose.agent.protocol import bytes_to_data
from netcompose.resources import ExecTarget
from netcompose.transports.remote import RemoteAgent

#: Bytes of input in one message.
_PIECE = 1 << 16
_PASSED_ON = (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP)


def attach(connection: RemoteAgent, topology: str, target: ExecTarget, argv: Sequence[str], *, terminal: bool) -> int:
    """Run a command with this process's stdin, stdout and stderr; its exit status, 128 and more for a signal.

    With ``terminal``, which stdin and stdout have to be, the command has one of its own: every key goes there, and the
    window's size. Without one, signals that reach this process are passed on.
    """
    with _Keyboard(connection, terminal=terminal) as keyboard:

        def hear(stream: int, data: bytes) -> None:
            if stream:
                out = sys.stderr.buffer if stream == 2 else sys.stdout.buffer
                out.write(data)
                out.flush()
            else:
                keyboard.start()

        window = {**_size(), "term": os.environ.get("TERM", "dumb")} if terminal else None
        return connection.attach(topology, target, argv, window, hear)


def _size() -> dict[str, int]:
    size = os.get_terminal_size(sys.stdin.fileno())
    return {"rows": size.lines, "columns": size.columns}


class _Keyboard:
    """Reads stdin in a thread of its own once the command runs, and puts the terminal back at the end."""

    def __init__(self, connection: RemoteAgent, *, terminal: bool) -> None:
        self._connection = connection
        self._terminal = terminal
        self._wake, self._bell = os.pipe()
        os.set_blocking(self._bell, False)
        self._thread: threading.Thread | None = None
        self._undo = contextlib.ExitStack()

    def __enter__(self) -> _Keyboard:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._bell)
        if self._thread is not None:
            self._thread.join(1.0)
        self._undo.close()

    def start(self) -> None:
        """From now on all input is the command's."""
        if self._terminal:
            self._undo.enter_context(_raw(sys.stdin.fileno()))
        self._undo.enter_context(_signals((*_PASSED_ON, signal.SIGWINCH) if self._terminal else _PASSED_ON, self._ring))
        self._thread = threading.Thread(target=self._read, name="keyboard", daemon=True)
        self._thread.start()

    def _ring(self, number: int, frame: FrameType | None) -> None:
        with contextlib.suppress(OSError):
            os.write(self._bell, bytes([number]))

    def _read(self) -> None:
        stdin = sys.stdin.fileno()
        poller = select.poll()
        poller.register(self._wake, select.POLLIN)
        poller.register(stdin, select.POLLIN)
        while True:
            every = self._connection.keepalive
            ready = [fd for fd, _ in poller.poll(every * 1000 if every else None)]
            if not ready:
                self._connection.say({})
            if self._wake in ready:
                numbers = os.read(self._wake, 64)
                if not numbers:
                    os.close(self._wake)
                    return
                for number in numbers:
                    self._connection.say({"size": _size()} if number == signal.SIGWINCH else {"signal": number})
            elif stdin in ready:
                try:
                    data = os.read(stdin, _PIECE)
                except OSError:
                    # A terminal that is gone.
                    data = b""
                if not data:
                    poller.unregister(stdin)
                self._connection.say({"input": bytes_to_data(data)})


@contextlib.contextmanager
def _raw(fd: int) -> Iterator[None]:
    """Every key as it is, Ctrl-C included, is for the command's terminal, which shows it too (termios(3))."""
    import termios
    import tty

    before = termios.tcgetattr(fd)
    tty.setraw(fd)
    try:
        yield
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, before)


@contextlib.contextmanager
def _signals(numbers: Sequence[int], handler: Any) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, was in before.items():
            signal.signal(number, was)
