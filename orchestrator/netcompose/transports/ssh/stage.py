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
    from typing import Any

MARKER = b"\0netcompose-stage "
#: Only root writes here; see _trusted.
CACHE = "/var/cache/netcompose"
#: Bundles that are kept, for controllers of several versions.
KEPT = 3
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


def cached(name: str) -> "bytes | None":
    """The bundle from the cache, or None if it is not there, not ours, or not what its name says."""
    try:
        fd = os.open(CACHE, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            if not _trusted(os.fstat(fd)):
                return None
            with open(os.open(name + ".bundle", os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd), "rb") as file:
                data = file.read() if _trusted(os.fstat(file.fileno())) else b""
        finally:
            os.close(fd)
    except OSError:
        return None
    return data if _digest(data) == name else None


def store(name: str, data: bytes) -> str:
    """Put a bundle into the cache, whole or not at all; why not, in words, or nothing."""
    path = os.path.join(CACHE, name + ".bundle")
    temporary = "{}.{}".format(path, os.getpid())
    try:
        if not os.path.isdir(CACHE):
            os.makedirs(CACHE, 0o700)
        if os.path.islink(CACHE) or not _trusted(os.stat(CACHE)):
            return CACHE + " can be written by others"
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            with open(fd, "wb") as file:
                file.write(data)
            os.rename(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
        _prune()
    except OSError as error:
        return "{}: {}".format(CACHE, error.strerror)
    return ""


def _ours() -> "list[str]":
    """The names of our files in the cache: a SHA-256, ``.bundle``, and the rest of an interrupted write."""
    names = []
    for name in os.listdir(CACHE):
        start, _, rest = name.partition(".bundle")
        if len(start) == 64 and not start.strip("0123456789abcdef") and not rest.strip(".0123456789"):
            names.append(name)
    return names


def _prune() -> None:
    paths = [os.path.join(CACHE, name) for name in _ours()]
    paths.sort(key=lambda path: os.stat(path).st_mtime, reverse=True)
    for path in paths[KEPT:]:
        os.unlink(path)


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
    """Imports from a bundle in memory (importlib.abc.MetaPathFinder and Loader)."""

    def __init__(self, sources: "dict[str, str]") -> None:
        from importlib.machinery import ModuleSpec

        self.sources = sources
        self.spec = ModuleSpec

    def _path(self, name: str) -> str:
        path = name.replace(".", "/")
        for candidate in (path + "/__init__.py", path + ".py"):
            if candidate in self.sources:
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
        """The source, for tracebacks."""
        return self.sources.get(self._path(name))

    def exec_module(self, module: "ModuleType") -> None:
        """Run the module's source."""
        path = self._path(module.__name__)
        exec(compile(self.sources[path], "bundle/" + path, "exec"), module.__dict__)  # noqa: S102


def agent(name: str, silence: float) -> int:
    """Find or receive the bundle, verify it, import the agent and serve until the controller is silent (0: never)."""
    import json
    import zlib

    problem = ""
    data = cached(name)
    found = data is not None
    if data is None:
        say({"send": True})
        data = zlib.decompress(_read(int.from_bytes(_read(4), "big")))
        if _digest(data) != name:
            say({"problem": "hash"})
            return 1
        problem = store(name, data)
    sys.meta_path.insert(0, Finder(json.loads(data.decode())))
    import netcompose
    import netcompose.agent.__main__ as program

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
    sys.exit(main(sys.argv[1:]))
