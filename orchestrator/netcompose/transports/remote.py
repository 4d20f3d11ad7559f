"""An agent at the other end of a stream: a child's, a sandbox's, one behind SSH."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from netcompose.agent.protocol import (
    ALIVE,
    SIDE_BY_SIDE,
    Channel,
    Stream,
    StreamEnded,
    bytes_from_data,
    bytes_to_data,
    error_from_data,
    observation_from_data,
)
from netcompose.errors import HostUnreachable, NetcomposeError, ProtocolError
from netcompose.planner.plan import Change
from netcompose.planner.serialise import change_to_data
from netcompose.resources import ContainerState, EngineNetwork, ExecTarget, Observation, from_data, to_data
from netcompose.transports.base import Progress

#: Seconds until the agent's first word; for an answer; and for the next sign of life while it makes changes, of
#: which one may be the stop of a process with a long grace period.
START_TIMEOUT = 20.0
ANSWER_TIMEOUT = 60.0
APPLY_TIMEOUT = 600.0
#: Most bytes of an image in one request.
PIECE = 1 << 20
#: Seconds in which a word to stop has to be off.
CANCEL_TIMEOUT = 5.0
#: Seconds that somebody may sit at an attached command; poll(2) takes no more than 24 days.
_FOR_EVER = 20 * 86400.0


class RemoteAgent:
    """A :class:`~netcompose.transports.base.Connection` over a stream. ``host`` is for messages.

    ``keepalive`` is how many seconds the agent may be without a word before it worries; 0: it never does.
    One request at a time. After ``HostUnreachable`` or ``ProtocolError`` the connection is of no further use.
    """

    def __init__(
        self,
        host: str,
        stream: Stream,
        *,
        start_timeout: float = START_TIMEOUT,
        answer_timeout: float = ANSWER_TIMEOUT,
        ended: Callable[[], object] | None = None,
    ) -> None:
        """Wait for the agent's first word; raises ``HostUnreachable`` with what came instead. ``ended`` is called when
        the stream has been closed."""
        self.host = host
        self.keepalive = 0.0
        self._ended = ended
        self._answer_timeout = answer_timeout
        self._channel = Channel(stream)
        self._last = 0
        self._open = True
        #: Who hears what an attached command writes.
        self._listener: Callable[[int, bytes], None] | None = None
        # One request at a time: a ping from another thread keeps out of the way of one that is open.
        self._busy = threading.Lock()
        try:
            self._channel.await_marker(start_timeout)
        except StreamEnded as end:
            self.close()
            said = end.partial.decode("utf-8", "replace").strip()
            raise HostUnreachable(
                f"host {host}: the agent did not start" + (f"; instead came: {said[-300:]}" if said else "")
            ) from None
        except TimeoutError:
            self.close()
            raise HostUnreachable(f"host {host}: the agent did not answer within {start_timeout:g} s") from None
        except ProtocolError:
            self.close()
            raise

    def _call(
        self, method: str, params: dict[str, Any], progress: Progress | None = None, timeout: float | None = None
    ) -> Any:
        with self._busy:
            timeout = self._answer_timeout if timeout is None else timeout
            return self._exchange(method, params, progress, timeout)

    def _exchange(self, method: str, params: dict[str, Any], progress: Progress | None, timeout: float) -> Any:
        if not self._open:
            raise HostUnreachable(f"host {self.host}: the connection is closed")
        self._last += 1
        try:
            request = {"id": self._last, "host": self.host, "method": method, "params": params}
            self._channel.send(request, timeout)
            while True:
                message = self._channel.receive(timeout)
                if message.get("id") != self._last:
                    raise ProtocolError(f"host {self.host}: an answer to something else: the stream is broken")
                if "output" in message and self._listener is not None:
                    self._listener(message["output"]["stream"], bytes_from_data(message["output"]["data"]))
                    continue
                if "library" in message:
                    self._channel.send({"library": bytes_to_data(self.library(str(message["library"])))}, timeout)
                    continue
                if "progress" not in message:
                    break
                if progress is not None:
                    step = message["progress"]
                    progress(step["done"], step["total"], step["text"])
        except StreamEnded:
            self.close()
            raise HostUnreachable(
                f"host {self.host}: the connection was lost during {method}",
                hint="the agent takes back what was not confirmed; run `netcompose plan` to see the state",
            ) from None
        except TimeoutError:
            self.close()
            raise HostUnreachable(f"host {self.host}: no answer to {method} within {timeout:g} s") from None
        except BaseException:
            # Half an exchange (Ctrl-C, a broken frame): what comes next would be taken for the next answer.
            self.close()
            raise
        if "error" in message:
            raise error_from_data(message["error"])
        if "result" not in message:
            raise ProtocolError(f"host {self.host}: an answer without a result: the stream is broken")
        return message["result"]

    def library(self, name: str) -> bytes:
        """What an agent is told that asks for Docker's SDK: the name of its bundle, or the bundle of that name. Nothing
        for an agent that runs what is installed here."""
        return b""

    def hello(self) -> dict[str, Any]:
        """Who answers: ``version``, ``python``, ``pid``, and ``time``, its clock in seconds since the epoch."""
        return dict(self._call("hello", {}))

    def features(self, names: Sequence[str] = ()) -> dict[str, str]:
        """What the host can do: feature -> empty, or why not; all, or those of ``names``."""
        return dict(self._call("features", {"names": list(names)} if names else {}))

    def observe(self, topology: str, parents: Sequence[str] = (), images: Sequence[str] = ()) -> Observation:
        """The host as it is, as far as it concerns this topology, with the facts of these interfaces and images."""
        asked = {"parents": list(parents), "images": list(images)}
        data = self._call("observe", {"topology": topology, **{key: names for key, names in asked.items() if names}})
        try:
            return observation_from_data(data)
        except ValueError as error:
            raise self._misunderstood("observe", error) from error

    def owners(self, inodes: Sequence[int]) -> dict[int, str]:
        """Which processes have these sockets, in words."""
        return {int(inode): str(owner) for inode, owner in self._call("owners", {"inodes": list(inodes)})}

    def lock(self, topology: str, owner: str) -> None:
        """Keep other runs off the host until :meth:`unlock` or the end of the connection."""
        self._call("lock", {"topology": topology, "owner": owner})

    def unlock(self) -> None:
        """End the run."""
        self._call("unlock", {})

    def ping(self, timeout: float) -> None:
        """Let the agent know that somebody is there, unless a request is open, which tells it as well."""
        if self._busy.acquire(blocking=False):
            try:
                self._exchange("hello", {}, None, timeout)
            finally:
                self._busy.release()

    def cancel(self) -> None:
        """From another thread: ask for the end of the request that is open; it raises ``Interrupted`` when it stops."""
        if self._open and self._busy.locked():
            with contextlib.suppress(StreamEnded, TimeoutError, OSError):
                self._channel.send({"cancel": True}, CANCEL_TIMEOUT)

    def arm(self, topology: str, changes: Sequence[Change], token: str, seconds: float) -> None:
        """Start the process that takes an unconfirmed run back by itself."""
        data = [change_to_data(change) for change in changes]
        self._call("arm", {"topology": topology, "changes": data, "token": token, "seconds": seconds})

    def settle(self, token: str, what: str) -> str:
        """Ask the watchdog of a run that another connection has armed."""
        return str(self._call("settle", {"token": token, "what": what}, timeout=APPLY_TIMEOUT))

    def apply(self, topology: str, changes: Sequence[Change] | None, progress: Progress | None = None) -> None:
        """Carry out this host's changes, or those that were armed; nothing is put back by itself when one fails."""
        data = None if changes is None else [change_to_data(change) for change in changes]
        self._call("apply", {"topology": topology, "changes": data}, progress, APPLY_TIMEOUT)

    def confirm(self) -> None:
        """The run is verified and stays."""
        self._call("confirm", {})

    def rollback(self) -> None:
        """Bring everything that the run touched back to what it was."""
        self._call("rollback", {}, timeout=APPLY_TIMEOUT)

    def states(self, topology: str) -> list[ContainerState]:
        """The state of every container's process."""
        data = self._call("states", {"topology": topology})
        try:
            return [from_data(ContainerState, item) for item in data]
        except ValueError as error:
            raise self._misunderstood("states", error) from error

    def run(
        self, topology: str, target: ExecTarget, argv: Sequence[str], timeout: float = 60.0
    ) -> tuple[int, bytes, bytes]:
        """Run a command in a container: exit status, stdout, stderr. ``timeout`` is in seconds."""
        return self.run_many(topology, [(target, argv)], timeout)[0]

    def run_many(
        self, topology: str, jobs: Sequence[tuple[ExecTarget, Sequence[str]]], timeout: float = 60.0
    ) -> list[tuple[int, bytes, bytes]]:
        """Run one command in each of many containers side by side; the answers in the order of the jobs."""
        data = [{"target": to_data(target), "argv": list(argv)} for target, argv in jobs]
        params = {"topology": topology, "jobs": data, "timeout": timeout}
        # The agent watches the commands' own time; this is for an agent that does not.
        patience = timeout * (1 + len(jobs) // SIDE_BY_SIDE) + self._answer_timeout
        answers = self._call("run_many", params, timeout=patience)
        return [
            (int(item["status"]), bytes_from_data(item["stdout"]), bytes_from_data(item["stderr"])) for item in answers
        ]

    def attach(
        self,
        topology: str,
        target: ExecTarget,
        argv: Sequence[str],
        terminal: Mapping[str, Any] | None,
        listener: Callable[[int, bytes], None],
    ) -> int:
        """Run a command at this side's keyboard; its exit status, 128 and more for a signal. ``terminal`` has ``rows``,
        ``columns`` and ``term``, None for pipes. ``listener`` is called with what comes: ``(0, b"")`` once, when the
        command runs, from when on :meth:`say` may be called from another thread, then ``(1 or 2, bytes)``."""
        params = {"topology": topology, "target": to_data(target), "argv": list(argv), "terminal": terminal}
        self._listener = listener
        try:
            return int(self._call("attach", params, timeout=_FOR_EVER))
        finally:
            self._listener = None

    def say(self, message: Mapping[str, Any]) -> None:
        """To the attached command: ``{"input"}``, ``{"size"}`` or ``{"signal"}``; nothing, as a sign of life."""
        with contextlib.suppress(StreamEnded, OSError):
            if message:
                self._channel.send(message)
            else:
                self._channel.stream.send(ALIVE)

    def logs(
        self, topology: str, container: str, tail: int | None = None, since: float = 0.0, timestamps: bool = False
    ) -> bytes:
        """What a container's command has printed, from ``since`` (seconds since the epoch) on."""
        params = {"topology": topology, "container": container, "tail": tail, "since": since, "timestamps": timestamps}
        return bytes_from_data(self._call("logs", params))

    def images(self, names: Sequence[str]) -> dict[str, str]:
        """The ids of images that the host's engine has, by name."""
        return dict(self._call("images", {"names": list(names)}))

    def unreachable_images(self, names: Sequence[str]) -> dict[str, str]:
        """Why the host's engine cannot pull images, by name."""
        return dict(self._call("unreachable_images", {"names": list(names)}, timeout=APPLY_TIMEOUT))

    def engine_networks(self, names: Sequence[str]) -> dict[str, EngineNetwork]:
        """Networks of the host's engine by name."""
        data = self._call("engine_networks", {"names": list(names)})
        try:
            return {name: from_data(EngineNetwork, item) for name, item in data.items()}
        except ValueError as error:
            raise self._misunderstood("engine_networks", error) from error

    def pull_image(self, name: str, progress: Progress | None = None) -> str:
        """Have the host's engine pull an image; its id."""
        return str(self._call("pull_image", {"name": name}, progress, APPLY_TIMEOUT))

    def load_image(self, stream: Iterator[bytes]) -> str:
        """Have the host's engine load an archive, sent in pieces."""
        started = False
        try:
            for piece in stream:
                for at in range(0, len(piece), PIECE):
                    data = bytes_to_data(piece[at : at + PIECE])
                    self._call("load_image", {"first": not started, "data": data}, timeout=APPLY_TIMEOUT)
                    started = True
        except BaseException:
            if started and self._open:
                with contextlib.suppress(NetcomposeError):
                    self._call("load_image", {"abort": True})
            raise
        return str(self._call("load_image", {"end": True}, timeout=APPLY_TIMEOUT))

    def tag_image(self, id: str, name: str) -> None:
        """Give an image of the host's engine one more name."""
        self._call("tag_image", {"id": id, "name": name})

    def close(self) -> None:
        """End the connection; the agent rolls an unconfirmed run back and gives its lock back."""
        if self._open:
            self._open = False
            with contextlib.suppress(OSError):
                self._channel.stream.close()
            if self._ended is not None:
                self._ended()

    def _misunderstood(self, method: str, error: ValueError) -> ProtocolError:
        return ProtocolError(
            f"host {self.host}: the answer to {method} is not understood: {error}",
            hint="use the same version of netcompose on both sides",
        )
