"""The state of a machine that has booted, kept beside its image: a test's machine goes on from there.

Booting is some ten seconds of the emulator's work, going on a quarter of one. The RAM of the machine that boots is a
file; the rest of its state is what QEMU would send to another computer when a machine moves there, without the RAM
(QEMU: docs/devel/migration.rst, the capability x-ignore-shared). Any number of machines then go on from the two
files, at once: each maps the RAM privately, so that it is read when it is used, and what it writes is its own.

The machine that boots has no network cards: each that goes on is given cards of its own.

    PYTHONPATH=tests/vm python -m virtual.booted        # make what is missing, and say what took how long
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from virtual.guest import agent as protocol
from virtual.image import Image, NoImage, image
from virtual.qemu import QEMU, START_TIMEOUT, Failed, Qemu, missing, options
from virtual.wire import Call

#: Modules that the kernel loads by itself when something of them is first used, and which bring settings (sysctls)
#: that stay: loaded before a test, so that the host before it and after it can be compared.
MODULES = (
    *("virtio_net", "bridge", "veth", "8021q", "macvlan", "ipvlan", "dummy", "vrf", "vxlan", "tun", "ifb"),
    *("sch_netem", "sch_tbf", "nf_tables", "nf_conntrack", "nft_ct", "nft_nat", "nft_chain_nat", "nft_masq"),
    *("nft_reject_inet", "nft_fib_inet"),
)
#: What the package and its libraries import, imported before the state is kept: by every machine it would be anew.
IMPORTS = (
    *("argparse", "collections.abc", "concurrent.futures.thread", "copy", "ctypes.util", "dataclasses", "difflib"),
    *("fnmatch", "gettext", "glob", "hashlib", "inspect", "ipaddress", "jsonschema", "locale", "logging", "pathlib"),
    *("platform", "random", "resource", "secrets", "shlex", "shutil", "socketserver", "string", "tempfile", "textwrap"),
    *("typing", "urllib.parse", "uuid", "zipfile"),
)
#: Where Debian's packages of Python libraries are.
LIBRARIES = "/usr/lib/python3/dist-packages"
_FILES = ("ram", "state", "about.json")


@dataclass(frozen=True)
class Booted:
    """A machine's state in files, the image that it booted, what its agent said of itself, and what booting took."""

    image: Image
    ram: str
    state: str
    release: str
    #: The first bytes of what Python compiles there (importlib.util.MAGIC_NUMBER), in hexadecimal digits.
    magic: str
    #: 0: the files were there already.
    seconds: float


def booted() -> Booted:
    """The state to go on from, from the cache or made now. Raises ``image.NoImage`` or ``qemu.Failed``."""
    found = image()
    images = Path(found.initrd).parent
    folder = images / f"booted-{_key()}"
    seconds = 0.0
    with _alone(images):
        if not all((folder / name).exists() for name in _FILES):
            start = time.monotonic()
            for old in images.glob("booted-*"):
                shutil.rmtree(old)
            folder.mkdir()
            _boot(found, folder)
            seconds = time.monotonic() - start
    about = json.loads((folder / "about.json").read_text())
    return Booted(found, str(folder / "ram"), str(folder / "state"), about["release"], about["magic"], seconds)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One boots, the others wait for it."""
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _key() -> str:
    """What the state depends on beside the image, the folder that it is kept in."""
    version = subprocess.run([QEMU, "--version"], capture_output=True, text=True, check=True).stdout
    return hashlib.sha256(json.dumps([version, options(), MODULES, IMPORTS]).encode()).hexdigest()[:16]


def _boot(found: Image, folder: Path) -> None:
    machine = Qemu("booting", found.kernel, folder / "ram", "-initrd", found.initrd, shared=True)
    try:
        greeting = machine.greeted()
        _run(machine, "modprobe", "-a", *MODULES)
        machine.ask(protocol.IMPORT, {"package": "yaml", "path": [LIBRARIES], "also": IMPORTS}, timeout=START_TIMEOUT)
        # What is only worth doing once the machine is used should not be under way when it stops.
        _run(machine, "sync")
        descriptor = os.open(folder / "state", os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            _leave_ram_alone(machine)
            machine.monitor("getfd", fd=descriptor, fdname="state")
            machine.monitor("migrate", uri="fd:state")
        finally:
            os.close(descriptor)
        end = time.monotonic() + START_TIMEOUT
        while (status := machine.monitor("query-migrate")["status"]) != "completed":
            if status in ("failed", "cancelled") or time.monotonic() > end:
                raise Failed(f"the state of a machine could not be kept: {status}")
            time.sleep(0.02)
    finally:
        machine.close()
    # Last: without it the other files do not count.
    (folder / "about.json").write_text(json.dumps(greeting))


def _run(machine: Qemu, *argv: str) -> None:
    asked: dict[str, Any] = {"argv": argv, "env": {}, "cwd": "/", "input": False, "together": False}
    done = Call(machine.alive(), protocol.START, asked).finish(None, START_TIMEOUT)
    if done.status != 0:
        raise Failed(f"{argv} failed in a machine that boots: {done.errors.decode()}")


def go_on(name: str, kept: Booted, cards: dict[str, tuple[str, str]], fds: list[int]) -> Qemu:
    """A running machine with these network cards: by their names, QEMU's ``-netdev`` and the MAC address."""
    netdevs = [word for card, (netdev, _) in cards.items() for word in ("-netdev", f"{netdev.replace('ID', card)}")]
    machine = Qemu(name, kept.image.kernel, kept.ram, *netdevs, "-incoming", "defer", fds=fds)
    try:
        descriptor = os.open(kept.state, os.O_RDONLY)
        try:
            _leave_ram_alone(machine)
            machine.monitor("getfd", fd=descriptor, fdname="state")
            machine.monitor("migrate-incoming", uri="fd:state")
        finally:
            os.close(descriptor)
        # A date and random numbers of its own.
        asked = {"time": time.time(), "random": os.urandom(64).hex()}
        machine.ask(protocol.WAKE, asked, timeout=START_TIMEOUT)
        for card, (_, mac) in cards.items():
            machine.monitor("device_add", driver="virtio-net-pci", netdev=card, mac=mac, romfile="")
    except BaseException:
        machine.close()
        raise
    return machine


def _leave_ram_alone(machine: Qemu) -> None:
    machine.monitor("migrate-set-capabilities", capabilities=[{"capability": "x-ignore-shared", "state": True}])


def main() -> None:
    """Have everything ready before the tests, which say themselves what is missing."""
    try:
        reason = missing()
        kept = None if reason else booted()
    except NoImage as error:
        reason, kept = str(error), None
    if kept is None:
        sys.stdout.write(f"virtual machines: none, {reason}\n")
    else:
        built = f"built in {kept.image.seconds:.1f} s, booted in {kept.seconds:.1f} s (0: from the cache)"
        sys.stdout.write(f"virtual machines: Linux {kept.release}, image of {kept.image.size / 1e6:.0f} MB, {built}\n")


if __name__ == "__main__":
    main()
