"""The output of a container's command on another host, asked for in pieces."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime

from netcompose.transports.base import Connection

#: Seconds between two questions for more.
INTERVAL = 0.5
#: ``2026-01-02T03:04:05.678901Z`` and a blank.
_PREFIX = 28


def logs(
    connection: Connection, topology: str, container: str, *, tail: int | None, follow: bool, timestamps: bool
) -> Iterator[bytes]:
    """The same as ``transports.local.logs``; ``follow`` ends with the container's command."""
    since = 0.0
    while True:
        # Asked before the output, so that the last words are not missed.
        running = follow and any(
            state.container == container and state.status in ("running", "waiting")
            for state in connection.states(topology)
        )
        lines = connection.logs(topology, container, tail, since, True).splitlines(keepends=True)
        for line in lines:
            stamped = line[_PREFIX - 2 : _PREFIX] == b"Z "
            yield line if timestamps or not stamped else line[_PREFIX:]
            if stamped:
                since = datetime.fromisoformat(line[: _PREFIX - 1].decode()).timestamp() + 1e-6
        if not running:
            return
        tail = None
        time.sleep(INTERVAL)
