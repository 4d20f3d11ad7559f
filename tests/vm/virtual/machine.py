"""Virtual machines with a distribution's kernel: hosts on which everything is there that a container's host can have.

    with Machine("server4") as host:
        host.run(["ip", "link", "add", "link", "eth1", "name", "v10", "type", "vlan", "id", "10"], check=True)

A machine goes on where one that booted the image of image.py was stopped (booted.py), in QEMU, emulated, so that it needs
neither root nor /dev/kvm, and is there after a second or two. ``eth0`` is for SSH alone: a private network of QEMU's
(10.0.2.0/24) that leads nowhere but from a port of 127.0.0.1 to the machine's sshd (``ssh_port``, ``host_key``; put a key
at /root/.ssh/authorized_keys, or at that of ``tester``, who may use sudo). ``eth1`` is up, without an address, on a
``Segment`` with the other machines of the test.

``run`` and ``popen`` are those of ``netcompose.transports.sandbox.Sandbox``, and so the helpers of tests/kernel work on a
machine as on a throw-away host. Four things are made to fit: this interpreter (``sys.executable``) is the machine's own
Python inside; the package in whose tests this is, is there under the same path and found first (``Machine.push``);
``sys.executable -m netcompose`` (or ``netcompose.agent``) runs in a fork of a process that has imported it (guest/agent.py; /usr/bin/python3 starts
one like everywhere else); and files in the folders of ``share`` are there, too, with their paths, as they are here when a
command starts. Nothing comes back.

There is no file and no port of a machine outside of its process but the one for SSH.
"""

from __future__ import annotations

import compileall
import importlib.util
import io
import json
import re
import shlex
import socket
import subprocess
import sys
import tarfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from virtual.booted import LIBRARIES, Booted, booted, go_on
from virtual.guest import agent as protocol
from virtual.loop import Segment
from virtual.qemu import START_TIMEOUT, Failed, Qemu
from virtual.wire import Call

ROOT = Path(__file__).parents[3]
RELAY = Path(__file__).with_name("relay.py")
#: What belongs to the package in a checkout.
_PARTS = ("orchestrator/netcompose", "schemas", "topologies", "examples", "tests/kernel", "tests/vm")
#: What QEMU's private network gives to its only machine.
_SSH_ADDRESS = "10.0.2.15"
#: Python with a module, as tests start it.
_MODULE = [sys.executable, "-m"]


