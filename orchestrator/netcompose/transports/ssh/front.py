"""The first thing that runs on a host: becomes the agent at once if the cache has what that is compiled to there.

Sent as text on the command line of ``python3 -c`` with the stage (stage.py) behind it, which sees to everything else:
both share their names. It is compiled anew each time, so it does one thing alone; and it has to read as Python 3.4, so
that the stage can say that a Python is too old. Its arguments are what to do (``agent`` or ``clean``), the bundle's
SHA-256, and the seconds of silence after which the controller counts as gone.

What runs is verified where it is read, and from then on in memory: the cache may be emptied meanwhile. Here it is what
a bundle was compiled to on this host, by a Python of the same byte code, in a file of root's own; see agent/start.py
for its form.
"""

import gc
import os
import sys

if False:  # for the type checker; a host needs none
    from typing import Any

#: Only root writes here; see trusted.
CACHE = "/var/cache/netcompose"
#: Bytes of checksum and length in front of compiled code.
HEAD = 16
#: In a bundle: what is behind this text on the command line.
STAGE = "netcompose/transports/ssh/stage.py"


def trusted(status: os.stat_result) -> bool:
    """Nobody else can write what has this owner and mode."""
    return status.st_uid == os.geteuid() and not status.st_mode & 0o022


def checksum(*parts: bytes) -> str:
    """CRC-32 in 8 digits: tells damage to what this host itself has written, where nobody else can write."""
    from zlib import crc32

    found = 0
    for part in parts:
        found = crc32(part, found)
    return "{:08x}".format(found)


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


def code_file(name: str) -> str:
    """The name of the file with the compiled code of a bundle, for Pythons of the same byte code."""
    from _frozen_importlib_external import MAGIC_NUMBER

    return "{}.{}.code".format(name, "".join(["%02x" % byte for byte in MAGIC_NUMBER]))


def kept(name: str) -> "Any":
    """What is kept of this bundle, a descriptor of its source, and where the rest of the code is; None if it is not all
    there as it was written."""
    sources, codes = opened(name + ".bundle"), opened(code_file(name))
    front = content(codes, 0, HEAD)
    try:
        size = int(front[8:], 16)
    except ValueError:
        return None
    data = content(codes, HEAD, size)
    # A file that a crash has cut off would crash this Python too (marshal).
    if not data or front[:8].decode("latin-1") != checksum(name.encode(), front[8:], data):
        return None
    import marshal

    # Root's own, as trusted as the rest of this host's Python.
    made = marshal.loads(data)  # noqa: S302
    # What is read later, when there is somebody to do something with it, is looked at for its length alone.
    rest = (codes, HEAD + size)
    if sources < 0 or made["sizes"] != (os.fstat(sources).st_size, os.fstat(codes).st_size - rest[1]):
        return None
    return made, sources, rest


if __name__ == "__main__":
    # Nothing that is made here goes again.
    gc.disable()
    FOUND = kept(sys.argv[2]) if sys.argv[1] == "agent" and sys.version_info >= (3, 9) else None
    exec(FOUND[0]["files"][STAGE] if FOUND else globals()["TEXT"])  # noqa: S102
