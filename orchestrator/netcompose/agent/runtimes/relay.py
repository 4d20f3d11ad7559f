"""Passing on: between a client and the container that a published port leads to, for streams and for datagrams.

Part of the publisher (publisher.py), with which it is shipped as source. Standard library only, Python 3.9.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import struct
import time
from typing import Any, Callable, NamedTuple, Optional

_BLOCK = 1 << 16
#: Bytes kept for a side that does not read; then the other side is not read either.
_LIMIT = 1 << 18
#: Seconds without a packet after which a UDP exchange is forgotten, and how many are remembered at all.
UDP_IDLE, _UDP_SESSIONS = 90.0, 4096
IPPROTO_SCTP = 132
IP_PKTINFO = 8  # ip(7)
READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE


class Published(NamedTuple):
    """One socket of the host and where it leads."""

    text: str
    protocol: str
    listen: tuple[str, int]
    target: tuple[str, int]


def parse(text: str) -> Published:
    """``[::]:8080/tcp=172.18.0.2:80@web1``; what stands behind the @ is for people."""
    listen, _, target = text.partition("@")[0].partition("=")
    listen, _, protocol = listen.rpartition("/")
    return Published(text, protocol, _endpoint(listen), _endpoint(target))


def _endpoint(text: str) -> tuple[str, int]:
    address, _, port = text.rpartition(":")
    return address.strip("[]"), int(port)


def _family(address: str) -> int:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def open_socket(address: str, protocol: str) -> socket.socket:
    """A socket of the address's family, which does not block."""
    kind = socket.SOCK_DGRAM if protocol == "udp" else socket.SOCK_STREAM
    made = socket.socket(_family(address), kind, IPPROTO_SCTP if protocol == "sctp" else 0)
    made.setblocking(False)
    return made


class Loop:
    """Waits for sockets and calls who is responsible for them."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._events: dict[socket.socket, int] = {}

    def watch(self, sock: socket.socket, events: int, call: Callable[[socket.socket, int], None]) -> None:
        """Call when one of the events comes; with none, never."""
        before = self._events.get(sock, 0)
        if events == before:
            return
        if not before:
            self._selector.register(sock, events, call)
        elif events:
            self._selector.modify(sock, events, call)
        else:
            self._selector.unregister(sock)
        self._events[sock] = events

    def drop(self, sock: socket.socket) -> None:
        """Close a socket."""
        if self._events.pop(sock, 0):
            self._selector.unregister(sock)
        sock.close()

    def turn(self, timeout: float) -> None:
        """Wait for the next events and see to them."""
        for key, events in self._selector.select(timeout):
            # Another event of this turn may have closed it.
            if self._events.get(key.fileobj, 0):  # type: ignore[call-overload]
                key.data(key.fileobj, events)


class Stream:
    """One connection from a client, and the one to the container that it leads to."""

    def __init__(self, loop: Loop, client: socket.socket, published: Published) -> None:
        self._loop = loop
        self._client = client
        self._server = open_socket(published.target[0], published.protocol)
        self._connected = False
        self._waiting = {client: bytearray(), self._server: bytearray()}
        self._ended = {client: False, self._server: False}
        self._shut = {client: False, self._server: False}
        client.setblocking(False)
        for sock in (client, self._server):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        try:
            self._server.connect(published.target)
        except BlockingIOError:
            pass
        except OSError:
            self._break()
            return
        self._interest()

    def _other(self, sock: socket.socket) -> socket.socket:
        return self._server if sock is self._client else self._client

    def _event(self, sock: socket.socket, events: int) -> None:
        try:
            if sock is self._server and not self._connected:
                error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if error:
                    raise OSError(error, os.strerror(error))
                self._connected = True
            if events & READ:
                self._receive(sock)
            if events & WRITE:
                self._send(sock)
            self._pass_on_ends()
        except BlockingIOError:
            pass
        except OSError:
            self._break()
            return
        if all(self._ended.values()) and not any(self._waiting.values()):
            self._loop.drop(self._client)
            self._loop.drop(self._server)
        else:
            self._interest()

    def _receive(self, sock: socket.socket) -> None:
        data = sock.recv(_BLOCK)
        if not data:
            self._ended[sock] = True
        other = self._other(sock)
        self._waiting[other] += data
        if data and (other is self._client or self._connected):
            self._send(other)

    def _send(self, sock: socket.socket) -> None:
        waiting = self._waiting[sock]
        if waiting:
            try:
                del waiting[: sock.send(waiting)]
            except BlockingIOError:
                return

    def _pass_on_ends(self) -> None:
        """Who has ended and whose last words have arrived: tell the other side."""
        for sock in (self._client, self._server):
            other = self._other(sock)
            if self._ended[sock] and not self._waiting[other] and not self._shut[other]:
                if other is self._server and not self._connected:
                    continue
                self._shut[other] = True
                other.shutdown(socket.SHUT_WR)

    def _interest(self) -> None:
        for sock in (self._client, self._server):
            events = 0
            if not self._ended[sock] and len(self._waiting[self._other(sock)]) < _LIMIT:
                events |= READ
            if self._waiting[sock] or (sock is self._server and not self._connected):
                events |= WRITE
            if sock is self._server and not self._connected:
                events = WRITE
            self._loop.watch(sock, events, self._event)

    def _break(self) -> None:
        """End both without a word (RST), as the container's own kernel would."""
        for sock in (self._client, self._server):
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._loop.drop(sock)


