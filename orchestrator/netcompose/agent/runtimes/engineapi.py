"""The Engine API over the engine's local socket, Docker's and Podman's compatible one, through Docker's SDK for Python.

This is the one module that knows the SDK (package ``docker``, its ``APIClient``): what is asked is a method here, named
for what it does; what comes back is the engine's own data; what fails is one of netcompose's errors, with the engine's
own words. The SDK is imported by the first question to an engine, never before; where it is from is library.py's part.

Two things go past the SDK's methods. An update, because ``update_container`` has no word for a number of processors
(NanoCpus), and the output of a container with a terminal, which ``logs`` reads byte by byte, are requests of our own on
its session (:meth:`EngineApi._request`). And the start of a command with its streams: the SDK reads the head of the
answer with a buffered reader and then hands out the bare socket, so that output which arrives together with the head
is lost (:func:`_take_over`; a test in tests/unit/test_engine_api.py shows both).

(Docker Engine API reference: https://docs.docker.com/reference/api/engine/; SDK: https://docker-py.readthedocs.io/)
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
import threading
from typing import TYPE_CHECKING, Any, Callable, Iterable, Iterator, Mapping, Optional, Sequence, TypeVar
from urllib.parse import quote

from netcompose.agent import library
from netcompose.errors import EngineRefused, HostLacks, NetcomposeError, NotPermitted

if TYPE_CHECKING:
    from docker.api.client import APIClient

Data = Any
_Item = TypeVar("_Item")
#: Where engines listen, in the order in which they are tried.
SOCKETS = {"docker": ("/run/docker.sock", "/var/run/docker.sock"), "podman": ("/run/podman/podman.sock",)}
#: Seconds that the engine may be silent: a stop waits for the grace period on top.
TIMEOUT = 120
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


class EngineApi:
    """One engine. Its methods may be called by several threads at once (``SIDE_BY_SIDE``); connections stay open until
    :meth:`close`. Every method raises ``EngineRefused`` with the engine's own words and status, ``NotPermitted`` and
    ``HostLacks`` when there is no answer, or no SDK to ask with."""

    def __init__(self, path: str, timeout: int = TIMEOUT) -> None:
        self.path = path
        self._timeout = timeout
        self._client: Optional[APIClient] = None
        self._first = threading.Lock()

    def close(self) -> None:
        """Close every connection."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    # The engine

    def version(self) -> Data:
        """What it says of itself: ``Version``, ``Components`` ..."""
        return self._ask(lambda sdk: sdk.version())

    def network(self, name: str) -> Data:
        """One of its networks, by name or id."""
        return self._ask(lambda sdk: sdk.inspect_network(name))

    # Images

    def image(self, reference: str) -> Data:
        """An image that it has, by name or id."""
        return self._ask(lambda sdk: sdk.inspect_image(reference))

    def tag_image(self, id: str, repository: str, tag: str) -> None:
        """Give an image one more name."""
        self._ask(lambda sdk: sdk.tag(id, repository, tag))

    def look_up_image(self, reference: str) -> None:
        """Ask an image's registry whether it has it; refused if not. Podman has no such call."""
        self._ask(lambda sdk: sdk.inspect_distribution(reference))

    def load_image(self, archive: Iterator[bytes]) -> Iterator[Data]:
        """Load an archive as ``docker save`` writes it, sent while it is made; what the engine says meanwhile. What the
        archive's iterator raises is raised here, and the engine takes nothing."""
        return self._follow(lambda sdk: sdk.load_image(archive, quiet=True))

    def pull_image(self, reference: str) -> Iterator[Data]:
        """Fetch an image, with the credentials of this user's own ``~/.docker/config.json`` if it has any; progress."""
        return self._follow(lambda sdk: sdk.pull(reference, stream=True, decode=True))

    # Containers

    def containers(self, label: str = "") -> Data:
        """All containers, also those that do not run; with ``label`` (``key=value``) those that have it."""
        filters = {"label": [label]} if label else None
        return self._ask(lambda sdk: sdk.containers(all=True, filters=filters))

    def container(self, id: str) -> Data:
        """Everything about a container, by its id or name."""
        return self._ask(lambda sdk: sdk.inspect_container(id))

    def create_container(self, name: str, config: Mapping[str, Any]) -> str:
        """Create a container from the body of the API's request; its id."""
        return str(self._ask(lambda sdk: sdk.create_container_from_config(dict(config), name))["Id"])

    def start_container(self, id: str) -> None:
        """Start it, if it does not run."""
        self._ask(lambda sdk: sdk.start(id))

    def stop_container(self, id: str, grace: float) -> None:
        """Stop it, if it runs, and kill it after ``grace`` seconds."""
        self._ask(lambda sdk: sdk.stop(id, timeout=int(grace)))

    def rename_container(self, id: str, name: str) -> None:
        """Give it another name."""
        self._ask(lambda sdk: sdk.rename(id, name))

    def update_container(self, id: str, body: Mapping[str, Any]) -> None:
        """Change what can change while it runs, by the body of the API's request."""
        self._request("POST", "/containers/{}/update".format(quote(id)), json=body)

    def remove_container(self, id: str) -> None:
        """Kill it and remove it, with its anonymous volumes."""
        self._ask(lambda sdk: sdk.remove_container(id, v=True, force=True))

    def output(
        self, id: str, *, terminal: bool, tail: Optional[int], since: float, timestamps: bool, follow: bool
    ) -> Iterator[bytes]:
        """What a container has printed, in pieces; ``terminal`` says whether it has one. ``since`` is in seconds since
        the epoch; with ``follow`` until the container ends, however long it is silent."""
        wanted: dict[str, Any] = {"tail": "all" if tail is None else tail, "timestamps": timestamps, "follow": follow}
        if since:
            wanted["since"] = since
        if not terminal:
            return self._follow(lambda sdk: sdk.logs(id, stdout=True, stderr=True, stream=True, **wanted))
        return self._follow(lambda sdk: self._printed(id, wanted))

    def _printed(self, id: str, wanted: Mapping[str, Any]) -> Iterator[bytes]:
        query = {key: str(value).lower() for key, value in {"stdout": True, "stderr": True, **wanted}.items()}
        path = "/containers/{}/logs".format(quote(id))
        silence = None if wanted["follow"] else self._timeout
        answer = self._request("GET", path, params=query, stream=True, timeout=silence)
        with contextlib.closing(answer):
            yield from answer.iter_content(None)

    # Commands in containers

    def create_command(self, container: str, argv: Sequence[str], *, stdin: bool, tty: bool, env: Sequence[str]) -> str:
        """Prepare one more command in a running container; its id. ``env`` are pieces ``NAME=value``."""
        made = self._ask(
            lambda sdk: sdk.exec_create(container, list(argv), stdin=stdin, tty=tty, environment=list(env))
        )
        return str(made["Id"])

    def start_command(self, id: str, *, tty: bool) -> socket.socket:
        """Start a prepared command; the connection is its standard streams from then on, to be closed by the caller."""
        with self._asking():
            return _take_over(self.path, "/exec/{}/start".format(quote(id)), {"Detach": False, "Tty": tty})

    def command(self, id: str) -> Data:
        """How a command is: ``Running``, ``ExitCode``, ``Pid``."""
        return self._ask(lambda sdk: sdk.exec_inspect(id))

    def resize_command(self, id: str, *, rows: int, columns: int) -> None:
        """Tell a command the size of its terminal."""
        self._ask(lambda sdk: sdk.exec_resize(id, height=rows, width=columns))

    # How it is asked

    def _sdk(self) -> APIClient:
        with self._first:
            if self._client is None:
                self._client = self._connect()
            return self._client

    def _connect(self) -> APIClient:
        library.need()
        # Engines are reached by their sockets alone. Where there is a paramiko, the SDK imports it for its own way over
        # SSH, which takes as long as all the rest; a module that is None is one that is not there.
        sys.modules.setdefault("docker.transport.sshconn", None)  # type: ignore[arg-type]
        try:
            from docker.api.client import APIClient
            from docker.constants import MINIMUM_DOCKER_API_VERSION
        except (ImportError, SyntaxError, TypeError, AttributeError) as error:
            raise library.unusable(error) from error

        def client(version: str) -> APIClient:
            made = APIClient("unix://" + self.path, version=version, timeout=self._timeout, max_pool_size=SIDE_BY_SIDE)
            # A socket of this host has neither a proxy nor a password in ~/.netrc, which are looked for each time.
            made.trust_env = False
            return made

        # The newest version that the engine speaks, as docker(1) asks for it: the SDK's own way takes an engine twenty
        # times as long, because it has to ask its parts for theirs.
        with contextlib.closing(client(MINIMUM_DOCKER_API_VERSION)) as first:
            answer = first.get("{}/_ping".format(first.base_url), timeout=self._timeout)
            answer.raise_for_status()
        return client(answer.headers.get("Api-Version", "auto"))

    def _ask(self, question: Callable[[APIClient], Data]) -> Data:
        with self._asking():
            return question(self._sdk())

    def _follow(self, question: Callable[[APIClient], Iterable[Any]]) -> Iterator[Any]:
        """The items of a stream as they come; it is closed with this iterator."""
        with self._asking():
            stream: Any = question(self._sdk())
            with contextlib.closing(stream):
                yield from stream

    def _request(self, method: str, path: str, **options: Any) -> Any:
        """A request that the SDK has no method for, on its session; the response."""
        with self._asking():
            client = self._sdk()
            options.setdefault("timeout", self._timeout)
            answer = client.request(method, "{}/v{}{}".format(client.base_url, client.api_version, path), **options)
            answer.raise_for_status()
            return answer

    @contextlib.contextmanager
    def _asking(self) -> Iterator[None]:
        try:
            yield
        except NetcomposeError:
            raise
        except Exception as error:
            meant = self._meant(error)
            if meant is None:
                raise
            raise meant from error

    def _meant(self, error: Exception) -> Optional[NetcomposeError]:
        """What went wrong, in our words; None if it is neither the engine's doing nor the connection's."""
        chain = list(_chain(error))
        for cause in chain:
            # requests' HTTPError, which the SDK's own APIError is as well.
            answer = getattr(cause, "response", None)
            if answer is not None:
                return EngineRefused(_words(answer.content) or answer.reason, status=answer.status_code)
        if not any(isinstance(cause, OSError) or _is_of_the_way(cause) for cause in chain):
            return None
        # Every error of requests is an OSError; the kernel's have a number.
        kernel = [cause for cause in chain if isinstance(cause, OSError) and cause.errno]
        if any(isinstance(cause, PermissionError) for cause in kernel):
            return NotPermitted("no permission to ask the engine at {}".format(self.path), hint="run as root")
        reason = (kernel[-1].strerror if kernel else "") or str(chain[-1]) or type(chain[-1]).__name__
        return HostLacks(
            "the engine at {} does not answer: {}".format(self.path, reason),
            hint="is it running? systemctl status docker",
        )


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An exception and those that it wraps, the outermost first: raised from them, or with them as its arguments. Not
    its context, which may be a failure that was being dealt with when this began."""
    yield error
    for inner in (error.__cause__, *error.args):
        if isinstance(inner, BaseException):
            yield from _chain(inner)
            return


def _is_of_the_way(error: BaseException) -> bool:
    """Whether it is one that the SDK or the libraries below it raise about a connection or an answer."""
    return type(error).__module__.partition(".")[0] in ("docker", "requests", "urllib3", "http")


def _take_over(path: str, target: str, body: Mapping[str, Any]) -> socket.socket:
    """A connection that is asked to become a command's streams (the answer is 101 or 200, both without an end)."""
    stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        stream.connect(path)
        content = json.dumps(body).encode()
        head = (
            "POST {} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            "Connection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: {}\r\n\r\n"
        ).format(target, len(content))
        stream.sendall(head.encode() + content)
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            # One byte at a time: what follows the head is the command's.
            byte = stream.recv(1)
            if not byte:
                break
            answer += byte
        status = int([*answer.split(None, 2), b"0", b"0"][1])
        if status not in (101, 200):
            raise EngineRefused(_words(stream.recv(1 << 16)), status=status)
    except BaseException:
        stream.close()
        raise
    return stream


def _words(content: bytes) -> str:
    try:
        return str(json.loads(content)["message"])
    except (ValueError, KeyError, TypeError):
        return content.decode(errors="replace").strip()


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
