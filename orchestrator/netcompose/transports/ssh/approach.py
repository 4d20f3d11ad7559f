"""Connections to hosts that are begun before anything else is ready.

A server needs some milliseconds until it speaks, and so does this program until it can (the SSH library alone takes
fifty to import). So the way to each host is found and its first connection begun; then the rest is imported. Whatever
goes wrong here is not said: the same is tried again, and then told, when it is the host's turn.
"""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time
from collections.abc import Sequence

from netcompose.errors import HostUnreachable
from netcompose.transports.ssh import alike, dial
from netcompose.transports.ssh.deadline import Deadline
from netcompose.transports.ssh.settings import Hop, route
from netcompose.transports.ssh.target import SshTarget

#: Seconds between two connections. Hosts of a lab are often machines inside this one: twenty servers that start at the
#: same moment leave it nothing to go on with.
_PAUSE = 0.003


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


class Beginning:
    """Begins connections to those of these hosts that a plain socket leads to, in a thread, until they are wanted."""

    def __init__(self, targets: Sequence[SshTarget]) -> None:
        self._left = {target.name: target for target in targets}
        self._found: dict[str, Approach] = {}
        self._turn = threading.Lock()
        threading.Thread(target=self._run, args=(list(self._left),), daemon=True).start()

    def take(self, name: str) -> Approach | None:
        """What was begun for a host; None if it was not its turn yet, and now it is not begun here any more."""
        with self._turn:
            self._left.pop(name, None)
            return self._found.pop(name, None)

    def close(self) -> None:
        """Give up what nobody has taken."""
        with self._turn:
            self._left.clear()
            while self._found:
                self._found.popitem()[1].close()

    def _run(self, names: Sequence[str]) -> None:
        configuration = alike.Configuration()
        for name in names:
            with self._turn:
                target = self._left.pop(name, None)
                if target is None:
                    continue
                with contextlib.suppress(HostUnreachable):
                    hops = route(target, configuration)
                    direct = len(hops) == 1 and not hops[0].proxy_command
                    self._found[name] = Approach(hops, dial.begin(hops[0]) if direct else None)
            time.sleep(_PAUSE)
