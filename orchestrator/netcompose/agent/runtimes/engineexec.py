"""One more command inside an engine's container: ``exec``, with its output captured or on the caller's own terminal."""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import struct
import sys
import time
from typing import Any, Iterator, Mapping, Optional, Sequence

from netcompose.agent.runtimes.engine import Engine, at_hand, lacking
from netcompose.errors import EngineRefused, HostLacks, NetcomposeError
from netcompose.resources import ExecTarget

_STDOUT, _STDERR = 1, 2
_HEADER = struct.Struct(">BxxxI")
_CUT = b"\n[netcompose: the output was cut here]\n"
#: Bytes of each output that are kept.
CAPTURE_LIMIT = 16 << 20


def outputs(pieces: Iterator[bytes]) -> Iterator[tuple[int, bytes]]:
    """``(1 or 2, text)`` of an engine's stream that carries both outputs: each text follows a header of 8 bytes."""
    rest = b""
    for piece in pieces:
        rest += piece
        while len(rest) >= _HEADER.size:
            which, size = _HEADER.unpack(rest[: _HEADER.size])
            if len(rest) < _HEADER.size + size:
                break
            yield which, rest[_HEADER.size : _HEADER.size + size]
            rest = rest[_HEADER.size + size :]


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
    id = _create(engine, target, argv, tty=False, stdin=False)
    stream = _start(engine, id, tty=False)
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
    """Run a command on the caller's own stdin, stdout and stderr; a terminal if both ends are one."""
    tty = os.isatty(0) and os.isatty(1)
    id = _create(engine, target, argv, tty=tty, stdin=True)
    stream = _start(engine, id, tty=tty)
    try:
        with _raw(tty):
            if tty:
                size = os.get_terminal_size(1)
                with contextlib.suppress(EngineRefused):
                    engine.api.post("/exec/{}/resize".format(id), h=size.lines, w=size.columns)
            _pump(stream, tty)
    finally:
        stream.close()
    return _status(engine, id, target, argv, b"")


def _create(engine: Engine, target: ExecTarget, argv: Sequence[str], *, tty: bool, stdin: bool) -> str:
    body: dict[str, Any] = {
        "Cmd": list(argv),
        "AttachStdin": stdin,
        "AttachStdout": True,
        "AttachStderr": True,
        "Tty": tty,
        "Env": ["{}={}".format(key, value) for key, value in sorted(target.environment.items())],
    }
    if tty:
        body["Env"].append("TERM=" + os.environ.get("TERM", "xterm"))
    try:
        return str(engine.api.post("/containers/{}/exec".format(target.engine), body)["Id"])
    except EngineRefused as error:
        error.message = "container {}: {}".format(target.container, error.message)
        error.args = (error.message,)
        raise


def _start(engine: Engine, id: str, *, tty: bool) -> socket.socket:
    """Start it; the connection becomes its standard streams (the answer is 101 or 200, both without an end)."""
    stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        stream.connect(engine.api.path)
        body = json.dumps({"Detach": False, "Tty": tty}).encode()
        head = (
            "POST /exec/{}/start HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            "Connection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: {}\r\n\r\n"
        ).format(id, len(body))
        stream.sendall(head.encode() + body)
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            # One byte at a time: what follows the head is the command's.
            byte = stream.recv(1)
            if not byte:
                break
            answer += byte
        status = int([*answer.split(None, 2), b"0", b"0"][1])
        if status not in (101, 200):
            raise EngineRefused(stream.recv(1 << 16).decode(errors="replace").strip(), status=status)
    except BaseException:
        stream.close()
        raise
    return stream


def _received(stream: socket.socket, end: Optional[float]) -> Iterator[bytes]:
    while True:
        stream.settimeout(None if end is None else max(0.001, end - time.monotonic()))
        data = stream.recv(1 << 16)
        if not data:
            return
        yield data


def _pump(stream: socket.socket, tty: bool) -> None:
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
            if tty:
                _write(1, data)
                continue
            rest += data
            while len(rest) >= _HEADER.size:
                which, size = _HEADER.unpack(rest[: _HEADER.size])
                if len(rest) < _HEADER.size + size:
                    break
                _write(2 if which == _STDERR else 1, rest[_HEADER.size : _HEADER.size + size])
                rest = rest[_HEADER.size + size :]


def _write(fd: int, data: bytes) -> None:
    sys.stdout.flush()
    while data:
        data = data[os.write(fd, data) :]


@contextlib.contextmanager
def _raw(tty: bool) -> Iterator[None]:
    """The caller's terminal hands every key on, and is as before afterwards."""
    if not tty:
        yield
        return
    import termios
    import tty as terminal

    before = termios.tcgetattr(0)
    try:
        terminal.setraw(0)
        yield
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)


def _status(engine: Engine, id: str, target: ExecTarget, argv: Sequence[str], said: bytes) -> int:
    state: Mapping[str, Any] = {}
    for _ in range(100):
        state = engine.api.get("/exec/{}/json".format(id))
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
