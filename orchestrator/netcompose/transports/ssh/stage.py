"""The first thing that runs on a host: finds or receives the agent's bundle, verifies it, and becomes the agent.

Sent as text on the command line of ``python3 -c`` (see bootstrap.py), so it has to read as Python 3.4, to be able to
say that a Python is too old, and imports next to nothing. Its arguments are what to do (``agent`` or ``clean``), the
bundle's SHA-256, and the seconds of silence after which the controller counts as gone. On stdout it says one line of
JSON after ``MARKER`` for each thing that the controller has to know:

    {"problem": "python" | "root", ...}   it ends here
    {"send": true}                        the bundle is not in the cache: 4 bytes of length, then the bundle, please
    {"ready": true, ...}                  what comes next is the agent's own first word
    {"removed": [...], "problem": ...}    the cache is empty (``clean``)

A bundle runs from memory, never from a file: what was verified is what runs, and the cache may be emptied meanwhile.
"""

import os
import sys

if False:  # for the type checker; a host needs neither
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any, Callable

MARKER = b"\0netcompose-stage "
#: Only root writes here; see _trusted.
CACHE = "/var/cache/netcompose"
#: Bundles of a kind that are kept, for controllers of several versions.
KEPT = 3
#: The two kinds, by how their files end: an agent, and what one imports that asks an engine (netcompose.agent.library).
AGENT, LIBRARY = ".bundle", ".library"
#: Commands of an administrator, which a login without a login shell may not find (ip, nft).
_SBIN = ("/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/local/bin", "/usr/bin", "/bin")


def say(status: "dict[str, Any]") -> None:
    import json

    _write(1, MARKER + json.dumps(status).encode() + b"\n")


def _write(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]


