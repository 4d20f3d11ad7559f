"""``exec`` at a keyboard: the same on this machine and on another host, over a real sshd, with a real pty at this end."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from testbed.sites import NETCOMPOSE, NETWORK, Site, wait_until

TOPOLOGY = """
name: lab
containers:
  far: {host: server1, network_mode: none, command: [sleep, "1000"]}
  bare: {host: server1, network_mode: none}
  near: {host: local, network_mode: none, command: [sleep, "1000"]}
"""
WHERE = ["far", "bare", "near"]


@pytest.fixture
def lab(make_site: Callable[..., Site], tmp_path: Path) -> Site:
    """One host and this machine, up."""
    site = make_site(1)
    site.file = tmp_path / "topology.yaml"  # type: ignore[attr-defined]
    site.file.write_text(site.document() + f"  local: {{underlay: {NETWORK}.1}}\n" + TOPOLOGY)  # type: ignore[attr-defined]
    site.netcompose("up", "-f", str(site.file))  # type: ignore[attr-defined]
    return site


def command(lab: Site, *argv: str) -> list[str]:
    return [*NETCOMPOSE, "-f", str(lab.file), "exec", *argv]  # type: ignore[attr-defined]


class Terminal:
    """A terminal with a program on it, as a person sees it."""

    def __init__(self, lab: Site, argv: list[str]) -> None:
        self.near, far = pty.openpty()
        self.resize(33, 101)
        # A session whose terminal it is.
        become = "import fcntl,os,sys,termios; os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
        env = {"HOME": str(lab.home), "SSH_AUTH_SOCK": "", "TERM": "vt220", "PATH": os.environ["PATH"]}
        self.process = lab.controller.popen(
            [sys.executable, "-c", become, *argv], env=env, stdin=far, stdout=far, stderr=far
        )
        self.before = termios.tcgetattr(far)
        self.far = far
        self.seen = ""

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self.near, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text: str) -> None:
        os.write(self.near, text.encode())

    def expect(self, text: str, seconds: float = 30) -> None:
        """Wait until it is on the screen, after what was waited for before."""
        end = time.monotonic() + seconds
        while text not in self.seen:
            assert select.select([self.near], [], [], max(0, end - time.monotonic()))[0], (
                f"{text!r} not in {self.seen!r}"
            )
            self.seen += os.read(self.near, 4096).decode(errors="replace")
        self.seen = self.seen.partition(text)[2]

    def close(self) -> None:
        self.process.kill()
        self.process.wait(10)
        os.close(self.near)
        os.close(self.far)


@contextmanager
def terminal(lab: Site, *argv: str) -> Iterator[Terminal]:
    opened = Terminal(lab, command(lab, *argv))
    try:
        yield opened
    finally:
        opened.close()


@pytest.mark.parametrize("where", WHERE)
def test_a_shell_at_a_terminal(lab: Site, where: str) -> None:
    with terminal(lab, "-it", where, "bash", "--norc") as it:
        it.expect("# ")
        it.type("echo $((6*7)) $TERM $(stty size) $(tty | cut -c1-8); hostname\n")
        it.expect(f"42 vt220 33 101 /dev/pts\r\n{where}\r\n")
        # Job control: the shell leads a session of its own, and Ctrl-C is for the program in front.
        it.type("sleep 777\n")
        it.expect("sleep 777\r\n")
        wait_until(lambda: "sleep 777" in running(lab, where))
        it.type("\x03")
        it.expect("# ")
        wait_until(lambda: "sleep 777" not in running(lab, where))
        it.type("echo still $?\n")
        it.expect("still 130\r\n")
        it.type("trap 'echo now $(stty size)' WINCH; echo set\n")
        it.expect("\rset\r\n")
        it.resize(50, 132)
        it.type("\n")
        it.expect("now 50 132\r\n")
        it.type("exit 7\n")
        assert it.process.wait(20) == 7
        # As it was before, although every key went to the other side meanwhile.
        assert termios.tcgetattr(it.far) == it.before


def running(lab: Site, where: str) -> str:
    return lab.run("ps", "-eo", "args").stdout if where == "near" else lab["server1"].run("ps", "-eo", "args")


@pytest.mark.parametrize("where", WHERE)
def test_pipes(lab: Site, where: str) -> None:
    def run(*argv: str, input: str = "", status: int = 0) -> subprocess.CompletedProcess[str]:
        return lab.run(*command(lab, where, "--", *argv), input=input, status=status)

    # More than any buffer on the way has room for, in both directions, and the end of the input.
    text = "".join(f"line {number}\n" for number in range(200_000))
    assert run("cat", input=text).stdout == text
    done = run("sh", "-c", "tty; echo out; echo err >&2; exit 42", status=42)
    assert done.stdout == "not a tty\nout\n" and done.stderr == "err\n"
    # A command that reads nothing of what it is given ends all the same; so does one of which something stays behind.
    assert run("true", input=text).stdout == ""
    if where != "near":
        # Here it has the very pipe, and whoever reads that waits for whoever holds it.
        start = time.monotonic()
        assert run("sh", "-c", "sleep 60 & echo done").stdout == "done\n"
        assert time.monotonic() - start < 30
    run("sh", "-c", "kill -9 $$", status=137)
    assert "command not found: nope" in run("nope", status=1).stderr
    assert "-t asks for a terminal" in lab.run(*command(lab, "-t", where, "true"), status=1).stderr


@pytest.mark.parametrize("where", WHERE)
def test_signals_without_a_terminal_are_the_commands(lab: Site, where: str) -> None:
    script = "trap 'echo caught; exit 5' INT; echo ready; for i in {1..300}; do sleep 0.1; done"
    # As Ctrl-C does: to the whole group.
    code = """
        import os, signal, subprocess, sys
        null, pipe = subprocess.DEVNULL, subprocess.PIPE
        process = subprocess.Popen(sys.argv[1:], stdin=null, stdout=pipe, text=True, start_new_session=True)
        print(process.stdout.readline(), end="", flush=True)
        os.killpg(process.pid, signal.SIGINT)
        print(process.stdout.readline(), process.wait(20))
    """
    assert lab.python(code, *command(lab, where, "--", "bash", "-c", script)).stdout == "ready\ncaught\n 5\n"


@pytest.mark.parametrize("how", ["kill the controller", "cut the cable", "kill sshd"])
def test_a_controller_that_is_gone_takes_its_command_along(lab: Site, how: str) -> None:
    text = lab.file.read_text()  # type: ignore[attr-defined]
    lab.file.write_text(text.replace("user: root}", "user: root, keepalive: 1s}"))  # type: ignore[attr-defined]
    with terminal(lab, "far", "sleep", "888") as it:
        wait_until(lambda: "sleep 888" in running(lab, "far"))
        # It is left in peace as long as there is somebody.
        time.sleep(6)
        assert "sleep 888" in running(lab, "far")
        if how == "kill the controller":
            lab.run("pkill", "-KILL", "-f", "exec far sleep 888")
        elif how == "cut the cable":
            lab.cut("server1")
        else:
            lab.sshd_kill("server1")
        wait_until(lambda: "sleep 888" not in running(lab, "far"), 20)
        wait_until(lambda: not lab["server1"].agents())
        if how != "kill the controller":
            assert it.process.wait(30) == 7
            assert termios.tcgetattr(it.far) == it.before
