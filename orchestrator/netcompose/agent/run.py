"""Carry out changes: stage by stage, everything independent in one pass, netlink in batches."""

from __future__ import annotations

import contextlib
import errno
import os
import time
from typing import Any, Callable, Iterable, Iterator, Optional, Sequence, TypeVar

from netcompose.agent.ahead import WORTH, Ahead
from netcompose.agent.context import Context
from netcompose.agent.kernel.namespaces import HOST
from netcompose.agent.kinds import KINDS
from netcompose.agent.kinds.base import GivesUp
from netcompose.agent.operations import Bulk, Call, Deferred, Netlink, Operation
from netcompose.errors import KernelRefused, NetcomposeError, NotPermitted
from netcompose.planner.plan import UPDATE, Change

#: Seconds that a refusal which passes by itself is waited for, and between two tries.
_PATIENCE, _PAUSE = 10.0, 0.02

#: Called with (changes done, changes in all, the last one's address).
Progress = Callable[[int, int, str], None]
Result = TypeVar("Result")
#: By lane: a namespace's name, ``Call``, or the function of a ``Bulk``.
_Wave = dict[Any, list[tuple[Change, Operation]]]


def carry_out(context: Context, changes: Sequence[Change], progress: Optional[Progress] = None) -> None:
    """Carry out changes in the order of their stages.

    Raises at the first failure, with the object's address and the kernel's own words; what was done until then
    stays done, which is for a rollback to see to.
    """
    done, total = 0, len(changes)
    later = _Later()
    giving_up = (change for change in changes if change.actions == UPDATE)
    _run(context, ((change, _giving_up(context, change)) for change in giving_up), later)
    for stage in _by_stage(changes):
        for phase in (_removals, _makings):
            _run(context, ((change, phase(context, change)) for change in stage), later)
        done += len(stage)
        if progress is not None and stage:
            progress(done, total, stage[-1].address)
    later.carry_out()


def _by_stage(changes: Sequence[Change]) -> Iterator[list[Change]]:
    stages: dict[int, list[Change]] = {}
    for change in changes:
        stages.setdefault(change.stage, []).append(change)
    for number in sorted(stages):
        yield stages[number]


def _giving_up(context: Context, change: Change) -> Iterator[Operation]:
    """What stays, but gives up what another change takes: that may be of an earlier stage, or wait for this one's."""
    before, after = change.before, change.after
    if before is not None and after is not None:
        kind = KINDS[after.kind]
        if isinstance(kind, GivesUp) and not context.taking.isdisjoint({*before.claims()} - {*after.claims()}):
            yield from kind.give_up(context, before, after)


def _removals(context: Context, change: Change) -> Iterator[Operation]:
    """What goes, in this stage: before anything of the same stage is made."""
    if "delete" in change.actions and change.before is not None:
        yield from KINDS[change.before.kind].delete(context, change.before)


def _makings(context: Context, change: Change) -> Iterator[Operation]:
    """What is made or changed in this stage."""
    if change.after is None:
        return
    kind = KINDS[change.after.kind]
    if "create" in change.actions:
        yield from kind.create(context, change.after)
    elif change.before is not None:
        paths = frozenset(difference.path for difference in change.differences)
        yield from kind.update(context, change.before, change.after, paths)


class _Program:
    """The operations of one change, and how far they were carried out."""

    __slots__ = ("change", "operations", "position")

    def __init__(self, change: Change, operations: list[Operation]) -> None:
        self.change, self.operations, self.position = change, operations, 0

    def contribute(self, wave: _Wave) -> bool:
        """Add the next operations of one sort to a wave; whether there were any."""
        operations, position, end = self.operations, self.position, len(self.operations)
        if position == end:
            return False
        lane = _lane(operations[position])
        batch = wave.setdefault(lane, [])
        while position < end and _lane(operations[position]) == lane:
            batch.append((self.change, operations[position]))
            position += 1
        self.position = position
        return True


class _Later:
    """What is deferred from one stage to a later one."""

    def __init__(self) -> None:
        self._calls: list[tuple[Change, Deferred]] = []

    def add(self, calls: list[tuple[Change, Deferred]]) -> None:
        """Defer these."""
        self._calls += calls

    def carry_out(self) -> None:
        """Do it now."""
        calls, self._calls = self._calls, []
        for change, operation in calls:
            _guarded(change, operation.function)


