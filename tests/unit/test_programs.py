"""Programs that are run without subprocess: what they say, how they end, and that nothing is left of them."""

from __future__ import annotations

import os
import signal
import sys
import time

import pytest

from netcompose.agent import programs


def descriptors() -> list[str]:
    return os.listdir("/proc/self/fd")


def children() -> list[str]:
    """The processes that this one has, zombies included."""
    with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as file:
        return file.read().split()


def test_what_it_reads_and_writes_goes_through_whole():
    before = descriptors()
    text = "\u00e4 line\n" * 200_000
    code = (
        "import sys; data = sys.stdin.buffer.read(); sys.stderr.buffer.write(data[::-1]); sys.stdout.buffer.write(data)"
    )
    done = programs.run([sys.executable, "-I", "-S", "-c", code], text)
    assert done.status == 0 and done.stdout == text
    assert done.stderr.encode("utf-8", "replace") and len(done.stderr) >= len(text)
    assert programs.run(["cat"]) == (0, "", "")
    assert len(descriptors()) == len(before)


def test_how_it_ended():
    assert programs.run(["sh", "-c", "echo out; echo err >&2; exit 3"]) == (3, "out\n", "err\n")
    assert programs.run(["sh", "-c", "kill -TERM $$"]).status == -signal.SIGTERM
    # It reads nothing of what it is sent.
    assert programs.run(["true"], "x" * (1 << 20)).status == 0
    with pytest.raises(FileNotFoundError):
        programs.run(["no-such-program-anywhere"])


def test_a_program_starts_as_from_a_shell():
    """Signals that Python ignores are not ignored, and nothing is open that was opened here."""
    ignored = programs.run(["grep", "SigIgn", "/proc/self/status"]).stdout.split()[1]
    assert not int(ignored, 16) & (1 << (signal.SIGPIPE - 1) | 1 << (signal.SIGXFSZ - 1))
    with open(__file__, encoding="utf-8") as file:
        assert file.fileno() > 2
        shown = programs.run(["ls", "-l", "/proc/self/fd"]).stdout
        assert " 2 -> pipe:" in shown and __file__ not in shown


@pytest.mark.parametrize("script", ["exec sleep 100", "exec >&- 2>&-; exec sleep 100"], ids=["silent", "closed"])
def test_one_that_does_not_end_is_killed(script: str):
    before, running, start = descriptors(), children(), time.monotonic()
    with pytest.raises(TimeoutError):
        programs.run(["sh", "-c", script], timeout=0.3)
    assert time.monotonic() - start < 10
    assert len(descriptors()) == len(before)
    assert children() == running
