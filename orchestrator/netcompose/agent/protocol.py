"""How controller and agent speak over a stream: frames, messages, and errors that stay what they are.

A frame is a 4-byte big-endian length and that many bytes of JSON. The agent begins with ``MARKER``, so that what a
login shell prints before it is skipped. Then the controller asks ``{"id", "host", "method", "params"}`` and the agent
answers any number of ``{"id", "progress"}`` and one ``{"id", "result"}`` or ``{"id", "error"}``, one request at a time.
Meanwhile the controller may say ``{"cancel"}``: the request ends with the error ``Interrupted`` at its next step.
While a command is attached to the controller's keyboard (``attach``), the agent says ``{"id", "output": {"stream",
"data"}}`` (stream 0, once: it runs; else 1 or 2), the controller ``{"input"}`` (base64; empty: the end), ``{"size":
{"rows", "columns"}}`` and ``{"signal"}``.
An agent that speaks to an engine for the first time may say ``{"id", "library": ""}`` during any request. The
controller answers ``{"library"}`` (base64): the name of the bundle that has Docker's SDK, or nothing. To ``{"id",
"library": NAME}`` it answers with the bundle itself, compressed.
Between requests the controller may send ``ALIVE``, an empty frame, so that its silence means that it is gone.
"""

from __future__ import annotations

import base64
import errno
import json
import os
import select
import time
from typing import Any, Mapping, Optional, Sequence

from netcompose import errors
from netcompose.errors import NetcomposeError, ProtocolError
from netcompose.resources import Observation, from_data, resource_of, to_brief_data, to_data
from netcompose.resources.host import HostFacts

#: Raised whenever an older peer would misunderstand a newer one.
VERSION = 1
_ANNOUNCEMENT = b"\0netcompose-agent "
MARKER = b"%s%d\n" % (_ANNOUNCEMENT, VERSION)
#: The empty frame.
ALIVE = bytes(4)
#: Longest frame in bytes; 10,000 containers take about 20 MB.
FRAME_LIMIT = 256 << 20
#: Commands that an agent runs at the same time in as many containers.
SIDE_BY_SIDE = 16
#: Seconds for the rest of a frame of which something has come.
_REST = 60.0
#: Most bytes that are skipped before the marker.
NOISE_LIMIT = 256 << 10


class StreamEnded(Exception):
    """The peer closed the stream. ``partial`` is what came before the end of an unfinished frame, or the noise."""

    def __init__(self, partial: bytes = b"") -> None:
        super().__init__("the stream ended")
        self.partial = partial


class Stream:
    """Bytes to and from the peer over two file descriptors (pipes, or a socket twice), with deadlines.

    Another transport (a channel of an SSH library) gives its own class with these methods.
    """

    def __init__(self, read_fd: int, write_fd: int) -> None:
        self._read_fd = read_fd
        self._write_fd = write_fd

    def receive(self, limit: int, timeout: Optional[float]) -> bytes:
        """At most ``limit`` bytes, as soon as there are any; empty at the end. ``TimeoutError`` after ``timeout`` s."""
        if timeout is not None and not self.readable(timeout):
            raise TimeoutError
        try:
            return os.read(self._read_fd, limit)
        except ConnectionResetError:
            return b""

    def send(self, data: bytes, timeout: Optional[float] = None) -> None:
        """Write all of it; ``StreamEnded`` if the peer is gone, ``TimeoutError`` if it does not take it."""
        view = memoryview(data)
        poller = select.poll()
        poller.register(self._write_fd, select.POLLOUT)
        while view:
            # A pipe is ready when one page of it is free, and takes no more without waiting.
            if timeout is not None and not poller.poll(timeout * 1000):
                raise TimeoutError
            piece = view if timeout is None else view[: select.PIPE_BUF]
            try:
                view = view[os.write(self._write_fd, piece) :]
            except OSError as error:
                if error.errno in (errno.EPIPE, errno.ECONNRESET):
                    raise StreamEnded from None
                raise

    def readable(self, timeout: float) -> bool:
        """True if :meth:`receive` would not wait: there is data, or the end."""
        poller = select.poll()
        poller.register(self._read_fd, select.POLLIN)
        return bool(poller.poll(max(0.0, timeout) * 1000))

    def select(
        self, reading: Sequence[int], writing: Sequence[int], listening: bool, timeout: Optional[float]
    ) -> tuple[list[int], list[int], bool]:
        """Wait for descriptors and for the peer: which can be read, which can be written, and whether the peer has said
        something (only looked for when ``listening``) or is gone."""
        poller = select.poll()
        for fd in {*reading, *writing}:
            poller.register(fd, (select.POLLIN if fd in reading else 0) | (select.POLLOUT if fd in writing else 0))
        poller.register(self._read_fd, select.POLLIN if listening else 0)
        found = dict(poller.poll(None if timeout is None else max(0.0, timeout) * 1000))
        ended = select.POLLHUP | select.POLLERR
        return (
            [fd for fd in reading if found.get(fd, 0) & (select.POLLIN | ended)],
            [fd for fd in writing if found.get(fd, 0) & (select.POLLOUT | ended)],
            self._read_fd in found,
        )

    def close(self) -> None:
        """Close both descriptors."""
        for fd in {self._read_fd, self._write_fd}:
            os.close(fd)


