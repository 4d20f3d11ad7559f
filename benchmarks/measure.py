"""Run programs in throw-away hosts against the clock."""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from netcompose.transports.sandbox import Sandbox

ROOT = Path(__file__).resolve().parent.parent
#: Seconds that the kernel may take to clean up after a host of a thousand namespaces.
_SETTLE = 60.0
_QUICK = 0.05
#: The share of the processors that may be in use when a measurement begins, and the seconds over which it is looked at.
_IDLE, _MOMENT = 0.1, 0.3


class Failed(Exception):
    """A program that was to be measured did not succeed."""


def environment(cache: Path) -> dict[str, str]:
    """The environment of what is measured: byte code is cached, as it is for an installed program."""
    paths = [str(ROOT / "orchestrator"), str(ROOT), os.environ.get("PYTHONPATH", "")]
    return {
        **{key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"},
        "PYTHONPYCACHEPREFIX": str(cache),
        "PYTHONPATH": os.pathsep.join(path for path in paths if path),
    }


class Host:
    """A throw-away host that runs programs against the clock."""

    def __init__(self, sandbox: Sandbox, env: dict[str, str]) -> None:
        self._sandbox = sandbox
        self._env = env

    def time(self, *argv: str) -> float:
        """Seconds from the start of a program to its end."""
        start = time.perf_counter()
        done = self._sandbox.run(argv, timeout=600, env=self._env)
        seconds = time.perf_counter() - start
        _demand(argv, done)
        return seconds

    def output(self, *argv: str) -> str:
        """What a program prints."""
        done = self._sandbox.run(argv, timeout=600, env=self._env)
        _demand(argv, done)
        return str(done.stdout)

    @contextmanager
    def running(self, *argv: str) -> Iterator[None]:
        """A program that runs beside what is measured."""
        null = subprocess.DEVNULL
        process = self._sandbox.popen(argv, env=self._env, stdin=null, stdout=null, stderr=null, start_new_session=True)
        try:
            yield
        finally:
            # nsenter(1) leads the process group that the program is in.
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@contextmanager
def fresh_host(env: dict[str, str]) -> Iterator[Host]:
    """A fresh host; afterwards the kernel has finished with it too."""
    settle()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with Sandbox("bench") as sandbox:
        yield Host(sandbox, env)


def settle(seconds: float = _SETTLE) -> None:
    """Wait, at most so many seconds, until the kernel has cleaned up: the removal of namespaces goes on behind their
    last user, holds the lock that making one takes, and is work for the processors. Who is measured must not pay for
    who was before: one leaves a thousand namespaces behind, another has taken them down itself."""
    deadline = time.monotonic() + seconds
    quick = 0
    while quick < 5 and time.monotonic() < deadline:
        start = time.perf_counter()
        subprocess.run(["unshare", "--net", "true"], check=True)
        quick = quick + 1 if time.perf_counter() - start < _QUICK else 0
    while _busy() > _IDLE and time.monotonic() < deadline:
        pass


def _busy() -> float:
    """The share of all processors' time that was used, over a moment (proc_stat(5))."""
    before = _processors()
    time.sleep(_MOMENT)
    idle, total = (now - then for now, then in zip(_processors(), before, strict=True))
    return 1 - idle / total if total else 0.0


def _processors() -> tuple[int, int]:
    """Ticks that were idle, and all of them."""
    with open("/proc/stat", encoding="ascii") as file:
        ticks = [int(word) for word in file.readline().split()[1:9]]
    return ticks[3] + ticks[4], sum(ticks)


def time_here(argv: Sequence[str], env: dict[str, str]) -> float:
    """Seconds of a program on the machine itself, for what touches no kernel state."""
    start = time.perf_counter()
    done = subprocess.run(argv, capture_output=True, text=True, env=env)
    seconds = time.perf_counter() - start
    _demand(argv, done)
    return seconds


def _demand(argv: Sequence[str], done: subprocess.CompletedProcess[str]) -> None:
    if done.returncode != 0:
        raise Failed(f"{' '.join(argv)} ended with {done.returncode}: {(done.stderr or done.stdout)[-600:].strip()}")


def ratio(ones: Sequence[float], others: Sequence[float]) -> float:
    """The median of the ratios of neighbours in time; what slows the machine for a while, slows both."""
    return statistics.median(one / other for one, other in zip(ones, others, strict=True))


def netcompose(*arguments: str) -> list[str]:
    """The command line of netcompose."""
    return [sys.executable, "-m", "netcompose", *arguments]