def _read(count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = os.read(0, count - len(data))
        if not piece:
            sys.exit(1)
        data += piece
    return data


def _trusted(status: os.stat_result) -> bool:
    """Nobody else can write what has this owner and mode."""
    return status.st_uid == os.geteuid() and not status.st_mode & 0o022


def _digest(data: bytes) -> str:
    import hashlib

    return hashlib.sha256(data).hexdigest()


def _content(file: str) -> bytes:
    """A file of the cache; nothing if it is not there, or somebody else could have written it."""
    try:
        fd = os.open(CACHE, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            if not _trusted(os.fstat(fd)):
                return b""
            with open(os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd), "rb") as opened:
                return opened.read() if _trusted(os.fstat(opened.fileno())) else b""
        finally:
            os.close(fd)
    except OSError:
        return b""


def cached(name: str, kind: str = AGENT) -> bytes:
    """The bundle from the cache; nothing if it is not there, not ours, or not what its name says."""
    data = _content(name + kind)
    return data if _digest(data) == name else b""


def bring(name: str, kind: str, fetch: "Callable[[], bytes]") -> "tuple[bytes, bool, str]":
    """A bundle, whether it was in the cache, and why it could not be kept. It is fetched, compressed, if it is not in
    the cache; nothing if what came is not what its name says."""
    data = cached(name, kind)
    if data:
        return data, True, ""
    import zlib

    data = zlib.decompress(fetch())
    if _digest(data) != name:
        return b"", False, ""
    problem = store(name + kind, data)
    if not problem:
        prune(name, kind)
    return data, False, problem


def store(file: str, data: bytes) -> str:
    """Put a file into the cache, whole or not at all; why not, in words, or nothing."""
    path = os.path.join(CACHE, file)
    temporary = "{}.{}".format(path, os.getpid())
    try:
        if not os.path.isdir(CACHE):
            os.makedirs(CACHE, 0o700)
        if os.path.islink(CACHE) or not _trusted(os.stat(CACHE)):
            return CACHE + " can be written by others"
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            with open(fd, "wb") as opened:
                opened.write(data)
            os.rename(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        return "{}: {}".format(CACHE, error.strerror)
    return ""


class Code:
    """What a bundle's files are compiled to: from the cache, like Python's own, or compiled now.

    Compiling takes longer than everything else that the agent does until its first word. That holds for the methods of
    dataclasses too, which Python compiles anew each time, from text.
    """

    def __init__(self, name: str, data: bytes) -> None:
        import marshal
        from importlib.util import MAGIC_NUMBER

        self._name = name
        self._file = "{}.{}.code".format(name, MAGIC_NUMBER.hex())
        content = _content(self._file)
        body = content[64:]
        self.files = {}  # type: dict[str, Any]
        self._methods = {}  # type: dict[str, Any]
        # A file that a crash has cut off would crash the next Python too (marshal).
        self._found = bool(content) and content[:64].decode("ascii", "replace") == _digest(name.encode() + body)
        if self._found:
            # Root's own, as trusted as the rest of this host's Python.
            self.files, self._methods = marshal.loads(body)  # noqa: S302
        else:
            import json

            texts = json.loads(data.decode())
            self.files = {path: compile(text, "bundle/" + path, "exec") for path, text in texts.items()}

    def serve_methods(self) -> None:
        """Have dataclasses find the code of its methods here: it runs their text by a name that it does not define."""
        import dataclasses

        def run(text: str, names: "dict[str, Any]", local: "dict[str, Any]") -> None:
            if text not in self._methods:
                self._methods[text] = compile(text, "<string>", "exec")
            exec(self._methods[text], names, local)  # noqa: S102

        dataclasses.exec = run  # type: ignore[attr-defined]

    def keep(self) -> None:
        """Put it into the cache, once everything is imported."""
        if not self._found:
            import marshal

            body = marshal.dumps((self.files, self._methods))
            store(self._file, _digest(self._name.encode() + body).encode() + body)


def lazy(name: str) -> None:
    """Have a module of Python's own loaded when something of it is used, which is as good as never: dataclasses and
    subprocess import these, and what they bring along takes a tenth of the start. (importlib's LazyLoader would load
    it at the next import statement.)"""
    module = type(sys)(name)

    def load(attribute: str) -> "Any":
        import importlib

        if sys.modules.get(name) is module:
            del sys.modules[name]
        real = importlib.import_module(name)
        module.__dict__.update(real.__dict__)
        return getattr(real, attribute)

    module.__getattr__ = load  # type: ignore[method-assign]
    sys.modules.setdefault(name, module)


def _ours() -> "list[str]":
    """The names of our files in the cache, rests of interrupted writes included."""
    import re

    pattern = re.compile(r"[0-9a-f]{64}(\.bundle|\.library|\.[0-9a-f]+\.code)(\.[0-9]+)?")
    return [name for name in os.listdir(CACHE) if pattern.fullmatch(name)]


def prune(name: str, kind: str) -> None:
    """Keep this bundle and the newest others of its kind, with what they were compiled to."""
    try:
        alike = {file[:64] for file in _ours() if kind in file}
        newest = {}  # type: dict[str, float]
        for file in _ours():
            time = os.stat(os.path.join(CACHE, file)).st_mtime
            newest[file[:64]] = max(time, newest.get(file[:64], 0))
        kept = [name, *sorted(alike - {name}, key=lambda other: -newest[other])[: KEPT - 1]]
        for file in _ours():
            if file[:64] in alike.difference(kept):
                os.unlink(os.path.join(CACHE, file))
    except OSError:
        # Another agent was faster.
        pass


def clean() -> int:
    """Remove what is ours from the cache, and the folder if it is empty then."""
    removed, problem = [], ""
    try:
        for name in _ours():
            os.unlink(os.path.join(CACHE, name))
            removed.append(name)
        os.rmdir(CACHE)
    except OSError as error:
        if os.path.lexists(CACHE):
            problem = "{}: {}".format(CACHE, error.strerror)
    say({"removed": removed, "problem": problem})
    return 0


class Finder:
    """Imports from a bundle in memory (importlib.abc.MetaPathFinder and Loader). ``data`` is it, for tracebacks."""

    def __init__(self, codes: "dict[str, Any]", data: bytes) -> None:
        from importlib.machinery import ModuleSpec

        self.codes = codes
        self.data = data
        self.spec = ModuleSpec

    def _path(self, name: str) -> str:
        path = name.replace(".", "/")
        for candidate in (path + "/__init__.py", path + ".py"):
            if candidate in self.codes:
                return candidate
        return ""

    def find_spec(self, name: str, path: object = None, target: object = None) -> "ModuleSpec | None":
        """Where a module is; None for what is not in the bundle."""
        found = self._path(name)
        if not found:
            return None
        loader = self  # type: Any
        spec = self.spec(name, loader, origin="bundle/" + found, is_package=found.endswith("/__init__.py"))
        spec.has_location = True
        return spec

    def create_module(self, spec: object) -> None:
        """None: the usual."""

    def get_source(self, name: str) -> "str | None":
        """The source of a module."""
        import json

        sources = json.loads(self.data.decode())  # type: dict[str, str]
        return sources.get(self._path(name))

    def bring(self, name: str, fetch: "Callable[[], bytes]") -> bool:
        """Import from one more bundle as well (netcompose.agent.library); whether it came as its name says."""
        data = bring(name, LIBRARY, fetch)[0]
        if data:
            code = Code(name, data)
            code.keep()
            sys.meta_path.append(Finder(code.files, data))
        return bool(data)

    def get_code(self, name: str) -> "Any":
        """The compiled code of a module; None for what is not in the bundle."""
        return self.codes.get(self._path(name))

    def exec_module(self, module: "ModuleType") -> None:
        """Run the module's code."""
        exec(self.codes[self._path(module.__name__)], module.__dict__)  # noqa: S102


def agent(name: str, silence: float) -> int:
    """Find or receive the bundle, verify it, import the agent and serve until the controller is silent (0: never)."""

    def ask() -> bytes:
        say({"send": True})
        return _read(int.from_bytes(_read(4), "big"))

    data, found, problem = bring(name, AGENT, ask)
    if not data:
        say({"problem": "hash"})
        return 1
    import gc

    # Nothing that is made here goes again.
    gc.disable()
    for module in ("inspect", "locale"):
        lazy(module)
    code = Code(name, data)
    code.serve_methods()
    sys.meta_path.insert(0, Finder(code.files, data))
    import netcompose
    import netcompose.agent.__main__ as program
    import netcompose.agent.agent
    import netcompose.agent.server

    if not problem:
        code.keep()
    gc.freeze()
    gc.enable()
    status = {"ready": True, "version": netcompose.__version__, "cached": found, "problem": problem}
    say(dict(status, python=list(sys.version_info[:3]), pid=os.getpid()))
    return program.main(silence or None)


def main(argv: "list[str]") -> int:
    """What the controller asks for, unless this Python or this user cannot."""
    if sys.version_info < (3, 9):
        say({"problem": "python", "python": list(sys.version_info[:3]), "executable": sys.executable})
        return 1
    if os.geteuid() != 0:
        say({"problem": "root", "uid": os.geteuid()})
        return 1
    os.umask(0o022)
    path = os.environ.get("PATH", "").split(":")
    os.environ["PATH"] = ":".join([item for item in path if item] + [item for item in _SBIN if item not in path])
    return clean() if argv[0] == "clean" else agent(argv[1], float(argv[2]))


if __name__ == "__main__":
    STATUS = main(sys.argv[1:])
    sys.stderr.flush()
    # At once: to take everything apart again takes a tenth of what the agent does for a plan.
    os._exit(STATUS)
