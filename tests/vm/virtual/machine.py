"""Virtual machines with a distribution's kernel: hosts on which everything is there that a container's host can have.

    with Machine("server4") as host:
        host.run(["ip", "link", "add", "link", "eth1", "name", "v10", "type", "vlan", "id", "10"], check=True)

A machine boots the image of image.py in QEMU, emulated, so it needs neither root nor /dev/kvm, and takes some ten seconds.
``eth0`` is for SSH alone: a private network of QEMU's that leads nowhere but from a port of 127.0.0.1 to the machine's sshd.
``eth1`` is on a ``Segment`` with the other machines of the test. Both are there without an address.

``run`` and ``popen`` are those of ``netcompose.transports.sandbox.Sandbox``, and so the helpers of tests/kernel work on a
machine as on a throw-away host. Three things are made to fit: this interpreter (``sys.executable``) is the machine's
own Python inside; the package in whose tests this is, is there and found first (``Machine.push``); and files in the
folders of ``share`` are there, too, with their paths, as they are here when a command starts. Nothing comes back.

QEMU is ended by its creator, and by the kernel if the creating thread dies in any other way (prctl(2)). There is no
file and no port of a machine outside of its process but the one for SSH.
"""

from __future__ import annotations

import contextlib
import ctypes
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from virtual import image as images
from virtual.guest import agent as protocol
from virtual.image import Image
from virtual.loop import LOOP, Segment

ROOT = Path(__file__).parents[3]
RELAY = Path(__file__).with_name("relay.py")
QEMU = "qemu-system-x86_64"
#: Where the package is inside, and what belongs to it in a checkout.
PACKAGE = "/usr/lib/netcompose-checkout"
_PARTS = ("orchestrator/netcompose", "schemas", "topologies", "examples", "tests/kernel", "tests/vm")
#: Seconds until the agent of a machine speaks. Ten on an idle computer.
START_TIMEOUT = 120.0
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


class Failed(Exception):
    """A machine did not start or has died."""


