"""A run whose hosts are armed: each takes its part back by itself when it is left alone."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from typing import NoReturn

from netcompose.errors import ApplyFailed, HostUnreachable, NetcomposeError, RollbackFailed
from netcompose.executor import settle
from netcompose.executor.fanout import heartbeat, refuse, side_by_side
from netcompose.executor.settle import Reconnect
from netcompose.planner.plan import Change
from netcompose.transports.base import Connection

_SEE = "run `netcompose plan` to see what is left, then `up` to finish or `down` to remove it"


class ArmedRun:
    """One run over the hosts that it changes; ``work`` has each host's changes, ``connections`` the open ones."""

    def __init__(
        self,
        topology: str,
        work: Mapping[str, Sequence[Change]],
        connections: Mapping[str, Connection],
        reconnect: Reconnect,
    ) -> None:
        self._topology = topology
        self._work = work
        self._connections = connections
        self._reconnect = reconnect
        self._token = os.urandom(16).hex()

    def arm(self) -> None:
        """Every host, before the first change on any. Raises what is in the way, of all hosts at once; nothing has been
        changed then."""
        failures: dict[str, NetcomposeError] = {}

        def arm(host: str) -> None:
            try:
                self._connections[host].arm(self._topology, self._work[host], self._token, settle.PATIENCE)
            except NetcomposeError as error:
                failures[host] = error

        try:
            side_by_side({host: lambda host=host: arm(host) for host in self._work})  # type: ignore[misc]
            refuse(failures, len(self._work))
        except BaseException:
            for connection in self._connections.values():
                with contextlib.suppress(NetcomposeError):
                    connection.rollback()
            raise

    def watched(self) -> contextlib.AbstractContextManager[None]:
        """While hosts wait for each other."""
        return heartbeat(self._connections, settle.PATIENCE / 6)

    def confirm(self) -> None:
        """All or none. Raises if it is not all; then it is the caller's to take back."""
        settle.confirm(list(self._work), self._reconnect, self._token)

    def take_back(self, error: BaseException, cause: str, hint: str) -> NoReturn:
        """Bring all back, and raise what became of each host."""
        found = settle.take_back(self._topology, self._work, self._connections, self._reconnect, self._token)
        lines = [f"{host}: {outcome.words}" for host, outcome in sorted(found.items())] if len(found) > 1 else []
        unsure = [outcome for outcome in found.values() if not outcome.sure]
        if not unsure:
            raise ApplyFailed("\n".join([f"{cause}; everything was put back as it was", *lines]), hint=hint) from error
        message = "\n".join([cause, *(lines or [unsure[0].words])])
        if all(outcome.unreachable for outcome in unsure):
            raise HostUnreachable(message, hint=_SEE) from error
        raise RollbackFailed(message, hint=_SEE) from error
