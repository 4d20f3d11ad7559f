"""Where problems are collected while a document is built."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from netcompose.topology.source import Path, Problem, Source
from netcompose.topology.values import BadValue

#: Published ports in a whole topology, ranges expanded; more would only fill memory.
MOST_PORTS = 200_000

_T = TypeVar("_T")


class Findings:
    """Problems so far. Building goes on behind each of them, so that one run tells all."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.problems: list[Problem] = []
        self.ports_left = MOST_PORTS

    def add(self, message: str, path: Path, *, hint: str = "", key: bool = False) -> None:
        """One more finding."""
        self.problems.append(self.source.problem(message, path, hint=hint, key=key))

    def read(self, function: Callable[[Any], _T], value: Any, path: Path, otherwise: _T) -> _T:
        """``function(value)``; a :class:`BadValue` becomes a finding and gives ``otherwise``."""
        try:
            return function(value)
        except BadValue as error:
            self.add(error.message, path, hint=error.hint)
            return otherwise
