"""The whole way to an agent, and the agent at its end."""

from __future__ import annotations

import contextlib
import logging
import socket
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from netcompose.agent.protocol import ALIVE
from netcompose.errors import HostUnreachable, NetcomposeError
from netcompose.transports.base import Progress
from netcompose.transports.remote import START_TIMEOUT, RemoteAgent
from netcompose.transports.ssh import bootstrap, bundle, clock
from netcompose.transports.ssh.bootstrap import Login, Started
from netcompose.transports.ssh.deadline import Deadline
from netcompose.transports.ssh.dial import dial, silent, tune
from netcompose.transports.ssh.handshake import Dropped, handshake
from netcompose.transports.ssh.login import log_in
from netcompose.transports.ssh.settings import Hop, route
from netcompose.transports.ssh.stream import ChannelStream
from netcompose.transports.ssh.target import SshTarget

if TYPE_CHECKING:
    import paramiko

    from netcompose.transports.ssh.approach import Approach

#: Bytes that may be under way to us: what a host of 1000 containers observes has 4 MB.
_WINDOW = 16 << 20
#: Signs of life of the controller that an agent misses before it ends.
_SIGNS_MISSED = 4
#: Signs of life of the SSH server that are missing when it is gone, and the seconds that it has in any case.
_SIGNS_MISSING = 3
_LEAST_PATIENCE = 3.0
#: Seconds between the tries with an sshd that drops connections because it has too many that are not logged in yet; a
#: jump host meets all of ours at once.
_PAUSES = (0.2, 0.5, 1.0)


class SshAgent(RemoteAgent):
    """The agent of a host behind SSH. ``notes`` are for the user, ``started`` is what the host said of itself."""

    def __init__(self, target: SshTarget, stream: ChannelStream, started: Started) -> None:
        self.started = started
        self.notes = (
            (f"host {target.name}: the agent cannot be kept there and is sent each time ({started.problem})",)
            if started.problem
            else ()
        )
        self._stream = stream
        self._closed = False
        super().__init__(target.name, stream, answer_timeout=target.command_timeout)
        self.keepalive = target.keepalive
        if target.keepalive > 0:
            clock.after(target.keepalive, self._live)

    def _live(self) -> None:
        """Signs of life between requests; during one the agent expects nothing but its end. The SSH server has to
        answer all the time: behind a jump host no TCP connection of ours tells that it is gone."""
        if self._closed:
            return
        patience = clock.after(max(_SIGNS_MISSING * self.keepalive, _LEAST_PATIENCE), self._stream.close)
        self._stream.ask()
        patience.cancel()
        if self._busy.acquire(blocking=False):
            try:
                self._stream.send_if_idle(ALIVE)
            finally:
                self._busy.release()
        clock.after(self.keepalive, self._live)

    def _call(
        self, method: str, params: dict[str, Any], progress: Progress | None = None, timeout: float | None = None
    ) -> Any:
        try:
            return super()._call(method, params, progress, timeout)
        except HostUnreachable as error:
            if words := self._stream.last_words():
                raise HostUnreachable(f"{error.message}; its last words: {words[-500:]}", hint=error.hint) from None
            raise

    def library(self, name: str) -> bytes:
        """See :meth:`RemoteAgent.library`."""
        made = bundle.library()
        if made is None:
            return b""
        return made.packed if name == made.name else made.name.encode("ascii")

    def close(self) -> None:
        """See :meth:`RemoteAgent.close`."""
        self._closed = True
        super().close()


def open_agent(target: SshTarget, *, accept_new: bool, timeout: float, approach: Approach | None = None) -> SshAgent:
    """See :func:`netcompose.transports.ssh.connect`."""
    with contextlib.ExitStack() as undo:
        way = _Way(target, accept_new=accept_new, timeout=timeout, approach=approach)
        undo.callback(way.close)
        with way.within(START_TIMEOUT) as deadline:
            stream, login = way.session(deadline)
            silence = target.keepalive * _SIGNS_MISSED
            started = bootstrap.start(login, stream, bundle.installed(), deadline, silence=silence)
            agent = SshAgent(target, stream, started)
        undo.pop_all()
        return agent


