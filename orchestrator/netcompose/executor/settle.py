"""The end of a run on several hosts: all confirm, or all go back; and what became of each, in words.

Confirmation has two steps, both over new connections, because one that was open before a change proves nothing about
the next: first every host is asked whether its watchdog is there, then each is told that the run stays. What an agent
keeps of the state before outlives its watchdog, so that a failure between two confirmations can still be taken back.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from netcompose.errors import HostUnreachable, NetcomposeError, ProtocolError, RollbackFailed
from netcompose.executor.fanout import side_by_side
from netcompose.planner.plan import Change
from netcompose.resources import Observation
from netcompose.transports.base import Connection

#: Makes a new connection to a host.
Reconnect = Callable[[str], Connection]

#: Seconds that an armed host waits for a request before it takes the run back by itself.
PATIENCE = 30.0


def confirm(hosts: Sequence[str], reconnect: Reconnect, token: str) -> None:
    """Tell every armed host that the run stays. Raises if any cannot be told; the caller then takes all back."""
    fresh: dict[str, Connection] = {}

    def ready(host: str) -> None:
        fresh[host] = reconnect(host)
        _expect(host, fresh[host].settle(token, "ready"), "ready")

    try:
        side_by_side({host: lambda host=host: ready(host) for host in hosts})  # type: ignore[misc]
        side_by_side(
            {host: lambda host=host: _expect(host, fresh[host].settle(token, "confirm"), "confirmed") for host in hosts}  # type: ignore[misc]
        )
    finally:
        for connection in fresh.values():
            connection.close()


def _expect(host: str, answer: str, wanted: str) -> None:
    if answer != wanted:
        done = "it has taken the run back by itself" if answer in ("rolled back", "gone") else answer
        raise HostUnreachable(f"host {host}: {done}", hint="the connection to it was lost for too long")


class Outcome(NamedTuple):
    """What became of one host: ``words`` for people, ``sure`` when it is as it was before, ``unreachable`` when nobody
    can tell, and it sees to it by itself."""

    words: str
    sure: bool = False
    unreachable: bool = False


def take_back(
    topology: str,
    work: Mapping[str, Sequence[Change]],
    connections: Mapping[str, Connection],
    reconnect: Reconnect,
    token: str,
) -> dict[str, Outcome]:
    """Bring every host of a run back to what it was, by whichever way there is. Never raises for a host."""

    def back(host: str) -> Outcome:
        try:
            connections[host].rollback()
        except (HostUnreachable, ProtocolError):
            return _over_a_new_connection(topology, host, work[host], reconnect, token)
        except NetcomposeError as error:
            return Outcome(f"putting back failed: {error.message.removeprefix(f'host {host}: ')}")
        return Outcome("rolled back", sure=True)

    return side_by_side({host: lambda host=host: back(host) for host in work})  # type: ignore[misc]


def _over_a_new_connection(
    topology: str, host: str, changes: Sequence[Change], reconnect: Reconnect, token: str
) -> Outcome:
    """The connection is lost. Its end is what the watchdog acts on; here it is waited for, and looked after."""
    try:
        fresh = reconnect(host)
    except NetcomposeError:
        return Outcome(f"unreachable: it rolls back by itself within {PATIENCE:g} s", unreachable=True)
    try:
        fresh.settle(token, "roll back")
        left = not_as_before(changes, fresh.observe(topology))
    except RollbackFailed as error:
        return Outcome(f"putting back failed: {error.message}")
    except NetcomposeError as error:
        return Outcome(f"lost again ({error.message}): it rolls back by itself within {PATIENCE:g} s", unreachable=True)
    finally:
        with contextlib.suppress(NetcomposeError):
            fresh.close()
    if not left:
        return Outcome("rolled back (its connection was lost)", sure=True)
    if len(left) == len(changes):
        return Outcome("it has the change: its connection was lost while it confirmed")
    return Outcome(f"not as it was: {', '.join(left[:3])}")


def not_as_before(changes: Sequence[Change], observation: Observation) -> list[str]:
    """The addresses of the objects that are not as they were before these changes."""
    left = []
    for change in changes:
        found = observation.resources.get(change.before.id if change.before is not None else change.id)
        if found != (change.before.restorable() if change.before is not None else None):
            left.append(change.address)
    return left
