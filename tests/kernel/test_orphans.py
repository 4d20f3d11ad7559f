"""What a killed run leaves at work: its helper, which starts processes, keeps others off the host until it is done."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from netcompose.transports.sandbox import Sandbox

NETCOMPOSE = [sys.executable, "-m", "netcompose"]
TOPOLOGY = "name: lab\ncontainers:\n" + "".join(
    f"  c{number}: {{network_mode: none, command: [sleep, '{1000 + number}']}}\n" for number in range(40)
)
#: Stops the first helper that it sees, and says which one it is.
STOP = "until pid=$(pgrep -o -f '[n]etcompose-init lab'); do :; done; kill -STOP $pid && echo $pid"


@pytest.mark.parametrize("after", ["up", "down"])
def test_a_helper_of_a_killed_run_is_waited_for(tmp_path: Path, after: str) -> None:
    file = tmp_path / "topology.yaml"
    file.write_text(TOPOLOGY)
    with Sandbox("server4") as host:
        watching = host.popen(["sh", "-c", STOP], stdout=subprocess.PIPE, text=True)
        first = host.popen([*NETCOMPOSE, "up", "-f", str(file)], stdout=subprocess.DEVNULL)
        helper, _ = watching.communicate(timeout=60)
        # netcompose itself, and not the nsenter(1) that started it.
        host.run(["pkill", "-KILL", "-f", "netcompose up -f"], check=True)
        first.wait(20)
        second = host.popen(
            [*NETCOMPOSE, after, "-f", str(file)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        with pytest.raises(subprocess.TimeoutExpired):
            second.communicate(timeout=1.5)
        host.run(["kill", "-CONT", helper.strip()], check=True)
        out, error = second.communicate(timeout=120)
        assert second.returncode == 0, out + error
        sleeping = host.run(["pgrep", "-c", "-x", "sleep"]).stdout.strip()
        if after == "up":
            assert "No changes" in host.run([*NETCOMPOSE, "plan", "-f", str(file)]).stdout
            assert sleeping == "40"
        else:
            end = time.monotonic() + 10
            while sleeping != "0":
                assert time.monotonic() < end, sleeping
                sleeping = host.run(["pgrep", "-c", "-x", "sleep"]).stdout.strip()
            assert host.run(["ip", "netns"]).stdout == ""
        # A lock that is held by nobody's child is given back with the run.
        assert host.run(["test", "-e", "/run/netcompose/lock"]).returncode == 1


def test_a_run_that_is_at_work_is_not_waited_for(tmp_path: Path) -> None:
    file = tmp_path / "topology.yaml"
    file.write_text("name: lab\ncontainers: {a: {network_mode: none, exec: [[sleep, '30']]}}\n")
    with Sandbox("server4") as host:
        first = host.popen([*NETCOMPOSE, "up", "-f", str(file)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 30
        while host.run(["pgrep", "-x", "sleep"]).returncode:
            assert time.monotonic() < end
        start = time.monotonic()
        done = host.run([*NETCOMPOSE, "up", "-f", str(file)])
        assert done.returncode == 6 and "is locked by" in done.stderr and time.monotonic() - start < 20
        first.kill()
        first.wait(10)
