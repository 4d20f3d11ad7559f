"""A file's text before it is parsed: read, decoded, and able to say where in the user's file a place of it is."""

from __future__ import annotations

import re
from collections.abc import Sequence

from netcompose.errors import TopologyError, UsageError
from netcompose.topology.source import Position, Problem

#: A limit that no topology comes near: 10,000 containers are some 3 MB.
MAX_BYTES = 8 * 1024 * 1024
#: libyaml counts these as line ends; positions have to count the same way.
_LINE_END = re.compile("\r\n|[\r\n\x85\u2028\u2029]")


class SourceText:
    """The text that is parsed, and how its places map to the file that the user wrote.

    ``original`` is the user's text where ``text`` was rendered from a template, and ``lines[i]`` is then the source
    line (from 1) of rendered line ``i`` (from 0).
    """

    def __init__(self, file: str, text: str, *, original: str | None = None, lines: Sequence[int] = ()) -> None:
        self.file = file
        self.text = text
        self._original = original
        self._source_lines = lines
        self._split: tuple[list[str], list[str]] | None = None

    def position(self, line: int, column: int) -> Position:
        """The user's place of a place in ``text``; ``line`` and ``column`` count from 0, as the parser does."""
        if self._split is None:
            parsed = _LINE_END.split(self.text)
            self._split = (parsed, parsed if self._original is None else self._original.split("\n"))
        parsed, original = self._split
        shown = parsed[line] if line < len(parsed) else ""
        if self._original is None:
            return Position(self.file, line + 1, column + 1, shown)
        source_line = self._source_lines[min(line, len(self._source_lines) - 1)] if self._source_lines else line + 1
        written = original[source_line - 1].rstrip("\r") if source_line <= len(original) else ""
        # Up to the first template expression both lines are the same; behind it, the expression is the place.
        common = _common(shown[:column], written)
        return Position(self.file, source_line, common + 1, written)

    def problem(self, message: str, line: int = 0, column: int = 0, *, hint: str = "") -> Problem:
        """A finding at a place in ``text``, counted from 0."""
        return Problem(message, self.position(line, column), hint)


def _common(one: str, other: str) -> int:
    """How many characters two texts have in common from their start."""
    for index, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return index
    return min(len(one), len(other))


def read_file(path: str, what: str = "topology") -> SourceText:
    """A file as text. Raises UsageError if it cannot be read, TopologyError if it cannot be YAML text."""
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        hint = "`netcompose init` writes a starter file; -f names another one" if what == "topology" else ""
        raise UsageError(f"{path}: there is no such file", hint=hint) from None
    except IsADirectoryError:
        raise UsageError(f"{path}: this is a folder, not a file", hint=f"name the {what} file in it") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UsageError(f"{path}: the file cannot be read: {reason}") from None
    return decode(path, data)


def decode(file: str, data: bytes) -> SourceText:
    """Bytes as UTF-8 text. Raises TopologyError with one problem for what is not text, or too much."""
    if len(data) > MAX_BYTES:
        message = f"the file is larger than {MAX_BYTES // 1024 // 1024} MiB"
        raise TopologyError([Problem(message, Position(file, 1, 1), "is this a topology? -f names the file")])
    nul = data.find(b"\0")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start if nul < 0 else min(nul, error.start)]
    else:
        if nul < 0:
            return SourceText(file, text)
        before = data[:nul]
    start = before.rfind(b"\n") + 1
    column = len(before[start:].decode("utf-8", "replace"))
    position = Position(file, before.count(b"\n") + 1, column + 1)
    raise TopologyError([Problem("this is not UTF-8 text", position, "a topology is a YAML file, saved as UTF-8")])
