"""``up`` with a fault at every one of its operations: what has to hold after any of them.

Each call takes the operations ``chunk + 1``, ``chunk + 1 + chunks``, ...; all chunks together are all operations. The
operations of a run are counted by going on until one comes to its end undisturbed; ``least`` of them prove that there
was something to disturb. Where there is a ``start``, messages are sent by the thread for long runs of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from proof_host import KILLED, Done, ProofHost

Topology = Mapping[str, Any]


def killed_everywhere(
    host: ProofHost, topology: Topology, *, start: Topology | None = None, chunk: int, chunks: int, least: int
) -> None:
    """Killed with SIGKILL after any operation on the way from ``start`` (or nothing), at one point the next ``up``
    finishes, and at the next one ``down`` leaves nothing."""
    untouched = host.snapshot()
    if start is not None:
        host.up(start)
    point = chunk + 1
    while _up(host, topology, "kill", point, ahead=start is not None).status == KILLED:
        finished = (point // chunks) % 2 == 0
        if finished:
            host.converge(topology)
        if start is None or not finished:
            host.down(topology)
            host.assert_same(untouched)
        if start is not None:
            host.up(start)
        point += chunks
    assert point > least
    host.down(topology)
    host.assert_same(untouched)


def fails_everywhere(
    host: ProofHost,
    topology: Topology,
    *,
    start: Topology | None = None,
    chunk: int,
    chunks: int,
    least: int,
    ignore: Iterable[str] = (),
    also: Callable[[], None] = lambda: None,
) -> None:
    """If any operation on the way from ``start`` (or nothing) fails, the host is as it was but for the readings to
    ``ignore``, and the message says which object it was. ``also`` checks more after each."""
    if start is not None:
        host.up(start)
    before = host.snapshot()
    point = chunk + 1
    while (done := _up(host, topology, "fail", point, ahead=start is not None)).hit:
        if done.status == 0:
            # A folder that is there already, is not empty, or not there any more, is nothing to fail for.
            assert done.hit in ("rmdir", "unlink", "mkdir"), (point, done)
            if start is None:
                host.down(topology)
            else:
                host.up(start)
            before = host.snapshot()
        else:
            assert done.status == 4, (point, done)
            assert "everything was put back" in done.err, done
            assert re.search(r"error: (local/)?[a-z]+/|container [a-z]", done.err), done
            assert "injected by the test" in done.err or "Input/output error" in done.err, done
        host.assert_same(before, ignore=ignore)
        also()
        point += chunks
    assert done.status == 0, done
    assert point > least


def _up(host: ProofHost, topology: Topology, mode: str, point: int, *, ahead: bool) -> Done:
    done = host.cli("up", "-f", host.write(topology), fault={"mode": mode, "at": point, "ahead": ahead})
    assert done.status in (0, KILLED) or mode != "kill", done
    return done
