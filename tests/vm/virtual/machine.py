"""Virtual machines with a distribution's kernel: hosts on which everything is there that a container's host can have.

    with Machine("server4") as host:
        host.run(["ip", "link", "add", "link", "eth1", "name", "v10", "type", "vlan", "id", "10"], check=True)

A machine boots the image of image.py in QEMU, emulated, so it needs neither root nor /dev/kvm, and takes some ten seconds.
``eth0`` is for SSH alone: a private network of QEMU's (10.0.2.0/24) that leads nowhere but from a port of 127.0.0.1 to
the machine's sshd (``ssh_port``, ``host_key``; put a key at /root/.ssh/authorized_keys, or at that of ``tester``, who may
use sudo). ``eth1`` is up, without an address, on a ``Segment`` with the other machines of the test.

``run`` and ``popen`` are those of ``netcompose.transports.sandbox.Sandbox``, and so the helpers of tests/kernel work on a
machine as on a throw-away host. Three things are made to fit: this interpreter (``sys.executable``) is the machine's
own Python inside; the package in whose tests this is, is there and found first (``Machine.push``); and files in the
folders of ``share`` are there, too, with their paths, as they are here when a command starts. Nothing comes back.

QEMU is ended by its creator, and by the kernel if the creating thread dies in any other way (prctl(2)). There is no
file and no port of a machine outside of its process but the one for SSH.
"""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from virtual import image as images
from virtual.guest import agent as protocol
from virtual.image import Image
from virtual.loop import Segment
from virtual.wire import Call, Wire

ROOT = Path(__file__).parents[3]
RELAY = Path(__file__).with_name("relay.py")
QEMU = "qemu-system-x86_64"
#: Where the package is inside, and what belongs to it in a checkout.
PACKAGE = "/usr/lib/netcompose-checkout"
_PARTS = ("orchestrator/netcompose", "schemas", "topologies", "examples", "tests/kernel", "tests/vm")
#: Seconds until the agent of a machine speaks: ten on an idle computer, a minute on one with four times too much to do.
START_TIMEOUT = 180.0


#: What QEMU's private network gives to its only machine.
_SSH_ADDRESS = "10.0.2.15"


class Failed(Exception):
    """A machine did not start or has died."""


class Machine:
    """A virtual machine named ``name``; a context manager. ``seconds`` is what starting it took.

    One CPU, because more of them, emulated, do not always see it in time when the kernel changes its own code (jump
    labels), and then it panics with "int3". Nothing is faster with two on a computer with two.
    """

    def __init__(
        self, name: str = "local", *, segment: Segment | None = None, number: int = 1, memory: int = 1024, cpus: int = 1
    ) -> None:
        self.name = name
        self.number = number
        self.memory = memory
        self.cpus = cpus
        self.segment = segment or Segment()
        self.seconds = 0.0
        self.release = ""
        #: The port of 127.0.0.1 that leads to its sshd, and that server's public key.
        self.ssh_port = 0
        self.host_key = ""
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
            # It may not outlive these tests, however they end (prctl(2), PR_SET_PDEATHSIG).
            *("setpriv", "--pdeathsig", "KILL", "--"),
            *(QEMU, "-name", self.name, "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", str(self.cpus)),
            *("-m", str(self.memory), "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"),
            *("-kernel", found.kernel, "-initrd", found.initrd),
            *(
                "-append",
                "console=ttyS0 panic=-1 mitigations=off nokaslr quiet loglevel=4 ifb.numifbs=0 dummy.numdummies=0",
            ),
            *("-serial", "stdio", "-device", "virtio-serial-pci"),
            *("-chardev", f"socket,id=agent,fd={wire_inside.fileno()}"),
            *("-device", f"virtserialport,chardev=agent,name={protocol.PORT}"),
            *("-chardev", f"socket,id=monitor,fd={monitor_inside.fileno()}", "-mon", "chardev=monitor,mode=control"),
            *("-netdev", "user,id=eth0,restrict=on,ipv6=off,hostfwd=tcp:127.0.0.1:0-:22"),
            *("-device", f"virtio-net-pci,netdev=eth0,mac={self.mac(0)},romfile="),
            *("-netdev", f"dgram,id=eth1,local.type=fd,local.str={segment.fileno()}"),
            *("-device", f"virtio-net-pci,netdev=eth1,mac={self.mac(1)},romfile="),
        ]
        try:
            self._process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=self._console,
                stderr=self._console,
                pass_fds=(wire_inside.fileno(), monitor_inside.fileno(), segment.fileno()),
                # Ctrl-C is for the tests, which then close this.
                start_new_session=True,
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
            ip addr add {_SSH_ADDRESS}/24 dev eth0; ip link set eth0 up; ip link set eth1 up
            ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key
            /usr/sbin/sshd -f /dev/null -o UsePAM=no -o UseDNS=no -o PidFile=none
            hostname {self.name}; echo {self.name} > /etc/hostname
            echo 127.0.1.1 {self.name} >> /etc/hosts
            mkdir -p {os.path.dirname(sys.executable)}; ln -sf /usr/bin/python3 {sys.executable}
        """
        self.run(["sh", "-ec", setup], check=True, cwd="/")
        self.host_key = self.run(["cat", "/etc/ssh/ssh_host_ed25519_key.pub"], check=True).stdout.strip()
        forwards = self.monitor("human-monitor-command", **{"command-line": "info usernet"})
        (port,) = re.findall(r"TCP\[HOST_FORWARD\]\s+\d+\s+127\.0\.0\.1\s+(\d+)\s", forwards)
        self.ssh_port = int(port)
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
        if self._shared.pop(Path(folder), None) is not None and self.pid:
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

    def cable(self, plugged: bool, card: str = "eth1") -> None:
        """Pull a card's cable, or put it back: its carrier goes and comes."""
        self.monitor("set_link", name=card, up=plugged)

    def restart(self) -> None:
        """Power off and on: nothing of what was in its memory, and that is everything, is left."""
        self.close()
        self.start()

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


def missing() -> str:
    """Why there can be no virtual machine here; empty if there can."""
    if os.uname().machine != "x86_64":
        return "the virtual machines are for x86_64"
    if not shutil.which(QEMU):
        return f"{QEMU} is not installed (package qemu-system-x86)"
    return ""
