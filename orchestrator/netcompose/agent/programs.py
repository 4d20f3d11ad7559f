"""Where a program is, and what it says. ``shutil`` and ``subprocess`` do this too, but every plan would pay for what
they import."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from typing import NamedTuple, Sequence


class Finished(NamedTuple):
    """How a program ended (minus a signal's number, if by one), and what it wrote."""

    status: int
    stdout: str
    stderr: str


def which(name: str, path: str = "") -> str:
    """The path of a program on PATH, or on another list of folders; empty if there is none."""
    for folder in (path or os.environ.get("PATH", os.defpath)).split(os.pathsep):
        file = os.path.join(folder or os.curdir, name)
        if os.path.isfile(file) and os.access(file, os.X_OK):
            return file
    return ""


def run(argv: Sequence[str], text: str = "", timeout: float = 60.0) -> Finished:
    """Run a program with ``text`` on its stdin. Raises ``FileNotFoundError`` if there is none of that name, and
    ``TimeoutError`` if it does not end within ``timeout`` seconds, after which it is killed."""
    end = time.monotonic() + timeout
    pipes = [os.pipe() for _ in range(3)]
    # Its stdin is the first pipe's end to read, its stdout and stderr are the others' to write.
    theirs = [pipes[0][0], pipes[1][1], pipes[2][1]]
    ours = [pipes[0][1], pipes[1][0], pipes[2][0]]
    try:
        pid = os.posix_spawnp(
            argv[0],
            list(argv),
            os.environ,
            file_actions=[(os.POSIX_SPAWN_DUP2, fd, number) for number, fd in enumerate(theirs)],
            # Python ignores these, and what is ignored stays so (signal(7)).
            setsigdef=[signal.SIGPIPE, signal.SIGXFSZ],
        )
    except BaseException:
        for fd in ours:
            os.close(fd)
        raise
    finally:
        for fd in theirs:
            os.close(fd)
    status = None
    try:
        said = _converse(ours, text.encode(), end)
        while status is None:
            # Both outputs have ended, and so has it, or is about to.
            ended, found = os.waitpid(pid, os.WNOHANG)
            if ended:
                status = found
            elif time.monotonic() >= end:
                raise TimeoutError
            else:
                time.sleep(0.0003)
    finally:
        if status is None:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    status = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
    return Finished(status, *(part.decode("utf-8", "replace") for part in said))


def _converse(fds: list[int], text: bytes, end: float) -> list[bytes]:
    """Write to the first, read the two others to their ends; all are closed then."""
    writing, *reading = fds
    said: dict[int, list[bytes]] = {fd: [] for fd in reading}
    left = memoryview(text)
    os.set_blocking(writing, False)
    poller = select.poll()
    open_ = set(fds)

    def close(fd: int) -> None:
        if fd in open_:
            open_.discard(fd)
            with contextlib.suppress(KeyError):
                poller.unregister(fd)
            os.close(fd)

    try:
        for fd in reading:
            poller.register(fd, select.POLLIN)
        if left:
            poller.register(writing, select.POLLOUT)
        else:
            close(writing)
        while open_:
            ready = poller.poll(max(0.0, end - time.monotonic()) * 1000)
            if not ready:
                raise TimeoutError
            for fd, _ in ready:
                if fd != writing:
                    data = os.read(fd, 1 << 16)
                    said[fd].append(data)
                    if not data:
                        close(fd)
                    continue
                try:
                    left = left[os.write(fd, left) :]
                except BrokenPipeError:
                    left = left[:0]
                if not left:
                    close(fd)
    finally:
        for fd in list(open_):
            close(fd)
    return [b"".join(said[fd]) for fd in reading]
