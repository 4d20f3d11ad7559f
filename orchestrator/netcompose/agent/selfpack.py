"""The agent's own sources as one plain file, for a process of its own that outlives it."""

from __future__ import annotations

import functools
import importlib.machinery
import importlib.util
import io
import marshal
import os
import zipfile
from typing import Any, Iterator

from netcompose.agent import library

_ROOMS = ("agent", "planner", "resources")


@functools.lru_cache(maxsize=2)
def archive(main: str) -> bytes:
    """A zip archive that Python runs as it is (zipapp), with ``main`` as its program: every module that the agent may
    need, as source and compiled, because compiling takes longer than all that comes after; and Docker's SDK, compiled
    alone."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as packed:
        packed.writestr(zipfile.ZipInfo("__main__.py"), main)
        for path, text, code in sorted(_modules(), key=lambda item: item[0]):
            packed.writestr(zipfile.ZipInfo(path), text)
            packed.writestr(zipfile.ZipInfo(path + "c"), _compiled(code, importlib.util.source_hash(text.encode())))
        for path, code in sorted(library.modules(), key=lambda item: item[0]):
            packed.writestr(zipfile.ZipInfo(path + "c"), _compiled(code, bytes(8)))
    return made.getvalue()


def _compiled(code: Any, source: bytes) -> bytes:
    """A file of bytecode that is never checked against its source, by whose hash it is known (PEP 552): both come from
    the same place."""
    return importlib.util.MAGIC_NUMBER + (1).to_bytes(4, "little") + source + marshal.dumps(code)


def _modules() -> Iterator[tuple[str, str, Any]]:
    """Path, source and code of each, from wherever the agent runs: files, or a bundle in memory (stage.py)."""
    import netcompose

    loader: Any = netcompose.__spec__.loader if netcompose.__spec__ else None
    codes = getattr(loader, "codes", None)
    if codes is not None:
        for path, code in codes.items():
            yield path, loader.get_source(_name(path)) or "", code
        return
    root = os.path.dirname(os.path.abspath(netcompose.__file__ or ""))
    paths = ["netcompose/__init__.py", "netcompose/errors.py"]
    for room in _ROOMS:
        for folder, _, names in os.walk(os.path.join(root, room)):
            inside = os.path.relpath(folder, root)
            paths += ("netcompose/{}/{}".format(inside, name) for name in names if name.endswith(".py"))
    for path in paths:
        # From Python's own cache where there is one.
        file = os.path.join(root, path[len("netcompose/") :])
        with open(file, encoding="utf-8") as opened:
            yield path, opened.read(), importlib.machinery.SourceFileLoader(_name(path), file).get_code(_name(path))


def _name(path: str) -> str:
    name = path[: -len(".py")].replace("/", ".")
    return name[: -len(".__init__")] if name.endswith(".__init__") else name
