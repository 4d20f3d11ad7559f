"""A real Docker Engine inside a throw-away host, and a world outside of that host. Both end with the host."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from testbed.engine import IMAGE, ROOT, SOCKET, Engine, lacking

from netcompose.transports.sandbox import Sandbox

#: The host's address towards the outside, and the outside's own.
HOST4, HOST6 = "203.0.113.1", "2001:db8:113::1"
OUTSIDE4, OUTSIDE6 = "203.0.113.2", "2001:db8:113::2"


def need_docker() -> None:
    """Skip where the engine is not installed or may not be run. CI has it (see the Makefile)."""
    why = lacking()
    if why:
        pytest.skip(why)


def add_outside(host: Sandbox) -> None:
    """A namespace ``outside`` beyond the host's interface ``uplink``, which knows the way to networks on the host."""
    # As in tests/kernel/outside.py: no duplicate detection, and different indexes for the ends.
    for line in (
        "ip netns add outside",
        "sysctl -q -w net.ipv6.conf.default.accept_dad=0",
        "ip netns exec outside sysctl -q -w net.ipv6.conf.default.accept_dad=0",
        "ip link add uplink index 2000 type veth peer name eth0 netns outside",
        f"ip addr add {HOST4}/24 dev uplink",
        f"ip addr add {HOST6}/64 dev uplink nodad",
        "ip link set uplink up",
        f"ip -n outside addr add {OUTSIDE4}/24 dev eth0",
        f"ip -n outside addr add {OUTSIDE6}/64 dev eth0 nodad",
        "ip -n outside link set eth0 up",
        "ip -n outside link set lo up",
        f"ip -n outside route add default via {HOST4}",
        f"ip -n outside -6 route add default via {HOST6}",
    ):
        host.run(line.split(), check=True)


def put_probe(host: Sandbox) -> None:
    """The program that asks and answers, where containers find it."""
    text = (Path(__file__).parent / "probe.py").read_text()
    host.run(["tee", f"{ROOT}/probe.py"], input=text, check=True)


def settle(host: Sandbox, seconds: float = 20.0) -> None:
    """Wait until every IPv6 address on the host and in its namespaces is in use: the kernel looks for twins first."""
    script = """
        ip -6 addr show tentative
        for pid in $(lsns --type net --noheadings --output PID); do nsenter -t $pid -n ip -6 addr show tentative; done
    """
    end = time.monotonic() + seconds
    while host.run(["sh", "-c", script], check=True).stdout.strip():
        assert time.monotonic() < end, "there are IPv6 addresses that did not come into use"
        time.sleep(0.05)


__all__ = ["HOST4", "HOST6", "IMAGE", "OUTSIDE4", "OUTSIDE6", "ROOT", "SOCKET", "Engine", "add_outside", "need_docker",
           "put_probe", "settle"]  # fmt: skip
