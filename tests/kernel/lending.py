"""Hosts that are dear to prepare (an engine, sites over SSH), for one test after the other.

A host goes from test to test as long as each leaves it as it was, which a reading of everything on it says; one that is
not as it was is ended, and the next test has a new one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Generic, TypeVar

Host = TypeVar("Host")


class Lending(Generic[Host]):
    """``make`` gives a fresh one, which ends with its context; ``read`` says everything that a test could change."""

    def __init__(self, make: Callable[[], AbstractContextManager[Host]], read: Callable[[Host], Any]) -> None:
        self._make, self._read = make, read
        self._context: AbstractContextManager[Host] | None = None
        self._host: Host
        self._before: Any = None

    @contextmanager
    def lent(self) -> Iterator[Host]:
        """It, for one test."""
        if self._context is None:
            context = self._make()
            self._host = context.__enter__()
            self._context = context
            self._before = self._read(self._host)
        returned = False
        try:
            yield self._host
            returned = self._as_it_was()
        finally:
            if not returned:
                self.end()

    def _as_it_was(self, seconds: float = 1.0) -> bool:
        """Waits a little for what the kernel ends in its own time."""
        end = time.monotonic() + seconds
        while self._read(self._host) != self._before:
            if time.monotonic() > end:
                return False
            time.sleep(0.1)
        return True

    def end(self) -> None:
        """End it, if there is one."""
        context, self._context = self._context, None
        if context is not None:
            context.__exit__(None, None, None)
