"""One more command inside an engine's container: ``exec``, with its output captured or on the caller's own terminal."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import struct
import time
from typing import Any, Iterator, Mapping, Optional, Sequence

from netcompose.agent.protocol import Peer, bytes_from_data
from netcompose.agent.runtimes.engine import Engine, at_hand, lacking
from netcompose.errors import EngineRefused, HostLacks, NetcomposeError
from netcompose.resources import ExecTarget

_STDOUT, _STDERR = 1, 2
_HEADER = struct.Struct(">BxxxI")
_CUT = b"\n[netcompose: the output was cut here]\n"
#: Bytes of each output that are kept.
CAPTURE_LIMIT = 16 << 20
#: Bytes that wait for a command which does not read; nobody is heard any more until it does.
_MOST_WAITING = 1 << 20


def outputs(pieces: Iterator[bytes]) -> Iterator[tuple[int, bytes]]:
    """``(1 or 2, text)`` of an engine's stream that carries both outputs: each text follows a header of 8 bytes."""
    rest = b""
    for piece in pieces:
        whole, rest = _split(rest + piece)
        yield from whole


def _split(data: bytes) -> tuple[list[tuple[int, bytes]], bytes]:
    """What is whole of such a stream, and the rest."""
    found = []
    while len(data) >= _HEADER.size:
        which, size = _HEADER.unpack(data[: _HEADER.size])
        if len(data) < _HEADER.size + size:
            break
        found.append((which, data[_HEADER.size : _HEADER.size + size]))
        data = data[_HEADER.size + size :]
    return found, data


@contextlib.contextmanager
def engine() -> Iterator[Engine]:
    """The host's engine, for the ``with`` block."""
    found = at_hand()
    if found is None:
        raise HostLacks(lacking())
    with contextlib.closing(found):
        yield found


def run_captured(
    engine: Engine, target: ExecTarget, argv: Sequence[str], timeout: Optional[float] = None
) -> tuple[int, bytes, bytes]:
    """Run a command with its output captured: exit status, stdout, stderr."""
    id = _create(engine, target, argv, stdin=False)
    stream = engine.api.start_command(id, tty=False)
    kept = {_STDOUT: bytearray(), _STDERR: bytearray()}
    end = None if timeout is None else time.monotonic() + timeout
    try:
        for which, text in outputs(_received(stream, end)):
            if which in kept and len(kept[which]) <= CAPTURE_LIMIT:
                kept[which] += text
    except TimeoutError:
        raise NetcomposeError(
            "container {}: {} did not end within {:g} s".format(target.container, argv[0], timeout or 0)
        ) from None
    finally:
        stream.close()
    out, err = (bytes(text[:CAPTURE_LIMIT]) + (_CUT if len(text) > CAPTURE_LIMIT else b"") for text in kept.values())
    return _status(engine, id, target, argv, out + err), out, err


def attach(engine: Engine, target: ExecTarget, argv: Sequence[str]) -> int:
    """Run a command on the caller's own stdin, stdout and stderr."""
    id = _create(engine, target, argv, stdin=True)
    stream = engine.api.start_command(id, tty=False)
    try:
        _pump(stream)
    finally:
        stream.close()
    return _status(engine, id, target, argv, b"")


def converse(
    engine: Engine, target: ExecTarget, argv: Sequence[str], terminal: Optional[Mapping[str, Any]], peer: Peer
) -> int:
    """Run a command for somebody at a keyboard; see :func:`attached.attach`."""
    tty = terminal is not None
    id = _create(engine, target, argv, stdin=True, term=str(terminal.get("term") or "dumb") if terminal else "")
    stream = engine.api.start_command(id, tty=tty)
    try:
        peer.say(0, b"")
        if terminal is not None:
            _resize(engine, id, terminal)
        _Conversation(engine, id, stream, tty, peer).run()
    except BaseException:
        # Whoever asked for it is gone: it is hung up on.
        _signal(engine, id, signal.SIGHUP)
        raise
    finally:
        stream.close()
    return _status(engine, id, target, argv, b"")