class Machine:
    """A virtual machine named ``name``; a context manager. ``seconds`` is what starting it took."""

    def __init__(self, name: str = "local", *, segment: Segment | None = None, number: int = 1) -> None:
        self.name = name
        self.number = number
        self.segment = segment or Segment()
        self.seconds = 0.0
        self.release = ""
        #: The port of 127.0.0.1 that leads to its sshd, and that server's public key.
        self.ssh_port = 0
        self.host_key = ""
        self._shared: dict[Path, dict[str, tuple[int, int, int]]] = {}
        self._qemu: Qemu | None = None
        self._forks = False

    def __enter__(self) -> Machine:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> Machine:
        """Start it. Raises ``Failed`` with the last words of its console, or ``image.NoImage``."""
        kept = booted()
        begin = time.monotonic()
        try:
            self.power(kept)
            self._configure(kept)
        except BaseException:
            self.close()
            raise
        self.seconds = time.monotonic() - begin
        return self

    def power(self, kept: Booted) -> None:
        """Start it with its two cards, and no more."""
        self.release = kept.release
        segment = self.segment.plug()
        try:
            cards = {
                "eth0": ("user,id=ID,restrict=on,ipv6=off,hostfwd=tcp:127.0.0.1:0-:22", self.mac(0)),
                "eth1": (f"dgram,id=ID,local.type=fd,local.str={segment.fileno()}", self.mac(1)),
            }
            self._qemu = go_on(self.name, kept, cards, [segment.fileno()])
        finally:
            segment.close()

    def mac(self, card: int) -> str:
        """The address of ``eth0`` or ``eth1``, from QEMU's own range."""
        return f"52:54:00:00:{card:02x}:{self.number:02x}"

    def _configure(self, kept: Booted) -> None:
        python = shlex.quote(sys.executable)
        setup = f"""
            until [ -e /sys/class/net/eth0 -a -e /sys/class/net/eth1 ]; do sleep 0.05; done
            ip addr add {_SSH_ADDRESS}/24 dev eth0; ip link set eth0 up; ip link set eth1 up
            ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key
            /usr/sbin/sshd -f /dev/null -o UsePAM=no -o UseDNS=no -o PidFile=none
            hostname {self.name}; echo {self.name} > /etc/hostname
            echo 127.0.1.1 {self.name} >> /etc/hosts
            mkdir -p "$(dirname {python})"; [ -e {python} ] || ln -s /usr/bin/python3 {python}
            cat /etc/ssh/ssh_host_ed25519_key.pub
        """
        self.host_key = self.run(["sh", "-ec", setup], check=True, cwd="/").stdout.strip()
        forwards = self.monitor("human-monitor-command", command_line="info usernet")
        (port,) = re.findall(r"TCP\[HOST_FORWARD\]\s+\d+\s+127\.0\.0\.1\s+(\d+)\s", forwards)
        self.ssh_port = int(port)
        self.push(kept)

    def push(self, kept: Booted) -> None:
        """This checkout's package, schemas, topologies and examples into the machine, at the paths that they have here."""
        # Compiled here, if the machine's Python can use that: there it takes twenty times as long.
        same = importlib.util.MAGIC_NUMBER.hex() == kept.magic
        if same:
            compileall.compile_dir(ROOT / "orchestrator", quiet=2)

        def kept_back(item: tarfile.TarInfo) -> tarfile.TarInfo | None:
            compiled = "__pycache__" in item.name
            wanted = same and item.name.startswith("orchestrator/") and sys.implementation.cache_tag in item.name
            return None if compiled and not item.isdir() and not wanted else item

        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            for part in _PARTS:
                archive.add(ROOT / part, part, filter=kept_back)
        alive = self._alive()
        alive.ask(protocol.PUT, {"path": str(ROOT), "archive": True}, buffer.getvalue())
        path = str(ROOT / "orchestrator")
        self.put(f"import sys; sys.path.insert(0, {path!r})\n", f"{LIBRARIES}/netcompose-checkout.pth")
        alive.ask(protocol.IMPORT, {"package": "netcompose", "path": [path], "also": []}, timeout=START_TIMEOUT)
        self._forks = True

    def put(self, content: bytes | str | Path, path: str, mode: int = 0o644) -> None:
        """Write a file inside, of a content or of a file here."""
        if isinstance(content, Path):
            content = content.read_bytes()
        data = content.encode() if isinstance(content, str) else content
        self._alive().ask(protocol.PUT, {"path": path, "archive": False, "mode": mode}, data)

    def share(self, folder: str | Path) -> None:
        """From now on files below this folder are copied into the machine before each command, where they changed."""
        self._shared[Path(folder)] = {}

    def unshare(self, folder: str | Path) -> None:
        """Copy no more, and remove the machine's copy."""
        if self._shared.pop(Path(folder), None) and self.pid:
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
                    self._alive().ask(protocol.PUT, {"path": str(path), "archive": True}, _EMPTY_ARCHIVE)
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
        wire = self._alive().alive()
        self._copy()
        relay, ours = socket.socketpair()
        asked = self._asked(argv, env, cwd, given=options.get("stdin") != subprocess.DEVNULL)
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
        stderr: int = subprocess.PIPE,
    ) -> subprocess.CompletedProcess[Any]:
        """Run a command inside to its end, its output captured. As ``Sandbox.run``, and no program here stands for it.

        ``stderr`` is ``PIPE`` or ``STDOUT``.
        """
        self._copy()
        asked = self._asked(argv, env, cwd, given=input is not None)
        asked["together"] = stderr == subprocess.STDOUT
        call = Call(self._alive().alive(), protocol.START, asked)
        ended = call.finish(input.encode() if isinstance(input, str) else input, timeout)
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
        words = [str(word) for word in argv]
        return {
            "argv": words,
            "env": dict(env or {}),
            "cwd": str(cwd or "/root"),
            "input": given,
            "together": False,
            "fork": self._forks and words[:2] == _MODULE and words[2].partition(".")[0] == "netcompose",
        }

    def _alive(self) -> Qemu:
        if self._qemu is None:
            raise Failed(f"machine {self.name} is not running")
        return self._qemu

    @property
    def pid(self) -> int:
        """QEMU's process."""
        return self._qemu.pid if self._qemu is not None else 0

    def console(self) -> str:
        """What the machine has written to its serial console since it was started."""
        return self._qemu.console() if self._qemu is not None else ""

    def monitor(self, command: str, **arguments: Any) -> Any:
        """A command of QEMU's monitor, its answer: ``set_link`` pulls a cable, for example."""
        return self._alive().monitor(command, **arguments)

    def cable(self, plugged: bool, card: str = "eth1") -> None:
        """Pull a card's cable, or put it back: its carrier goes and comes."""
        self.monitor("set_link", name=card, up=plugged)

    def restart(self) -> None:
        """Power off and on: nothing of what was in its memory, and that is everything, is left."""
        self.close()
        self.start()

    def close(self) -> None:
        """End it at once, as if by the power switch. Can be called again."""
        qemu, self._qemu = self._qemu, None
        if qemu is not None:
            qemu.close()
        self._forks = False
        self._shared = {folder: {} for folder in self._shared}


def _empty_archive() -> bytes:
    buffer = io.BytesIO()
    tarfile.open(fileobj=buffer, mode="w").close()
    return buffer.getvalue()


_EMPTY_ARCHIVE = _empty_archive()
