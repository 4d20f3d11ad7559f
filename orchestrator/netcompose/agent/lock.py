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
#: Seconds that those whom a killed run has left behind may take: its helper, which starts processes, its watchdog.
_ORPHANED = 90.0
_PAUSE = 0.05

#: The descriptors of the locks that this process holds.
_held: set[int] = set()


def shared() -> tuple[int, ...]:
    """What a child process has to inherit in order to share the locks of this one: as long as it has them, nobody else
    gets them, whatever becomes of this process (flock(2))."""
    return tuple(sorted(_held))


class HostLock:
    """The lock of this host. ``owner`` says in words who holds it and why."""

    def __init__(self, host: str) -> None:
        self.host = host
        self._fd = -1

    @property
    def held(self) -> bool:
        """True between :meth:`acquire` and :meth:`release`."""
        return self._fd >= 0

    def acquire(self, owner: str) -> None:
        """Take the lock, or raise ``Locked`` with the owner's name. One whose owner was killed is waited for: what that
        run has started ends soon, and is not to change anything any more when this one looks."""
        end = time.monotonic() + _ORPHANED
        try:
            os.makedirs(rundir.ROOT, mode=0o700, exist_ok=True)
            while not self._try(owner, wait=time.monotonic() < end):
                pass
        except PermissionError as error:
            raise NotPermitted(
                "host {}: no permission to change this host ({})".format(self.host, error.filename or _PATH),
                hint="run as root (sudo netcompose ...), or `netcompose rehearse`, which needs no privileges",
            ) from error

    def _try(self, owner: str, *, wait: bool) -> bool:
        fd = os.open(_PATH, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder, alive = _read(fd)
            os.close(fd)
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                raise
            if wait and not alive:
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
        content = json.dumps({"owner": owner, "pid": os.getpid(), "since": int(time.time())})
        os.ftruncate(fd, 0)
        os.pwrite(fd, content.encode(), 0)
        self._fd = fd
        _held.add(fd)
        return True

    @property
    def descriptors(self) -> tuple[int, ...]:
        """What a process has to keep open in order to share the lock."""
        return (self._fd,) if self.held else ()

    def leave(self) -> None:
        """Leave the lock to those who share it."""
        if self._fd >= 0:
            _held.discard(self._fd)
            os.close(self._fd)
            self._fd = -1

    def release(self) -> None:
        """Give the lock back and leave no file behind."""
        if self._fd >= 0:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(_PATH)
            _held.discard(self._fd)
            os.close(self._fd)
            self._fd = -1
            with contextlib.suppress(OSError):
                os.rmdir(rundir.ROOT)


def _read(fd: int) -> tuple[str, bool]:
    """Who holds a lock, in words, and whether that process is there."""
    try:
        data = json.loads(os.pread(fd, 4096, 0))
        since = time.strftime("%H:%M:%S", time.localtime(data["since"]))
        alive = os.path.exists("/proc/{}".format(int(data["pid"])))
        return "{} (process {}, since {})".format(data["owner"], data["pid"], since), alive
    except (ValueError, KeyError, TypeError):
        return "another run", True
