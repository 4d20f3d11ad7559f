"""What every text view shares: colour, safe characters, tables, and many names in few characters. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

#: ANSI SGR parameters (ECMA-48, 8.3.117).
_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "blue": "34", "cyan": "36"}

_NUMBER = re.compile(r"([0-9]+)")


class Paint:
    """Puts ANSI colours around text, or leaves it alone. Nothing may be said by colour only."""

    def __init__(self, colour: bool) -> None:
        self.colour = colour

    def __call__(self, text: str, *styles: str) -> str:
        """``text`` in the named styles (``bold``, ``dim``, ``red``, ...)."""
        if not self.colour or not text or not styles:
            return text
        return "\x1b[{}m{}\x1b[0m".format(";".join(_CODES[style] for style in styles), text)


def printable(text: str) -> str:
    """``text`` with control, formatting and undecodable characters escaped.

    Names and values come from files and from live objects that anybody may have made; they must not move the
    cursor, recolour the terminal or turn the direction of writing.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def count(number: int, noun: str, plural: str = "") -> str:
    """``1 problem``, ``2 problems``."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def natural_key(text: str) -> tuple[tuple[int, str], ...]:
    """A sort key that puts ``web2`` before ``web10``. Different texts have different keys (``web1``, ``web01``)."""
    parts: list[Any] = _NUMBER.split(text)
    parts[::2] = [(-1, part) for part in parts[::2]]
    parts[1::2] = [(int(part), "") for part in parts[1::2]]
    return (*parts, (-2, text))


def table(header: Sequence[str], rows: Iterable[Sequence[str]], *, paint: Paint | None = None) -> str:
    """Left-aligned columns, two spaces apart, one line per row. A cell with line breaks takes several lines.

    The last column is not padded, so no line ends in spaces.
    """
    cells = [[cell.split("\n") for cell in row] for row in [header, *rows]]
    widths = [max(len(line) for row in cells for line in row[i]) for i in range(len(header))]
    lines = []
    for number, row in enumerate(cells):
        for i in range(max(len(cell) for cell in row)):
            parts = (cell[i] if i < len(cell) else "" for cell in row)
            line = "  ".join(part.ljust(width) for part, width in zip(parts, widths, strict=True)).rstrip()
            lines.append(paint(line, "bold") if paint and number == 0 else line)
    return "\n".join(lines) + "\n"


def fold_names(names: Iterable[str], *, most: int = 0) -> str:
    """Many names in few characters: ``db, web[1-30].eth0, web[32,40].eth0``.

    Names that differ only in their first number are one item. ``most`` limits the items (0: no limit); the rest
    is counted: ``..., and 12 more``.
    """
    groups: dict[tuple[str, str], list[str]] = {}
    for name in sorted(set(names), key=natural_key):
        head, *rest = _NUMBER.split(name, maxsplit=1)
        number, tail = rest if rest else ("", "")
        # "web01" and "web1" are different names: a number with leading zeros is kept apart by its width.
        width = f"\0{len(number)}" if number.startswith("0") and len(number) > 1 else ""
        groups.setdefault((head + width, tail), []).append(number)
    items = list(groups.items())
    shown = items if not most or len(items) <= most else items[:most]
    text = ", ".join(_folded(head.partition("\0")[0], numbers, tail) for (head, tail), numbers in shown)
    left = sum(len(numbers) for _, numbers in items[len(shown) :])
    return f"{text}, and {left} more" if left else text


def _folded(head: str, numbers: list[str], tail: str) -> str:
    if len(numbers) <= 2:
        return ", ".join(printable(head + number + tail) for number in numbers)
    runs: list[list[str]] = []
    for number in numbers:
        if runs and int(number) == int(runs[-1][-1]) + 1:
            runs[-1] = [runs[-1][0], number]
        else:
            runs.append([number])
    inner = ",".join("-".join(run) for run in runs)
    return printable(f"{head}[{inner}]{tail}")


def width_of(text: str) -> int:
    """How many terminal columns the text takes: East Asian wide characters take two, combining ones none."""
    if text.isascii():
        return len(text)
    import unicodedata

    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )  # fmt: skip
