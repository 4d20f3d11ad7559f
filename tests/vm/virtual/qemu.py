"""One running QEMU: its process, its console, its monitor, and the wire to the agent inside.

It is ended by its creator, and by the kernel if the creating thread dies in any other way (prctl(2)).
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from typing import Any

from virtual.guest import agent as protocol
from virtual.wire import Call, Wire

QEMU = "qemu-system-x86_64"
#: Seconds that booting may take: eight on an idle computer, a minute on one with four times too much to do.
START_TIMEOUT = 180.0
#: Of RAM, in MiB.
MEMORY = 1024
#: The CPU without what costs an emulator time and gives a test nothing: wide vectors, a fifth level of page tables.
CPU = "max,-avx,-avx2,-la57,-smap,-smep"
#: With addresses drawn by lot, every process would be translated anew by the emulator: ``norandmaps`` alone makes the
#: start of a program five times as fast.
KERNEL_LINE = (
    "console=ttyS0 panic=-1 mitigations=off nokaslr norandmaps init_on_alloc=0 quiet loglevel=4 "
    "ifb.numifbs=0 dummy.numdummies=0"
)


class Failed(Exception):
    """A machine did not start or has died."""


class Qemu:
    """A machine with one CPU, whose RAM is the file ``ram``: written to if ``shared``, else only read.

    One CPU, because more of them, emulated, do not always see it in time when the kernel changes its own code (jump
    labels), and then it panics with "int3". Nothing is faster with two on a computer with two.
    """

    def __init__(
        self,
        name: str,
        kernel: str,
        ram: str | os.PathLike[str],
        *more: str,
        shared: bool = False,
        fds: Sequence[int] = (),
    ) -> None:
        self.name = name
        wire, wire_inside = socket.socketpair()
        monitor, monitor_inside = socket.socketpair()
        # Its words go to a file without a name: a full pipe would stop it.
        self._console = tempfile.TemporaryFile()
        sharing = "on" if shared else "off"
        argv = [
            # It may not outlive these tests, however they end (prctl(2), PR_SET_PDEATHSIG).
            *("setpriv", "--pdeathsig", "KILL", "--"),
            *(QEMU, "-name", name, *options(), "-kernel", kernel),
            *("-object", f"memory-backend-file,id=ram,size={MEMORY}M,mem-path={_escaped(ram)},share={sharing}"),
            *("-chardev", f"socket,id=agent,fd={wire_inside.fileno()}"),
            *("-device", f"virtserialport,chardev=agent,name={protocol.PORT}"),
            *("-chardev", f"socket,id=monitor,fd={monitor_inside.fileno()}", "-mon", "chardev=monitor,mode=control"),
            *more,
        ]
        try:
            self._process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=self._console,
                stderr=self._console,
                pass_fds=(wire_inside.fileno(), monitor_inside.fileno(), *fds),
                # Ctrl-C is for the tests, which then close this.
                start_new_session=True,
            )
        finally:
            for end in (wire_inside, monitor_inside):
                end.close()
        self.pid = self._process.pid
        self.wire = Wire(wire)
        self._monitor = monitor
        self._replies = monitor.makefile("rb")
        self._replies.readline()
        self.monitor("qmp_capabilities")

    def console(self) -> str:
        """What it has written to its serial console."""
        return os.pread(self._console.fileno(), 1 << 20, 0).decode(errors="replace")

    def monitor(self, command: str, *, fd: int | None = None, **arguments: Any) -> Any:
        """A command of QEMU's monitor (QEMU Machine Protocol), with a file to pass if need be; its answer."""
        words = {name.replace("_", "-"): value for name, value in arguments.items()}
        line = json.dumps({"execute": command, "arguments": words}).encode() + b"\n"
        if fd is None:
            self._monitor.sendall(line)
        else:
            socket.send_fds(self._monitor, [line], [fd])
        while answer := self._replies.readline():
            told = json.loads(answer)
            if "error" in told:
                raise Failed(f"{command}: {told['error']['desc']}")
            if "return" in told:
                return told["return"]
        raise Failed(f"machine {self.name} died under {command}:\n{self.console()[-2000:]}")

    def ask(self, kind: bytes, asked: dict[str, Any], data: bytes | None = None, timeout: float = 60.0) -> None:
        """Something that the agent inside does itself, to its end."""
        done = Call(self.alive(), kind, asked).finish(data, timeout)
        if done.status != 0:
            raise Failed(f"machine {self.name}: {done.errors.decode() or self.console()[-2000:]}")

    def alive(self) -> Wire:
        """The wire to its agent. Raises ``Failed`` if it is not running."""
        if self.wire.closed:
            raise Failed(f"machine {self.name} is not running:\n{self.console()[-2000:]}")
        return self.wire

    def greeted(self) -> dict[str, Any]:
        """Wait until its agent speaks for the first time; what it says of itself."""
        end = time.monotonic() + START_TIMEOUT
        while not self.wire.hello.wait(0.1):
            if self.wire.closed or time.monotonic() > end:
                raise Failed(f"machine {self.name} did not start:\n{self.console()[-2000:]}")
        return dict(json.loads(self.wire.greeting))

    def close(self) -> None:
        """End it at once, as if by the power switch. Can be called again."""
        self._process.kill()
        self._process.wait()
        self.wire.close()
        self._replies.close()
        self._monitor.close()
        self._console.close()


def options() -> tuple[str, ...]:
    """What makes the machine the one whose state was kept: all but its RAM, its wires and its network cards."""
    return (
        *("-machine", "pc,memory-backend=ram", "-accel", "tcg", "-cpu", CPU, "-smp", "1", "-m", str(MEMORY)),
        *("-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-append", KERNEL_LINE),
        *("-serial", "stdio", "-device", "virtio-serial-pci"),
    )


def _escaped(path: str | os.PathLike[str]) -> str:
    """A path within an option, whose parts are apart by commas."""
    return os.fspath(path).replace(",", ",,")


def missing() -> str:
    """Why there can be no virtual machine here; empty if there can."""
    if os.uname().machine != "x86_64":
        return "the virtual machines are for x86_64"
    if not shutil.which(QEMU):
        return f"{QEMU} is not installed (package qemu-system-x86)"
    return ""