class Datagrams:
    """A UDP port: one socket to the container for each client, so that answers find their way back."""

    def __init__(self, loop: Loop, sock: socket.socket, published: Published) -> None:
        self._loop = loop
        self._sock = sock
        self._target = published.target
        #: (client, the address that it asked) -> (socket to the container, time of the last packet), oldest first.
        self._sessions: dict[Any, tuple[socket.socket, float]] = {}
        loop.watch(sock, READ, self._from_client)

    def _from_client(self, sock: socket.socket, events: int) -> None:
        try:
            data, control, _, client = sock.recvmsg(_BLOCK, 256)
        except OSError:
            return
        asked = next((value for level, kind, value in control if _is_pktinfo(level, kind)), b"")
        key = (client, asked)
        session = self._sessions.pop(key, None)
        server = session[0] if session else self._open(key)
        if server is not None:
            self._sessions[key] = (server, time.monotonic())
            # An earlier packet may have been refused; this one may be welcome.
            with contextlib.suppress(OSError):
                server.send(data)

    def _open(self, key: Any) -> Optional[socket.socket]:
        if len(self._sessions) >= _UDP_SESSIONS:
            self._forget(next(iter(self._sessions)))
        server = open_socket(self._target[0], "udp")
        try:
            server.connect(self._target)
        except OSError:
            server.close()
            return None
        self._loop.watch(server, READ, lambda sock, events: self._from_server(key, sock))
        return server

    def _from_server(self, key: Any, server: socket.socket) -> None:
        client, asked = key
        with contextlib.suppress(OSError):
            data = server.recv(_BLOCK)
            self._sessions.pop(key, None)
            self._sessions[key] = (server, time.monotonic())
            self._sock.sendmsg([data], [_source(asked)] if asked else [], 0, client)

    def expire(self) -> None:
        """Forget who has been silent for long."""
        old = time.monotonic() - UDP_IDLE
        for key in [key for key, (_, last) in self._sessions.items() if last < old]:
            self._forget(key)

    def lead(self, published: Published) -> None:
        """Everybody's next packet goes elsewhere."""
        self._target = published.target
        self.forget_all()

    def forget_all(self) -> None:
        """End every exchange."""
        for key in list(self._sessions):
            self._forget(key)

    def _forget(self, key: Any) -> None:
        self._loop.drop(self._sessions.pop(key)[0])


def _is_pktinfo(level: int, kind: int) -> bool:
    return (level, kind) in ((socket.IPPROTO_IP, IP_PKTINFO), (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO))


def _source(asked: bytes) -> tuple[int, int, bytes]:
    """The control message that answers from the address that was asked (struct in_pktinfo, struct in6_pktinfo)."""
    if len(asked) == 12:
        return socket.IPPROTO_IP, IP_PKTINFO, struct.pack("=I4s4s", 0, asked[8:12], bytes(4))
    # The interface matters for link-local addresses only.
    link_local = asked[0] == 0xFE and asked[1] & 0xC0 == 0x80
    return socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, asked if link_local else asked[:16] + bytes(4)
