"""Carry a plan out across hosts, prove it, or put everything back. Decides nothing: the plan says what is done."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

from netcompose.errors import ApplyFailed, NetcomposeError, RollbackFailed
from netcompose.planner.diff import differences
from netcompose.planner.plan import Change, Plan
from netcompose.planner.planner import Resources, make_plan
from netcompose.resources import ContainerState, Observation
from netcompose.transports.base import Connection

#: Hosts that are worked on at the same time; each costs a thread.
POOL = 32

#: Called with (host, changes done, changes in all, the last one's address).
Progress = Callable[[str, int, int, str], None]
Answer = TypeVar("Answer")


class Executor:
    """Works on all hosts of a topology side by side; ``connections`` are by host name."""

    def __init__(self, connections: Mapping[str, Connection]) -> None:
        self._connections = dict(sorted(connections.items()))

    def observe(self, topology: str, parents: Mapping[str, Sequence[str]] | None = None) -> dict[str, Observation]:
        """Every host as it is; ``parents`` are, by host, the interfaces whose facts are wanted."""
        wanted = parents or {}
        return self._everywhere(lambda host, connection: connection.observe(topology, wanted.get(host, ())))

    def owners(self, inodes: Mapping[str, Sequence[int]]) -> dict[str, dict[int, str]]:
        """By host, which processes have the sockets that were asked for."""
        return self._everywhere(lambda host, connection: connection.owners(inodes[host]), inodes)

    def states(self, topology: str) -> dict[str, list[ContainerState]]:
        """The state of every container's process, by host."""
        return self._everywhere(lambda host, connection: connection.states(topology))

    def features(self, names: Mapping[str, Sequence[str]] | None = None) -> dict[str, dict[str, str]]:
        """What each host can do: feature -> empty, or why not; with ``names``, what is asked of the hosts there."""
        if names is None:
            return self._everywhere(lambda host, connection: connection.features())
        return self._everywhere(lambda host, connection: connection.features(names[host]), names)

    @contextlib.contextmanager
    def locked(self, topology: str, owner: str) -> Iterator[None]:
        """Hold the lock of every host, taken in the order of their names so that two runs never wait in a ring."""
        held: list[Connection] = []
        try:
            for connection in self._connections.values():
                connection.lock(topology, owner)
                held.append(connection)
            yield
        finally:
            for connection in reversed(held):
                with contextlib.suppress(NetcomposeError):
                    connection.unlock()

    def apply(
        self, plan: Plan, progress: Progress | None = None, desired: Mapping[str, Resources] | None = None
    ) -> None:
        """Carry out a plan on hosts whose locks are held, then observe again and compare.

        With ``desired``, the whole that the plan was made for, nothing at all may differ afterwards; without it (a
        saved plan), what the plan changed is compared.
        Raises ``ApplyFailed`` when something failed or came out differently, after everything that was touched
        has been put back on every host; ``RollbackFailed`` when that failed too.
        """
        work = {host: [c for c in plan.changes if c.host == host] for host in self._connections}
        work = {host: changes for host, changes in work.items() if changes}
        try:
            self._everywhere(lambda host, connection: self._apply(plan, host, work, progress), work)
            wrong = self._verify(plan, work, desired)
        except (NetcomposeError, KeyboardInterrupt) as error:
            self._roll_back(work, error)
        except BaseException as defect:
            # Not of anybody's making but ours: put everything back all the same, then let it be seen.
            with contextlib.suppress(ApplyFailed):
                self._roll_back(work, defect)
            raise
        else:
            if wrong:
                self._roll_back(work, NetcomposeError("; ".join(wrong[:3])))
            self._everywhere(lambda host, connection: connection.confirm(), self._connections)

    def _apply(self, plan: Plan, host: str, work: Mapping[str, list[Change]], progress: Progress | None) -> None:
        report = None
        if progress is not None:

            def report(done: int, total: int, address: str) -> None:
                progress(host, done, total, address)

        self._connections[host].apply(plan.topology, work[host], report)

    def _verify(
        self, plan: Plan, work: Mapping[str, list[Change]], desired: Mapping[str, Resources] | None
    ) -> list[str]:
        """One sentence for each object that is not as planned, seen by observing again."""
        live = self._everywhere(lambda host, connection: connection.observe(plan.topology), work)
        wrong = []
        for host, changes in work.items():
            for change in changes:
                found = live[host].resources.get(change.id)
                if change.after is None:
                    if found is not None:
                        wrong.append(f"{change.address} is still there after it was removed")
                elif found is None:
                    wrong.append(f"{change.address} is not there after it was made")
                elif found != change.after:
                    wrong += [
                        f"{change.address}: {item.difference.path} is {item.difference.before!r} after it was set to "
                        f"{item.difference.after!r}"
                        for item in differences(found, change.after)
                        if not item.difference.secret
                    ] or [f"{change.address} is not as planned"]
        if not wrong and desired is not None:
            left = make_plan(plan.topology, {host: desired.get(host, {}) for host in live}, live).changes
            wrong = [f"{change.address} is not as it should be: {change.reason}" for change in left]
        return wrong

    def _roll_back(self, work: Mapping[str, list[Change]], error: BaseException) -> None:
        cause = error.message if isinstance(error, NetcomposeError) else str(error) or "interrupted"
        hint = error.hint if isinstance(error, NetcomposeError) else ""
        try:
            self._everywhere(lambda host, connection: connection.rollback(), work)
        except NetcomposeError as second:
            raise RollbackFailed(
                f"{cause}; and putting back failed: {second.message}",
                hint="run `netcompose plan` to see what is left, then `up` to finish or `down` to remove it",
            ) from error
        raise ApplyFailed(f"{cause}; everything was put back as it was", hint=hint) from error

    def _everywhere(
        self, call: Callable[[str, Connection], Answer], hosts: Mapping[str, object] | None = None
    ) -> dict[str, Answer]:
        """Call for every host side by side; the first failure, by host name, is raised when all are done."""
        names = [name for name in self._connections if hosts is None or name in hosts]
        if len(names) <= 1:
            return {name: call(name, self._connections[name]) for name in names}
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(max_workers=min(POOL, len(names))) as pool:
            futures = {name: pool.submit(call, name, self._connections[name]) for name in names}
        return {name: future.result() for name, future in futures.items()}
