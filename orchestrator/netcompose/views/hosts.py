"""``hosts``: what each host is, what it can do, and what on it is in the way. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from netcompose.resources import HostFacts, to_data
from netcompose.views.jsontext import json_text
from netcompose.views.terminal import Paint, count, printable, table


@dataclass(frozen=True)
class HostRow:
    """A host and what was learned of it: ``facts``, or ``error`` with why it could not be reached and ``hint`` with
    what to do about it. ``ahead`` is by how many seconds its clock is ahead of the one here."""

    name: str
    address: str = ""
    facts: HostFacts | None = None
    error: str = ""
    hint: str = ""
    ahead: float = 0.0


#: Seconds by which clocks of hosts may differ before it is worth a line: logs are hard to compare then.
_CLOCKS = 2.0


def hosts_text(rows: Sequence[HostRow], *, colour: bool = False) -> str:
    """A table, and below it, by host, what is missing (with the reason) and what interferes."""
    paint = Paint(colour)
    header = ["HOST", "ADDRESS", "REACHED", "KERNEL", "PYTHON", "ROOT", "RUNTIME", "MEMORY", "LOAD", "LACKS"]
    text = table(header, (_cells(row) for row in rows), paint=paint)
    for row in rows:
        lines = _notes(row, paint)
        if lines:
            text += "\n" + paint(printable(row.name), "bold") + "\n" + "".join(f"  {line}\n" for line in lines)
    return text


def hosts_json(rows: Sequence[HostRow]) -> str:
    """A list of objects: ``name``, ``address``, ``reachable``, ``error``, ``hint``, ``clock_ahead`` (seconds),
    ``features`` (name -> empty when usable, else why not), ``interferes`` and the facts."""
    return json_text([_data(row) for row in rows])


def missing(facts: HostFacts) -> list[tuple[str, str]]:
    """``(feature, why it is not usable)``, sorted."""
    return sorted((name, why) for name, why in facts.features.items() if why)


def runtimes(facts: HostFacts) -> str:
    """What can run containers there: ``namespace, docker``."""
    return ", ".join(["namespace", *(name for name in ("docker", "podman") if facts.features.get(name) == "")])


def _cells(row: HostRow) -> list[str]:
    facts = row.facts
    if facts is None:
        return [printable(row.name), printable(row.address) or "-", "no", *["-"] * 7]
    memory = f"{facts.memory / 2**30:.1f} GiB" if facts.memory else "-"
    lacks = len(missing(facts))
    shown = [row.name, row.address or "-", "yes", facts.kernel or "-", facts.python or "-"]
    root = "yes" if facts.is_root else "no"
    return [*map(printable, shown), root, runtimes(facts), memory, f"{facts.load:.2f}", str(lacks or "-")]


def _notes(row: HostRow, paint: Paint) -> list[str]:
    if row.facts is None:
        said = paint("not reached", "red") + (f": {printable(row.error)}" if row.error else "")
        return [said, *([f"{paint('hint', 'cyan')}: {printable(row.hint)}"] if row.hint else [])]
    lacks = missing(row.facts)
    lines = [paint(count(len(lacks), "feature") + " missing", "yellow") + ":"] if lacks else []
    lines += [f"  {printable(name)}: {printable(why)}" for name, why in lacks]
    if abs(row.ahead) >= _CLOCKS:
        way = "ahead of" if row.ahead > 0 else "behind"
        lines.append(paint("clock", "yellow") + f": {abs(row.ahead):.0f} s {way} this machine's")
    lines += [paint("interferes", "yellow") + f": {printable(sentence)}" for sentence in row.facts.interferes]
    return lines


def _data(row: HostRow) -> dict[str, Any]:
    facts = to_data(row.facts) if row.facts is not None else {}
    return {
        **facts,
        "name": row.name,
        "address": row.address,
        "reachable": row.facts is not None,
        "error": row.error,
        "hint": row.hint,
        "clock_ahead": round(row.ahead, 3),
    }
