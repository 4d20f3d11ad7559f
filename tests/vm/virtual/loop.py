"""One thread that carries bytes between the test, its virtual machines, and the machines' network cards."""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import threading
import traceback
from collections.abc import Callable

Callback = Callable[[], None]
_FRAME = 65536


class Loop:
    """Calls back, in its own thread, when a socket has something. Started by its first use, ends with the process."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._todo: list[Callback] = []
        self._lock = threading.Lock()
        self._wake, self._wakeup = os.pipe()
        os.set_blocking(self._wake, False)
        self._selector.register(self._wake, selectors.EVENT_READ, self._drain)
        self._thread: threading.Thread | None = None

    def call(self, function: Callback) -> None:
        """Run a function in the loop's thread, soon."""
        with self._lock:
            self._todo.append(function)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="virtual machines", daemon=True)
                self._thread.start()
        os.write(self._wakeup, b".")

    def add(self, sock: socket.socket, readable: Callback) -> None:
        """Call ``readable`` whenever the socket can be read; in the loop's thread only."""
        self._selector.register(sock, selectors.EVENT_READ, readable)

    def want(self, sock: socket.socket, readable: Callback, writable: Callback | None) -> None:
        """The same, and ``writable`` when it can be written; in the loop's thread only."""
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if writable else 0)
        self._selector.modify(sock, events, (readable, writable) if writable else readable)

    def remove(self, sock: socket.socket) -> None:
        """No more calls for the socket, which is closed; in the loop's thread only."""
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(sock)
        sock.close()

    def _drain(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake, 4096)
        with self._lock:
            todo, self._todo = self._todo, []
        for function in todo:
            function()

    def _run(self) -> None:
        while True:
            for key, events in self._selector.select():
                if self._selector.get_map().get(key.fd) is not key:
                    continue
                try:
                    self._call_back(key, events)
                except Exception:
                    # One connection is lost; without this thread all would be.
                    traceback.print_exc()
                    if key.fileobj != self._wake:
                        self._selector.unregister(key.fileobj)

    def _call_back(self, key: selectors.SelectorKey, events: int) -> None:
        if callable(key.data):
            key.data()
            return
        readable, writable = key.data
        if events & selectors.EVENT_WRITE:
            writable()
        if events & selectors.EVENT_READ and key.fd in self._selector.get_map():
            readable()


LOOP = Loop()


class Segment:
    """An Ethernet segment: what one port sends, all others get, as on a hub. Nothing of it is on this machine's network."""

    def __init__(self, loop: Loop = LOOP) -> None:
        self._loop = loop
        self._ports: list[socket.socket] = []

    def plug(self) -> socket.socket:
        """A new port: the other end, one datagram a frame, for ``-netdev dgram``. It ends when that end is closed."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        for end in (ours, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        ours.setblocking(False)

        def add() -> None:
            self._ports.append(ours)
            self._loop.add(ours, lambda: self._forward(ours))

        self._loop.call(add)
        return theirs

    def _forward(self, port: socket.socket) -> None:
        # A few at a time, so that commands have their turn.
        for _ in range(64):
            try:
                frame = port.recv(_FRAME)
            except BlockingIOError:
                return
            except OSError:
                self._unplug(port)
                return
            for other in self._ports.copy():
                if other is not port:
                    try:
                        other.send(frame)
                    except BlockingIOError:
                        # Full: a frame is lost, as on a cable.
                        continue
                    except OSError:
                        # Its machine has been switched off, of which a socket of datagrams tells only now.
                        self._unplug(other)

    def _unplug(self, port: socket.socket) -> None:
        self._ports.remove(port)
        self._loop.remove(port)
