"""The table of a topology as nft lists it. nft is asked only if the table is not what it was when nft was last asked.

``/run/netcompose/<topology>/listing`` has what nft said at the end of a run: a seal (SHA-256 in hex), and behind
it the parts of the table as JSON. The seal is over these, over the digest of the kernel's dump of the table that they
were listed of (kernel/nftdump.py), and over what else decides on them: the program nft and the version of netcompose. A
file that is damaged, or of another table, has another seal, and nft is asked as if there were none.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
from typing import NamedTuple, Optional

from netcompose import __version__
from netcompose.agent import programs, rundir
from netcompose.agent.kernel import nft, nftdump
from netcompose.errors import NetcomposeError
from netcompose.resources.names import table_name

#: To be counted up when the parts are rendered in another way (kernel/nft.py) or something else is digested.
_FORMAT = 1
_SEAL = 64


class _Kept(NamedTuple):
    """The file's two parts."""

    seal: bytes
    text: bytes


def read(topology: str) -> Optional[nft.Table]:
    """The parts of the topology's table; None if it is not there. Writes nothing."""
    kept = _kept(topology)
    if kept is not None:
        digest = nftdump.digest(table_name(topology))
        if digest is not None and _is_of(kept, digest):
            return {title: tuple(lines) for title, lines in json.loads(kept.text).items()}
    name = table_name(topology)
    return nft.read(name) if nftdump.exists(name) else None


def keep(topology: str) -> None:
    """At the end of a run: see to it that the next :func:`read` need not ask nft. It does not fail: without this file
    everything is as well, and slower."""
    name = table_name(topology)
    digest = nftdump.digest(name)
    if digest is None:
        return
    kept = _kept(topology)
    if kept is not None and _is_of(kept, digest):
        return
    path = _path(topology)
    try:
        table = nft.read(name)
        text = json.dumps(table).encode()
        seal = _seal(digest, text)
        # What was listed may be younger than what was digested.
        if table is not None and seal and nftdump.unchanged(digest):
            rundir.write_whole(path, seal + b"\n" + text)
    except (NetcomposeError, OSError):
        with contextlib.suppress(OSError):
            rundir.remove(path + ".new")


def tidy(topology: str) -> None:
    """Remove what is kept of a table that is gone."""
    path = _path(topology)
    if os.path.lexists(path) and not nftdump.exists(table_name(topology)):
        rundir.remove(path)


def _path(topology: str) -> str:
    return rundir.topology_dir(topology, "listing")


def _kept(topology: str) -> Optional[_Kept]:
    """What there is, if nobody else can have written it."""
    try:
        fd = os.open(_path(topology), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    with open(fd, "rb") as file:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o022:
            return None
        data = file.read()
    return _Kept(data[:_SEAL], data[_SEAL + 1 :])


def _is_of(kept: _Kept, digest: nftdump.Digest) -> bool:
    seal = _seal(digest, kept.text)
    return bool(seal) and seal == kept.seal


def _seal(digest: nftdump.Digest, text: bytes) -> bytes:
    """Empty if there is no nft: whoever wants it has to say so."""
    program = programs.which("nft")
    try:
        found = os.stat(program)
    except OSError:
        return b""
    decides = (_FORMAT, __version__, found.st_ino, found.st_size, found.st_mtime_ns, digest.value.hex(), len(text))
    return hashlib.sha256("\n".join(map(str, decides)).encode() + b"\n" + text).hexdigest().encode()
