"""``${NAME:-default}`` in values, as Compose and containerlab have it, and the ``.env`` file that gives values.

Source: the Compose specification (interpolation); containerlab takes the same forms and ``:=`` besides.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from netcompose.convert.tree import Note, Reader
from netcompose.topology.source import Path
from netcompose.topology.words import quoted

_NAME = re.compile("[A-Za-z_][A-Za-z0-9_]*")
_OPERATOR = re.compile(":?[-=?+]")
#: A line of a .env file.
_LINE = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_.]*)\s*=\s*(.*?)\s*")


class _Wrong(Exception):
    """An expression that is none."""


class Variables:
    """Fills in values and says once of each variable what became of it, or each of the things that did."""

    def __init__(self, known: Mapping[str, str], reader: Reader) -> None:
        self._known = known
        self._reader = reader
        self._told: set[str] = set()
        #: What was said, for the head of the new file.
        self.notes: dict[Note, None] = {}

    def fill(self, value: Any, path: Path) -> Any:
        """The same value with every variable in its texts filled in; keys stay as they are."""
        if isinstance(value, dict):
            return {key: self.fill(item, (*path, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [self.fill(item, (*path, index)) for index, item in enumerate(value)]
        if isinstance(value, str) and "$" in value:
            return self.text(value, path)
        return value

    def text(self, text: str, path: Path) -> str:
        """One text. Raises TopologyError for an expression that is none, and for a variable that must be given."""
        try:
            return self._text(text, path)
        except _Wrong as error:
            hint = "a dollar sign alone is written $$"
            raise self._reader.wrong(f"{quoted(text)}: {error}", path, hint) from None

    def _text(self, text: str, path: Path) -> str:
        done: list[str] = []
        at = 0
        while True:
            found = text.find("$", at)
            if found < 0:
                return "".join([*done, text[at:]])
            done.append(text[at:found])
            after = text[found + 1 : found + 2]
            name = _NAME.match(text, found + 1)
            if after == "$":
                done.append("$")
                at = found + 2
            elif after == "{":
                end = _closing(text, found + 2)
                done.append(self._expression(text[found + 2 : end], path))
                at = end + 1
            elif name:
                done.append(self._value(name[0], path))
                at = name.end()
            else:
                done.append("$")
                at = found + 1

    def _expression(self, inner: str, path: Path) -> str:
        name = _NAME.match(inner)
        if not name:
            raise _Wrong(f"${{{inner}}} names no variable")
        rest = inner[name.end() :]
        if not rest:
            return self._value(name[0], path)
        operator = _OPERATOR.match(rest)
        if not operator:
            raise _Wrong(f"${{{inner}}} is no expression")
        word = rest[operator.end() :]
        value = self._known.get(name[0])
        given = bool(value) if operator[0].startswith(":") else value is not None
        if operator[0].endswith("+"):
            return self._text(word, path) if given else ""
        if given:
            return self._value(name[0], path)
        if operator[0].endswith("?"):
            hint = f"give it with --var {name[0]}=..., or in a file .env beside the source"
            raise self._reader.wrong(f"the variable {name[0]} must be given: {word or 'it has no value'}", path, hint)
        default = self._text(word, path)
        self._tell(name[0], path, f"the variable {name[0]} is written as its default, {quoted(default)}")
        return default

    def _value(self, name: str, path: Path) -> str:
        value = self._known.get(name)
        if value is None:
            self._tell(name, path, f"the variable {name} is not given: nothing is written for it (--var {name}=...)")
            return ""
        # The value itself may be a secret.
        self._tell(name, path, f"the variable {name} is written as the value that was given")
        return value

    def _tell(self, name: str, path: Path, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            self.notes[self._reader.changed(path, text)] = None


def _closing(text: str, start: int) -> int:
    depth = 1
    for index in range(start, len(text)):
        if text[index] == "{" and text[index - 1] == "$":
            depth += 1
        elif text[index] == "}":
            depth -= 1
            if not depth:
                return index
    raise _Wrong("'${' is not closed")


def read_env(text: str) -> dict[str, str]:
    """The variables of a ``.env`` file: ``NAME=VALUE`` lines, ``#`` comments, quotes around a value."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        match = _LINE.fullmatch(line)
        if not match or line.lstrip().startswith("#"):
            continue
        name, value = match.groups()
        if value[:1] in ("'", '"') and value.find(value[0], 1) > 0:
            value = value[1 : value.find(value[0], 1)]
        else:
            value = re.split(r"(?:^|\s)#", value)[0].rstrip()
        found[name] = value
    return found
