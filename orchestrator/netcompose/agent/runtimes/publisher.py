"""The publisher: holds every published port of a topology, and passes on what reaches its own sockets.

What comes from outside, or from the host's own addresses, never gets here: the packet filter has sent it to the
container before. What does is what the packet filter cannot send on (127.0.0.1 and ::1, which never leave a host) or
not well (a container that calls its own host's port from the same network). Holding the ports is the other half of
the work: no other program can take them.

A program of its own, standard library only (Python 3.9): it is run with the folder to work in. There is the file
``ports`` with a line ``0.0.0.0:8080/tcp=172.18.0.2:80@web1`` for each port, which is read again on SIGHUP: all of it
counts or, if a port cannot be had, none of it, and open connections stay. In the file ``ready`` it then says when it
has done so, and in the second line why it could not.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import struct
import sys
import time

from netcompose.agent.runtimes.relay import (
    IP_PKTINFO,
    READ,
    UDP_IDLE,
    Datagrams,
    Loop,
    Published,
    Stream,
    open_socket,
    parse,
)

PORTS, READY = "ports", "ready"
_NOBODY = 65534
_IP_FREEBIND, _IPV6_FREEBIND = 15, 78  # ip(7), ipv6(7)
_CAP_NET_BIND_SERVICE, _PR_SET_KEEPCAPS, _CAPABILITY_VERSION_3 = 10, 8, 0x20080522  # capabilities(7), capget(2)


def bind(published: Published) -> socket.socket:
    """The socket that holds the port; ``OSError`` if it is in use."""
    made = open_socket(published.listen[0], published.protocol)
    try:
        if made.family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            made.setsockopt(socket.IPPROTO_IPV6, _IPV6_FREEBIND, 1)
        else:
            made.setsockopt(socket.IPPROTO_IP, _IP_FREEBIND, 1)
        if published.protocol == "udp":
            # Which of the host's addresses was asked is the one to answer from.
            if made.family == socket.AF_INET6:
                made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
            else:
                made.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
        else:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(published.listen)
        if published.protocol != "udp":
            made.listen(512)
    except BaseException:
        made.close()
        raise
    return made


class Held:
    """A port that is held, and where it leads now."""

    def __init__(self, loop: Loop, sock: socket.socket, published: Published) -> None:
        self._loop = loop
        self._sock = sock
        self.published = published
        self.datagrams = Datagrams(loop, sock, published) if published.protocol == "udp" else None
        if self.datagrams is None:
            loop.watch(sock, READ, self._accept)

    def _accept(self, listener: socket.socket, events: int) -> None:
        try:
            client, _ = listener.accept()
        except OSError as error:
            if not isinstance(error, BlockingIOError):
                time.sleep(0.01)  # Out of descriptors: the connection waits in the queue.
            return
        Stream(self._loop, client, self.published)

    def lead(self, published: Published) -> None:
        """Who comes from now on is led elsewhere; UDP knows no connection, so everybody is."""
        self.published = published
        if self.datagrams is not None:
            self.datagrams.lead(published)

    def release(self) -> None:
        """Give the port back. Connections through it stay."""
        if self.datagrams is not None:
            self.datagrams.forget_all()
        self._loop.drop(self._sock)


class Publisher:
    """Every port that is held."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._held: dict[str, Held] = {}

    def hold(self, texts: list[str]) -> str:
        """Hold these ports and no others; if one cannot be had, why, and everything is as before."""
        wanted = {text.partition("=")[0]: parse(text) for text in texts}
        before = {where: held.published for where, held in self._held.items()}
        # First: a port on one address cannot be had while it is held on all of them.
        for where in [where for where in before if where not in wanted]:
            self._held.pop(where).release()
        failure = self._take(wanted)
        if failure:
            for where in [where for where in self._held if where not in before]:
                self._held.pop(where).release()
            self._take(before)
        for where, published in (before if failure else wanted).items():
            held = self._held.get(where)
            if held is not None and held.published.target != published.target:
                held.lead(published)
        return failure

    def _take(self, wanted: dict[str, Published]) -> str:
        """Hold what is not held yet; why not, if one of them cannot be had."""
        for where, published in wanted.items():
            if where in self._held:
                continue
            try:
                self._held[where] = Held(self._loop, bind(published), published)
            except OSError as error:
                if published.listen[0] == "::" and error.errno in (97, 99):  # EAFNOSUPPORT, EADDRNOTAVAIL: no IPv6
                    continue
                return "cannot publish {}: {}".format(where, error.strerror or error)
        return ""

    def expire(self) -> None:
        """Forget silent UDP exchanges."""
        for held in self._held.values():
            if held.datagrams is not None:
                held.datagrams.expire()


def main(argv: list[str]) -> int:
    """Hold the ports, say so, and serve until told to stop."""
    wake, woken = socket.socketpair()
    for sock in (wake, woken):
        sock.setblocking(False)
    signal.set_wakeup_fd(woken.fileno(), warn_on_full_buffer=False)
    signal.signal(signal.SIGHUP, lambda *_: None)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os._exit(0))
    # Opened while the folder can be entered; whoever writes them writes into the same files.
    ports = os.open(os.path.join(argv[0], PORTS), os.O_RDONLY | os.O_CLOEXEC)
    ready = os.open(os.path.join(argv[0], READY), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    loop = Loop()
    publisher = Publisher(loop)

    def load() -> str:
        failure = publisher.hold(_read(ports).decode().split())
        if failure:
            sys.stderr.write("netcompose: {}\n".format(failure))
            sys.stderr.flush()
        return failure

    def reload(sock: socket.socket, events: int) -> None:
        with contextlib.suppress(BlockingIOError):
            while sock.recv(64):
                pass
        _say(ready, load())

    if load():
        return 1
    _become_nobody()
    loop.watch(wake, READ, reload)
    _say(ready, "")
    next_look = 0.0
    while True:
        if time.monotonic() >= next_look:
            publisher.expire()
            next_look = time.monotonic() + UDP_IDLE / 4
        loop.turn(max(0.0, next_look - time.monotonic()))


def _read(fd: int) -> bytes:
    return os.pread(fd, os.fstat(fd).st_size, 0)


def _say(fd: int, failure: str) -> None:
    """One write of a size that every reader gets whole. The clock is the same for every process (clock_gettime(2))."""
    text = "{}\n{}\n".format(time.monotonic_ns(), failure).encode()
    os.pwrite(fd, text, 0)
    os.ftruncate(fd, len(text))


def _become_nobody() -> None:
    """What follows needs one privilege, to take ports below 1024. In a sandbox of one user id there is no other user to
    become."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0)
    with contextlib.suppress(OSError):
        os.setgroups([])
        os.setresgid(_NOBODY, _NOBODY, _NOBODY)
        os.setresuid(_NOBODY, _NOBODY, _NOBODY)
    # Version and process (itself); effective, permitted, inheritable, for the low and the high 32 capabilities.
    kept = 1 << _CAP_NET_BIND_SERVICE
    libc.capset(struct.pack("=Ii", _CAPABILITY_VERSION_3, 0), struct.pack("=6I", kept, kept, 0, 0, 0, 0))
