"""The agent's end of the protocol: requests in, calls on the Agent, answers out."""

from __future__ import annotations

import signal
from typing import Any, Callable, Mapping, Optional, Protocol, Sequence

from netcompose.agent import library
from netcompose.agent.protocol import (
    Channel,
    Peer,
    Stream,
    StreamEnded,
    bytes_from_data,
    bytes_to_data,
    error_to_data,
    observation_to_data,
)
from netcompose.errors import Interrupted, ProtocolError
from netcompose.planner.plan import Change
from netcompose.planner.serialise import change_from_data
from netcompose.resources import ContainerState, EngineNetwork, ExecTarget, Observation, from_data, to_data

Progress = Callable[[int, int, str], None]

#: Seconds for the rest of a frame of which something has come.
_REST_TIMEOUT = 5.0
#: Seconds that a request may take to arrive, once it has begun, if silence counts.
_FRAME_TIMEOUT = 600.0


class Served(Protocol):
    """What ``serve`` calls: class Agent of agent.py, or a stand-in in a test."""

    def known_as(self, host: str) -> None: ...
    def hello(self) -> dict[str, Any]: ...
    def features(self, names: Sequence[str] = ()) -> dict[str, str]: ...
    def observe(self, topology: str, parents: Sequence[str] = (), images: Sequence[str] = ()) -> Observation: ...
    def owners(self, inodes: Sequence[int]) -> dict[int, str]: ...
    def lock(self, topology: str, owner: str) -> None: ...
    def unlock(self) -> None: ...
    def arm(self, topology: str, changes: Sequence[Change], token: str, seconds: float) -> None: ...
    def at_work(self, busy: bool) -> None: ...
    def settle(self, token: str, what: str) -> str: ...
    def apply(self, topology: str, changes: Sequence[Change] | None, progress: Progress | None) -> None: ...
    def confirm(self) -> None: ...
    def rollback(self) -> None: ...
    def states(self, topology: str) -> list[ContainerState]: ...
    def run_many(
        self, topology: str, jobs: Sequence[tuple[ExecTarget, Sequence[str]]], timeout: float
    ) -> list[tuple[int, bytes, bytes]]: ...
    def attach(
        self,
        topology: str,
        target: ExecTarget,
        argv: Sequence[str],
        terminal: Optional[Mapping[str, Any]],
        peer: Peer,
    ) -> int: ...
    def logs(self, topology: str, container: str, tail: int | None, since: float, timestamps: bool) -> bytes: ...
    def images(self, names: Sequence[str]) -> dict[str, str]: ...
    def unreachable_images(self, names: Sequence[str]) -> dict[str, str]: ...
    def engine_networks(self, names: Sequence[str]) -> dict[str, EngineNetwork]: ...
    def pull_image(self, name: str, progress: Progress | None) -> str: ...
    def take_image(self, data: bytes, *, first: bool, end: bool, abort: bool) -> str: ...
    def tag_image(self, id: str, name: str) -> None: ...
    def close(self) -> None: ...


class Cancelled(BaseException):
    """The controller is gone or asked to stop while a request was worked on.

    Like KeyboardInterrupt no ``Exception``: raised at any point, it must not be taken for a failure of that point.
    """


def serve(agent: Served, read_fd: int, write_fd: int, silence: Optional[float] = None) -> None:
    """Answer requests until the controller closes its end or a signal asks to stop, then close the agent.

    After ``silence`` seconds without a request or a sign of life the controller counts as gone as well: one whose cable
    was cut closes nothing.

    Closing gives the lock back and rolls an unconfirmed apply back; that is the agent's own part. A controller that
    goes away while changes are made is noticed at the next step of progress.
    """
    channel = Channel(Stream(read_fd, write_fd))
    before = _stop_on_signals()
    try:
        channel.announce()
        while silence is None or channel.readable(silence):
            request = channel.receive(None if silence is None else _FRAME_TIMEOUT)
            # Nothing but a sign of life, or a request to stop what is finished by now.
            if request and "cancel" not in request:
                agent.at_work(True)
                agent.known_as(str(request.get("host", "")))
                answer(agent, channel, request, silence)
                agent.at_work(False)
    except (StreamEnded, TimeoutError, Cancelled, KeyboardInterrupt):
        pass
    finally:
        # What is being put back now is not to be disturbed by a second Ctrl-C.
        for number in before:
            signal.signal(number, signal.SIG_IGN)
        try:
            agent.close()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _stop_on_signals() -> dict[int, Any]:
    def stop(number: int, frame: Any) -> None:
        raise Cancelled

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    try:
        return {int(number): signal.signal(number, stop) for number in numbers}
    except ValueError:
        # Signals are the main thread's alone.
        return {}


