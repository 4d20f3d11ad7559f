"""One deadline for a whole conversation."""

from __future__ import annotations

import time


class Deadline:
    """``seconds`` from now."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds that are left; ``TimeoutError`` if there are none."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    @property
    def over(self) -> bool:
        """True from the deadline on."""
        return time.monotonic() >= self._end
