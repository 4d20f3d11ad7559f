"""The client of engines: what goes past the SDK and why, whose words errors have, and where the SDK comes from.

A small server on a socket stands at the engine's end where an answer has to be exactly this one. Real engines answer in
tests/docker.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from docker.api.client import APIClient
from testbed.pythons import python39

from netcompose.agent import library, server
from netcompose.agent.protocol import Stream
from netcompose.agent.runtimes.engineapi import EngineApi
from netcompose.errors import EngineRefused, HostLacks, ImageUnusable, Interrupted
from netcompose.transports.remote import RemoteAgent
from netcompose.transports.ssh import bundle, stage

ROOT = Path(__file__).parents[2] / "orchestrator"
UPGRADED = b"HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\nUpgrade: tcp\r\n\r\n"
VERSION = b'{"Version": "20.10.24", "ApiVersion": "1.41"}'
PONG = b"HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nContent-Length: 2\r\n\r\nOK"


def http(body: bytes, status: str = "200 OK", kind: str = "application/json") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


class Answering:
    """The server's end. ``asked`` are the first lines of requests."""

    def __init__(self, path: Path, answers: Callable[[str], bytes | None], pong: bytes) -> None:
        self.asked: list[str] = []
        self.bodies: list[bytes] = []
        self._answers, self._pong = answers, pong
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                end, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(end,), daemon=True).start()

    def _answer(self, end: socket.socket) -> None:
        with end, end.makefile("rb") as lines:
            while line := lines.readline().decode().strip():
                heads = dict(head.lower().split(b": ", 1) for head in iter(lambda: lines.readline().strip(), b""))
                if heads.get(b"transfer-encoding") == b"chunked":
                    body = b""
                    while size := int(lines.readline() or b"-1", 16):
                        if size < 0:
                            # It ended without its end.
                            return
                        body += lines.read(size)
                        lines.readline()
                    lines.readline()
                else:
                    body = lines.read(int(heads.get(b"content-length", 0)))
                self.bodies.append(body)
                self.asked.append(line.removesuffix(" HTTP/1.1"))
                answer = self._pong if line.startswith("GET /_ping") else self._answers(self.asked[-1])
                if answer is None:
                    return
                end.sendall(answer)
                if answer.startswith(UPGRADED):
                    return

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Callable[..., tuple[EngineApi, Answering]]]:
    ends: list[EngineApi | Answering] = []

    def start(
        answers: Callable[[str], bytes | None], timeout: float = 5, pong: bytes = PONG
    ) -> tuple[EngineApi, Answering]:
        answering = Answering(tmp_path / "engine.sock", answers, pong)
        api = EngineApi(str(tmp_path / "engine.sock"), timeout)
        ends.extend((api, answering))
        return api, answering

    yield start
    for end in ends:
        end.close()


def all_of(stream: socket.socket) -> bytes:
    with stream:
        stream.settimeout(5)
        return b"".join(iter(lambda: stream.recv(1 << 16), b""))


def test_what_a_command_says_at_once_is_not_lost(engine):
    api, answering = engine(lambda _: UPGRADED + b"first words")
    assert all_of(api.start_command("abc", tty=True)) == b"first words"
    assert answering.asked == ["POST /exec/abc/start"]
    assert json.loads(answering.bodies[0]) == {"Detach": False, "Tty": True}


def test_the_sdk_loses_it(engine):
    """Why the client has a way of its own. When this fails, ``exec_start(socket=True)`` can be used instead."""
    api, _ = engine(lambda _: UPGRADED + b"first words")
    sdk = APIClient("unix://" + api.path, version="1.41", timeout=5)
    assert sdk.exec_start("abc", tty=True, socket=True).read(100) == b""
    sdk.close()


def test_errors_have_the_engine_s_words_and_status(engine):
    api, _ = engine(lambda _: http(b'{"message": "No such thing: x"}', "404 Not Found"))
    asks = (
        lambda: api.container("x"),
        lambda: api.update_container("x", {"NanoCpus": 1}),
        lambda: api.start_command("x", tty=False),
        lambda: list(api.load_image(iter([b"archive"]))),
        lambda: list(api.output("x", terminal=True, tail=None, since=0, timestamps=False, follow=False)),
    )
    for ask in asks:
        with pytest.raises(EngineRefused) as caught:
            ask()
        assert (caught.value.message, caught.value.status) == ("No such thing: x", 404)


def test_an_engine_may_refuse_without_json(engine):
    api, _ = engine(lambda _: http(b"page not found\n", "404 Not Found", "text/plain"))
    with pytest.raises(EngineRefused, match=r"^page not found$"):
        api.network("x")