def answer(agent: Served, channel: Channel, request: Mapping[str, Any], silence: Optional[float] = None) -> None:
    """Work on one request and send what becomes of it. ``silence`` is how long a controller may say nothing while a
    command of its is attached."""
    identity = request.get("id")

    def progress(done: int, total: int, text: str) -> None:
        # While a request is open only one thing is said: stop. Else it is the end of the stream.
        if channel.readable(0):
            try:
                asked = channel.receive(_REST_TIMEOUT)
            except (StreamEnded, TimeoutError, ProtocolError):
                raise Cancelled from None
            if asked:
                raise Interrupted("stopped before the end, as asked")
        agent.at_work(True)
        try:
            channel.send({"id": identity, "progress": {"done": done, "total": total, "text": text}})
        except StreamEnded:
            raise Cancelled from None

    def bring(name: str) -> bytes:
        """Ask the controller for Docker's SDK; see :mod:`netcompose.agent.library`."""
        channel.send({"id": identity, "library": name})
        while True:
            said = channel.receive(None if silence is None else _FRAME_TIMEOUT)
            if "cancel" in said:
                raise Interrupted("stopped before the end, as asked")
            if said:
                return bytes_from_data(said.get("library"))

    try:
        method = _METHODS.get(str(request.get("method")))
        if request.get("method") == "attach":
            method = _attached(Peer(channel, identity, silence))
        params = request.get("params")
        if method is None or not isinstance(params, dict):
            raise ProtocolError("the agent has no method {!r}".format(request.get("method")))
        with library.brought_by(bring):
            said = {"id": identity, "result": method(agent, params, progress)}
    except (Cancelled, KeyboardInterrupt, StreamEnded):
        raise
    except Exception as error:
        said = {"id": identity, "error": error_to_data(error)}
    channel.send(said)


def _observe(agent: Served, params: dict[str, Any], progress: Progress) -> Any:
    return observation_to_data(agent.observe(params["topology"], params.get("parents", ()), params.get("images", ())))


def _apply(agent: Served, params: dict[str, Any], progress: Progress) -> Any:
    data = params["changes"]
    agent.apply(params["topology"], None if data is None else [change_from_data(item) for item in data], progress)


def _arm(agent: Served, params: dict[str, Any], progress: Progress) -> Any:
    changes = [change_from_data(item) for item in params["changes"]]
    agent.arm(params["topology"], changes, str(params["token"]), float(params["seconds"]))


def _run_many(agent: Served, params: dict[str, Any], progress: Progress) -> Any:
    jobs = [(from_data(ExecTarget, job["target"]), job["argv"]) for job in params["jobs"]]
    return [
        {"status": status, "stdout": bytes_to_data(out), "stderr": bytes_to_data(err)}
        for status, out, err in agent.run_many(params["topology"], jobs, params["timeout"])
    ]


def _attached(peer: Peer) -> Callable[[Served, dict[str, Any], Progress], Any]:
    def attach(agent: Served, params: dict[str, Any], progress: Progress) -> int:
        target = from_data(ExecTarget, params["target"])
        return agent.attach(params["topology"], target, params["argv"], params.get("terminal"), peer)

    return attach


def _states(agent: Served, params: dict[str, Any], progress: Progress) -> Any:
    return [to_data(state) for state in agent.states(params["topology"])]


def _logs(agent: Served, params: dict[str, Any], progress: Progress) -> Any:
    since, timestamps = float(params["since"]), bool(params["timestamps"])
    return bytes_to_data(agent.logs(params["topology"], params["container"], params["tail"], since, timestamps))


def _engine_networks(agent: Served, params: dict[str, Any], progress: Progress) -> Any:
    return {name: to_data(item) for name, item in agent.engine_networks(params["names"]).items()}


def _load_image(agent: Served, params: dict[str, Any], progress: Progress) -> Any:
    data = bytes_from_data(params.get("data", ""))
    ways = {key: bool(params.get(key)) for key in ("first", "end", "abort")}
    return agent.take_image(data, **ways)


_METHODS: Mapping[str, Callable[[Served, dict[str, Any], Progress], Any]] = {
    "hello": lambda agent, params, progress: agent.hello(),
    "features": lambda agent, params, progress: agent.features(params.get("names", ())),
    "observe": _observe,
    "owners": lambda agent, params, progress: sorted(agent.owners(params["inodes"]).items()),
    "lock": lambda agent, params, progress: agent.lock(params["topology"], params["owner"]),
    "unlock": lambda agent, params, progress: agent.unlock(),
    "arm": _arm,
    "settle": lambda agent, params, progress: agent.settle(str(params["token"]), str(params["what"])),
    "apply": _apply,
    "confirm": lambda agent, params, progress: agent.confirm(),
    "rollback": lambda agent, params, progress: agent.rollback(),
    "states": _states,
    "run_many": _run_many,
    "logs": _logs,
    "images": lambda agent, params, progress: agent.images(params["names"]),
    "unreachable_images": lambda agent, params, progress: agent.unreachable_images(params["names"]),
    "engine_networks": _engine_networks,
    "pull_image": lambda agent, params, progress: agent.pull_image(str(params["name"]), progress),
    "load_image": _load_image,
    "tag_image": lambda agent, params, progress: agent.tag_image(str(params["id"]), str(params["name"])),
}
