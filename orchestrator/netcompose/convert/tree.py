"""What a conversion makes: plain values with notes between them, and the findings behind the notes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from netcompose.errors import TopologyError
from netcompose.topology.source import Path, Problem, Source
from netcompose.topology.words import where


class Note:
    """A comment in the new file. It stands among a mapping's keys (with any value) or a list's items."""

    def __init__(self, text: str) -> None:
        self.text = text


@dataclass
class Tree:
    """A topology as it will be written. ``origin`` gives the place in the source that a path of it comes from."""

    value: dict[Any, Any]
    origin: Callable[[Path], Path]
    findings: list[Problem] = field(default_factory=list)


class Reader:
    """The source document, read by people's own hands: says what has the wrong shape, collects what is left out."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.findings: list[Problem] = []

    def mapping(self, value: Any, path: Path) -> dict[str, Any]:
        """A mapping, empty for nothing. Raises TopologyError for anything else."""
        found: dict[str, Any] = self._of(dict, {}, "a mapping", value, path)
        return found

    def listed(self, value: Any, path: Path) -> list[Any]:
        """A list, empty for nothing. Raises TopologyError for anything else."""
        found: list[Any] = self._of(list, [], "a list", value, path)
        return found

    def _of(self, kind: type, nothing: Any, words: str, value: Any, path: Path) -> Any:
        if value is None:
            return nothing
        if not isinstance(value, kind):
            raise TopologyError([self.source.problem(f"{where(path)} must be {words}", path)])
        return value

    def wrong(self, message: str, path: Path, hint: str = "") -> TopologyError:
        """The error for a source that cannot be meant."""
        return TopologyError([self.source.problem(message, path, hint=hint)])

    def left_out(self, path: Path, what: str, why: str) -> Note:
        """Something has no counterpart."""
        return self._note(path, f"left out: {what}", why, key=True)

    def changed(self, path: Path, what: str, why: str = "") -> Note:
        """Something is written differently from what it was."""
        return self._note(path, what, why)

    def _note(self, path: Path, what: str, why: str, *, key: bool = False) -> Note:
        text = f"{what}: {why}" if why else what
        problem = self.source.problem(text, path, key=key)
        self.findings.append(problem)
        line = f" (line {problem.position.line})" if problem.position else ""
        return Note(f"{what}{line}: {why}" if why else f"{what}{line}")


def plain(value: Any) -> Any:
    """A tree without its notes."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items() if not isinstance(key, Note)}
    if isinstance(value, list):
        return [plain(item) for item in value if not isinstance(item, Note)]
    return value


def replace_by_note(value: Any, path: Path, note: Note) -> Path:
    """Take out what is at a path, or else its nearest parent, and put a note there; the path of what was taken out.

    The root itself stays: with an empty path nothing is done.
    """
    at, done = value, 0
    for step in path[:-1]:
        below = _below(at, step)
        if not isinstance(below, dict | list):
            break
        at, done = below, done + 1
    while done >= 0 and path:
        holder = value
        for step in path[:done]:
            holder = _below(holder, step)
        if _below(holder, path[done], missing=_MISSING) is not _MISSING:
            _swap(holder, path[done], note)
            return path[: done + 1]
        done -= 1
    return ()


_MISSING = object()


def _below(holder: Any, step: str | int, missing: Any = None) -> Any:
    if isinstance(holder, dict):
        return holder.get(step, missing)
    if isinstance(holder, list) and isinstance(step, int):
        items = [item for item in holder if not isinstance(item, Note)]
        return items[step] if step < len(items) else missing
    return missing


def _swap(holder: Any, step: str | int, note: Note) -> None:
    if isinstance(holder, dict):
        items = [(note, None) if key == step else (key, item) for key, item in holder.items()]
        holder.clear()
        holder.update(items)
        return
    indexes = [index for index, item in enumerate(holder) if not isinstance(item, Note)]
    holder[indexes[int(step)]] = note
