"""What commands and housekeeping ask of a host's engine about one topology; its client is loaded only then."""

from __future__ import annotations

import contextlib
import os
import re
from typing import TYPE_CHECKING, Iterator, Optional

from netcompose.agent import rundir
from netcompose.agent.runtimes import gate, records
from netcompose.resources import ContainerState
from netcompose.resources.container_engine import NOT_STARTED
from netcompose.resources.names import GATE_SERVICE, netns_name

#: A time at the start of a line: RFC 3339, in UTC.
_STAMP = rb"(?m)^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?Z "

if TYPE_CHECKING:
    from netcompose.agent.runtimes.engine import Engine, Live


@contextlib.contextmanager
def _engine() -> Iterator[Optional[Engine]]:
    from netcompose.agent.runtimes import engine

    found = engine.at_hand()
    if found is None:
        yield None
        return
    with contextlib.closing(found):
        yield found


def states(topology: str) -> list[ContainerState]:
    """What ``ps`` shows of the topology's containers of an engine."""
    with _engine() as engine:
        if engine is None:
            return []
        return [_shown(container, live) for container, live in sorted(engine.view(topology).own.items())]


def _shown(container: str, live: Live) -> ContainerState:
    state = live.inspected["State"]
    status = "running" if state.get("Running") else "exited"
    if live.resource.state == NOT_STARTED and status != "running":
        status = "dead"
    elif live.pid and gate.waits(live.pid):
        status = "waiting"
    code = int(state.get("ExitCode") or 0)
    return ContainerState(
        container,
        status,
        live.pid,
        exit_code=-(code - 128) if code > 128 else code,
        started=_seconds(state.get("StartedAt", "")),
        finished=_seconds(state.get("FinishedAt", "")),
        restarts=int(live.inspected.get("RestartCount") or 0),
    )


def _seconds(text: str) -> float:
    """Seconds since the epoch of ``2026-01-02T03:04:05.678901234Z``; 0 for a time that never was."""
    from datetime import datetime

    if text and not text.startswith("0001"):
        with contextlib.suppress(ValueError):
            return datetime.fromisoformat(text[:19] + "+00:00").timestamp()
    return 0.0


def has(topology: str, container: str) -> bool:
    """Whether an engine runs this container."""
    return any((gate.noted(topology, id) or {}).get("container") == container for id in gate.known(topology))


def logs(
    topology: str, container: str, *, tail: Optional[int], since: float, timestamps: bool, follow: bool
) -> Iterator[bytes]:
    """What a container has printed, in pieces; ``follow`` waits for more until it ends."""
    with _engine() as engine:
        if engine is not None:
            yield from log_pieces(
                engine, netns_name(topology, container), tail=tail, since=since, timestamps=timestamps, follow=follow
            )


def log_pieces(
    engine: Engine,
    id: str,
    *,
    tail: Optional[int] = None,
    since: float = 0.0,
    timestamps: bool = False,
    follow: bool = False,
) -> Iterator[bytes]:
    """The same of any container, by its id or name."""
    inspected = engine.inspect(id)
    if inspected is None:
        return
    terminal = bool(inspected["Config"].get("Tty"))
    texts = engine.api.output(
        inspected["Id"], terminal=terminal, tail=tail, since=since, timestamps=timestamps, follow=follow
    )
    yield from map(_stamped, texts) if timestamps else texts


def _stamped(text: bytes) -> bytes:
    """Lines of an engine, whose times have nanoseconds or less, with times as output.py has them."""
    return re.sub(_STAMP, lambda found: found[1] + b"." + (found[2] or b"")[1:7].ljust(6, b"0") + b"Z ", text)


def tidy(topology: str) -> None:
    """Remove what a run has set aside; without a gatekeeper the gate goes as well."""
    with _engine() as engine:
        if engine is not None:
            engine.tidy(topology)
    record = rundir.container_dir(topology, GATE_SERVICE)
    if not gate.known(topology) and records.read(record, records.PROCESS) is None:
        gate.remove(topology)
        with contextlib.suppress(OSError):
            os.rmdir(rundir.topology_dir(topology, "engine"))
