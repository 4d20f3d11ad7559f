"""A document that the schema refuses may have more to tell: what is left without the refused parts is checked too.

Leaving something out must not make up problems. So findings of the checks count only where nothing was left out, and
none that names an entry with a part left out is told. Imported only when something is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from netcompose.topology._accepts import Refused, validate
from netcompose.topology.build import build
from netcompose.topology.checks import check_all
from netcompose.topology.source import Path, Problem, Source

_WORD = re.compile(r"[^\w.-]+")


def more_problems(value: Any, source: Source, refused: Sequence[Problem]) -> list[Problem]:
    """What is wrong besides what the schema has ``refused``; empty when too much is missing to tell."""
    if any(len(problem.path) < 2 or problem.path[0] == "links" for problem in refused):
        return []
    rest = value
    for problem in refused:
        rest = _without(rest, problem.path)
    try:
        validate(rest)  # type: ignore[no-untyped-call]
    except Refused:
        return []
    topology, found = build(rest, source, "salvaged")
    touched = {problem.path[:2] for problem in refused}
    names = {str(path[1]) for path in touched}
    found += [problem for problem in check_all(topology) if problem.path[:2] not in touched]
    return [problem for problem in found if names.isdisjoint(_WORD.split(problem.message))]


def _without(value: Any, path: Path) -> Any:
    """A copy without one place. A list that has it goes as a whole: its other entries would move."""
    if not isinstance(value, dict) or path[0] not in value:
        return value
    first = str(path[0])
    inner = value[first]
    copy = dict(value)
    if len(path) == 1 or not isinstance(inner, dict):
        del copy[first]
    else:
        copy[first] = _without(inner, path[1:])
    return copy
