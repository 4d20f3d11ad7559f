"""The Engine API over the engine's local socket: Docker's, and Podman's compatible one.

A small HTTP client on the standard library, because of what its users are: every plan that has image containers, and a
gatekeeper that stays. Measured side by side, Docker's SDK with what it needs takes three times as long to import and
20 MB instead of 8, and would be four more packages in the agent that is sent to hosts. What is called here is old and
the same in every engine since API 1.24: paths have no version, so the engine's newest is spoken.

(Docker Engine API reference: https://docs.docker.com/reference/api/engine/)
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import threading
from typing import Any, Iterator, Mapping, Optional, Sequence, TypeVar
from urllib.parse import quote, urlencode

from netcompose.errors import EngineRefused, HostLacks, NotPermitted

Data = Any
_Item = TypeVar("_Item")
#: Where engines listen, in the order in which they are tried.
SOCKETS = {"docker": ("/run/docker.sock", "/var/run/docker.sock"), "podman": ("/run/podman/podman.sock",)}
#: Seconds that the engine may be silent: a stop waits for the grace period on top.
TIMEOUT = 120.0
#: Requests that the engine is asked side by side.
SIDE_BY_SIDE = 8


def socket_path(runtime: str = "") -> str:
    """The socket of this host's engine: ``DOCKER_HOST`` if that is one, else the usual places; empty if there is none.
    ``runtime`` is ``docker`` or ``podman``, or empty for whichever there is. No connection is made."""
    told = os.environ.get("DOCKER_HOST", "")
    if told.startswith("unix://") and runtime in ("", "docker"):
        return told[len("unix://") :]
    for name in (runtime,) if runtime else SOCKETS:
        for path in SOCKETS.get(name, ()):
            if os.path.exists(path):
                return path
    return ""


class _Connection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: str, timeout: Optional[float]) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """Connect to the engine instead of a host name."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        self.sock.settimeout(self.timeout)
        try:
            self.sock.connect(self._path)
        except BaseException:
            self.sock.close()
            raise


class EngineApi:
    """One engine. Every thread has a connection of its own, which stays open between requests."""

    def __init__(self, path: str, timeout: float = TIMEOUT) -> None:
        self.path = path
        self._timeout = timeout
        self._own = threading.local()
        self._all: list[_Connection] = []

    def close(self) -> None:
        """Close every connection."""
        while self._all:
            self._all.pop().close()
        self._own = threading.local()

    def get(self, path: str, **query: Any) -> Data:
        """The answer's JSON."""
        return self.call("GET", path, query)

    def post(self, path: str, body: Data = None, **query: Any) -> Data:
        """The answer's JSON; None for an answer without one."""
        return self.call("POST", path, query, body)

    def delete(self, path: str, **query: Any) -> Data:
        """The answer's JSON; None for an answer without one."""
        return self.call("DELETE", path, query)

    def call(self, method: str, path: str, query: Mapping[str, Any], body: Data = None) -> Data:
        """One request; raises ``EngineRefused`` with the engine's own words."""
        answer = self._send(method, path, query, body)
        content = answer.read()
        if answer.status >= 400:
            raise EngineRefused(_words(content) or answer.reason, status=answer.status)
        if answer.getheader("Content-Type", "").startswith("application/json") and content.strip():
            return json.loads(content)
        return content or None

    def stream(
        self, method: str, path: str, query: Mapping[str, Any], body: Optional[Iterator[bytes]] = None
    ) -> Iterator[bytes]:
        """The answer in pieces, as they come, over a connection of its own; ``body`` is sent in chunks. One that is
        followed may be silent for as long as it likes."""
        connection = _Connection(self.path, None if query.get("follow") else self._timeout)
        try:
            answer = self._send(method, path, query, body, connection)
            if answer.status >= 400:
                content = answer.read()
                raise EngineRefused(_words(content) or answer.reason, status=answer.status)
            while True:
                piece = answer.read1(1 << 16)
                if not piece:
                    return
                yield piece
        finally:
            connection.close()

    def lines(
        self, method: str, path: str, query: Mapping[str, Any], body: Optional[Iterator[bytes]] = None
    ) -> Iterator[Data]:
        """A stream of JSON objects, one a line (progress of a pull, of a load)."""
        rest = b""
        for piece in self.stream(method, path, query, body):
            *whole, rest = (rest + piece).split(b"\n")
            for line in whole:
                if line.strip():
                    yield json.loads(line)
        if rest.strip():
            yield json.loads(rest)

    def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any],
        body: Any,
        connection: Optional[_Connection] = None,
    ) -> http.client.HTTPResponse:
        target = quote(path) + ("?" + urlencode(_plain(query)) if query else "")
        headers = {}
        if isinstance(body, (dict, list)):
            body, headers = json.dumps(body).encode(), {"Content-Type": "application/json"}
        elif body is not None:
            headers = {"Content-Type": "application/x-tar", "Transfer-Encoding": "chunked"}
        own = connection is None
        used = self._connection() if connection is None else connection
        for attempt in range(2):
            fresh = used.sock is None
            try:
                used.request(method, target, body, headers, encode_chunked="Transfer-Encoding" in headers)
                return used.getresponse()
            except (http.client.HTTPException, OSError) as error:
                used.close()
                # The engine may have closed a connection that was idle; one that is new has no such excuse.
                if fresh or not own or attempt:
                    raise self._unreachable(error) from error
        raise AssertionError("unreachable")

    def _connection(self) -> _Connection:
        connection: Optional[_Connection] = getattr(self._own, "connection", None)
        if connection is None:
            connection = self._own.connection = _Connection(self.path, self._timeout)
            self._all.append(connection)
        return connection

    def _unreachable(self, error: Exception) -> Exception:
        if isinstance(error, PermissionError):
            return NotPermitted("no permission to ask the engine at {}".format(self.path), hint="run as root")
        reason = (error.strerror if isinstance(error, OSError) else "") or str(error) or type(error).__name__
        return HostLacks(
            "the engine at {} does not answer: {}".format(self.path, reason),
            hint="is it running? systemctl status docker",
        )


def _words(content: bytes) -> str:
    try:
        return str(json.loads(content)["message"])
    except (ValueError, KeyError, TypeError):
        return content.decode(errors="replace").strip()


def _plain(query: Mapping[str, Any]) -> dict[str, str]:
    """Query parameters as the engine reads them: lists and mappings are JSON."""
    return {
        key: json.dumps(value) if isinstance(value, (dict, list, bool)) else str(value) for key, value in query.items()
    }


def side_by_side(function: Any, items: Sequence[_Item]) -> list[Optional[BaseException]]:
    """Call for each item, some at a time; what each raised, or None. All are waited for."""
    from concurrent.futures import ThreadPoolExecutor

    if len(items) < 2:
        return [_outcome(function, item) for item in items]
    with ThreadPoolExecutor(max_workers=SIDE_BY_SIDE) as pool:
        return list(pool.map(lambda item: _outcome(function, item), items))


def _outcome(function: Any, item: Any) -> Optional[BaseException]:
    try:
        function(item)
    except Exception as error:
        return error
    return None
