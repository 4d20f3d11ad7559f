"""Which host keys are known: OpenSSH's known_hosts files (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT), read and added to.

paramiko's own reader drops a whole file over one line with a marker, so the lines are read here, one by one.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import enum
import fcntl
import fnmatch
import functools
import hashlib
import hmac
import os
import stat
import tempfile
import threading
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """One line: where it is, its marker (``cert-authority``, ``revoked`` or none), whom it is for, and the key."""

    path: str
    line: int
    marker: str
    patterns: tuple[str, ...]
    key: bytes

    @property
    def key_type(self) -> str:
        """The type as the key itself says it (``ssh-ed25519``)."""
        return key_type(self.key)

    @property
    def place(self) -> str:
        """``/root/.ssh/known_hosts:3``."""
        return f"{self.path}:{self.line}"

    def is_for(self, name: str) -> bool:
        """True if the line is for this host (``lab1``, ``[lab1]:2222``)."""
        hit = False
        for pattern in self.patterns:
            if pattern.startswith("!"):
                if _matches(pattern[1:], name):
                    return False
            else:
                hit = hit or _matches(pattern, name)
        return hit


class Verdict(enum.Enum):
    """What the files say of a key."""

    KNOWN = "known"
    UNKNOWN = "unknown"
    CHANGED = "changed"
    REVOKED = "revoked"


@dataclass(frozen=True)
class Finding:
    """A verdict, and the lines that it rests on. ``authority`` are lines that trust certificates for the host."""

    verdict: Verdict
    entries: tuple[Entry, ...] = ()
    authority: tuple[Entry, ...] = ()


def key_type(key: bytes) -> str:
    """The first string of a public key (RFC 4253, 6.6); empty if it has none."""
    length = int.from_bytes(key[:4], "big")
    return key[4 : 4 + length].decode("ascii", "replace") if 0 < length <= len(key) - 4 else ""


def fingerprint(key: bytes) -> str:
    """As ssh(1) shows it: ``SHA256:`` and base64 without padding."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(key).digest()).decode().rstrip("=")


def name_of(host: str, port: int) -> str:
    """How a host is called in known_hosts."""
    return host.lower() if port == 22 else f"[{host.lower()}]:{port}"


class Known:
    """Lines of known_hosts, in their order. Those for one plain name are found at once: with a thousand hosts there are
    a thousand of them to be asked a thousand times."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.entries = tuple(entries)
        self._plain: dict[str, list[int]] = {}
        self._others: list[int] = []
        for number, entry in enumerate(self.entries):
            if any(set("*?!|") & set(pattern) for pattern in entry.patterns):
                self._others.append(number)
            else:
                for pattern in dict.fromkeys(pattern.lower() for pattern in entry.patterns):
                    self._plain.setdefault(pattern, []).append(number)

    def lines_for(self, name: str) -> list[Entry]:
        """The lines for a host."""
        others = [number for number in self._others if self.entries[number].is_for(name)]
        return [self.entries[number] for number in sorted([*self._plain.get(name, ()), *others])]


def read(paths: Iterable[str]) -> Known:
    """The lines of files that have a key; what cannot be read, or understood, says nothing. Files that are as they were
    are not read again."""
    stamps = []
    for path in paths:
        with contextlib.suppress(OSError):
            status = os.stat(path)
            stamps.append((path, (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)))
    with _reading:
        return _read(tuple(stamps))


#: The others wait for the first of many connections that are made at the same moment.
_reading = threading.Lock()


@functools.lru_cache(maxsize=16)
def _read(stamps: tuple[tuple[str, object], ...]) -> Known:
    found = []
    for path, _ in stamps:
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                lines = file.read().splitlines()
        except OSError:
            continue
        found += [entry for number, line in enumerate(lines, 1) if (entry := _entry(path, number, line)) is not None]
    return Known(found)


def _entry(path: str, number: int, line: str) -> Entry | None:
    words = line.split()
    if not words or words[0].startswith("#"):
        return None
    marker = words.pop(0)[1:] if words[0].startswith("@") else ""
    if len(words) < 3 or marker not in ("", "cert-authority", "revoked"):
        return None
    try:
        key = base64.b64decode(words[2], validate=True)
    except (binascii.Error, ValueError):
        return None
    return Entry(path, number, marker, tuple(words[0].split(",")), key) if key_type(key) else None


def _matches(pattern: str, name: str) -> bool:
    if pattern.startswith("|1|"):
        try:
            salt, digest = (base64.b64decode(part, validate=True) for part in pattern[3:].split("|"))
        except (binascii.Error, ValueError):
            return False
        return hmac.compare_digest(hmac.new(salt, name.encode(), "sha1").digest(), digest)
    # In OpenSSH's patterns [ is a plain character; fnmatch has it quoted as a class of one.
    return fnmatch.fnmatchcase(name, pattern.lower().replace("[", "[[]"))


def judge(known: Known, name: str, key: bytes) -> Finding:
    """What the lines say of a host's key. A host that is known by keys of other types only counts as changed."""
    lines = known.lines_for(name)
    authority = tuple(entry for entry in lines if entry.marker == "cert-authority")
    same = [entry for entry in lines if entry.key == key]
    revoked = tuple(entry for entry in same if entry.marker == "revoked")
    if revoked:
        return Finding(Verdict.REVOKED, revoked, authority)
    right = tuple(entry for entry in same if not entry.marker)
    if right:
        return Finding(Verdict.KNOWN, right, authority)
    others = tuple(entry for entry in lines if not entry.marker)
    return Finding(Verdict.CHANGED if others else Verdict.UNKNOWN, others, authority)


def known_types(known: Known, name: str) -> list[str]:
    """The types of the keys that a host is known by, in the order of the lines."""
    return list(dict.fromkeys(entry.key_type for entry in known.lines_for(name) if not entry.marker))


def remember(path: str, name: str, key: bytes, *, hashed: bool = False) -> None:
    """Add a host's key to a file: one writer at a time, the file replaced as a whole, private if it is new.

    Nothing is done for what is no file (``/dev/null``). Raises ``OSError`` if the file cannot be written.
    """
    path = os.path.realpath(path)
    if os.path.exists(path) and not os.path.isfile(path):
        return
    folder = os.path.dirname(path)
    os.makedirs(folder, mode=0o700, exist_ok=True)
    directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        # The folder is the lock: the file itself is replaced, and a file for the lock would be left behind.
        fcntl.flock(directory, fcntl.LOCK_EX)
        if judge(read([path]), name, key).verdict is not Verdict.KNOWN:
            _append(path, _line(name, key, hashed))
    finally:
        os.close(directory)


def _line(name: str, key: bytes, hashed: bool) -> str:
    if hashed:
        salt = os.urandom(20)
        digest = hmac.new(salt, name.encode(), "sha1").digest()
        name = "|1|" + "|".join(base64.b64encode(part).decode() for part in (salt, digest))
    return f"{name} {key_type(key)} {base64.b64encode(key).decode()}\n"


def _append(path: str, line: str) -> None:
    mode, before = 0o600, b""
    with contextlib.suppress(FileNotFoundError), open(path, "rb") as file:
        mode, before = stat.S_IMODE(os.fstat(file.fileno()).st_mode), file.read()
    if before and not before.endswith(b"\n"):
        before += b"\n"
    fd, temporary = tempfile.mkstemp(prefix=os.path.basename(path) + ".", dir=os.path.dirname(path))
    try:
        with open(fd, "wb") as file:
            os.fchmod(fd, mode)
            file.write(before + line.encode())
            file.flush()
            os.fsync(fd)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
