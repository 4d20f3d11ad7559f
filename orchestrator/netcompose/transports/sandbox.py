"""A throw-away host: network, mount, UTS, IPC and PID namespaces, and a user namespace where there is no root.

What ``rehearse`` brings a topology up in, and the tests. Interfaces, hostname, ``/etc``, ``/run`` and processes
inside are its own; ``/tmp``, ``/home`` and the programs are the machine's. It ends with its creator: the creator
holds the write end of a pipe whose end of file its first process waits for, and the kernel closes that end however
the creator dies. (The parent-death signal would come as soon as the creating *thread* ends, prctl(2).) When the
first process ends, the kernel ends every process inside, and with the last one go the namespaces: nothing is left.

    with Sandbox("server4") as host:
        host.run(["ip", "link", "add", "br0", "type", "bridge"], check=True)
        host.connection.observe("campus")

Another process can put an interface inside by ``host.pid`` (``ip link set veth1 netns PID``); that is the seam at which
segments between sandboxes belong.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from netcompose.errors import HostLacks, HostUnreachable

if TYPE_CHECKING:
    from netcompose.transports.remote import RemoteAgent

#: Seconds that a sandbox may take to start, and to end.
START_TIMEOUT = 20.0
_KINDS = ("--net", "--mount", "--uts", "--ipc", "--pid")


class Sandbox:
    """A throw-away host named ``name``; a context manager.

    ``user_namespace`` forces or forbids the one for work without root; None takes one where the caller may not make
    the other namespaces by itself. Raises ``HostLacks`` or ``NotPermitted`` if this machine does not allow a sandbox.
    ``notes`` says what it could not have (see sandbox_host.py). One that is ``beside`` another shares that one's user
    namespace, so that a cable can be laid between the two without root.
    """

    def __init__(
        self, name: str = "local", *, user_namespace: bool | None = None, beside: Sandbox | None = None
    ) -> None:
        self.name = name
        self.user_namespace: bool = not _may_make_namespaces() if user_namespace is None else user_namespace
        self._beside = beside if beside is not None and beside.user_namespace else None
        self.notes: tuple[str, ...] = ()
        self.pid = 0
        self._connection: RemoteAgent | None = None
        self._agents: list[subprocess.Popen[bytes]] = []
        self._outer: subprocess.Popen[bytes] | None = None
        self._life = -1

    def __enter__(self) -> Sandbox:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> Sandbox:
        """Start it; the ``with`` statement does so by itself."""
        stay, self._life = os.pipe()
        receive, send = os.pipe()
        own = self.user_namespace and self._beside is None
        options = {"name": self.name, "user_namespace": own, "life": stay, "report": send}
        try:
            # A session of its own: Ctrl-C at the terminal is for the creator, which then closes this.
            self._outer = subprocess.Popen(
                [
                    *(self._beside.enter("--user") if self._beside is not None else ()),
                    *(sys.executable, "-m", "netcompose.transports.sandbox_host", json.dumps(options)),
                ],
                pass_fds=(stay, send),
                stdin=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                start_new_session=True,
                env=environment(None),
            )
        except BaseException:
            os.close(receive)
            self.close()
            raise
        finally:
            os.close(stay)
            os.close(send)
        try:
            self._await(receive)
        except BaseException:
            self.close()
            raise
        return self

    def _await(self, receive: int) -> None:
        import select

        with open(receive, "rb") as pipe:
            poller = select.poll()
            poller.register(pipe, select.POLLIN)
            if not poller.poll(START_TIMEOUT * 1000):
                raise HostUnreachable(f"sandbox {self.name}: it did not start within {START_TIMEOUT:g} s")
            answer = pipe.read()
        if not answer:
            said = self._outer.stderr.read() if self._outer and self._outer.stderr else b""
            raise HostLacks(f"sandbox {self.name}: it did not start: {said.decode(errors='replace').strip()[-500:]}")
        report = json.loads(answer)
        if "error" in report:
            from netcompose.agent.protocol import error_from_data

            raise error_from_data(report["error"])
        self.pid, self.notes = report["pid"], tuple(report["notes"])

    @property
    def connection(self) -> RemoteAgent:
        """The agent inside, started by the first use."""
        if self._connection is None:
            self._connection = self.connect()
        return self._connection

    def connect(self) -> RemoteAgent:
        """A connection of its own, to one more agent inside."""
        from netcompose.agent.protocol import Stream
        from netcompose.transports.remote import RemoteAgent

        agent = self.popen([sys.executable, "-m", "netcompose.agent"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert agent.stdin is not None and agent.stdout is not None  # noqa: S101 (for the type checker)
        self._agents.append(agent)
        stream = Stream(os.dup(agent.stdout.fileno()), os.dup(agent.stdin.fileno()))
        agent.stdin.close()
        agent.stdout.close()
        return RemoteAgent(self.name, stream)

    def enter(self, *kinds: str) -> list[str]:
        """The words of nsenter(1) that bring a command into some of its namespaces."""
        # The single mapped id is root inside already; switching groups is what the kernel would refuse.
        keep = ["--preserve-credentials"] if "--user" in kinds else []
        return ["nsenter", "--target", str(self.pid), *kinds, *keep]

    def popen(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        **options: Any,
    ) -> subprocess.Popen[Any]:
        """Start a command inside; ``options`` are those of ``subprocess.Popen``.

        ``env`` is added to the caller's environment; ``cwd`` is a folder inside, by default the caller's own. A
        negative return code means a signal to ``nsenter``; one that ended the command is 128 plus its number.
        """
        if not self.pid:
            raise HostUnreachable(f"sandbox {self.name}: it is not running")
        enter = self.enter(*_KINDS, *(["--user"] if self.user_namespace else []))
        try:
            folder = cwd or os.getcwd()
            # nsenter lands in the root of the new mount namespace; env(1) goes where the caller is.
            return subprocess.Popen([*enter, "env", "-C", folder, "--", *argv], env=environment(env), **options)
        except FileNotFoundError as error:
            raise HostLacks("nsenter is not installed", hint="it is part of the package util-linux") from error

    def run(
        self,
        argv: Sequence[str],
        *,
        input: bytes | str | None = None,
        timeout: float | None = 60.0,
        env: Mapping[str, str] | None = None,
        check: bool = False,
        text: bool = True,
        **options: Any,
    ) -> subprocess.CompletedProcess[Any]:
        """Run a command inside to its end, its output captured; as ``subprocess.run`` otherwise.

        After ``timeout`` seconds the command and its children are killed and ``subprocess.TimeoutExpired`` is raised.
        """
        import signal

        options.setdefault("stdout", subprocess.PIPE)
        options.setdefault("stderr", subprocess.PIPE)
        options.setdefault("stdin", subprocess.DEVNULL if input is None else subprocess.PIPE)
        with self.popen(argv, env=env, text=text, start_new_session=True, **options) as process:
            try:
                out, err = process.communicate(input, timeout)
            except BaseException:
                # nsenter's child has another PID namespace but the same process group.
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                raise
        done = subprocess.CompletedProcess(list(argv), process.returncode, out, err)
        if check:
            done.check_returncode()
        return done

    def close(self) -> None:
        """End everything inside and wait until it is gone. Can be called again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._life >= 0:
            os.close(self._life)
            self._life = -1
        outer, self._outer = self._outer, None
        if outer is not None:
            try:
                outer.wait(START_TIMEOUT)
            except subprocess.TimeoutExpired:
                # Its first process is told by the kernel of this death and follows.
                outer.kill()
                outer.wait()
            if outer.stderr is not None:
                outer.stderr.close()
        for agent in self._agents:
            agent.wait()
        self._agents = []
        self.pid = 0


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The caller's environment, in which Python finds this very package, plus ``more``."""
    import netcompose

    # The parent of the package's folder, or the bundle that it is in.
    root = os.path.dirname(os.path.dirname(os.path.abspath(netcompose.__file__)))
    before = os.environ.get("PYTHONPATH", "")
    return {**os.environ, "PYTHONPATH": root + (os.pathsep + before if before else ""), **(more or {})}


def _may_make_namespaces() -> bool:
    """True if this process has CAP_SYS_ADMIN (bit 21, capabilities(7))."""
    with open("/proc/self/status", encoding="utf-8") as file:
        for line in file:
            if line.startswith("CapEff:"):
                return bool(int(line.split()[1], 16) >> 21 & 1)
    return False
