"""Who reaches whom: what was measured beside what the topology promises, for ``rehearse``. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from netcompose.resources.way import Way
from netcompose.views.jsontext import json_text
from netcompose.views.terminal import Paint, count, fold_names, natural_key, printable

#: One character for all the ways from one container to another.
REACHES, ADDRESS, PARTLY, APART, LOST, EXTRA = "+", "a", "o", ".", "!", "?"
_LEGEND = {
    REACHES: "reaches, as promised",
    ADDRESS: "reaches by address, has no name for it, as promised",
    PARTLY: "reaches in some ways, as promised (listed below)",
    APART: "does not reach, as promised",
    LOST: "promised, but does not reach",
    EXTRA: "reaches, but is not promised",
}
#: Up to so many containers get a row and a column each; more are put together where they behave alike.
_SINGLE = 16


def differing(ways: Sequence[Way]) -> list[Way]:
    """The ways that are not as promised, by source and target."""
    return sorted((way for way in ways if way.promised != way.measured), key=_order)


def matrix_text(ways: Sequence[Way], *, colour: bool = False) -> str:
    """The grid (rows reach columns), its legend, and every difference in words.

    More than 16 containers are folded: those that reach, and are reached by, the same others are one row.
    """
    if not ways:
        return "Nothing to measure: no container reaches another by a network or a link.\n"
    paint = Paint(colour)
    symbols = _symbols(ways)
    blocks = [_grid_text(symbols, paint)]
    partly = _partly_lines(ways, symbols)
    if partly:
        blocks.append("\n".join(["As promised, not in every way:", *("  " + line for line in partly)]))
    wrong = differing(ways)
    if wrong:
        head = paint(f"{count(len(wrong), 'difference')} from what the topology promises:", "bold", "red")
        blocks.append("\n".join([head, *("  " + line for line in difference_words(wrong))]))
    else:
        blocks.append(paint(f"{count(len(ways), 'measurement')}, all as the topology promises.", "green"))
    return "\n\n".join(blocks) + "\n"


def matrix_markdown(ways: Sequence[Way]) -> str:
    """The grid as a table, differences as a list."""
    from netcompose.views.plan_markdown import escape

    symbols = _symbols(ways)
    classes = _classes(symbols)
    names = [escape(fold_names(members, most=4)) for members in classes]
    text = "### Reachability\n\n"
    if ways:
        numbers = [str(i) for i in range(1, len(classes) + 1)]
        text += "| from \\ to | " + " | ".join(numbers) + " |\n|---|" + ":-:|" * len(classes) + "\n"
        for number, (name, row) in enumerate(zip(names, classes, strict=True), 1):
            marks = (f"`{mark}`" if (mark := _between(symbols, row, column)) else " " for column in classes)
            text += f"| {number} {name} | " + " | ".join(marks) + " |\n"
        used = set(symbols.values())
        text += "\n" + ", ".join(f"`{symbol}` {words}" for symbol, words in _LEGEND.items() if symbol in used) + "\n\n"
    wrong = differing(ways)
    if not wrong:
        return text + f"{count(len(ways), 'measurement')}, all as the topology promises.\n"
    text += f"**{count(len(wrong), 'difference')} from what the topology promises:**\n\n"
    return text + "".join(f"- {escape(line)}\n" for line in difference_words(wrong))


def matrix_json(ways: Sequence[Way]) -> str:
    """``{"cells": [...], "differences": [...]}``; cells have the names of :class:`Way`."""
    ordered = sorted(ways, key=_order)
    return json_text(
        {"cells": [_data(c) for c in ordered], "differences": [_data(c) for c in ordered if c.promised != c.measured]}
    )


def difference_words(ways: Sequence[Way]) -> list[str]:
    """``web1 does not reach db by name over IPv4 and IPv6, although it is promised``: one line per pair and verdict."""
    groups: dict[tuple[str, str, bool], list[Way]] = {}
    for way in sorted(ways, key=_order):
        groups.setdefault((way.source, way.target, way.measured), []).append(way)
    lines = []
    for (source, target, measured), members in groups.items():
        verb = "reaches" if measured else "does not reach"
        rest = ", although it is not promised" if measured else ", although it is promised"
        lines.append(f"{printable(source)} {verb} {printable(target)} {_ways(members)}{rest}")
    return lines


def _order(way: Way) -> tuple[object, ...]:
    return natural_key(way.source), natural_key(way.target), way.how, way.family


def _data(way: Way) -> dict[str, object]:
    return {
        "source": way.source,
        "target": way.target,
        "how": way.how,
        "family": way.family,
        "promised": way.promised,
        "measured": way.measured,
    }


def _ways(ways: Sequence[Way]) -> str:
    by_how: dict[str, list[str]] = {}
    for way in ways:
        by_how.setdefault(way.how, []).append(f"IPv{way.family}")
    return " and ".join(f"by {how} over {' and '.join(sorted(set(by_how[how])))}" for how in sorted(by_how))


def _symbols(ways: Sequence[Way]) -> dict[tuple[str, str], str]:
    """What one character can say of each ordered pair; a difference outweighs everything."""
    by_pair: dict[tuple[str, str], list[Way]] = {}
    for way in ways:
        by_pair.setdefault((way.source, way.target), []).append(way)
    return {pair: _symbol(members) for pair, members in by_pair.items()}


def _symbol(ways: Sequence[Way]) -> str:
    if any(way.promised and not way.measured for way in ways):
        return LOST
    if any(way.measured and not way.promised for way in ways):
        return EXTRA
    reached = [way.measured for way in ways]
    if all(reached) or not any(reached):
        return REACHES if all(reached) else APART
    # The ordinary case between routed segments: names are known on one's own networks only.
    return ADDRESS if all(way.measured == (way.how == "address") for way in ways) else PARTLY


def _names(symbols: dict[tuple[str, str], str]) -> list[str]:
    return sorted({name for pair in symbols for name in pair}, key=natural_key)


def _classes(symbols: dict[tuple[str, str], str]) -> list[list[str]]:
    """The containers as rows: each alone, or (beyond 16) those together that no symbol tells apart."""
    names = _names(symbols)
    if len(names) <= _SINGLE:
        return [[name] for name in names]
    classes: list[list[str]] = []
    for name in names:
        for members in classes:
            if _alike(symbols, names, members, name):
                members.append(name)
                break
        else:
            classes.append([name])
    return classes


def _alike(symbols: dict[tuple[str, str], str], names: Sequence[str], members: Sequence[str], other: str) -> bool:
    # Likeness to one member is likeness to all: each of them has the same symbols as the first.
    one = members[0]
    get = symbols.get
    if get((one, other)) != get((other, one)):
        return False
    return all(
        get((one, name)) == get((other, name)) and get((name, one)) == get((name, other))
        for name in names
        if name not in (one, other)
    )


def _between(symbols: dict[tuple[str, str], str], row: Sequence[str], column: Sequence[str]) -> str:
    """The symbol from one class to another, empty for a container and itself (and for a pair not measured)."""
    return next((symbols[a, b] for a in row for b in column if a != b and (a, b) in symbols), "")


def _grid_text(symbols: dict[tuple[str, str], str], paint: Paint) -> str:
    classes = _classes(symbols)
    names = [fold_names(members, most=4) for members in classes]
    used = set(symbols.values())
    colours = {LOST: "red", EXTRA: "red", REACHES: "green"}
    if len(classes) == 1 and len(used) == 1:
        words = _LEGEND[next(iter(used))]
        return f"{len(_names(symbols))} containers, each to each other: {words}\n  {names[0]}"
    width = len(str(len(classes)))
    left = max(len(name) for name in names)
    digits = [" " * (width + 1 + left) + "".join(f" {i:>{width}}" for i in range(1, len(classes) + 1))]
    for number, (name, row) in enumerate(zip(names, classes, strict=True), 1):
        marks = []
        for column in classes:
            mark = _between(symbols, row, column)
            marks.append(
                " " * width + paint(mark, *([colours[mark]] if mark in colours else [])) if mark else " " * (width + 1)
            )
        digits.append((f"{number:>{width}} {name.ljust(left)}" + "".join(marks)).rstrip())
    legend = [f"  {symbol} {words}" for symbol, words in _LEGEND.items() if symbol in used]
    return "\n".join([*digits, "", *legend])


def _partly_lines(ways: Sequence[Way], symbols: dict[tuple[str, str], str]) -> list[str]:
    """``reached by address over IPv4 only: ...`` with the pairs that have it in common."""
    by_pair: dict[tuple[str, str], list[Way]] = {}
    for way in ways:
        if symbols[way.source, way.target] == PARTLY and way.measured:
            by_pair.setdefault((way.source, way.target), []).append(way)
    common: dict[str, dict[str, list[str]]] = {}
    for (source, target), members in sorted(
        by_pair.items(), key=lambda i: (natural_key(i[0][0]), natural_key(i[0][1]))
    ):
        common.setdefault(_ways(members), {}).setdefault(source, []).append(target)
    lines = []
    for how, sources in sorted(common.items()):
        alike: dict[str, list[str]] = {}
        for source, targets in sources.items():
            alike.setdefault(fold_names(targets, most=5), []).append(source)
        lines += [f"only {how}: {fold_names(who, most=5)} -> {targets}" for targets, who in alike.items()]
    return lines
