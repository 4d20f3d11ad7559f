"""Attribute differences and new objects as lines of text, shared by the text and the markdown view of a plan. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from netcompose.planner.plan import Change, Difference
from netcompose.resources import OBSERVED, Attribute, attributes
from netcompose.views.secrets import MASK, declaration, is_secret
from netcompose.views.terminal import Paint, count, printable

#: Attributes of a new object that its address says already, or that are netcompose's own book-keeping.
_UNTOLD = frozenset({"alias", "container", "network"})
#: Lines of a text file around a difference, and the longest value that stays on the line of its path.
_CONTEXT = 1
_LONG = 60
#: A line of a plan is meant for 100 columns; four of them are indentation, one is the semicolon at its end.
_WIDTH = 95


def difference_lines(change: Change, difference: Difference, paint: Paint, *, full: bool = False) -> list[str]:
    """One attribute: ``path: before -> after``; lists as removed and added items, texts as removed and added lines.

    What forces a replacement says so, with the reason that the resource declares. ``full`` shows every line of a text
    that differs, else the first forty.
    """
    path = printable(difference.path)
    note = _forces(change, difference.path)
    before, after = difference.before, difference.after
    if is_secret(change, difference):
        return [f"{path}: {_secret(before, after, paint)}{paint(note, 'yellow')}"]
    if change.reason_code == "follows" and before is None:
        return [f"{path}: {value_text(after, difference.path)} (set again)"]
    if _is_text(before) or _is_text(after):
        head = f"{path}:{paint(note, 'yellow')}"
        return [head, *("  " + line for line in _text_lines(before or "", after or "", paint, full))]
    if isinstance(before, list) and isinstance(after, list) and not _is_command(difference.path, after):
        removed = [item for item in before if item not in after]
        added = [item for item in after if item not in before]
        if (removed or added) and len(removed) + len(added) != len(before) + len(after):
            return [f"{path}:{paint(note, 'yellow')}", *_item_lines(removed, added, paint)]
    if isinstance(before, Mapping) and isinstance(after, Mapping) and set(before) | set(after):
        keys = [key for key in sorted(set(before) | set(after)) if before.get(key) != after.get(key)]
        nested = (Difference(f"{difference.path}.{k}", before.get(k), after.get(k)) for k in keys)
        return [line for part in nested for line in difference_lines(change, part, paint, full=full)]
    old, new = value_text(before, difference.path), value_text(after, difference.path)
    tail = paint(note, "yellow")
    if len(path) + len(old) + len(new) + len(note) > _LONG + 30:
        return [f"{path}:{tail}", "  " + paint(f"- {old}", "red"), "  " + paint(f"+ {new}", "green")]
    return [f"{path}: {paint(old, 'red')} -> {paint(new, 'green')}{tail}"]


def created_lines(resource: Any) -> list[str]:
    """A new object in a few lines: what it is made with, defaults and book-keeping left out."""
    plain: list[str] = []
    nested: list[str] = []
    for name, declared in attributes(resource.__class__):
        value = getattr(resource, name)
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            inner = [told for part, d in attributes(value.__class__) if (told := _told(value, part, d))]
            nested += _wrapped(inner, f"{name}: ")
        elif told := _told(resource, name, declared):
            plain.append(told)
    return [*_wrapped(plain, ""), *nested]


def value_text(value: Any, path: str = "") -> str:
    """A value of plain data as one line; ``path`` decides how lists read (``command`` as a shell would show it)."""
    if value is None:
        return "(unset)"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return printable(value) if value and value == value.strip() else '"' + printable(value) + '"'
    if isinstance(value, Mapping):
        if set(value) == {"to", "via", "metric"}:
            return _route(value)
        return ", ".join(f"{printable(str(key))}={value_text(value[key])}" for key in sorted(value)) or "(none)"
    if isinstance(value, (list, tuple)):
        if not value:
            return "(none)"
        if _is_command(path, value):
            return _shell(value)
        if all(isinstance(item, (list, tuple)) for item in value):
            return "; ".join(_shell(item) for item in value)
        return ", ".join(value_text(item) for item in value)
    return str(value)


def _wrapped(told: Sequence[str], head: str) -> list[str]:
    """``head`` and the items behind it, in lines of at most ``_WIDTH`` characters where the items allow it."""
    lines: list[str] = []
    line = ""
    for item in told:
        if line and len(line) + len(item) + 2 > _WIDTH - len(head):
            lines.append(line + ";")
            line = item
        else:
            line = f"{line}; {item}" if line else item
    if line:
        lines.append(line)
    return [(head if number == 0 else " " * len(head)) + text for number, text in enumerate(lines)]


def _told(part: Any, name: str, declared: Attribute) -> str:
    """``name value`` of one attribute, or nothing if it need not be said."""
    from netcompose.resources import to_data

    value = getattr(part, name)
    if declared.changes == OBSERVED or name in _UNTOLD or value in ("", _default(part, name)):
        return ""
    if dataclasses.is_dataclass(value):
        inner = (_told(value, part, d) for part, d in attributes(value.__class__))
        return f"{name} " + ", ".join(told for told in inner if told)
    if declared.secret:
        return f"{name} " + (", ".join(f"{printable(key)}={MASK}" for key in sorted(value)) or MASK)
    if isinstance(value, Mapping) and value and all(isinstance(part, tuple) for part in value.values()):
        # A table of rules: the view for rules is the tool that they are for (nft list table).
        return f"{name} of {count(len(value), 'part')} and {count(sum(map(len, value.values())), 'line')}"
    if _is_text(value):
        return f"{name} of {count(len(value.splitlines()), 'line')}"
    return f"{name} {value_text(to_data(value), name)}"


def _default(part: Any, name: str) -> Any:
    for item in dataclasses.fields(part):
        if item.name == name:
            if item.default_factory is not dataclasses.MISSING:
                return item.default_factory()
            return item.default
    return dataclasses.MISSING


def _forces(change: Change, path: str) -> str:
    if not any(path == forced or path.startswith(forced + ".") for forced in change.replace_paths):
        return ""
    declared = declaration(change.after, path) or declaration(change.before, path)
    return "  (forces replacement" + (f": {declared.why}" if declared and declared.why else "") + ")"


def _secret(before: Any, after: Any, paint: Paint) -> str:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        signs = [
            paint(f"- {printable(key)}", "red") if key not in after
            else paint(f"+ {printable(key)}", "green") if key not in before
            else f"~ {printable(key)}"
            for key in sorted(set(before) | set(after))
            if before.get(key) != after.get(key)
        ]  # fmt: skip
        return ", ".join(signs) + f" {MASK}"
    old, new = ("(unset)" if value is None else MASK for value in (before, after))
    return f"{old} -> {new}"


def _item_lines(removed: Sequence[Any], added: Sequence[Any], paint: Paint) -> list[str]:
    return [
        *("  " + paint(f"- {value_text(item)}", "red") for item in removed),
        *("  " + paint(f"+ {value_text(item)}", "green") for item in added),
    ]


def _text_lines(before: str, after: str, paint: Paint, full: bool) -> list[str]:
    import difflib

    lines: list[str] = []
    matcher = difflib.unified_diff(before.splitlines(), after.splitlines(), n=_CONTEXT, lineterm="")
    for number, line in enumerate(matcher):
        if number < 2:  # the file names, which the path has said
            continue
        if line.startswith("@@"):
            if lines:
                lines.append(paint("  ...", "dim"))
            continue
        sign, text = line[0], printable(line[1:].expandtabs())
        lines.append(paint(f"{sign} {text}".rstrip(), *{"-": ["red"], "+": ["green"]}.get(sign, ["dim"])))
    if not full and len(lines) > 40:
        lines = [*lines[:40], paint(f"  ... and {len(lines) - 40} more lines", "dim")]
    return lines or ["~ only the line ends differ"]


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and "\n" in value


def _is_command(path: str, value: Sequence[Any]) -> bool:
    return path.rpartition(".")[2] == "command" and all(isinstance(item, str) for item in value)


def _shell(words: Sequence[Any]) -> str:
    import shlex

    return printable(shlex.join(str(word) for word in words))


def _route(route: Mapping[str, Any]) -> str:
    to = "default" if route["to"] in ("0.0.0.0/0", "::/0") else str(route["to"])
    via = f" via {route['via']}" if route["via"] else " on-link"
    metric = f" metric {route['metric']}" if route["metric"] else ""
    return printable(to + via + metric)
