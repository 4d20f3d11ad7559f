"""The agent's own sources as one plain file, for a process of its own that outlives it."""

from __future__ import annotations

import functools
import io
import os
import zipfile
from typing import Any, Iterator

_ROOMS = ("agent", "planner", "resources")


@functools.lru_cache(maxsize=2)
def archive(main: str) -> bytes:
    """A zip archive that Python runs as it is (zipapp), with ``main`` as its program; the same bytes every time."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr(zipfile.ZipInfo("__main__.py"), main)
        for path, text in sorted(_sources()):
            packed.writestr(zipfile.ZipInfo(path), text)
    return made.getvalue()


def _sources() -> Iterator[tuple[str, str]]:
    """Every module that the agent may need, from wherever it runs: files, or a bundle in memory (stage.py)."""
    import netcompose

    loader: Any = netcompose.__spec__.loader if netcompose.__spec__ else None
    codes = getattr(loader, "codes", None)
    if codes is not None:
        for path in codes:
            name = path.removesuffix("/__init__.py").removesuffix(".py").replace("/", ".")
            yield path, loader.get_source(name) or ""
        return
    root = os.path.dirname(os.path.abspath(netcompose.__file__ or ""))
    for name in ("__init__.py", "errors.py"):
        yield "netcompose/" + name, _text(os.path.join(root, name))
    for room in _ROOMS:
        for folder, _, names in os.walk(os.path.join(root, room)):
            for name in names:
                if name.endswith(".py"):
                    path = os.path.join(folder, name)
                    yield "netcompose/" + os.path.relpath(path, root), _text(path)


def _text(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read()
