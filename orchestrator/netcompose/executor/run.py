"""Carry a plan out across hosts, prove it, or put everything back. Decides nothing: the plan says what is done."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from netcompose.errors import ApplyFailed, HostUnreachable, Locked, NetcomposeError, RollbackFailed
from netcompose.executor.fanout import refuse, side_by_side
from netcompose.planner.diff import differences
from netcompose.planner.plan import Change, Plan
from netcompose.planner.planner import Resources, make_plan
from netcompose.resources import ContainerState, Observation
from netcompose.transports.base import Connection

if TYPE_CHECKING:
    from netcompose.executor.armed import ArmedRun
    from netcompose.executor.settle import Reconnect

#: What to do when it is not sure that all is as it was.
SEE = "run `netcompose plan` to see what is left, then `up` to finish or `down` to remove it"

#: Called with (host, changes done, changes in all, the last one's address).
Progress = Callable[[str, int, int, str], None]
Answer = TypeVar("Answer")


class Executor:
    """Works on all hosts of a topology side by side; ``connections`` are by host name.

    With ``reconnect``, which makes a new connection to a host, every run is armed on each host before its first change
    and confirmed over new connections. Without it (this process is the only host's agent) the agent alone sees to it.
    """

    def __init__(self, connections: Mapping[str, Connection], reconnect: Reconnect | None = None) -> None:
        self._connections = dict(sorted(connections.items()))
        self._reconnect = reconnect

    def observe(
        self,
        topology: str,
        parents: Mapping[str, Sequence[str]] | None = None,
        images: Mapping[str, Sequence[str]] | None = None,
    ) -> dict[str, Observation]:
        """Every host as it is; ``parents`` and ``images`` are, by host, those whose facts are wanted."""
        wanted, run = parents or {}, images or {}
        return self._everywhere(
            lambda host, connection: connection.observe(topology, wanted.get(host, ()), run.get(host, ()))
        )

    def connection(self, host: str) -> Connection:
        """The connection to a host."""
        return self._connections[host]

    def each(self, hosts: Iterable[str], call: Callable[[str], Answer]) -> dict[str, Answer]:
        """Call for some hosts by name, side by side."""
        return self._everywhere(lambda host, connection: call(host), hosts)

    def owners(self, inodes: Mapping[str, Sequence[int]]) -> dict[str, dict[int, str]]:
        """By host, which processes have the sockets that were asked for."""
        return self._everywhere(lambda host, connection: connection.owners(inodes[host]), inodes)

    def states(self, topology: str) -> dict[str, list[ContainerState]]:
        """The state of every container's process, by host."""
        return self._everywhere(lambda host, connection: connection.states(topology))

    def clocks(self) -> dict[str, float]:
        """By how many seconds each host's clock is ahead of this one's, give or take half of a round trip."""

        def ahead(host: str, connection: Connection) -> float:
            start = time.time()
            there = float(connection.hello()["time"])
            return there - (start + time.time()) / 2

        return self._everywhere(ahead)

    def features(self, names: Mapping[str, Sequence[str]] | None = None) -> dict[str, dict[str, str]]:
        """What each host can do: feature -> empty, or why not; with ``names``, what is asked of the hosts there."""
        if names is None:
            return self._everywhere(lambda host, connection: connection.features())
        return self._everywhere(lambda host, connection: connection.features(names[host]), names)

    @contextlib.contextmanager
    def locked(self, topology: str, owner: str) -> Iterator[None]:
        """Hold the lock of every host. That of the first by name is taken before the others, which are taken side by
        side: of two runs over the same hosts one goes on, and none ever waits for another."""
        held: list[Connection] = []
        failures: dict[str, NetcomposeError] = {}

        def lock(host: str, connection: Connection) -> None:
            try:
                connection.lock(topology, owner)
                held.append(connection)
            except NetcomposeError as error:
                # Not root, no room: the other hosts are asked as well, so that all of it is told at once.
                failures[host] = error

        try:
            self._everywhere(lock, list(self._connections)[:1])
            if not any(isinstance(error, Locked) for error in failures.values()):
                self._everywhere(lock, list(self._connections)[1:])
            for _, error in sorted(failures.items()):
                if isinstance(error, Locked):
                    raise error
            refuse(failures, len(self._connections))
            yield
        finally:
            _each(held, lambda connection: connection.unlock(), NetcomposeError)

    def apply(
        self, plan: Plan, progress: Progress | None = None, desired: Mapping[str, Resources] | None = None
    ) -> None:
        """Carry out a plan on hosts whose locks are held, then observe again and compare.

        With ``desired``, the whole that the plan was made for, nothing at all may differ afterwards; without it (a
        saved plan), what the plan changed is compared.
        Raises ``ApplyFailed`` when something failed or came out differently, after everything that was touched
        has been put back on every host; ``RollbackFailed`` or ``HostUnreachable`` when that is not sure of every host,
        with what became of each.
        """
        work = {host: [c for c in plan.changes if c.host == host] for host in self._connections}
        work = {host: changes for host, changes in work.items() if changes}
        run = None
        if self._reconnect is not None and work:
            from netcompose.executor.armed import ArmedRun

            run = ArmedRun(plan.topology, work, {host: self._connections[host] for host in work}, self._reconnect)
            run.arm()
        try:
            with run.watched() if run is not None else contextlib.nullcontext():
                self._carry_out(plan, work, progress, armed=run is not None)
                wrong = self._verify(plan, work, desired)
                if wrong:
                    raise NetcomposeError("; ".join(wrong[:3]))
                if run is not None:
                    run.confirm()
        except (NetcomposeError, KeyboardInterrupt) as error:
            self._take_back(run, work, error)
        except BaseException as defect:
            # Not of anybody's making but ours: put everything back all the same, then let it be seen.
            with contextlib.suppress(ApplyFailed, RollbackFailed, HostUnreachable):
                self._take_back(run, work, defect)
            raise
        # The run stays, whoever is lost now.
        _each(self._connections.values(), lambda connection: connection.confirm(), HostUnreachable)

    def _carry_out(
        self, plan: Plan, work: Mapping[str, list[Change]], progress: Progress | None, *, armed: bool
    ) -> None:
        def apply(host: str, connection: Connection) -> None:
            report = None
            if progress is not None:

                def report(done: int, total: int, address: str) -> None:
                    progress(host, done, total, address)

            connection.apply(plan.topology, None if armed else work[host], report)

        self._everywhere(apply, work, stop=armed)

    def _verify(
        self, plan: Plan, work: Mapping[str, list[Change]], desired: Mapping[str, Resources] | None
    ) -> list[str]:
        """One sentence for each object that is not as planned, seen by observing again."""
        live = self._everywhere(lambda host, connection: connection.observe(plan.topology), work)
        left: Sequence[Change] = ()
        if desired is not None:
            left = make_plan(plan.topology, {host: desired.get(host, {}) for host in live}, live).changes
            if not left:
                return []
        wrong = []
        for host, changes in work.items():
            for change in changes:
                found = live[host].resources.get(change.id)
                if change.after is None:
                    if found is not None:
                        wrong.append(f"{change.address} is still there after it was removed")
                elif found is None:
                    wrong.append(f"{change.address} is not there after it was made")
                elif found != (after := change.after.beside(found)):
                    wrong += [
                        f"{change.address}: {item.difference.path} is {item.difference.before!r} after it was set to "
                        f"{item.difference.after!r}"
                        for item in differences(found, after)
                        if not item.difference.secret
                    ] or [f"{change.address} is not as planned"]
        return wrong or [f"{change.address} is not as it should be: {change.reason}" for change in left]

    def _take_back(self, run: ArmedRun | None, work: Mapping[str, list[Change]], error: BaseException) -> None:
        cause = error.message if isinstance(error, NetcomposeError) else str(error) or "interrupted"
        hint = error.hint if isinstance(error, NetcomposeError) else ""
        if run is not None:
            run.take_back(error, cause, hint)
        try:
            self._everywhere(lambda host, connection: connection.rollback(), work)
        except NetcomposeError as second:
            raise RollbackFailed(f"{cause}; and putting back failed: {second.message}", hint=SEE) from error
        raise ApplyFailed(f"{cause}; everything was put back as it was", hint=hint) from error

    def _everywhere(
        self,
        call: Callable[[str, Connection], Answer],
        hosts: Iterable[str] | None = None,
        *,
        stop: bool = False,
    ) -> dict[str, Answer]:
        """Call for every host side by side (see :func:`side_by_side`); with ``stop`` a failure stops the others."""
        chosen = set(self._connections if hosts is None else hosts)
        calls = {
            host: (lambda host=host, connection=connection: call(host, connection))
            for host, connection in self._connections.items()
            if host in chosen
        }
        return side_by_side(calls, self._stop if stop else None)

    def _stop(self, host: str) -> None:
        cancel = getattr(self._connections[host], "cancel", None)
        if cancel is not None:
            cancel()


def _each(
    connections: Iterable[Connection], call: Callable[[Connection], None], ignored: type[NetcomposeError]
) -> None:
    """Tell all of these hosts something that changes nothing any more if it does not arrive."""

    def tell(connection: Connection) -> None:
        with contextlib.suppress(ignored):
            call(connection)

    side_by_side({str(number): lambda it=it: tell(it) for number, it in enumerate(connections)})  # type: ignore[misc]
