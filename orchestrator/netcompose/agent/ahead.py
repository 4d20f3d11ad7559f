"""Work for the kernel that goes on while the next is being prepared."""

from __future__ import annotations

import queue
import threading
from types import TracebackType
from typing import Any, Callable, Optional

#: Messages that are worth handing over: some tenths of a second for the kernel when they make interfaces.
WORTH = 512


class Ahead:
    """A thread that hands batches to ``send`` one after the other, in the order in which they are given.

    Making interfaces is the kernel's work, for which Python's lock is not needed; so the operations behind them can be
    built meanwhile. At the end of the ``with`` block everything is sent, or what ``send`` raised is raised; nothing is
    sent after that. The thread is started by the first batch.
    """

    def __init__(self, send: Callable[[Any], None]) -> None:
        self._send = send
        self._batches: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._thread: Optional[threading.Thread] = None
        self._failure: Optional[BaseException] = None
        self._over = False

    def __enter__(self) -> Ahead:
        return self

    def __exit__(
        self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        if self._thread is None:
            return
        self._over = error is not None
        self._batches.put(None)
        try:
            self._thread.join()
        finally:
            # Interrupted: what is under way ends, because what comes now is putting back.
            self._over = True
            self._thread.join()
        if self._failure is not None and error is None:
            raise self._failure

    @property
    def at_work(self) -> bool:
        """Batches were given, and none was refused so far."""
        return self._thread is not None and self._failure is None

    def give(self, batch: Any) -> None:
        """Have a batch sent; it belongs to the thread from now on."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, daemon=True)
            self._thread.start()
        self._batches.put(batch)

    def _work(self) -> None:
        while True:
            batch = self._batches.get()
            if batch is None or self._over:
                return
            try:
                self._send(batch)
            except BaseException as failure:
                self._failure = failure
                return
