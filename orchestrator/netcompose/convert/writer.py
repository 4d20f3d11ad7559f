"""A tree of plain values and notes -> YAML as a person would write it: short things on one line, notes beside them.

What is written is a topology file, whose text is a template when it has ``{{``, ``{%`` or ``{#``; where a value has
one of these, it is written so that the template gives it back.
"""

from __future__ import annotations

import re
import textwrap
from typing import Any

from netcompose.convert.tree import Note
from netcompose.topology.scalars import as_text, plain_scalar

#: Longest line that short things share, and of notes.
_WIDTH = 100
_PLAIN = re.compile(
    r"[A-Za-z0-9_./][A-Za-z0-9_./@+=~-]*( [A-Za-z0-9_./@+=~-]+)*|[A-Za-z./][A-Za-z0-9_./@:-]*[A-Za-z0-9_./-]"
)
#: Words that YAML 1.1 takes for something else; a reader may, too.
_WORDS = frozenset(["y", "n", "yes", "no", "on", "off", "true", "false", "null"])
_TEMPLATE = re.compile(r"\{([{%#])")


def write(tree: dict[Any, Any], head: str = "", *, template: bool = True) -> str:
    """The text of a file; ``head`` stands above it as a comment. Without ``template`` it is no template's text."""
    lines: list[str] = []
    for line in head.splitlines():
        lines.append(f"# {line}".rstrip())
    if head:
        lines.append("")
    for index, (key, value) in enumerate(tree.items()):
        if index and not isinstance(key, Note) and isinstance(value, dict | list):
            lines.append("")
        _entry(lines, key, value, (), 0)
    text = "".join(f"{line}\n" for line in lines)
    return _TEMPLATE.sub(r"{{ '{\1' }}", text) if template else text


def _entry(lines: list[str], key: Any, value: Any, path: tuple[str, ...], indent: int) -> None:
    """One key of a mapping, or a note."""
    space = " " * indent
    if isinstance(key, Note):
        lines += _comment(key, indent)
        return
    head = f"{space}{_scalar(key)}:"
    if isinstance(value, str) and _is_block_text(value):
        lines.append(f"{head} |{'' if value.endswith(chr(10)) else '-'}")
        lines += [f"{space}  {line}".rstrip() for line in value.removesuffix("\n").split("\n")]
        return
    below = (*path, str(key))
    if isinstance(value, dict | list) and value and not _short(value, below, len(head) + 1):
        lines.append(head)
        _block(lines, value, below, indent + 2)
    else:
        lines.append(f"{head} {_flow(value)}")


def _block(lines: list[str], value: Any, path: tuple[str, ...], indent: int) -> None:
    if isinstance(value, dict):
        for key, item in value.items():
            _entry(lines, key, item, path, indent)
        if all(isinstance(key, Note) for key in value):
            lines.append(" " * indent + "{}")
        return
    for item in value:
        if isinstance(item, Note):
            lines += _comment(item, indent)
        elif isinstance(item, dict | list) and item and not _short(item, path, indent + 2):
            inner: list[str] = []
            _block(inner, item, (*path, "-"), indent + 2)
            first = next(i for i, line in enumerate(inner) if not line.lstrip().startswith("#"))
            # A note above the first key goes above the item.
            lines += [line[2:] for line in inner[:first]]
            lines.append(" " * indent + "- " + inner[first].lstrip())
            lines += inner[first + 1 :]
        else:
            lines.append(" " * indent + f"- {_flow(item)}")
    if all(isinstance(item, Note) for item in value):
        lines.append(" " * indent + "[]")


def _comment(note: Note, indent: int) -> list[str]:
    space = " " * indent
    text = "".join(c if c.isprintable() else "?" for c in " ".join(note.text.split()))
    return textwrap.wrap(
        text, _WIDTH, initial_indent=f"{space}# ", subsequent_indent=f"{space}#   ", break_long_words=False,
        break_on_hyphens=False,
    )  # fmt: skip


def _short(value: Any, path: tuple[str, ...], column: int) -> bool:
    """Whether a collection is written on one line: it fits, has no notes, and is no section or container."""
    if not path[1:] or (path[0] == "containers" and not path[2:]):
        # The cables are a section whose items are short.
        return bool(path[:1] == ("links",) and isinstance(value, dict) and _fits(value, column))
    return _fits(value, column)


def _fits(value: Any, column: int) -> bool:
    return not _has_notes(value) and column + len(_flow(value)) <= _WIDTH


def _has_notes(value: Any) -> bool:
    if isinstance(value, dict):
        return any(isinstance(key, Note) or _has_notes(item) for key, item in value.items())
    if isinstance(value, list):
        return any(_has_notes(item) for item in value)
    return isinstance(value, Note) or (isinstance(value, str) and _is_block_text(value))


def _flow(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_scalar(key)}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_flow(item) for item in value) + "]"
    return _scalar(value)


def _scalar(value: Any) -> str:
    if value is None:
        return "null"
    if not isinstance(value, str):
        return as_text(value)
    if _PLAIN.fullmatch(value) and value.lower() not in _WORDS and isinstance(plain_scalar(value), str):
        return value
    return '"' + "".join(map(_character, value)) + '"'


def _character(character: str) -> str:
    """A character between double quotes (YAML 1.2, section 5.7)."""
    if character in '"\\':
        return "\\" + character
    if character.isprintable():
        return character
    number = ord(character)
    short = {9: "\\t", 10: "\\n", 13: "\\r"}.get(number)
    return short or (
        f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}" if number < 65536 else f"\\U{number:08x}"
    )


def _is_block_text(value: str) -> bool:
    """Several lines that can be written as they are."""
    lines = value.removesuffix("\n").split("\n")
    return (
        len(lines) > 1
        and all(line.isprintable() and line == line.rstrip() for line in lines)
        and bool(lines[0])
        and not lines[0].startswith(" ")
        and bool(lines[-1])
    )