class Channel:
    """Messages over a stream."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self._rest = b""

    def announce(self) -> None:
        """The agent's first word."""
        self.stream.send(MARKER)

    def await_marker(self, timeout: float) -> bytes:
        """Skip to the agent's first frame; what was skipped. ``ProtocolError`` if the agent is of another version,
        or too much else is said; ``StreamEnded`` and ``TimeoutError`` as they are."""
        end = time.monotonic() + timeout
        seen = b""
        while True:
            start = seen.find(_ANNOUNCEMENT)
            stop = seen.find(b"\n", start)
            if start >= 0 and stop >= 0:
                version = seen[start + len(_ANNOUNCEMENT) : stop]
                if version != b"%d" % VERSION:
                    raise ProtocolError(
                        "the agent speaks protocol {}, this netcompose {}".format(
                            version.decode("ascii", "replace"), VERSION
                        ),
                        hint="use the same version of netcompose on both sides",
                    )
                self._rest = seen[stop + 1 :]
                return seen[:start]
            if len(seen) > NOISE_LIMIT:
                raise ProtocolError(
                    "no agent answers, but {} bytes of something else: {!r} ...".format(len(seen), seen[:80]),
                    hint="what does the login shell's start-up file print?",
                )
            data = self.stream.receive(1 << 16, end - time.monotonic())
            if not data:
                raise StreamEnded(seen)
            seen += data

    def send(self, message: Mapping[str, Any], timeout: Optional[float] = None) -> None:
        """Send one message; errors as for :meth:`Stream.send`, ``ProtocolError`` if it is too long for a frame."""
        body = json.dumps(message, separators=(",", ":")).encode()
        if len(body) > FRAME_LIMIT:
            raise ProtocolError("a message of {} bytes is longer than the protocol allows".format(len(body)))
        self.stream.send(len(body).to_bytes(4, "big") + body, timeout)

    def receive(self, timeout: Optional[float] = None) -> dict[str, Any]:
        """The next message; empty for a sign of life. ``StreamEnded`` at the end, ``TimeoutError`` if it is incomplete
        after ``timeout`` seconds, ``ProtocolError`` if it is none."""
        end = None if timeout is None else time.monotonic() + timeout
        length = int.from_bytes(self._exactly(4, end), "big")
        if length > FRAME_LIMIT:
            raise ProtocolError("a frame of {} bytes is announced: the stream is broken".format(length))
        if not length:
            return {}
        try:
            message = json.loads(self._exactly(length, end))
        except ValueError as error:
            raise ProtocolError("a frame is not JSON ({}): the stream is broken".format(error)) from None
        if not isinstance(message, dict):
            raise ProtocolError("a frame is no message: the stream is broken")
        return message

    def readable(self, timeout: float) -> bool:
        """True as soon as there is something to receive, or the end; False after ``timeout`` seconds."""
        return bool(self._rest) or self.stream.readable(timeout)

    def select(
        self, reading: Sequence[int], writing: Sequence[int], listening: bool, timeout: Optional[float]
    ) -> tuple[list[int], list[int], bool]:
        """See :meth:`Stream.select`."""
        spoken = listening and bool(self._rest)
        readable, writable, came = self.stream.select(reading, writing, listening, 0.0 if spoken else timeout)
        return readable, writable, spoken or came

    def _exactly(self, count: int, end: Optional[float]) -> bytes:
        pieces, have = [self._rest], len(self._rest)
        while have < count:
            left = None if end is None else end - time.monotonic()
            data = self.stream.receive(1 << 20, left)
            if not data:
                raise StreamEnded(b"".join(pieces))
            pieces.append(data)
            have += len(data)
        whole = b"".join(pieces)
        self._rest = whole[count:]
        return whole[:count]