def _run(context: Context, made: Iterable[tuple[Change, Iterable[Operation]]], later: _Later) -> None:
    """Run programs side by side: in each wave every program contributes its next operations of one sort. Long runs of
    messages of the first wave are on their way to the kernel while the programs behind them are made."""
    programs: list[_Program] = []
    deferred: list[tuple[Change, Deferred]] = []
    wave: _Wave = {}
    with Ahead(lambda batch: _send(context, HOST, batch)) as ahead:
        for change, operations in made:
            program = _Program(change, list(operations))
            last = program.operations[-1] if program.operations else None
            if isinstance(last, Deferred):
                deferred.append((change, last))
                program.operations.pop()
            if program.contribute(wave):
                programs.append(program)
            if len(wave.get(HOST, ())) >= WORTH:
                ahead.give(wave.pop(HOST))
        if ahead.at_work:
            later.carry_out()
    while programs:
        if not all(isinstance(lane, str) for lane in wave):
            later.carry_out()
        _run_wave(context, wave)
        wave = {}
        programs = [program for program in programs if program.contribute(wave)]
    later.add(deferred)


def _run_wave(context: Context, wave: _Wave) -> None:
    """Run the lanes of a wave: first what may leave work under way, which the others then do not wait for."""
    under_way: list[tuple[Change, Callable[[], None]]] = []
    try:
        for lane, batch in sorted(wave.items(), key=lambda item: isinstance(item[0], str) or item[0] is Call):
            if isinstance(lane, str):
                _send(context, lane, batch)
            elif lane is Call:
                for change, operation in batch:
                    _guarded(change, operation.function)  # type: ignore[union-attr, arg-type]
            else:
                arguments = [operation.argument for _, operation in batch]  # type: ignore[union-attr]
                finish = _guarded(batch[0][0], lambda: lane(arguments))  # noqa: B023 - called at once
                if finish is not None:
                    under_way.append((batch[0][0], finish))
        while under_way:
            _guarded(*under_way.pop())
    except BaseException:
        # It ends before anything is put back; only the first failure is told.
        for _, finish in under_way:
            with contextlib.suppress(NetcomposeError, OSError):
                finish()
        raise


def _lane(operation: Operation) -> Any:
    if isinstance(operation, Netlink):
        return operation.netns
    return operation.function if isinstance(operation, Bulk) else Call


def _guarded(change: Change, function: Callable[[], Result]) -> Result:
    try:
        return function()
    except NetcomposeError:
        raise
    except OSError as error:
        raise _refused(change, error.errno or 0, error.strerror or str(error), error.filename) from error


def _send(context: Context, netns: str, batch: list[tuple[Change, Operation]]) -> None:
    operations = [operation for _, operation in batch if isinstance(operation, Netlink)]
    try:
        socket = context.namespaces.socket(netns)
    except FileNotFoundError:
        # The namespace is gone, and with it all that was to be removed from it.
        if all(errno.ENODEV in operation.tolerate for operation in operations):
            return
        raise _refused(batch[0][0], errno.ENOENT, "its network namespace {} is gone".format(netns)) from None
    start, end = 0, 0.0
    while start < len(operations):
        refusals = socket.send([operation.message for operation in operations[start:]])
        if not refusals:
            return
        again = -1
        for refusal in refusals:
            position = start + refusal.position
            if refusal.errno in operations[position].patience:
                end = end or time.monotonic() + _PATIENCE
                if time.monotonic() < end:
                    again = position
                    break
            if refusal.errno not in operations[position].tolerate:
                raise _refused(batch[position][0], refusal.errno, refusal.words or os.strerror(refusal.errno))
        if again >= 0:
            time.sleep(_PAUSE)
            start = again
        else:
            start += socket.after(refusals[-1].position)


def _refused(change: Change, number: int, words: str, path: object = None) -> NetcomposeError:
    where = " ({})".format(path) if path else ""
    message = "{}: {}{}".format(change.address, words, where)
    if number == errno.EPERM:
        return NotPermitted(message, hint="run as root, or rehearse without privileges: netcompose rehearse")
    return KernelRefused(message, errno=number, object_id=change.id)
