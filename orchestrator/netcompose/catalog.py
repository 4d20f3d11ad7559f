"""The files that come with netcompose: ready-made topologies, the starter file, the JSON Schemas.

In an installed package they are under ``netcompose/data``; in a checkout of the repository they are where people
edit them, ``topologies/`` and ``schemas/`` at its root.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from netcompose.errors import UsageError

_PACKAGE = Path(__file__).resolve().parent
_CHECKOUT = _PACKAGE.parents[1]
_FILE = "topology.yaml"


@dataclass(frozen=True)
class Parameter:
    """A variable of a ready-made topology, set with ``--var NAME=VALUE``. ``default`` is as written in its file."""

    name: str
    default: str
    description: str


def names() -> list[str]:
    """The ready-made topologies, sorted: ``campus``, ``full-mesh``, ..."""
    folder = _folder("topologies")
    return sorted(entry.name for entry in folder.iterdir() if (entry / _FILE).is_file()) if folder.is_dir() else []


def read(name: str) -> str:
    """The text of a ready-made topology. :class:`UsageError` if there is none of that name."""
    return _entry(name).joinpath(_FILE).read_text(encoding="utf-8")


def parameters(name: str) -> list[Parameter]:
    """The variables of a ready-made topology in the order of its file: each is ``name: value   # description``."""
    found: list[Parameter] = []
    inside = False
    for line in read(name).splitlines():
        if not inside:
            inside = line.rstrip() == "vars:"
        elif line.startswith("  "):
            setting, _, description = line.partition("#")
            key, _, default = setting.partition(":")
            found.append(Parameter(key.strip(), default.strip(), description.strip()))
        elif line.strip():
            break
    return found


def starter() -> str:
    """The file that ``netcompose init`` writes when no ready-made topology is asked for."""
    return (_PACKAGE / "starter.yaml").read_text(encoding="utf-8")


def schema_text(which: str) -> str:
    """The text of a JSON Schema: ``topology`` or ``plan``. :class:`UsageError` for another word."""
    folder = _folder("schemas")
    found = sorted(folder.glob(f"{which}-v*.schema.json")) if which.isalnum() else []
    if not found:
        known = sorted({path.name.partition("-v")[0] for path in folder.glob("*-v*.schema.json")})
        raise UsageError(f"there is no schema {which!r}", hint=f"one of: {', '.join(known)}")
    return found[-1].read_text(encoding="utf-8")


def _entry(name: str) -> Path:
    known = names()
    if name not in known:
        import difflib

        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"one of: {', '.join(known)}"
        raise UsageError(f"there is no ready-made topology {name!r}", hint=hint)
    return _folder("topologies") / name


def _folder(name: str) -> Path:
    """The package's copy if it is installed with one, else the checkout's folder."""
    packaged = _PACKAGE / "data" / name
    return packaged if packaged.is_dir() else _CHECKOUT / name
