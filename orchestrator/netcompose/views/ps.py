"""``ps``: the containers of a topology, what they do and where they are reached. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from netcompose.resources import ContainerState, Namespace, Resource
from netcompose.views.jsontext import json_text
from netcompose.views.state import plugged
from netcompose.views.terminal import Paint, natural_key, printable, table

_COLOURS = {"running": "green", "waiting": "yellow", "exited": "yellow", "dead": "red", "absent": "red"}


@dataclass(frozen=True)
class PsRow:
    """One container. ``networks`` maps a network's name (or ``link:eth1``) to bare addresses; ``status`` and
    ``exit_code`` are those of :class:`ContainerState`, ``exit_code`` None unless it exited."""

    host: str
    name: str
    status: str
    networks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    ports: tuple[str, ...] = ()
    exit_code: int | None = None
    pid: int = 0
    restarts: int = 0


def ps_rows(
    host: str,
    live: Mapping[str, Resource],
    states: Sequence[ContainerState],
    *,
    expected: Collection[str] = (),
    ports: Mapping[str, Sequence[str]] | None = None,
) -> list[PsRow]:
    """The rows of one host, by name. ``expected`` are the containers that the topology has there: those that are not
    live are ``absent``. A container that shares another's stack shows that one's networks. netcompose's own processes
    (``@ports``) are none of them."""
    networks: dict[str, dict[str, tuple[str, ...]]] = {}
    for item in plugged(live):
        bare = (address.partition("/")[0] for address in item.end.addresses)
        addresses = tuple(sorted(bare, key=lambda a: (":" in a, a)))
        own = networks.setdefault(item.container, {})
        own[item.label] = own.get(item.label, ()) + addresses
    joins = {r.container: r.joins for r in live.values() if isinstance(r, Namespace)}
    by_name = {state.container: state for state in states if not state.container.startswith("@")}
    rows = []
    for name in sorted({*by_name, *joins, *expected}, key=natural_key):
        state = by_name.get(name, ContainerState(name, "wired" if name in joins else "absent"))
        exited = state.status == "exited"
        rows.append(
            PsRow(
                host=host,
                name=name,
                status=state.status,
                networks=networks.get(_owner(name, joins), {}),
                ports=tuple((ports or {}).get(name, ())),
                exit_code=state.exit_code if exited else None,
                pid=state.pid,
                restarts=state.restarts,
            )
        )
    return rows


def ps_text(rows: Sequence[PsRow], *, colour: bool = False) -> str:
    """A table, one network per line; the host's column only when there are several hosts."""
    if not rows:
        return "No containers.\n"
    several = len({row.host for row in rows}) > 1
    with_ports = any(row.ports for row in rows)
    header = [*(["HOST"] if several else []), "NAME", "STATUS", "NETWORKS", *(["PORTS"] if with_ports else [])]
    lines = []
    for row in rows:
        networks = "\n".join(
            f"{printable(name)} {', '.join(map(printable, addresses))}".rstrip()
            for name, addresses in row.networks.items()
        )
        cells = [printable(row.name), status_text(row), networks or "-"]
        ports = ["\n".join(map(printable, row.ports)) or "-"] if with_ports else []
        lines.append([*([printable(row.host)] if several else []), *cells, *ports])
    return _coloured(table(header, lines), rows, Paint(colour))


def ps_json(rows: Sequence[PsRow]) -> str:
    """A list of objects: ``host``, ``name``, ``status``, ``networks``, ``ports``, ``exit_code``, ``pid``, ..."""
    return json_text([_data(row) for row in rows])


def status_text(row: PsRow) -> str:
    """``running``, ``exited (1)``, ``exited (signal 9)``, ``running, restarted 2 times``."""
    text = printable(row.status)
    if row.exit_code is not None:
        text += f" (signal {-row.exit_code})" if row.exit_code < 0 else f" ({row.exit_code})"
    if row.restarts:
        text += f", restarted {row.restarts} time{'' if row.restarts == 1 else 's'}"
    return text


def _owner(name: str, joins: Mapping[str, str]) -> str:
    seen: set[str] = set()
    while joins.get(name) and name not in seen:
        seen.add(name)
        name = joins[name]
    return name


def _data(row: PsRow) -> dict[str, Any]:
    return {
        "host": row.host,
        "name": row.name,
        "status": row.status,
        "networks": {name: list(addresses) for name, addresses in row.networks.items()},
        "ports": list(row.ports),
        "exit_code": row.exit_code,
        "pid": row.pid,
        "restarts": row.restarts,
    }


def _coloured(text: str, rows: Sequence[PsRow], paint: Paint) -> str:
    """Colours after the layout, because escape sequences have no width."""
    if not paint.colour:
        return text
    lines = text.split("\n")
    start = lines[0].index("STATUS")
    number = 1
    for row in rows:
        status = status_text(row)
        line = lines[number]
        lines[number] = line[:start] + paint(status, _COLOURS.get(row.status, "dim")) + line[start + len(status) :]
        number += max(1, len(row.networks), len(row.ports))
    lines[0] = paint(lines[0], "bold")
    return "\n".join(lines)
