"""Hosts in memory: an agent that changes nothing but its own state, behind the real protocol.

What the executor has is the product's own ``RemoteAgent``; what it says is framed, encoded, answered and decoded as it
is over SSH. Only the pipe between the two ends is a call, so that there are no threads but the executor's own, and no
kernel. ``delay`` is how many seconds every answer is under way, to see the fan-out.

It lives beside the benchmark because nothing that a user does needs it: a transport that changes no host would only be
a second way to look at a plan.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any

from netcompose import __version__
from netcompose.agent.protocol import Channel, Stream
from netcompose.agent.server import Progress, answer
from netcompose.errors import Locked
from netcompose.planner.plan import Change
from netcompose.resources import ContainerState, ExecTarget, HostFacts, Observation, Resource
from netcompose.transports.remote import RemoteAgent


class SimulatedHost:
    """The agents of one host: what is live is what the applied changes left. Shared by all connections to it."""

    def __init__(self, name: str, facts: HostFacts, delay: float = 0.0) -> None:
        self.name = name
        self.delay = delay
        self.live: dict[str, Resource] = {}
        #: Requests by method, and the processor time that answering them took: the host's, not the controller's.
        self.asked: dict[str, int] = {}
        self.seconds = 0.0
        self._facts = facts
        self._owner = ""
        self._token = ""
        self._armed: Sequence[Change] = ()
        self._before: dict[str, Resource] = {}

    def connect(self) -> RemoteAgent:
        """A connection of its own."""
        return RemoteAgent(self.name, _Wire(self))

    def known_as(self, host: str) -> None:
        """See :class:`netcompose.agent.server.Served`, as for all that follows."""

    def at_work(self, busy: bool) -> None:
        """Nobody watches."""

    def hello(self) -> dict[str, Any]:
        return {"version": __version__, "python": list(sys.version_info[:3]), "pid": 1, "time": time.time()}

    def features(self, names: Sequence[str] = ()) -> dict[str, str]:
        return dict.fromkeys(names, "")

    def observe(self, topology: str, parents: Sequence[str] = (), images: Sequence[str] = ()) -> Observation:
        return Observation(resources=self.live, facts=self._facts)

    def owners(self, inodes: Sequence[int]) -> dict[int, str]:
        return {}

    def lock(self, topology: str, owner: str) -> None:
        if self._owner:
            raise Locked(f"host {self.name} is locked by {self._owner}")
        self._owner = owner

    def unlock(self) -> None:
        self._owner = ""

    def arm(self, topology: str, changes: Sequence[Change], token: str, seconds: float) -> None:
        self._token, self._armed = token, changes

    def settle(self, token: str, what: str) -> str:
        if token != self._token:
            return "gone"
        if what == "ready":
            return "ready"
        self._token = ""
        if what == "confirm":
            return "confirmed"
        self.rollback()
        return "rolled back"

    def apply(self, topology: str, changes: Sequence[Change] | None, progress: Progress | None) -> None:
        self._before = dict(self.live)
        for change in self._armed if changes is None else changes:
            if change.before is not None:
                self.live.pop(change.before.id, None)
            if change.after is not None:
                self.live[change.id] = change.after

    def confirm(self) -> None:
        self._before, self._armed = {}, ()

    def rollback(self) -> None:
        self.live = dict(self._before)

    def states(self, topology: str) -> list[ContainerState]:
        return []

    def run_many(
        self, topology: str, jobs: Sequence[tuple[ExecTarget, Sequence[str]]], timeout: float
    ) -> list[tuple[int, bytes, bytes]]:
        return [(0, b"", b"") for _ in jobs]

    def logs(self, topology: str, container: str, tail: int | None, since: float, timestamps: bool) -> bytes:
        return b""

    def close(self) -> None:
        """The host stays."""


class _Pipe(Stream):
    """Bytes on their way in one direction."""

    def __init__(self) -> None:
        self.data = bytearray()

    def receive(self, limit: int, timeout: float | None) -> bytes:
        """See :class:`Stream`."""
        data = bytes(self.data[:limit])
        del self.data[:limit]
        return data

    def send(self, data: bytes, timeout: float | None = None) -> None:
        """See :class:`Stream`."""
        self.data += data

    def readable(self, timeout: float) -> bool:
        """See :class:`Stream`."""
        return bool(self.data)


class _Wire(Stream):
    """The controller's end of a connection: who waits for an answer works it out."""

    def __init__(self, host: SimulatedHost) -> None:
        self._host = host
        self._there, self._back = _Pipe(), _Pipe()
        self._agent = Channel(_Both(self._there, self._back))
        self._agent.announce()

    def receive(self, limit: int, timeout: float | None) -> bytes:
        """See :class:`Stream`."""
        if not self._back.data:
            if self._host.delay:
                time.sleep(self._host.delay)
            start = time.thread_time()
            request = self._agent.receive()
            method = str(request.get("method"))
            self._host.asked[method] = self._host.asked.get(method, 0) + 1
            answer(self._host, self._agent, request)
            self._host.seconds += time.thread_time() - start
        return self._back.receive(limit, timeout)

    def send(self, data: bytes, timeout: float | None = None) -> None:
        """See :class:`Stream`."""
        self._there.send(data)

    def close(self) -> None:
        """See :class:`Stream`."""


class _Both(_Pipe):
    """The agent's end."""

    def __init__(self, incoming: _Pipe, outgoing: _Pipe) -> None:
        self.data = incoming.data
        self._outgoing = outgoing

    def send(self, data: bytes, timeout: float | None = None) -> None:
        """See :class:`Stream`."""
        self._outgoing.send(data)
