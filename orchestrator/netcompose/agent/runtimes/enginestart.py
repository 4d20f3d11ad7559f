"""The start of image containers' own programs: what they wait for, and whether they run then."""

from __future__ import annotations

import time
from typing import Sequence

from netcompose.agent.runtimes import gate
from netcompose.agent.runtimes.engine import Engine
from netcompose.agent.runtimes.engineshow import log_pieces
from netcompose.errors import HostLacks, KernelRefused
from netcompose.resources import Start, to_data
from netcompose.resources.names import netns_name

#: Seconds within which a started container has to be at the gate, and one that may pass has to run its program.
_GATE_WAIT = 20.0
#: Seconds that a condition of ``depends_on`` is waited for.
_CONDITION_WAIT = 300.0
#: Seconds that one which is told to be unhealthy is given to get well.
_UNWELL_WAIT = 10.0
#: Seconds that an engine is given to notice the end of a process.
_NOTICE_WAIT = 5.0
_PAUSE = 0.005


def let_through(engine: Engine, topology: str, starts: Sequence[tuple[Start, str]]) -> None:
    """Let the programs of wired containers run, given with the engine's names; return when they do."""
    waiting = []
    for start, name in starts:
        _await_conditions(engine, topology, start)
        inspected = engine.inspect(name)
        if inspected is None:
            raise KernelRefused("{}: its container is not there any more".format(start.id), object_id=start.id)
        pid = int(inspected["State"].get("Pid") or 0)
        gate.note(topology, inspected["Id"], start.container, gate.inode_of(pid), to_data(start))
        if pid:
            waiting.append((start, inspected["Id"], pid))
    end = time.monotonic() + _GATE_WAIT
    for start, id, pid in waiting:
        while gate.waits(pid):
            if time.monotonic() > end:
                raise KernelRefused(
                    "{}: its program was not let run within {:g} s".format(start.id, _GATE_WAIT),
                    object_id=start.id,
                    hint="netcompose logs @gate",
                )
            time.sleep(_PAUSE)
        if not gate.inode_of(pid):
            _refuse_unstartable(engine, start, id)


def _refuse_unstartable(engine: Engine, start: Start, id: str) -> None:
    """A program that cannot be run is known at once: the gate says so and ends with 126 or 127."""
    end = time.monotonic() + _NOTICE_WAIT
    while True:
        # The process is gone; the engine notices in its own time.
        inspected = engine.inspect(id)
        state = inspected["State"] if inspected is not None else {}
        if not state.get("Running") or state.get("Restarting") or time.monotonic() > end:
            break
        time.sleep(_PAUSE)
    if state.get("ExitCode") in (126, 127):
        words = b"".join(log_pieces(engine, id, tail=1)).decode(errors="replace").strip()
        if words.startswith("netcompose: "):
            raise HostLacks(
                "container {}: {}".format(start.container, words[len("netcompose: ") :]),
                hint="see what the image has, and correct its command or entrypoint",
            )


def _await_conditions(engine: Engine, topology: str, start: Start) -> None:

    for other, condition in sorted(start.waits.items()):
        begun = time.monotonic()
        end = begun + _CONDITION_WAIT
        while True:
            inspected = engine.inspect(netns_name(topology, other))
            state = inspected["State"] if inspected is not None else {}
            ended = bool(state) and not state.get("Running") and not state.get("Restarting")
            health = (state.get("Health") or {}).get("Status", "")
            if condition == "service_healthy" and health == "healthy":
                break
            if condition == "service_completed_successfully" and ended and state.get("ExitCode") == 0:
                break
            # The engine asks for its health from its start on, also while it waits at the gate.
            unwell = health == "unhealthy" and time.monotonic() > begun + _UNWELL_WAIT
            failed = unwell or not state or (ended and condition == "service_healthy")
            failed = failed or (ended and state.get("ExitCode") != 0)
            if failed or time.monotonic() > end:
                now = health or state.get("Status") or "gone"
                raise KernelRefused(
                    "{}: {} is {}, and not {}".format(start.id, other, now, condition),
                    object_id=start.id,
                    hint="netcompose logs {}".format(other),
                )
            time.sleep(0.05)
