"""A channel of an SSH connection as the protocol's stream."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from netcompose.agent.protocol import Stream, StreamEnded

if TYPE_CHECKING:
    import paramiko

#: Seconds after which a wait for output looks at the errors too: both share the channel's window, and an agent that
#: fills it with errors that nobody takes would say nothing more.
_TURN = 0.5
#: Bytes of the host's last words that are kept for messages.
_LAST_WORDS = 8192


class ChannelStream(Stream):
    """Bytes to and from the program at the end of a channel. ``close`` ends the connection, and so the channel; without
    it only that ends."""

    def __init__(self, channel: paramiko.Channel, close: Callable[[], None] | None = None) -> None:
        self._channel = channel
        self._end = close
        self._unread = b""
        self._errors = b""
        self._sending = threading.Lock()

    def execute(self, line: str) -> None:
        """Have the host's login shell run a command, once per channel."""
        import paramiko

        try:
            self._channel.exec_command(line)
        except (paramiko.SSHException, EOFError, OSError):
            # Whether it was refused or the connection is lost is seen by reading.
            self._channel.close()

    def receive(self, limit: int, timeout: float | None) -> bytes:
        """See :meth:`Stream.receive`."""
        if self._unread:
            data, self._unread = self._unread[:limit], self._unread[limit:]
            return data
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            left = _TURN if end is None else min(_TURN, end - time.monotonic())
            # paramiko takes 0 for "do not wait" and has data first, so a deadline in the past is one more look.
            self._channel.settimeout(max(0.0, left))
            try:
                data = self._channel.recv(limit)
            except OSError:
                # TimeoutError is one: nothing came. Any other is the end of the socket below.
                self._drain()
                if self._channel.closed:
                    return b""
                if end is not None and time.monotonic() >= end:
                    raise TimeoutError from None
                continue
            self._drain()
            return data

    def unread(self, data: bytes) -> None:
        """Put data back in front of what comes next."""
        self._unread = data + self._unread

    def send(self, data: bytes, timeout: float | None = None) -> None:
        """See :meth:`Stream.send`."""
        with self._sending:
            self._send(data, timeout)

    def send_if_idle(self, data: bytes) -> None:
        """Send a few bytes unless somebody else is sending or the peer is gone."""
        if self._sending.acquire(blocking=False):
            try:
                with contextlib.suppress(OSError, StreamEnded):
                    self._send(data, 0.1)
            finally:
                self._sending.release()

    def ask(self) -> None:
        """Have the SSH server answer, whatever it says; without an answer, wait until the connection is closed."""
        transport = self._channel.get_transport()
        if transport is not None and transport.is_active():
            with contextlib.suppress(Exception):
                # As ssh(1) does for ServerAliveInterval; that the server refuses is an answer as well (RFC 4254, 4).
                transport.global_request("keepalive@openssh.com", wait=True)

    def _send(self, data: bytes, timeout: float | None) -> None:
        view = memoryview(data)
        while view:
            self._channel.settimeout(timeout)
            try:
                sent = self._channel.send(bytes(view[: 1 << 15]))
            except TimeoutError:
                raise
            except (OSError, EOFError):
                raise StreamEnded from None
            if not sent:
                raise StreamEnded
            view = view[sent:]

    def readable(self, timeout: float) -> bool:
        """See :meth:`Stream.readable`."""
        end = time.monotonic() + timeout
        while not (self._unread or self._channel.recv_ready() or self._channel.eof_received or self._channel.closed):
            if time.monotonic() >= end:
                return False
            time.sleep(0.01)
        return True

    def _drain(self) -> None:
        while self._channel.recv_stderr_ready():
            self._errors = (self._errors + self._channel.recv_stderr(1 << 16))[-_LAST_WORDS:]

    def last_words(self) -> str:
        """What the program has printed to stderr last."""
        with contextlib.suppress(OSError):
            self._drain()
        return self._errors.decode("utf-8", "replace").strip()

    def exit_status(self, timeout: float) -> int | None:
        """How the program ended; None if it does not within ``timeout`` seconds, or the connection is lost."""
        # recv_exit_status() would wait without end.
        if not self._channel.status_event.wait(timeout):
            return None
        return None if self._channel.exit_status < 0 else self._channel.exit_status

    def close(self) -> None:
        """See :meth:`Stream.close`."""
        with contextlib.suppress(Exception):
            (self._end or self._channel.close)()
