"""What a rehearsal finds out."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Way:
    """One way from one container to another, and what came of it.

    ``how`` is ``address`` or ``name``, ``family`` 4 or 6. With several addresses of a family, one that is not as
    promised makes the way differ.
    """

    source: str
    target: str
    how: str
    family: int
    promised: bool
    measured: bool
