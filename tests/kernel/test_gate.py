"""The gate as a program, for every processor that there is one for: natively, or emulated by qemu-user.

It looks for its socket at a fixed place, so it is run below a root of its own: an overlay of the machine's, in a
throw-away host.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import zlib
from base64 import b64decode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support import run, until

from netcompose.agent.runtimes.gatebinary import PROGRAMS
from netcompose.transports.sandbox import Sandbox

_ROOT = "/mnt/root"
#: Answers one connection after the other: each with the next word, of which "-" is none; then it stays silent.
_ANSWERS = """
import socket, sys
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1] + "/.netcompose/socket")
listener.listen(8)
print("listening", flush=True)
for word in sys.argv[2:]:
    end, _ = listener.accept()
    print("asked", flush=True)
    if word != "-":
        end.send(word.encode())
    end.close()
waiting = []
while True:
    waiting.append(listener.accept())
    print("asked", flush=True)
"""

Gate = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def host() -> Iterator[Sandbox]:
    with Sandbox("server4") as sandbox:
        yield sandbox


@pytest.fixture(params=sorted(PROGRAMS))
def gate(request: pytest.FixtureRequest, host: Sandbox, tmp_path: Path) -> Gate:
    """Starts the gate in front of a command, with an environment."""
    machine = request.param
    emulator = shutil.which(f"qemu-{machine}") or shutil.which(f"qemu-{machine}-static")
    if machine != os.uname().machine and emulator is None:
        pytest.skip(f"not installed: qemu-{machine} (package qemu-user)")
    program = tmp_path / "gate"
    program.write_bytes(zlib.decompress(b64decode(PROGRAMS[machine])))
    script = f"""
        mount -t tmpfs root /mnt && mkdir /mnt/upper /mnt/work {_ROOT}
        mount -t overlay root -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work {_ROOT}
        mkdir {_ROOT}/.netcompose && install -m 755 {program} {_ROOT}/.netcompose/gate
    """
    run(host, "sh", "-ec", script)
    emulated = [emulator] if emulator is not None and machine != os.uname().machine else []

    def start(*argv: str, **environment: str) -> subprocess.Popen[str]:
        words = [f"{key}={value}" for key, value in environment.items()]
        command = ["chroot", _ROOT, "env", "-i", *words, *emulated, "/.netcompose/gate", *argv]
        pipe = subprocess.PIPE
        return host.popen(command, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True)

    return start


@pytest.fixture
def answer(host: Sandbox, tmp_path: Path) -> Iterator[Callable[..., Callable[[], int]]]:
    """Starts what answers; gives how often it was asked so far."""
    started: list[subprocess.Popen[Any]] = []
    said = tmp_path / "said"

    def start(*words: str) -> Callable[[], int]:
        with said.open("w") as file:
            started.append(host.popen(["python3", "-c", _ANSWERS, _ROOT, *words], stdout=file))
        until(lambda: "listening" in said.read_text())
        return lambda: said.read_text().count("asked")

    yield start
    host.close()
    for process in started:
        process.wait(10)


def test_the_program_runs_when_the_gatekeeper_says_so_and_as_it_was_given(
    gate: Gate, answer: Callable[..., Callable[[], int]]
) -> None:
    # Nobody is there, then one who hangs up, then one who says something else, then the word.
    waiting = gate(
        "sh", "-c", 'echo "$0 $1 $A"; exit 7', "first", "two words", A="value", PATH="/nowhere:/usr/bin:/bin"
    )
    with pytest.raises(subprocess.TimeoutExpired):
        waiting.wait(0.3)
    asked = answer("-", "n", "g")
    out, errors = waiting.communicate(timeout=20)
    assert (out, errors, waiting.returncode) == ("first two words value\n", "", 7)
    assert asked() == 3


@pytest.mark.parametrize("name, status", [("no-such-program", 127), ("/etc/hostname", 126)])
def test_a_program_that_cannot_be_run_is_told(
    gate: Gate, answer: Callable[..., Callable[[], int]], name: str, status: int
) -> None:
    answer("g")
    done = gate(name, PATH="/usr/bin:/bin")
    out, errors = done.communicate(timeout=20)
    words = "not found in the image" if status == 127 else "cannot be run"
    assert (out, errors, done.returncode) == ("", f"netcompose: {name}: {words}\n", status)


def test_while_it_waits_it_ends_when_it_is_asked_to(
    gate: Gate, answer: Callable[..., Callable[[], int]], host: Sandbox
) -> None:
    asked = answer()
    waiting = gate("sh", "-c", "echo never")
    until(lambda: asked() == 1)
    run(host, "pkill", "-TERM", "-f", "/.netcompose/gate sh -c")
    out, _ = waiting.communicate(timeout=20)
    assert (out, waiting.returncode) == ("", 128 + 15)