class _Conversation:
    """Bytes both ways between a peer and a command's connection, until the command closes its end."""

    def __init__(self, engine: Engine, id: str, stream: socket.socket, tty: bool, peer: Peer) -> None:
        self._engine, self._id, self._stream, self._tty, self._peer = engine, id, stream, tty, peer
        self._waiting = bytearray()
        self._ended = False
        self._rest = b""

    def run(self) -> None:
        """To the end."""
        fd = self._stream.fileno()
        while True:
            writing = [fd] if self._waiting else []
            listening = len(self._waiting) < _MOST_WAITING
            readable, writable, spoken = self._peer.wait([fd], writing, listening, None)
            if writable:
                del self._waiting[: self._stream.send(self._waiting)]
                self._maybe_shut()
            if readable and not self._read():
                return
            if spoken:
                self._hear(self._peer.hear())

    def _read(self) -> bool:
        data = self._stream.recv(1 << 16)
        if data and self._tty:
            self._peer.say(1, data)
        elif data:
            self._rest += data
            whole, self._rest = _split(self._rest)
            for which, text in whole:
                self._peer.say(which, text)
        return bool(data)

    def _hear(self, said: Mapping[str, Any]) -> None:
        if "input" in said:
            data = bytes_from_data(said["input"])
            self._waiting += data
            self._ended = self._ended or (not data and not self._tty)
            self._maybe_shut()
        elif "size" in said and self._tty:
            _resize(self._engine, self._id, said["size"])
        elif "signal" in said:
            _signal(self._engine, self._id, int(said["signal"]))

    def _maybe_shut(self) -> None:
        if self._ended and not self._waiting:
            with contextlib.suppress(OSError):
                self._stream.shutdown(socket.SHUT_WR)


def _resize(engine: Engine, id: str, size: Mapping[str, Any]) -> None:
    with contextlib.suppress(EngineRefused):
        engine.api.resize_command(id, rows=int(size["rows"]), columns=int(size["columns"]))


def _signal(engine: Engine, id: str, number: int) -> None:
    """An engine has no way to signal a command; its process is one of this host."""
    with contextlib.suppress(NetcomposeError, OSError):
        pid = engine.api.command(id).get("Pid")
        if pid:
            os.kill(int(pid), number)


def _create(engine: Engine, target: ExecTarget, argv: Sequence[str], *, stdin: bool, term: str = "") -> str:
    """Make it; with ``term`` ($TERM) it has a terminal."""
    env = ["{}={}".format(key, value) for key, value in sorted(target.environment.items())]
    if term:
        env.append("TERM=" + term)
    try:
        return engine.api.create_command(target.engine, argv, stdin=stdin, tty=bool(term), env=env)
    except EngineRefused as error:
        error.message = "container {}: {}".format(target.container, error.message)
        error.args = (error.message,)
        raise


def _received(stream: socket.socket, end: Optional[float]) -> Iterator[bytes]:
    while True:
        stream.settimeout(None if end is None else max(0.001, end - time.monotonic()))
        data = stream.recv(1 << 16)
        if not data:
            return
        yield data


def _pump(stream: socket.socket) -> None:
    """Carry bytes both ways until the command closes its end."""
    poller = select.poll()
    poller.register(stream, select.POLLIN)
    poller.register(0, select.POLLIN)
    rest = b""
    while True:
        for fd, _ in poller.poll():
            if fd == 0:
                data = os.read(0, 1 << 16)
                if data:
                    stream.sendall(data)
                else:
                    poller.unregister(0)
                    stream.shutdown(socket.SHUT_WR)
                continue
            data = stream.recv(1 << 16)
            if not data:
                return
            whole, rest = _split(rest + data)
            for which, text in whole:
                _write(2 if which == _STDERR else 1, text)


def _write(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]


def _status(engine: Engine, id: str, target: ExecTarget, argv: Sequence[str], said: bytes) -> int:
    state: Mapping[str, Any] = {}
    for _ in range(100):
        state = engine.api.command(id)
        if not state.get("Running"):
            break
        time.sleep(0.01)
    status = int(state.get("ExitCode") or 0)
    if status in (126, 127) and b"exec failed" in said:
        raise HostLacks(
            "container {}: {} cannot be run in it".format(target.container, argv[0]),
            hint="the image has to have the program",
        )
    return status
