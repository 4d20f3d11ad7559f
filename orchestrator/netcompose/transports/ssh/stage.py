"""The first thing that runs on a host: finds or receives the agent's bundle, verifies it, and becomes the agent.

Sent as text on the command line of ``python3 -c`` (see bootstrap.py), so it has to read as Python 3.4, to be able to
say that a Python is too old, and imports and does next to nothing: it is compiled anew each time. What is left to do is
in the bundle (``agent/start.py``). Its arguments are what to do (``agent`` or ``clean``), the bundle's SHA-256, and the
seconds of silence after which the controller counts as gone. On stdout it says one line of JSON after ``MARKER`` for
each thing that the controller has to know:

    {"problem": "python" | "root", ...}   it ends here
    {"send": true}                        the bundle is not in the cache: 4 bytes of length, then the bundle, please
    {"ready": true, ...}                  what comes next is the agent's own first word
    {"removed": [...], "problem": ...}    the cache is empty (``clean``)

What runs is verified where it is read, and from then on in memory: the cache may be emptied meanwhile. It is either
source whose SHA-256 is the one that was asked for, or what such a source was compiled to on this host, by a Python of
the same byte code, in a file of root's own behind a checksum (BLAKE2b) that has the name of the source in it.
"""

import gc
import os
import sys

if False:  # for the type checker; a host needs none
    from typing import Any

MARKER = b"\0netcompose-stage "
#: Only root writes here; see _trusted.
CACHE = "/var/cache/netcompose"
#: Commands of an administrator, which a login without a login shell may not find (ip, nft).
_SBIN = ("/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/local/bin", "/usr/bin", "/bin")
#: The part of a bundle that takes over.
START = "netcompose/agent/start.py"


def say(text: str) -> None:
    data = MARKER + text.encode() + b"\n"
    while data:
        data = data[os.write(1, data) :]


def state(**status: "Any") -> None:
    import json

    say(json.dumps(status))


def _read(count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = os.read(0, count - len(data))
        if not piece:
            sys.exit(1)
        data += piece
    return data


def trusted(status: os.stat_result) -> bool:
    """Nobody else can write what has this owner and mode."""
    return status.st_uid == os.geteuid() and not status.st_mode & 0o022


def digest(*parts: bytes) -> str:
    """SHA-256 by Python's own: to load OpenSSL takes longer than all of this."""
    try:
        found = __import__("_sha2" if sys.version_info >= (3, 12) else "_sha256").sha256()
    except ImportError:
        found = __import__("hashlib").sha256()
    for part in parts:
        found.update(part)
    return str(found.hexdigest())


def checksum(*parts: bytes) -> str:
    """BLAKE2b, for what this host has written itself: twice as fast."""
    try:
        from _blake2 import blake2b
    except ImportError:
        return digest(*parts)
    found = blake2b(digest_size=32)
    for part in parts:
        found.update(part)
    return str(found.hexdigest())


def opened(file: str) -> int:
    """A descriptor of a file of the cache; -1 if it is not there, or somebody else could have written it."""
    try:
        folder = os.open(CACHE, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            if trusted(os.fstat(folder)):
                fd = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
                if trusted(os.fstat(fd)):
                    return fd
                os.close(fd)
        finally:
            os.close(folder)
    except OSError:
        pass
    return -1


def content(fd: int, offset: int = 0, size: int = -1) -> bytes:
    """What is behind a descriptor, to its end or so many bytes of it; nothing if there is less, or no descriptor."""
    if fd < 0:
        return b""
    size = os.fstat(fd).st_size - offset if size < 0 else size
    data = os.pread(fd, size, offset) if 0 <= size <= os.fstat(fd).st_size - offset else b""
    return data if len(data) == size else b""


def compiled(texts: "dict[str, str]") -> "dict[str, Any]":
    """The code of each file of a bundle by its path, without its docstrings: nobody reads them there."""
    return {path: compile(text, "bundle/" + path, "exec", optimize=2) for path, text in texts.items()}


def ours() -> "list[str]":
    """The names of our files in the cache, rests of interrupted writes included."""
    import re

    pattern = re.compile(r"[0-9a-f]{64}(\.bundle|\.library|\.[0-9a-f]+\.code)(\.[0-9]+)?")
    return [name for name in os.listdir(CACHE) if pattern.fullmatch(name)]


def _clean() -> int:
    """Remove what is ours from the cache, and the folder if it is empty then."""
    removed, problem = [], ""
    try:
        for name in ours():
            os.unlink(os.path.join(CACHE, name))
            removed.append(name)
        os.rmdir(CACHE)
    except OSError as error:
        if os.path.lexists(CACHE):
            problem = "{}: {}".format(CACHE, error.strerror)
    state(removed=removed, problem=problem)
    return 0


def _number(text: bytes) -> int:
    try:
        return int(text, 16)
    except ValueError:
        return sys.maxsize


def _agent(name: str, silence: float) -> int:
    import marshal
    from _frozen_importlib_external import MAGIC_NUMBER

    # Nothing that is made here goes again.
    gc.disable()
    file = "{}.{}.code".format(name, "".join(["%02x" % byte for byte in MAGIC_NUMBER]))
    sources, codes = opened(name + ".bundle"), opened(file)
    front = content(codes, 0, 72)
    kept = content(codes, 72, _number(front[64:]))
    data, made = b"", {}  # type: bytes, dict[str, Any]
    # A file that a crash has cut off would crash this Python too (marshal).
    if kept and front[:64].decode("ascii", "replace") == checksum(name.encode(), front[64:], kept):
        # Root's own, as trusted as the rest of this host's Python.
        made = marshal.loads(kept)  # noqa: S302
    # What is read later, when there is somebody to do something with it, is looked at for its length alone.
    rest = (codes, 72 + len(kept))
    if not made or sources < 0 or made["sizes"] != (os.fstat(sources).st_size, os.fstat(codes).st_size - rest[1]):
        import json

        data = content(sources)
        if not data or digest(data) != name:
            import zlib

            say('{"send": true}')
            data = zlib.decompress(_read(int.from_bytes(_read(4), "big")))
            if digest(data) != name:
                state(problem="hash")
                return 1
            sources = -1
        made = {"files": compiled({START: json.loads(data.decode())[START]})}
    here = {"__name__": "netcompose.agent.start"}  # type: dict[str, Any]
    exec(made["files"][START], here)  # noqa: S102
    return int(here["become"](sys.modules[__name__], (name, file), data, sources, made, rest, silence))


def main(argv: "list[str]") -> int:
    """What the controller asks for, unless this Python or this user cannot."""
    if sys.version_info < (3, 9):
        state(problem="python", python=list(sys.version_info[:3]), executable=sys.executable)
        return 1
    if os.geteuid() != 0:
        state(problem="root", uid=os.geteuid())
        return 1
    os.umask(0o022)
    path = os.environ.get("PATH", "").split(":")
    os.environ["PATH"] = ":".join([item for item in path if item] + [item for item in _SBIN if item not in path])
    return _clean() if argv[0] == "clean" else _agent(argv[1], float(argv[2]))


if __name__ == "__main__":
    STATUS = main(sys.argv[1:])
    sys.stderr.flush()
    # At once: to take everything apart again takes a tenth of what the agent does for a plan.
    os._exit(STATUS)
