"""The way to an SSH server: a socket of our own, a ProxyCommand, or a channel through the hop before."""

from __future__ import annotations

import contextlib
import errno
import os
import queue
import socket
import threading
from typing import TYPE_CHECKING, Any

from netcompose.errors import HostUnreachable
from netcompose.transports.ssh.deadline import Deadline
from netcompose.transports.ssh.settings import Hop

if TYPE_CHECKING:
    import paramiko

_FAMILIES = {"inet": socket.AF_INET, "inet6": socket.AF_INET6}


#: Bytes that are taken from the kernel at once.
_PIECE = 1 << 16


class Socket(socket.socket):
    """A TCP socket that acknowledges at once: sshd holds a small answer back until the one before it is acknowledged,
    and the kernel would take its time for that (40 ms; the setting lasts only for a while, tcp(7)). What has come is
    taken as a whole: paramiko asks for a packet in pieces."""

    _held = b""
    _given = 0

    def recv(self, count: int, flags: int = 0) -> bytes:
        """See ``socket.recv``; for one reader, and nobody may look with ``select`` whether there is something."""
        if self._given == len(self._held):
            self._held, self._given = super().recv(_PIECE, flags), 0
            self.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        data = self._held[self._given : self._given + count]
        self._given += len(data)
        return data


def dial(host: str, hop: Hop, before: paramiko.Transport | None, keepalive: float, deadline: Deadline) -> Any:
    """Something that paramiko takes for a connected socket. ``host`` is the name for messages, ``before`` the hop in
    front, ``keepalive`` the seconds between signs of life. Raises ``HostUnreachable``."""
    if before is not None:
        return _through(host, hop, before, deadline)
    if hop.proxy_command:
        return _by_command(host, hop)
    return _direct(host, hop, keepalive, deadline)


def _through(host: str, hop: Hop, before: paramiko.Transport, deadline: Deadline) -> paramiko.Channel:
    import paramiko

    try:
        return before.open_channel(
            "direct-tcpip", (hop.hostname, hop.port), ("127.0.0.1", 0), timeout=_left(host, hop, deadline)
        )
    except paramiko.ChannelException as error:
        raise HostUnreachable(
            f"host {host}: {_peer(before)} does not connect to {hop.hostname} port {hop.port}: {error.text}",
            hint="the jump host has to reach it, and its sshd to allow that (AllowTcpForwarding)",
        ) from None
    except (paramiko.SSHException, EOFError, OSError) as error:
        if deadline.over:
            raise silent(host, hop, deadline) from None
        raise HostUnreachable(f"host {host}: the connection to {_peer(before)} was lost ({error})") from None


def _peer(transport: paramiko.Transport) -> str:
    return f"the jump host {getattr(transport, 'netcompose_place', '')}".strip()


def _by_command(host: str, hop: Hop) -> Any:
    import paramiko

    try:
        return paramiko.ProxyCommand(hop.proxy_command)
    except (OSError, ValueError) as error:
        raise HostUnreachable(
            f"host {host}: ProxyCommand {hop.proxy_command!r} does not start: {error}",
            hint="it is started as a list of words, without a shell",
        ) from None


def begin(hop: Hop) -> Socket | None:
    """A connection that is being made, without waiting for anything: only to an address that needs no name server.
    None if there is none to begin."""
    try:
        family, kind, protocol, _, address = _address(hop)[0]
        sock = Socket(family, kind | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, protocol)
    except OSError:
        return None
    if sock.connect_ex(address) in (0, errno.EINPROGRESS):
        return sock
    sock.close()
    return None


def _direct(host: str, hop: Hop, keepalive: float, deadline: Deadline) -> socket.socket:
    last: OSError | None = None
    found = _resolve(host, hop, deadline)
    for number, (family, kind, protocol, _, address) in enumerate(found):
        sock = None
        try:
            sock = Socket(family, kind | socket.SOCK_CLOEXEC, protocol)
            # One address that is silent leaves time for the others.
            sock.settimeout(_left(host, hop, deadline) / (len(found) - number))
            sock.connect(address)
        except OSError as error:
            if sock is not None:
                sock.close()
            last = error
            continue
        tune(sock, keepalive)
        return sock
    raise _unreachable(host, hop, last, deadline) from None


def _resolve(host: str, hop: Hop, deadline: Deadline) -> list[Any]:
    """getaddrinfo(3), which knows no deadline, in a thread that is left behind if it takes too long."""
    family = _FAMILIES.get(hop.address_family, socket.AF_UNSPEC)
    answers: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put(socket.getaddrinfo(hop.hostname, hop.port, family, socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            answers.put(error)

    with contextlib.suppress(OSError):
        # No name server, and so no thread.
        return _address(hop)
    threading.Thread(target=ask, daemon=True).start()
    try:
        answer = answers.get(timeout=_left(host, hop, deadline))
    except queue.Empty:
        raise HostUnreachable(
            f"host {host}: no name server says what the address of {hop.hostname} is",
            hint="write its address: `address:` of the host",
        ) from None
    if isinstance(answer, Exception):
        why = answer.strerror if isinstance(answer, OSError) else str(answer)
        raise HostUnreachable(
            f"host {host}: the name {hop.hostname} is not known ({why})",
            hint="write its address (`address:` of the host), or an alias of ~/.ssh/config",
        )
    return list(answer)


def _address(hop: Hop) -> list[Any]:
    """What is an address already; ``OSError`` for a name."""
    family = _FAMILIES.get(hop.address_family, socket.AF_UNSPEC)
    return socket.getaddrinfo(hop.hostname, hop.port, family, socket.SOCK_STREAM, 0, socket.AI_NUMERICHOST)


def tune(sock: socket.socket, keepalive: float) -> None:
    """Small messages go at once, and a peer that is silent for three signs of life is gone (tcp(7))."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if keepalive > 0:
        interval = max(1, int(keepalive))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, interval)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, interval)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(3000 * keepalive))


def _left(host: str, hop: Hop, deadline: Deadline) -> float:
    try:
        return deadline.left()
    except TimeoutError:
        raise silent(host, hop, deadline) from None


def silent(host: str, hop: Hop, deadline: Deadline) -> HostUnreachable:
    """The error for a server that does not answer in time."""
    return HostUnreachable(
        f"host {host}: no answer from {hop.hostname} port {hop.port} within {deadline.seconds:g} s",
        hint=f"is it up, and does a firewall let you through? try: {hop.command}; or give it more `connect_timeout:`",
    )


def _unreachable(host: str, hop: Hop, error: OSError | None, deadline: Deadline) -> HostUnreachable:
    if error is None or isinstance(error, TimeoutError) or error.errno == errno.ETIMEDOUT:
        return silent(host, hop, deadline)
    where = f"{hop.hostname} port {hop.port}"
    if error.errno == errno.ECONNREFUSED:
        return HostUnreachable(
            f"host {host}: nothing listens on {where} (connection refused)",
            hint="is sshd running there, and is `port:` right?",
        )
    words = os.strerror(error.errno) if error.errno else str(error)
    return HostUnreachable(f"host {host}: {where} cannot be reached: {words}", hint=f"try: {hop.command}")
