"""Connections to hosts that are begun before anything else is ready.

A server needs some milliseconds until it speaks, and so does this program until it can (the SSH library alone takes
fifty to import). So the way to each host is found and its first connection begun; then the rest is imported. Whatever
goes wrong here is not said: the same is tried again, and then told, when it is the host's turn.
"""

from __future__ import annotations

import contextlib
import select
import socket
from collections.abc import Iterable

from netcompose.errors import HostUnreachable
from netcompose.transports.ssh import alike, dial
from netcompose.transports.ssh.deadline import Deadline
from netcompose.transports.ssh.settings import Hop, route
from netcompose.transports.ssh.target import SshTarget


class Approach:
    """The hops to a host, and a connection to the first of them that may not be there yet."""

    def __init__(self, hops: tuple[Hop, ...], sock: dial.Socket | None) -> None:
        self.hops = hops
        self._sock = sock

    def arrived(self, deadline: Deadline) -> dial.Socket | None:
        """The connection when it is there, once; None if there is none, or it did not succeed."""
        sock, self._sock = self._sock, None
        if sock is None:
            return None
        poll = select.poll()
        poll.register(sock, select.POLLOUT)
        try:
            if poll.poll(int(deadline.left() * 1000)) and not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                sock.settimeout(deadline.left())
                return sock
        except TimeoutError:
            pass
        sock.close()
        return None

    def close(self) -> None:
        """Give the connection up if nobody has taken it."""
        sock, self._sock = self._sock, None
        if sock is not None:
            sock.close()


def begin(targets: Iterable[SshTarget]) -> dict[str, Approach]:
    """Begin connections to those of these hosts that a plain socket leads to, by name."""
    configuration = alike.Configuration()
    found = {}
    for target in targets:
        with contextlib.suppress(HostUnreachable):
            hops = route(target, configuration)
            direct = len(hops) == 1 and not hops[0].proxy_command
            found[target.name] = Approach(hops, dial.begin(hops[0]) if direct else None)
    return found
