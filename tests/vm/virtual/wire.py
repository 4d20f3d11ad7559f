"""The connection to a machine: many commands at a time over one virtio-serial port. See guest/agent.py for the frames."""

from __future__ import annotations

import itertools
import json
import socket
import threading
from typing import Any

from virtual.guest import agent as protocol
from virtual.loop import LOOP


class Wire:
    """The connection to a machine's agent: frames of many commands on one virtio-serial port."""

    def __init__(self, sock: socket.socket) -> None:
        self.hello = threading.Event()
        self.greeting = b""
        self.closed = False
        self._sock = sock
        self._sock.setblocking(False)
        self._in, self._out = bytearray(), bytearray()
        self._calls: dict[int, Call | Relayed] = {}
        self._numbers = itertools.count(1)
        LOOP.call(lambda: LOOP.add(sock, self._readable))

    def open(self, call: Call | Relayed, kind: bytes, data: bytes) -> int:
        """A new channel; anything for it is then given to ``call``, in the loop's thread. From any thread."""
        number = next(self._numbers)
        self._calls[number] = call
        self.send(number, kind, data)
        return number

    def send(self, channel: int, kind: bytes, data: bytes = b"") -> None:
        """From any thread."""
        frame = protocol.HEAD.pack(channel, kind, len(data)) + data
        LOOP.call(lambda: self._push(frame))

    def relay(self, sock: socket.socket, asked: bytes) -> None:
        """A command whose input and output are frames on ``sock``; it is killed when that is closed."""
        Relayed(self, sock, asked)

    def forget(self, channel: int) -> None:
        self._calls.pop(channel, None)

    def close(self) -> None:
        """From any thread."""
        LOOP.call(self._close)

    def _close(self) -> None:
        if not self.closed:
            self.closed = True
            LOOP.remove(self._sock)
            for call in list(self._calls.values()):
                call.lost()

    def _push(self, data: bytes) -> None:
        if not self.closed:
            self._out += data
            self._writable()

    def _writable(self) -> None:
        try:
            while self._out:
                del self._out[: self._sock.send(self._out[: 1 << 18])]
        except BlockingIOError:
            pass
        except OSError:
            self._close()
            return
        LOOP.want(self._sock, self._readable, self._writable if self._out else None)

    def _readable(self) -> None:
        try:
            data = self._sock.recv(1 << 18)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._close()
            return
        self._in += data
        for channel, kind, content in protocol.frames(self._in):
            if kind == protocol.HELLO:
                self.greeting = content
                self.hello.set()
            elif call := self._calls.get(channel):
                call.frame(kind, content)


class Call:
    """One command or file, waited for by the thread that started it."""

    def __init__(self, wire: Wire, kind: bytes, asked: dict[str, Any]) -> None:
        self.output, self.errors = bytearray(), bytearray()
        self.status: int | None = None
        self.late = False
        self._done = threading.Event()
        self._open = {protocol.OUTPUT_END, protocol.ERROR_END, protocol.EXIT}
        self._wire = wire
        self._channel = wire.open(self, kind, json.dumps(asked).encode())

    def finish(self, data: bytes | None, timeout: float | None) -> Call:
        """Give it its input and wait for its end; ``status`` is None if it did not come, and ``late`` if it was in vain."""
        for start in range(0, len(data or b""), 1 << 16):
            self._wire.send(self._channel, protocol.INPUT, (data or b"")[start : start + (1 << 16)])
        self._wire.send(self._channel, protocol.INPUT_END)
        try:
            self.late = not self._done.wait(timeout)
        except BaseException:
            self._wire.send(self._channel, protocol.KILL)
            raise
        if self.late:
            self._wire.send(self._channel, protocol.KILL)
            self.status = None
        self._wire.forget(self._channel)
        return self

    def frame(self, kind: bytes, data: bytes) -> None:
        if kind == protocol.OUTPUT:
            self.output += data
        elif kind == protocol.ERROR:
            self.errors += data
        elif kind == protocol.EXIT:
            self.status = int(data)
        self._open.discard(kind)
        if not self._open:
            self._done.set()

    def lost(self) -> None:
        """The machine is gone."""
        self.status = None
        self._done.set()


class Relayed:
    """A command that a program here stands for (relay.py): frames are passed on both ways."""

    def __init__(self, wire: Wire, sock: socket.socket, asked: bytes) -> None:
        self._wire, self._sock = wire, sock
        self._sock.setblocking(False)
        self._in, self._out = bytearray(), bytearray()
        self._open = {protocol.OUTPUT_END, protocol.ERROR_END, protocol.EXIT}
        self._gone = False
        # The loop knows the socket before anything can come for it.
        LOOP.call(lambda: LOOP.add(sock, self._readable))
        self._channel = wire.open(self, protocol.START, asked)

    def frame(self, kind: bytes, data: bytes) -> None:
        """From the machine; kept for as long as nobody reads the command's output."""
        self._open.discard(kind)
        if not self._open:
            self._wire.forget(self._channel)
        if not self._gone:
            self._out += protocol.HEAD.pack(0, kind, len(data)) + data
            self._writable()

    def lost(self) -> None:
        """The machine is gone, and so the relay ends."""
        if not self._gone:
            self._gone = True
            LOOP.remove(self._sock)

    def _writable(self) -> None:
        try:
            while self._out:
                del self._out[: self._sock.send(self._out[: 1 << 16])]
        except BlockingIOError:
            pass
        except OSError:
            self._out.clear()
        LOOP.want(self._sock, self._readable, self._writable if self._out else None)

    def _readable(self) -> None:
        try:
            data = self._sock.recv(1 << 16)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.lost()
            if self._open:
                self._wire.send(self._channel, protocol.KILL)
            return
        self._in += data
        for _, kind, content in protocol.frames(self._in):
            self._wire.send(self._channel, kind, content)