class Machine:
    """A virtual machine named ``name``; a context manager. ``seconds`` is what starting it took."""

    def __init__(
        self, name: str = "local", *, segment: Segment | None = None, number: int = 1, memory: int = 1024, cpus: int = 2
    ) -> None:
        self.name = name
        self.number = number
        self.memory = memory
        self.cpus = cpus
        self.segment = segment or Segment()
        self.seconds = 0.0
        self.release = ""
        self.ssh_port = 0
        self._shared: dict[Path, dict[str, tuple[int, int, int]]] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._wire: Wire | None = None
        self._console: IO[bytes] | None = None
        self._monitor: socket.socket | None = None

    def __enter__(self) -> Machine:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> Machine:
        """Boot it. Raises ``Failed`` with the last words of its console, or ``image.NoImage``."""
        found = images.image()
        begin = time.monotonic()
        try:
            self._boot(found)
            assert self._wire is not None
            end = time.monotonic() + START_TIMEOUT
            while not self._wire.hello.wait(0.1):
                if self._wire.closed or time.monotonic() > end:
                    raise Failed(f"machine {self.name} did not start:\n{self.console()[-2000:]}")
            self.release = json.loads(self._wire.greeting)["release"]
            self._configure()
        except BaseException:
            self.close()
            raise
        self.seconds = time.monotonic() - begin
        return self

    def _boot(self, found: Image) -> None:
        wire, wire_inside = socket.socketpair()
        monitor, monitor_inside = socket.socketpair()
        segment = self.segment.plug()
        # Its words go to a file without a name: a full pipe would stop it.
        self._console = tempfile.TemporaryFile()
        argv = [
            *(QEMU, "-name", self.name, "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", str(self.cpus)),
            *("-m", str(self.memory), "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"),
            *("-kernel", found.kernel, "-initrd", found.initrd),
            *("-append", "console=ttyS0 panic=-1 mitigations=off nokaslr quiet loglevel=4"),
            *("-serial", "stdio", "-device", "virtio-serial-pci"),
            *("-chardev", f"socket,id=agent,fd={wire_inside.fileno()}"),
            *("-device", f"virtserialport,chardev=agent,name={protocol.PORT}"),
            *("-chardev", f"socket,id=monitor,fd={monitor_inside.fileno()}", "-mon", "chardev=monitor,mode=control"),
            *("-netdev", "user,id=eth0,restrict=on,ipv6=off,hostfwd=tcp:127.0.0.1:0-:22"),
            *("-device", f"virtio-net-pci,netdev=eth0,mac={self.mac(0)},romfile="),
            *("-netdev", f"dgram,id=eth1,local.type=fd,local.str={segment.fileno()}"),
            *("-device", f"virtio-net-pci,netdev=eth1,mac={self.mac(1)},romfile="),
        ]
        parent = os.getpid()

        def die_with_parent() -> None:
            _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:
                os._exit(1)

        try:
            self._process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=self._console,
                stderr=self._console,
                pass_fds=(wire_inside.fileno(), monitor_inside.fileno(), segment.fileno()),
                # Ctrl-C is for the tests, which then close this.
                start_new_session=True,
                preexec_fn=die_with_parent,
            )
        finally:
            for end in (wire_inside, monitor_inside, segment):
                end.close()
        self._wire = Wire(wire)
        self._monitor = monitor

    def mac(self, card: int) -> str:
        """The address of ``eth0`` or ``eth1``, from QEMU's own range."""
        return f"52:54:00:00:{card:02x}:{self.number:02x}"

    def _configure(self) -> None:
        setup = f"""
            hostname {self.name}; echo {self.name} > /etc/hostname
            echo 127.0.1.1 {self.name} >> /etc/hosts
            mkdir -p {os.path.dirname(sys.executable)}; ln -sf /usr/bin/python3 {sys.executable}
        """
        self.run(["sh", "-ec", setup], check=True, cwd="/")
        self.push()

    def push(self) -> None:
        """This checkout's package, schemas, topologies and examples into the machine, in place of what was there."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            for part in _PARTS:
                archive.add(ROOT / part, part, filter=_without_caches)
        self.run(["rm", "-rf", PACKAGE], check=True, cwd="/")
        self._put({"path": PACKAGE, "archive": True}, buffer.getvalue())
        # Compiled once, not by every command anew; and at the paths that they have here.
        lines = "".join(f"import sys; sys.path.insert(0, {PACKAGE + '/orchestrator'!r})\n")
        self.put(lines.encode(), "/usr/lib/python3/dist-packages/netcompose-checkout.pth")
        self.run(
            ["python3", "-m", "compileall", "-q", "-j", str(self.cpus), f"{PACKAGE}/orchestrator"], check=True, cwd="/"
        )
        self.run(["sh", "-ec", f"mkdir -p {ROOT.parent}; ln -sfn {PACKAGE} {ROOT}"], check=True, cwd="/")

    def put(self, content: bytes | str | Path, path: str, mode: int = 0o644) -> None:
        """Write a file inside, of a content or of a file here."""
        if isinstance(content, Path):
            content = content.read_bytes()
        data = content.encode() if isinstance(content, str) else content
        self._put({"path": path, "archive": False, "mode": mode}, data)

    def _put(self, asked: dict[str, Any], data: bytes) -> None:
        done = Call(self._alive(), protocol.PUT, asked).finish(data, 60)
        if done.status != 0:
            raise Failed(f"machine {self.name}: {done.errors.decode()}")

    def share(self, folder: str | Path) -> None:
        """From now on files below this folder are copied into the machine before each command, where they changed."""
        self._shared[Path(folder)] = {}

    def unshare(self, folder: str | Path) -> None:
        """Copy no more, and remove the machine's copy."""
        if self._shared.pop(Path(folder), None) is not None:
            self.run(["rm", "-rf", str(folder)], cwd="/")

    def _copy(self) -> None:
        for folder, known in self._shared.items():
            for path in [folder, *folder.rglob("*")]:
                status = path.lstat()
                seen = (status.st_mtime_ns, status.st_size, status.st_ino)
                if known.get(str(path)) == seen:
                    continue
                known[str(path)] = seen
                if path.is_symlink() or path.is_socket() or path.is_fifo():
                    continue
                if path.is_dir():
                    self._put({"path": str(path), "archive": True}, _EMPTY_ARCHIVE)
                else:
                    self.put(path, str(path), status.st_mode & 0o777)

    def popen(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        **options: Any,
    ) -> subprocess.Popen[Any]:
        """Start a command inside; what is returned is a program here that stands for it. As ``Sandbox.popen``.

        When that program is killed, the command's process group inside is, too.
        """
        wire = self._alive()
        self._copy()
        relay, ours = socket.socketpair()
        stdin = options.get("stdin")
        asked = self._asked(argv, env, cwd, given=stdin != subprocess.DEVNULL)
        asked["together"] = options.get("stderr") == subprocess.STDOUT
        pass_fds = (*options.pop("pass_fds", ()), relay.fileno())
        try:
            process = subprocess.Popen(
                [sys.executable, "-S", "-E", str(RELAY), str(relay.fileno())], pass_fds=pass_fds, **options
            )
        finally:
            relay.close()
        wire.relay(ours, json.dumps(asked).encode())
        return process

    def run(
        self,
        argv: Sequence[str],
        *,
        input: bytes | str | None = None,
        timeout: float | None = 60.0,
        env: Mapping[str, str] | None = None,
        check: bool = False,
        text: bool = True,
        cwd: str | None = None,
        **options: Any,
    ) -> subprocess.CompletedProcess[Any]:
        """Run a command inside to its end, its output captured. As ``Sandbox.run``."""
        if options:
            with self.popen(
                argv,
                env=env,
                cwd=cwd,
                text=text,
                **{
                    "stdout": subprocess.PIPE,
                    "stderr": subprocess.PIPE,
                    "stdin": subprocess.DEVNULL if input is None else subprocess.PIPE,
                    **options,
                },
            ) as process:
                try:
                    outputs = process.communicate(input, timeout)
                except BaseException:
                    process.kill()
                    raise
            done = subprocess.CompletedProcess(list(argv), process.returncode, *outputs)
        else:
            self._copy()
            call = Call(self._alive(), protocol.START, self._asked(argv, env, cwd, given=input is not None))
            data = input.encode() if isinstance(input, str) else input
            ended = call.finish(data, timeout)
            if ended.status is None:
                if not ended.late:
                    raise Failed(f"machine {self.name} died under {argv}:\n{self.console()[-2000:]}")
                raise subprocess.TimeoutExpired(list(argv), timeout or 0, ended.output, ended.errors)
            out, err = bytes(ended.output), bytes(ended.errors)
            done = subprocess.CompletedProcess[Any](list(argv), ended.status, out, err)
            if text:
                done.stdout, done.stderr = out.decode(), err.decode()
        if check:
            if done.returncode:
                sys.stderr.write(f"{argv}: {done.stdout!r} {done.stderr!r}\n")
            done.check_returncode()
        return done

    def _asked(
        self, argv: Sequence[str], env: Mapping[str, str] | None, cwd: str | None, given: bool
    ) -> dict[str, Any]:
        return {
            "argv": [str(word) for word in argv],
            "env": dict(env or {}),
            "cwd": str(cwd or "/root"),
            "input": given,
            "together": False,
        }

    def _alive(self) -> Wire:
        if self._wire is None or self._wire.closed:
            raise Failed(f"machine {self.name} is not running:\n{self.console()[-2000:]}")
        return self._wire

    @property
    def pid(self) -> int:
        """QEMU's process."""
        return self._process.pid if self._process is not None else 0

    def console(self) -> str:
        """What the machine has written to its serial console."""
        if self._console is None:
            return ""
        return os.pread(self._console.fileno(), 1 << 20, 0).decode(errors="replace")

    def monitor(self, command: str, **arguments: Any) -> Any:
        """A command of QEMU's monitor (QEMU Machine Protocol), its answer: ``set_link`` pulls a cable, for example."""
        assert self._monitor is not None, "it is not running"
        if not hasattr(self, "_replies"):
            self._replies = self._monitor.makefile("rb")
            self._replies.readline()
            self.monitor("qmp_capabilities")
        self._monitor.sendall(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
        while True:
            answer = json.loads(self._replies.readline())
            if "error" in answer:
                raise Failed(f"{command}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]

    def close(self) -> None:
        """End it at once, as if by the power switch. Can be called again."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
        if self._wire is not None:
            self._wire.close()
            self._wire = None
        for item in (self._monitor, self._console):
            if item is not None:
                item.close()
        self.__dict__.pop("_replies", None)
        self._monitor = self._console = None
        self._shared = {folder: {} for folder in self._shared}


def _without_caches(item: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if "__pycache__" in item.name else item


def _empty_archive() -> bytes:
    buffer = io.BytesIO()
    tarfile.open(fileobj=buffer, mode="w").close()
    return buffer.getvalue()


_EMPTY_ARCHIVE = _empty_archive()


class Wire:
    """The connection to a machine's agent: frames of many commands on one virtio-serial port."""

    def __init__(self, sock: socket.socket) -> None:
        self.hello = threading.Event()
        self.greeting = b""
        self.closed = False
        self._sock = sock
        self._sock.setblocking(False)
        self._in, self._out = bytearray(), bytearray()
        self._calls: dict[int, Call | _Relayed] = {}
        self._number = 0
        LOOP.call(lambda: LOOP.add(sock, self._readable))

    def open(self, call: Call | _Relayed, kind: bytes, data: bytes) -> int:
        """A new channel; anything for it is then given to ``call``, in the loop's thread. From any thread."""
        # Only tests' threads and the loop's get here, one statement each: numbers are drawn by the interpreter's lock.
        self._number = number = self._number + 1
        self._calls[number] = call
        self.send(number, kind, data)
        return number

    def send(self, channel: int, kind: bytes, data: bytes = b"") -> None:
        """From any thread."""
        frame = protocol.HEAD.pack(channel, kind, len(data)) + data
        LOOP.call(lambda: self._push(frame))

    def relay(self, sock: socket.socket, asked: bytes) -> None:
        """A command whose input and output are frames on ``sock``; it is killed when that is closed."""
        _Relayed(self, sock, asked)

    def forget(self, channel: int) -> None:
        self._calls.pop(channel, None)

    def close(self) -> None:
        """From any thread."""
        LOOP.call(self._close)

    def _close(self) -> None:
        if not self.closed:
            self.closed = True
            LOOP.remove(self._sock)
            for call in list(self._calls.values()):
                call.lost()

    def _push(self, data: bytes) -> None:
        if not self.closed:
            self._out += data
            self._writable()

    def _writable(self) -> None:
        try:
            while self._out:
                del self._out[: self._sock.send(self._out[: 1 << 18])]
        except BlockingIOError:
            pass
        except OSError:
            self._close()
            return
        LOOP.want(self._sock, self._readable, self._writable if self._out else None)

    def _readable(self) -> None:
        try:
            data = self._sock.recv(1 << 18)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._close()
            return
        self._in += data
        while len(self._in) >= protocol.HEAD.size:
            channel, kind, length = protocol.HEAD.unpack_from(self._in)
            end = protocol.HEAD.size + length
            if len(self._in) < end:
                return
            content = bytes(self._in[protocol.HEAD.size : end])
            del self._in[:end]
            if kind == protocol.HELLO:
                self.greeting = content
                self.hello.set()
            elif call := self._calls.get(channel):
                call.frame(kind, content)


class Call:
    """One command or file, waited for by the thread that started it."""

    def __init__(self, wire: Wire, kind: bytes, asked: dict[str, Any]) -> None:
        self.output, self.errors = bytearray(), bytearray()
        self.status: int | None = None
        self.late = False
        self._done = threading.Event()
        self._open = {protocol.OUTPUT_END, protocol.ERROR_END, protocol.EXIT}
        self._wire = wire
        self._channel = wire.open(self, kind, json.dumps(asked).encode())

    def finish(self, data: bytes | None, timeout: float | None) -> Call:
        """Give it its input and wait for its end; ``status`` is None if it did not come, and ``late`` if it was in vain."""
        for start in range(0, len(data or b""), 1 << 16):
            self._wire.send(self._channel, protocol.INPUT, (data or b"")[start : start + (1 << 16)])
        self._wire.send(self._channel, protocol.INPUT_END)
        try:
            self.late = not self._done.wait(timeout)
        except BaseException:
            self._wire.send(self._channel, protocol.KILL)
            raise
        if self.late:
            self._wire.send(self._channel, protocol.KILL)
            self.status = None
        self._wire.forget(self._channel)
        return self

    def frame(self, kind: bytes, data: bytes) -> None:
        if kind == protocol.OUTPUT:
            self.output += data
        elif kind == protocol.ERROR:
            self.errors += data
        elif kind == protocol.EXIT:
            self.status = int(data)
        self._open.discard(kind)
        if not self._open:
            self._done.set()

    def lost(self) -> None:
        """The machine is gone."""
        self.status = None
        self._done.set()


class _Relayed:
    """A command that a program here stands for (relay.py): frames are passed on both ways."""

    def __init__(self, wire: Wire, sock: socket.socket, asked: bytes) -> None:
        self._wire, self._sock = wire, sock
        self._in = bytearray()
        self._open = {protocol.OUTPUT_END, protocol.ERROR_END, protocol.EXIT}
        self._channel = wire.open(self, protocol.START, asked)
        LOOP.call(lambda: LOOP.add(sock, self._readable))

    def frame(self, kind: bytes, data: bytes) -> None:
        # The relay writes to whoever reads its output, who may be slow: this is the one place where the loop waits for it.
        with contextlib.suppress(OSError):
            self._sock.sendall(protocol.HEAD.pack(0, kind, len(data)) + data)
        self._open.discard(kind)
        if not self._open:
            self._wire.forget(self._channel)

    def lost(self) -> None:
        LOOP.remove(self._sock)

    def _readable(self) -> None:
        try:
            data = self._sock.recv(1 << 16)
        except OSError:
            data = b""
        if not data:
            LOOP.remove(self._sock)
            if self._open:
                self._wire.send(self._channel, protocol.KILL)
            return
        self._in += data
        while len(self._in) >= protocol.HEAD.size:
            _, kind, length = protocol.HEAD.unpack_from(self._in)
            end = protocol.HEAD.size + length
            if len(self._in) < end:
                return
            self._wire.send(self._channel, kind, bytes(self._in[protocol.HEAD.size : end]))
            del self._in[:end]


def missing() -> str:
    """Why there can be no virtual machine here; empty if there can."""
    if os.uname().machine != "x86_64":
        return "the virtual machines are for x86_64"
    if not shutil.which(QEMU):
        return f"{QEMU} is not installed (package qemu-system-x86)"
    return ""
