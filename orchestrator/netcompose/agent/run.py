"""Carry out changes: stage by stage, everything independent in one pass, netlink in batches."""

from __future__ import annotations

import contextlib
import errno
import os
import time
from typing import Any, Callable, Iterator, Optional, Sequence, TypeVar

from netcompose.agent.context import Context
from netcompose.agent.kinds import KINDS
from netcompose.agent.kinds.base import GivesUp
from netcompose.agent.operations import Bulk, Call, Netlink, Operation
from netcompose.errors import KernelRefused, NetcomposeError, NotPermitted
from netcompose.planner.plan import UPDATE, Change

#: Seconds that a refusal which passes by itself is waited for, and between two tries.
_PATIENCE, _PAUSE = 10.0, 0.02

#: Called with (changes done, changes in all, the last one's address).
Progress = Callable[[int, int, str], None]
Result = TypeVar("Result")


def carry_out(context: Context, changes: Sequence[Change], progress: Optional[Progress] = None) -> None:
    """Carry out changes in the order of their stages.

    Raises at the first failure, with the object's address and the kernel's own words; what was done until then
    stays done, which is for a rollback to see to.
    """
    done, total = 0, len(changes)
    given_up = [(change, list(_giving_up(context, change))) for change in changes if change.actions == UPDATE]
    _run(context, [(change, program) for change, program in given_up if program])
    for stage in _by_stage(changes):
        for phase in (_removals, _makings):
            programs = [(change, list(phase(context, change))) for change in stage]
            _run(context, [(change, program) for change, program in programs if program])
        done += len(stage)
        if progress is not None and stage:
            progress(done, total, stage[-1].address)


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


def _run(context: Context, programs: list[tuple[Change, list[Operation]]]) -> None:
    """Run programs side by side: in each wave every program contributes its next operations of one sort."""
    positions = [0] * len(programs)
    open_programs = list(range(len(programs)))
    while open_programs:
        wave: dict[Any, list[tuple[Change, Operation]]] = {}
        for number in open_programs:
            change, program = programs[number]
            position = positions[number]
            lane = _lane(program[position])
            batch = wave.setdefault(lane, [])
            while position < len(program) and _lane(program[position]) == lane:
                batch.append((change, program[position]))
                position += 1
            positions[number] = position
        _run_wave(context, wave)
        open_programs = [number for number in open_programs if positions[number] < len(programs[number][1])]


def _run_wave(context: Context, wave: dict[Any, list[tuple[Change, Operation]]]) -> None:
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
