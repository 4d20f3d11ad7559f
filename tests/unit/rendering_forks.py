"""A process with the rendering of templates imported: each question goes to a fork of it, limits and all.

A fork does what the process does that netcompose starts (``rendering.main``, on its standard input and output); it
saves Jinja2's import, which takes ten times as long as a template.
"""

from __future__ import annotations

import os
import signal
import socket
import struct
import subprocess
import sys
from pathlib import Path


class Forks:
    """Started with the first question; ends with the context."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Forks:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()

    def ask(self, question: bytes, timeout: float) -> tuple[bytes, bytes]:
        """In the place of ``netcompose.topology.template._ask``. A fork complains where the tests do."""
        if self._process is None:
            command = [sys.executable, __file__, str(self._path)]
            self._process = subprocess.Popen(command, stdout=subprocess.PIPE)
            assert self._process.stdout is not None and self._process.stdout.readline() == b"listening\n"
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(timeout)
            connection.connect(str(self._path))
            (pid,) = struct.unpack("i", connection.recv(4))
            try:
                connection.sendall(question)
                connection.shutdown(socket.SHUT_WR)
                said = b"".join(iter(lambda: connection.recv(1 << 20), b""))
            except TimeoutError:
                os.kill(pid, signal.SIGKILL)
                raise
        # The last byte is the exit status: a fork that died has none.
        return (said[:-1] if said.endswith(b"\0") else b""), b""


def serve(path: str) -> None:
    """Fork for each connection."""
    from netcompose.topology import rendering

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(path)
    listening.listen(16)
    print("listening", flush=True)
    while True:
        connection, _ = listening.accept()
        if os.fork():
            connection.close()
            continue
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        connection.sendall(struct.pack("i", os.getpid()))
        for stream in (0, 1):
            os.dup2(connection.fileno(), stream)
        status = rendering.main()
        sys.stdout.flush()
        connection.sendall(bytes([status]))
        os._exit(status)


if __name__ == "__main__":
    serve(sys.argv[1])
