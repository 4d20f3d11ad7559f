"""What an agent behind SSH leaves in root's cache on its host: its own bundle, what that is compiled to, and a second
bundle if it needed one (library.py). Imported only when something is written or the second one is needed. ``stage`` is
the module of both transports/ssh/front.py and stage.py, which read all of it.
"""

from __future__ import annotations

import builtins
import json
import marshal
import os
import sys
import zlib
from typing import Any, Callable, Mapping

#: The two kinds of bundles, by how their files end: an agent, and what one imports that asks an engine.
AGENT, LIBRARY = ".bundle", ".library"
#: Bundles of a kind that are kept, for controllers of several versions.
KEPT = 3


def keep(stage: Any, names: tuple[str, str], data: bytes, made: Mapping[str, Any], *, arrived: bool) -> str:
    """Put what was just sent (``arrived``) or compiled into the cache; why not, in words, or nothing.

    ``names`` are the bundle's and that of the file with its code; see start.py for ``made`` and the file's form.
    """
    name, file = names
    if arrived:
        problem = store(stage, name + AGENT, data)
        if problem:
            return problem
        _prune(stage, name, AGENT)
    started = {stage.START, stage.STAGE, *made["order"]}
    rest = marshal.dumps({path: marshal.dumps(code) for path, code in made["files"].items() if path not in started})
    _store_code(
        stage,
        name,
        file,
        {
            **made,
            "files": {path: code for path, code in made["files"].items() if path in started},
            "sizes": (len(data), len(rest)),
            "rest": stage.checksum(rest),
        },
        rest,
    )
    return ""


def _store_code(stage: Any, name: str, file: str, made: Mapping[str, Any], rest: bytes) -> None:
    body = marshal.dumps(dict(made))
    front = "{:08x}".format(len(body)).encode() + body
    store(stage, file, stage.checksum(name.encode(), front).encode() + front + rest)


def store(stage: Any, file: str, data: bytes) -> str:
    """Put a file into the cache, whole or not at all; why not, in words, or nothing."""
    cache = stage.CACHE
    path = os.path.join(cache, file)
    temporary = "{}.{}".format(path, os.getpid())
    try:
        if not os.path.isdir(cache):
            os.makedirs(cache, 0o700)
        if os.path.islink(cache) or not stage.trusted(os.stat(cache)):
            return "{} can be written by others".format(cache)
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            with open(fd, "wb") as opened:
                opened.write(data)
            os.rename(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        return "{}: {}".format(cache, error.strerror)
    return ""


def _prune(stage: Any, name: str, kind: str) -> None:
    """Keep this bundle and the newest others of its kind, with what they were compiled to."""
    try:
        ours = stage.ours()
        alike = {file[:64] for file in ours if kind in file}
        newest: dict[str, float] = {}
        for file in ours:
            time = os.stat(os.path.join(stage.CACHE, file)).st_mtime
            newest[file[:64]] = max(time, newest.get(file[:64], 0))
        kept = [name, *sorted(alike - {name}, key=lambda other: -newest[other])[: KEPT - 1]]
        for file in ours:
            if file[:64] in alike.difference(kept):
                os.unlink(os.path.join(stage.CACHE, file))
    except OSError:
        # Another agent was faster.
        pass


class Library:
    """Imports from a second bundle in memory (importlib.abc.MetaPathFinder and Loader); ``data`` is its content."""

    def __init__(self, codes: dict[str, Any], data: bytes) -> None:
        self.codes = codes
        self._data = data

    def _path(self, name: str) -> str:
        path = name.replace(".", "/")
        return next((found for found in (path + "/__init__.py", path + ".py") if found in self.codes), "")

    def find_spec(self, name: str, path: object = None, target: object = None) -> Any:
        """Where a module is; None for what is not in the bundle."""
        from importlib.machinery import ModuleSpec

        found = self._path(name)
        if not found:
            return None
        loader: Any = self
        spec = ModuleSpec(name, loader, origin="bundle/" + found, is_package=found.endswith("/__init__.py"))
        spec.has_location = True
        return spec

    def create_module(self, spec: object) -> None:
        """None: the usual."""

    def get_source(self, name: str) -> str | None:
        """The source of a module."""
        texts: dict[str, str] = json.loads(self._data)
        return texts.get(self._path(name))

    def get_code(self, name: str) -> Any:
        """The compiled code of a module; None for what is not in the bundle."""
        return self.codes.get(self._path(name))

    def exec_module(self, module: Any) -> None:
        """Run the module's code, with Python's builtins, not with those that this runs with (standins)."""
        module.__builtins__ = vars(builtins)
        exec(self.codes[self._path(module.__name__)], module.__dict__)  # noqa: S102


def bring(stage: Any, name: str, fetch: Callable[[], bytes]) -> bool:
    """Import from a second bundle as well: from the cache, or fetched, compressed; whether it is as its name says."""
    data = stage.content(stage.opened(name + LIBRARY))
    if not data or stage.digest(data) != name:
        data = zlib.decompress(fetch())
        if stage.digest(data) != name:
            return False
        if not store(stage, name + LIBRARY, data):
            _prune(stage, name, LIBRARY)
    finder: Any = Library(_codes(stage, name, data), data)
    sys.meta_path.append(finder)
    return True


def _codes(stage: Any, name: str, data: bytes) -> dict[str, Any]:
    """What the files are compiled to: from the cache, or now; with docstrings, which are not ours to leave out."""
    from importlib.util import MAGIC_NUMBER

    file = "{}.{}.code".format(name, MAGIC_NUMBER.hex())
    kept = stage.content(stage.opened(file))
    body = kept[stage.HEAD :]
    if body and kept[:8].decode("latin-1") == stage.checksum(name.encode(), kept[8:]):
        found: dict[str, Any] = marshal.loads(body)["files"]  # noqa: S302
        return found
    texts: dict[str, str] = json.loads(data)
    codes = {path: compile(text, "bundle/" + path, "exec", dont_inherit=True) for path, text in texts.items()}
    _store_code(stage, name, file, {"files": codes}, b"")
    return codes
