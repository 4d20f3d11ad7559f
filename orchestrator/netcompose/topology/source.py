"""Where things stand in a file, and what is said about them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

#: Keys and list indexes from the document's root: ``("containers", "web1", "networks", 0)``.
Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Position:
    """A place in a file; line and column count from 1, a column in characters."""

    file: str
    line: int
    column: int
    text: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True)
class Problem:
    """One finding: what is wrong, where, and what to do about it. ``path`` tells the place in the document."""

    message: str
    position: Position | None = None
    hint: str = ""
    path: Path = ()


@dataclass(frozen=True)
class Source:
    """A loaded document's memory of positions. ``locate`` finds a path's value (or, with ``key=True``, its key);
    a path that is not in the document gives its nearest parent's position."""

    file: str
    locate_value: Callable[[Path, bool], Position]

    def locate(self, path: Path, *, key: bool = False) -> Position:
        return self.locate_value(path, key)

    def problem(self, message: str, path: Path, *, hint: str = "", key: bool = False) -> Problem:
        """A finding at a path."""
        return Problem(message=message, position=self.locate(path, key=key), hint=hint, path=path)
