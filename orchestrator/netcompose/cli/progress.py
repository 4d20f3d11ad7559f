"""Progress on a terminal: one line that is written over, and nothing at all anywhere else."""

from __future__ import annotations

import time
from typing import TextIO

_SECONDS_BETWEEN = 0.05
_WIDTH = 78


class Transfer:
    """A context manager for images on their way; ``step`` is called with bytes."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream if stream.isatty() else None
        self._shown = 0.0

    def __enter__(self) -> Transfer:
        return self

    def __exit__(self, *_: object) -> None:
        if self._stream is not None:
            self._stream.write("\r\x1b[K")
            self._stream.flush()

    def step(self, host: str, done: int, total: int, what: str) -> None:
        """Some of an image of a host is there; ``total`` is 0 where it is not known."""
        now = time.monotonic()
        if self._stream is None or now - self._shown < _SECONDS_BETWEEN:
            return
        self._shown = now
        amount = f"{done / 1e6:.1f}/{total / 1e6:.1f} MB" if total else ""
        self._stream.write("\r\x1b[K" + f"{host}: {what} {amount}"[:_WIDTH])
        self._stream.flush()


class Progress:
    """A context manager; ``step`` is called by the executor."""

    def __init__(self, stream: TextIO, total: int) -> None:
        self._stream = stream if stream.isatty() and total > 0 else None
        self._total = total
        self._done: dict[str, int] = {}
        self._shown = 0.0

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._stream is not None:
            self._stream.write("\r\x1b[K")
            self._stream.flush()

    def step(self, host: str, done: int, total: int, address: str) -> None:
        """Some changes of a host are done."""
        self._done[host] = done
        now = time.monotonic()
        if self._stream is None or now - self._shown < _SECONDS_BETWEEN:
            return
        self._shown = now
        line = f"applying {sum(self._done.values())}/{self._total}  {address}"
        self._stream.write("\r\x1b[K" + line[:_WIDTH])
        self._stream.flush()