class Peer:
    """The controller while a request is open in which both sides speak. ``silence`` is how many seconds it may be
    without a word or a sign of life before it counts as gone; None: for ever."""

    def __init__(self, channel: Channel, identity: object, silence: Optional[float]) -> None:
        self._channel = channel
        self._identity = identity
        self._silence = silence
        self._heard = time.monotonic()

    def say(self, stream: int, data: bytes) -> None:
        """What a command has written to its stdout (1) or stderr (2)."""
        self._channel.send({"id": self._identity, "output": {"stream": stream, "data": bytes_to_data(data)}})

    def wait(
        self, reading: Sequence[int], writing: Sequence[int], listening: bool, timeout: Optional[float]
    ) -> tuple[list[int], list[int], bool]:
        """See :meth:`Stream.select`; ``StreamEnded`` when the peer has been silent for too long."""
        if listening and self._silence is not None:
            left = self._heard + self._silence - time.monotonic()
            timeout = left if timeout is None else min(timeout, left)
        found = self._channel.select(reading, writing, listening, timeout)
        if found[2] or not listening:
            self._heard = time.monotonic()
        elif self._silence is not None and time.monotonic() - self._heard >= self._silence:
            raise StreamEnded
        if found[2] and not listening:
            # Nobody wants to hear anything now, so that this is the end.
            raise StreamEnded
        return found

    def hear(self) -> dict[str, Any]:
        """What the peer has said; empty for a sign of life. ``StreamEnded`` when it is gone."""
        return self._channel.receive(_REST)


def error_to_data(error: BaseException) -> dict[str, Any]:
    """An exception as data. One that is not netcompose's own becomes a ``ProtocolError`` that says what it was."""
    from netcompose.planner.plan import PlanProblem

    if not isinstance(error, NetcomposeError):
        import traceback

        report = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        text = "the agent failed unexpectedly: {}: {}".format(type(error).__name__, error)
        wrapped = ProtocolError(text, hint="this is a defect of netcompose; please report it")
        return {**error_to_data(wrapped), "attributes": {"traceback": report}}
    attributes = {
        name: value
        for name, value in vars(error).items()
        if name not in ("message", "hint", "problems") and isinstance(value, (str, int, float, bool))
    }
    problems = getattr(error, "problems", ())
    return {
        "class": type(error).__name__,
        "message": error.message,
        "hint": error.hint,
        "exit_status": error.exit_status,
        "attributes": attributes,
        "problems": [to_data(problem) for problem in problems if isinstance(problem, PlanProblem)],
    }


def error_from_data(data: Any) -> NetcomposeError:
    """The inverse: an error of the same class, with its attributes and exit status.

    A class that this side does not know (its peer is newer) becomes the base class.
    """
    from netcompose.planner.plan import PlanProblem

    if not isinstance(data, dict):
        raise ProtocolError("an error is no message: the stream is broken")
    cls: Any = getattr(errors, str(data.get("class")), NetcomposeError)
    if not (isinstance(cls, type) and issubclass(cls, NetcomposeError)):
        cls = NetcomposeError
    # Constructors differ, what they leave behind does not.
    error: NetcomposeError = cls.__new__(cls)
    NetcomposeError.__init__(error, str(data.get("message", "")), hint=str(data.get("hint", "")))
    for name, value in (data.get("attributes") or {}).items():
        setattr(error, name, value)
    if issubclass(cls, (errors.PlanRefused, errors.TopologyError)):
        setattr(error, "problems", tuple(from_data(PlanProblem, item) for item in data.get("problems") or ()))  # noqa: B010
    status = data.get("exit_status", error.exit_status)
    if status != error.exit_status:
        error.exit_status = status
    return error


def observation_to_data(observation: Observation) -> dict[str, Any]:
    """What was observed on a host, as data: resources by (kind, attributes), without what is so by default."""
    return {
        "resources": [(resource.kind, to_brief_data(resource)) for resource in observation.resources.values()],
        "foreign": dict(observation.foreign),
        "facts": to_brief_data(observation.facts),
    }


def observation_from_data(data: Mapping[str, Any]) -> Observation:
    """The inverse; ``ValueError`` on data that is none."""
    try:
        resources = [resource_of(kind, attributes) for kind, attributes in data["resources"]]
        facts: HostFacts = from_data(HostFacts, data["facts"])
        return Observation({resource.id: resource for resource in resources}, dict(data["foreign"]), facts)
    except (KeyError, TypeError) as error:
        raise ValueError("an observation is incomplete: {}".format(error)) from error


def bytes_to_data(data: bytes) -> str:
    """Bytes for JSON (base64)."""
    return base64.b64encode(data).decode("ascii")


def bytes_from_data(data: Any) -> bytes:
    """The inverse; ``ValueError`` on what is none."""
    if not isinstance(data, str):
        raise ValueError("encoded bytes were expected, not {!r}".format(data))
    return base64.b64decode(data, validate=True)
