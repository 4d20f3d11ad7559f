"""One run at a time on a host: a lock that names its owner and ends with the process that holds it (flock(2))."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import time

from netcompose.agent import rundir
from netcompose.errors import Locked, NotPermitted

_PATH = os.path.join(rundir.ROOT, "lock")
#: Seconds that the rest of a killed run (a helper that starts processes) is waited for, and one who has it for moments
#: only, and between two tries.
_PATIENCE, _PAUSE = 3.0, 0.01


class HostLock:
    """The lock of this host. ``owner`` says in words who holds it and why."""

    def __init__(self, host: str) -> None:
        self.host = host
        self._fd = -1

    @property
    def held(self) -> bool:
        """True between :meth:`acquire` and :meth:`release`."""
        return self._fd >= 0

    def acquire(self, owner: str, *, brief: bool = False) -> None:
        """Take the lock, or raise ``Locked`` with the owner's name. ``brief`` is said of one who has it for moments
        only, so that others wait for it a little."""
        try:
            end = time.monotonic() + _PATIENCE
            while not self._try(owner, brief, patient=time.monotonic() < end):
                pass
        except PermissionError as error:
            raise NotPermitted(
                "host {}: no permission to change this host ({})".format(self.host, error.filename or _PATH),
                hint="run as root (sudo netcompose ...), or `netcompose rehearse`, which needs no privileges",
            ) from error

    def _try(self, owner: str, brief: bool, *, patient: bool) -> bool:
        os.makedirs(rundir.ROOT, mode=0o700, exist_ok=True)
        try:
            fd = os.open(_PATH, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:
            # The last holder has just removed the folder.
            return False
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder, soon = _read(fd)
            os.close(fd)
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                raise
            if soon and patient:
                time.sleep(_PAUSE)
                return False
            raise Locked(
                "host {} is locked by {}".format(self.host, holder), hint="wait until that run is done, then try again"
            ) from None
        try:
            current = os.stat(_PATH).st_ino == os.fstat(fd).st_ino
        except FileNotFoundError:
            current = False
        if not current:
            # The last holder removed the file between our open and our lock.
            os.close(fd)
            return False
        content = json.dumps({"owner": owner, "pid": os.getpid(), "since": int(time.time()), "brief": brief})
        os.ftruncate(fd, 0)
        os.pwrite(fd, content.encode(), 0)
        self._fd = fd
        return True

    @property
    def descriptors(self) -> tuple[int, ...]:
        """What a process has to keep open in order to share the lock."""
        return (self._fd,) if self.held else ()

    def leave(self) -> None:
        """Leave the lock to those who share it."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def release(self) -> None:
        """Give the lock back and leave no file behind."""
        if self._fd >= 0:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(_PATH)
            os.close(self._fd)
            self._fd = -1
            with contextlib.suppress(OSError):
                os.rmdir(rundir.ROOT)


def _read(fd: int) -> tuple[str, bool]:
    """Who holds the lock, in words, and whether it will be free soon: that process is gone and only what it left behind
    still has it, or it said so."""
    try:
        data = json.loads(os.pread(fd, 4096, 0))
        since = time.strftime("%H:%M:%S", time.localtime(data["since"]))
        words = "{} (process {}, since {})".format(data["owner"], data["pid"], since)
        return words, bool(data.get("brief")) or not os.path.exists("/proc/{}".format(data["pid"]))
    except (ValueError, KeyError, TypeError):
        return "another run", False
