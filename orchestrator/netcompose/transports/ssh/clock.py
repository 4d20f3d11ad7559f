"""What is to happen after a while, for any number of connections, in one thread.

``threading.Timer`` is a thread for each deadline; with deadlines and signs of life for every host these would be most
of a command's threads, and almost none of them would ever do anything.
"""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable


class Alarm:
    """Something that is to happen, unless it is cancelled before."""

    def __init__(self, call: Callable[[], None]) -> None:
        self._call: Callable[[], None] | None = call

    def cancel(self) -> None:
        """It does not happen any more; nothing if it has."""
        self._call = None

    def due(self) -> None:
        """Have it happen now, in a thread of its own: it may take its time."""
        call, self._call = self._call, None
        if call is not None:
            threading.Thread(target=call, daemon=True).start()


_alarms: list[tuple[float, int, Alarm]] = []
_numbers = itertools.count()
_changed = threading.Condition()
_thread: threading.Thread | None = None


def after(seconds: float, call: Callable[[], None]) -> Alarm:
    """Call in so many seconds, in a thread of its own. A process that ends does not wait for it."""
    global _thread
    alarm = Alarm(call)
    with _changed:
        heapq.heappush(_alarms, (time.monotonic() + seconds, next(_numbers), alarm))
        if _alarms[0][2] is alarm:
            _changed.notify()
        # One that a fork has left behind does not run here.
        if _thread is None or not _thread.is_alive():
            _thread = threading.Thread(target=_run, name="clock", daemon=True)
            _thread.start()
    return alarm


def _run() -> None:
    while True:
        with _changed:
            while not _alarms or _alarms[0][0] > time.monotonic():
                _changed.wait(_alarms[0][0] - time.monotonic() if _alarms else None)
            _, _, alarm = heapq.heappop(_alarms)
        alarm.due()