@pytest.mark.parametrize("answer", [None, b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"])
def test_a_connection_that_breaks_is_an_engine_that_does_not_answer(engine, answer):
    api, _ = engine(lambda _: answer, timeout=0.2)
    with pytest.raises(HostLacks, match=r"the engine at .*engine\.sock does not answer: "):
        api.network("x")


def test_an_engine_that_is_silent_is_given_up(engine):
    waiting = threading.Event()

    def silent(_: str) -> bytes | None:
        waiting.wait(10)
        return None

    api, _ = engine(silent, timeout=0.2)
    with pytest.raises(HostLacks, match=r"does not answer: .*timed out"):
        api.container("x")
    waiting.set()


def test_without_an_engine_the_kernel_s_word_is_said(tmp_path):
    with pytest.raises(HostLacks, match=r"the engine at .* does not answer: No such file or directory"):
        EngineApi(str(tmp_path / "none.sock")).version()


def test_the_engine_s_newest_version_is_spoken_and_an_update_may_have_every_key(engine):
    api, answering = engine(lambda _: http(b"{}"))
    api.update_container("x/y", {"NanoCpus": 500_000_000, "Memory": 4 << 20})
    assert answering.asked == ["GET /_ping", "POST /v1.41/containers/x/y/update"]
    assert json.loads(answering.bodies[1]) == {"NanoCpus": 500_000_000, "Memory": 4 << 20}


def test_an_engine_that_does_not_say_its_version_at_once_is_asked_for_it(engine):
    api, answering = engine(lambda line: http(VERSION if "version" in line else b"{}"), pong=http(b"OK"))
    api.container("x")
    assert answering.asked == ["GET /_ping", "GET /version", "GET /v1.41/containers/x/json"]


def test_an_archive_that_breaks_off_says_why(engine):
    def archive() -> Iterator[bytes]:
        yield b"the beginning"
        raise ImageUnusable("it broke")

    api, answering = engine(lambda _: http(b'{"stream": "Loaded image: x"}'))
    with pytest.raises(ImageUnusable, match=r"^it broke$"):
        list(api.load_image(archive()))
    assert answering.asked == ["GET /_ping"], "the engine has no whole request"
    assert list(api.load_image(iter([b"all ", b"of it"]))) == [{"stream": "Loaded image: x"}]
    assert answering.asked[1].startswith("POST /v1.41/images/load") and answering.bodies[-1] == b"all of it"


# Where the SDK comes from


def test_an_agent_alone_says_what_to_install():
    """The sources of netcompose on a Python without packages."""
    code = (
        "from netcompose.agent.runtimes.engineapi import EngineApi\n"
        "from netcompose.errors import HostLacks\n"
        "try: EngineApi('/nowhere').version()\n"
        "except HostLacks as error: print(error.message, '/', error.hint)"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert done.stdout == (
        "Docker's SDK for Python is not installed, and an engine is to be asked"
        " / install it beside netcompose: pip install 'docker>=7.1'\n"
    ), done.stderr


def test_the_sdk_comes_without_its_way_over_ssh(engine):
    """paramiko is installed here, and takes as long to import as the SDK."""
    api, _ = engine(lambda _: http(VERSION))
    code = (
        "import sys\nfrom netcompose.agent.runtimes.engineapi import EngineApi\nimport importlib.util\n"
        "print(EngineApi(sys.argv[1]).version()['Version'], 'paramiko' in sys.modules, bool(importlib.util.find_spec('paramiko')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, api.path],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.stdout == "20.10.24 False True\n", done.stderr


def test_the_second_bundle_has_the_sdk_and_what_it_imports_as_python_alone():
    made = bundle.library()
    assert made is not None
    sources = json.loads(made.data)
    assert {path.partition("/")[0] for path in sources} == set(library.PARTS)
    assert all(path.endswith(".py") for path in sources)
    for part in library.PARTS:
        assert f"{part}/__init__.py" in sources
    assert made.name == bundle.pack(library.sources()).name


#: Runs with nothing but Python: the stage's finder, a bundle, an engine's socket.
ALONE = """
import sys
sys.path[:0] = [sys.argv[1], sys.argv[5]]
import front, stage
vars(stage).update(vars(front))
from netcompose.agent import cache
stage.CACHE = sys.argv[2]
with open(sys.argv[3], "rb") as file: data = file.read()
name = stage.digest(data)
import zlib
if not stage.content(stage.opened(name + cache.LIBRARY)):
    assert not cache.bring(stage, name, lambda: zlib.compress(b"another"))
assert cache.bring(stage, name, lambda: zlib.compress(data))
from docker.api.client import APIClient
client = APIClient("unix://" + sys.argv[4], version="auto")
print(client.api_version, client.version()["Version"])
print("certifi" in sys.modules)
try: import docker.nothing
except ImportError: print("and nothing else")
"""


@pytest.mark.parametrize("python", ["this", "3.9"])
def test_it_runs_from_memory_on_a_python_without_packages(engine, python: str, tmp_path: Path):
    interpreter = sys.executable if python == "this" else python39()
    if interpreter is None:
        pytest.skip("no Python 3.9 is installed")
    api, _ = engine(lambda _: http(VERSION))
    made = bundle.library()
    assert made is not None
    (tmp_path / "library").write_bytes(made.data)
    argv = [str(Path(stage.__file__).parent), str(tmp_path / "cache"), str(tmp_path / "library"), api.path]
    argv.append(str(Path(stage.__file__).parents[3]))
    for _ in range(2):
        # The second time from the cache, compiled.
        done = subprocess.run(
            [interpreter, "-I", "-S", "-B", "-W", "error", "-c", ALONE, *argv], capture_output=True, text=True
        )
        assert done.stdout == "1.41 20.10.24\nFalse\nand nothing else\n", done.stderr
    kinds = sorted(path.name[64:].split(".")[-1] for path in (tmp_path / "cache").iterdir())
    assert kinds == ["code", "library"]


class Asking:
    """An agent that came as a bundle and speaks to an engine."""

    def known_as(self, host: str) -> None: ...
    def at_work(self, busy: bool) -> None: ...
    def close(self) -> None: ...

    def images(self, names):
        library.need()
        return {"brought": "yes"}


@pytest.fixture
def remote(monkeypatch: pytest.MonkeyPatch):
    """The controller's end of one, and what it has been brought."""
    brought: list[tuple[str, bytes]] = []

    class Loader:
        @staticmethod
        def bring(name: str, fetch: Callable[[], bytes]) -> bool:
            brought.append((name, fetch()))
            return True

    monkeypatch.setattr(library, "_folder", lambda part: None)
    monkeypatch.setattr(library, "_own_loader", lambda: Loader)
    for module in [name for name in sys.modules if name.partition(".")[0] == "docker"]:
        monkeypatch.delitem(sys.modules, module)
    near, far = socket.socketpair()
    thread = threading.Thread(target=server.serve, args=(Asking(), far.fileno(), far.fileno()))
    thread.start()
    end = RemoteAgent("h", Stream(near.fileno(), os.dup(near.fileno())))
    yield end, brought
    near.shutdown(socket.SHUT_RDWR)
    thread.join(5)
    assert not thread.is_alive()
    near.detach()
    far.close()
    end.close()


def test_an_agent_asks_the_controller_for_it(remote):
    end, brought = remote
    end.library = lambda name: b"the bundle" if name else b"its name"
    assert end.images(["x"]) == {"brought": "yes"}
    assert brought == [("its name", b"the bundle")]


def test_one_that_is_not_what_was_announced_is_refused(remote, monkeypatch):
    end, _ = remote
    end.library = lambda name: b"the bundle" if name else b"its name"
    monkeypatch.setattr(library._own_loader(), "bring", staticmethod(lambda name, fetch: False))
    with pytest.raises(HostLacks, match="did not arrive as it was sent"):
        end.images(["x"])


def test_a_python_that_is_too_old_for_it_says_so(remote, monkeypatch):
    end, _ = remote
    end.library = lambda name: b"the bundle" if name else b"its name"

    def bring(name: str, fetch: Callable[[], bytes]) -> bool:
        compile("match x:\n  case", "bundle/urllib3/new.py", "exec")
        return True

    monkeypatch.setattr(library._own_loader(), "bring", staticmethod(bring))
    with pytest.raises(HostLacks, match=r"cannot be loaded by Python 3\.\d+: .*bundle/urllib3/new\.py"):
        end.images(["x"])


def test_a_controller_without_it_is_told(remote):
    end, brought = remote
    with pytest.raises(HostLacks, match="the controller has no Docker SDK for Python to bring"):
        end.images(["x"])
    assert brought == []


def test_between_requests_nobody_is_asked(remote):
    with pytest.raises(HostLacks, match="nobody is there to bring it"):
        library.need()


def test_a_fork_of_the_agent_leaves_the_connection_alone(remote):
    with library.brought_by(lambda name: pytest.fail("it asked")):
        child = os.fork()
        if child == 0:
            try:
                library.need()
            except HostLacks:
                os._exit(7)
            os._exit(0)
        _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 7


def test_a_request_can_be_stopped_while_the_sdk_is_on_its_way(remote):
    end, _ = remote
    name = threading.Event()

    def cancelled(_: str) -> bytes:
        name.set()
        end.cancel()
        return b"never mind"

    end.library = cancelled
    with pytest.raises(Interrupted):
        end.images(["x"])
