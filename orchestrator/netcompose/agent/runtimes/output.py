"""The log of a command's output: written by the container's init, read by ``netcompose logs``.

One line of the file is ``<time> F <text>`` for a whole line of output, or ``<time> P <text>`` for a piece of one
(the program wrote no newline yet); the time is RFC 3339 in UTC with microseconds, so that it sorts as text. Two files
of at most 8 MiB are kept. Standard library only: this module is shipped to the init as source.
"""

from __future__ import annotations

import os
import time

if False:  # for the type checker; to the helper interpreter it would be a fifth of its start
    from typing import Callable, Iterator, Optional

NAME = "log"
OLDER = "log.1"
LIMIT = 8 << 20
_BLOCK = 1 << 16
_TIME_LENGTH = len("2026-01-02T03:04:05.678901Z")


def timestamp(now: float) -> str:
    """Seconds since the epoch as RFC 3339: ``2026-01-02T03:04:05.678901Z``."""
    whole, micro = divmod(int(now * 1_000_000), 1_000_000)
    return "{}.{:06d}Z".format(time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole)), micro)


class Writer:
    """Appends output to the log in a directory. A full disk loses output and stops nothing."""

    def __init__(self, directory: int, limit: int = LIMIT) -> None:
        self._directory = directory
        self._limit = limit
        self._fd = -1
        self._size = 0
        self._open_line = False

    def write(self, data: bytes, now: float) -> None:
        """Append a piece of output, as it was read."""
        prefix = timestamp(now).encode()
        *whole, rest = data.split(b"\n")
        entries = [b"%s F %s\n" % (prefix, line) for line in whole]
        if rest:
            entries.append(b"%s P %s\n" % (prefix, rest))
        self._append(b"".join(entries))
        if data:
            self._open_line = bool(rest)

    def note(self, text: str, now: float) -> None:
        """Append a line of netcompose's own."""
        start = b"\n" if self._open_line else b""
        self.write(start + b"netcompose: " + text.encode() + b"\n", now)

    def _append(self, entries: bytes) -> None:
        try:
            if self._fd < 0 or self._size + len(entries) > self._limit:
                self._reopen(len(entries))
            self._size += os.write(self._fd, entries)
        except OSError:
            return

    def _reopen(self, more: int) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        if self._fd < 0:
            self._fd = os.open(NAME, flags, 0o600, dir_fd=self._directory)
            self._size = os.fstat(self._fd).st_size
        if self._size and self._size + more > self._limit:
            os.rename(NAME, OLDER, src_dir_fd=self._directory, dst_dir_fd=self._directory)
            fd = os.open(NAME, flags, 0o600, dir_fd=self._directory)
            os.close(self._fd)
            self._fd, self._size = fd, 0


def read(
    directory: str,
    *,
    tail: Optional[int] = None,
    follow: Optional[Callable[[], bool]] = None,
    since: float = 0.0,
    timestamps: bool = False,
) -> Iterator[bytes]:
    """The output as pieces of bytes that are written one after the other.

    ``tail`` limits it to the last lines; ``since`` (seconds since the epoch) to what came later; ``timestamps``
    puts the time before each line. ``follow`` says whether more may come: while it is true, the iterator waits
    for more at the end, through rotations. A log that does not exist is empty.
    """
    oldest = timestamp(since).encode() if since else b""
    at_start = True
    for entry in _entries(directory, tail, follow):
        if entry[:_TIME_LENGTH] < oldest:
            continue
        prefix = entry[: _TIME_LENGTH + 1] if timestamps and at_start else b""
        at_start = entry[_TIME_LENGTH + 1 : _TIME_LENGTH + 2] != b"P"
        yield prefix + entry[_TIME_LENGTH + 3 :] + (b"\n" if at_start else b"")


def _entries(directory: str, tail: Optional[int], follow: Optional[Callable[[], bool]]) -> Iterator[bytes]:
    fd, position, kept = _open_at(directory, tail)
    yield from kept
    rest = b""
    try:
        while True:
            # Asked before the last read: what was written until then is read below.
            more = follow is not None and follow()
            if fd < 0:
                fd, position = _open(directory, NAME), 0
            block = os.pread(fd, _BLOCK, position) if fd >= 0 else b""
            if block:
                position += len(block)
                *entries, rest = (rest + block).split(b"\n")
                yield from entries
            elif fd >= 0 and _rotated(directory, fd):
                os.close(fd)
                fd = -1
            elif not more:
                return
            else:
                time.sleep(0.05)
    finally:
        if fd >= 0:
            os.close(fd)


def _open(directory: str, name: str) -> int:
    try:
        return os.open(os.path.join(directory, name), os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return -1


def _rotated(directory: str, fd: int) -> bool:
    """True if another file has taken the log's name. (A removed log is not replaced: its reader is at the end.)"""
    try:
        return os.stat(os.path.join(directory, NAME)).st_ino != os.fstat(fd).st_ino
    except (FileNotFoundError, NotADirectoryError):
        return False


def _open_at(directory: str, tail: Optional[int]) -> tuple[int, int, list[bytes]]:
    """The current file open, the position to go on reading from, and the entries that come before it."""
    older, fd = _open(directory, OLDER), _open(directory, NAME)
    try:
        if fd >= 0 and older >= 0 and os.fstat(fd).st_ino == os.fstat(older).st_ino:
            # Rotated between the two calls: the new file is opened by the reading loop.
            os.close(older)
            older = -1
        before = _whole_entries(older)
        if tail is None:
            return fd, 0, before
        current = _whole_entries(fd)
        position = sum(len(entry) + 1 for entry in current)
        return fd, position, _last_lines(before + current, tail)
    finally:
        if older >= 0:
            os.close(older)


def _whole_entries(fd: int) -> list[bytes]:
    if fd < 0:
        return []
    content = b""
    while True:
        block = os.pread(fd, LIMIT, len(content))
        if not block:
            return content.split(b"\n")[:-1]
        content += block


def _last_lines(entries: list[bytes], count: int) -> list[bytes]:
    """The entries of the last ``count`` lines of output; an unfinished last line counts."""
    if count <= 0:
        return []
    first = len(entries)
    seen = 0
    while first > 0:
        whole = entries[first - 1][_TIME_LENGTH + 1 : _TIME_LENGTH + 2] == b"F"
        if whole or first == len(entries):
            seen += 1
            if seen > count:
                break
        first -= 1
    return entries[first:]