def empty_cache(target: SshTarget, *, accept_new: bool, timeout: float) -> list[str]:
    """See :func:`netcompose.transports.ssh.clean`."""
    way = _Way(target, accept_new=accept_new, timeout=timeout)
    try:
        with way.within(START_TIMEOUT) as deadline:
            stream, login = way.session(deadline)
            return bootstrap.clean(login, stream, deadline)
    finally:
        way.close()


class _Way:
    """The connections of a chain of hops, made one after the other and closed together."""

    def __init__(
        self, target: SshTarget, *, accept_new: bool, timeout: float, approach: Approach | None = None
    ) -> None:
        self._target = target
        self._approach = approach
        self._transports: list[paramiko.Transport] = []
        self._late = False
        # Without a handler, Python prints the library's tracebacks to stderr.
        logging.getLogger("paramiko").addHandler(logging.NullHandler())
        try:
            self._hops = approach.hops if approach is not None else route(target)
            with self.within(timeout) as deadline:
                for hop in self._hops:
                    self._extend(hop, accept_new, deadline)
        except BaseException:
            self.close()
            raise

    def _extend(self, hop: Hop, accept_new: bool, deadline: Deadline) -> None:
        transport = self._shake_hands(hop, accept_new, deadline)
        self._transports.append(transport)
        log_in(self._target.name, hop, transport, deadline)
        if self._target.keepalive > 0:
            transport.set_keepalive(max(1, int(self._target.keepalive)))

    def _shake_hands(self, hop: Hop, accept_new: bool, deadline: Deadline) -> paramiko.Transport:
        before = self._transports[-1] if self._transports else None
        for pause in (*_PAUSES, None):
            sock = self._arrived(deadline) or dial(self._target.name, hop, before, self._target.keepalive, deadline)
            try:
                return handshake(self._target.name, hop, sock, accept_new=accept_new, deadline=deadline)
            except Dropped:
                if pause is None or deadline.left() < pause:
                    raise
                time.sleep(pause)
        raise AssertionError

    def _arrived(self, deadline: Deadline) -> socket.socket | None:
        """The connection that was begun before, if there is one."""
        sock = self._approach.arrived(deadline) if self._approach is not None else None
        if sock is not None:
            tune(sock, self._target.keepalive)
        return sock

    @contextlib.contextmanager
    def within(self, seconds: float) -> Iterator[Deadline]:
        """Work with a deadline. Some of paramiko's waits know none; they end because the connections are closed."""
        deadline = Deadline(seconds)

        def cut() -> None:
            self._late = True
            self.close()

        # Every wait that knows the deadline has its own words for it, and a second to say them.
        alarm = clock.after(seconds + 1, cut)
        try:
            yield deadline
        except NetcomposeError:
            if self._late:
                raise silent(self._target.name, self._hops[-1], deadline) from None
            raise
        except TimeoutError:
            raise silent(self._target.name, self._hops[-1], deadline) from None
        finally:
            alarm.cancel()

    def session(self, deadline: Deadline) -> tuple[ChannelStream, Login]:
        """A channel on the host itself."""
        import paramiko

        transport, hop = self._transports[-1], self._hops[-1]
        try:
            channel = transport.open_session(window_size=_WINDOW, timeout=deadline.left())
        except (paramiko.SSHException, EOFError, OSError) as error:
            raise HostUnreachable(
                f"host {self._target.name}: {hop.place} does not open a session ({error or 'the connection is lost'})"
            ) from None
        sudo = self._target.become == "sudo" and hop.user != "root"
        return ChannelStream(channel, self.close), Login(self._target.name, hop.user, transport, sudo)

    def close(self) -> None:
        """Close all of it, the innermost first."""
        while self._transports:
            transport = self._transports.pop()
            sock = transport.sock
            if isinstance(sock, socket.socket):
                # Wakes its thread, which takes the rest apart by itself: nobody waits for that, host by host.
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
            else:
                with contextlib.suppress(Exception):
                    transport.close()
