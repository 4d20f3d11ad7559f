"""Several throw-away hosts with their agents over pipes: the same protocol as over SSH, without its seconds."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "kernel"))
sys.path.insert(0, str(Path(__file__).parents[1] / "kernel" / "proofs"))

import forkserver
from outside import capture
from proof_host import Snapshot, differences, take_snapshot
from support import EXAMPLES
from testbed.sites import Site

from netcompose.agent.protocol import Stream
from netcompose.compiler.desired import Desired
from netcompose.errors import HostUnreachable
from netcompose.executor.planning import make
from netcompose.executor.run import Executor
from netcompose.planner.plan import Plan
from netcompose.planner.planner import make_plan
from netcompose.topology.load import load_text
from netcompose.transports.base import Connection
from netcompose.transports.remote import RemoteAgent
from netcompose.transports.sandbox import Sandbox

__all__ = ["EXAMPLES", "HostSnapshots", "Hosts", "capture"]

_GLANCE = """
ip -br link | sed 's/@.*UP/ UP/' | cut -d' ' -f1 | sort; ip -br -4 addr; ip netns list | cut -d' ' -f1 | sort
nft list tables; sysctl net.ipv4.ip_forward net.ipv6.conf.all.forwarding
find /run/netcompose /etc/netns -type f 2>/dev/null | sort; ps -eo args= | grep -E '^(sleep|netcompose-)' | sort; true
"""
FAULTY = str(Path(__file__).with_name("faulty_agent.py"))


class Hosts:
    """Throw-away hosts by name, and what a controller does with them."""

    def __init__(self, sandboxes: Mapping[str, Sandbox]) -> None:
        self.sandboxes = dict(sandboxes)
        #: Hosts that no new connection reaches.
        self.cut: set[str] = set()

    @classmethod
    @contextmanager
    def start(cls, *names: str) -> Iterator[Hosts]:
        """The hosts while the block runs."""
        with ExitStack() as stack:
            yield cls({name: stack.enter_context(Sandbox(name)) for name in names})

    def join(self, mtu: int = 1500) -> None:
        """Put all hosts on one segment, ``10.77.0.0/24`` and ``fd77::/64``; the first is .1, and has the segment."""
        first, *others = self.sandboxes.values()
        # No duplicate detection: for two seconds a router would have no address to ask for its neighbours with.
        quick = "sysctl -qw net.ipv6.conf.{}.accept_dad=0; "
        _lines(first, f"ip link add seg type bridge; {quick.format('seg')} ip link set seg mtu {mtu} up")
        for number, host in enumerate(others, 2):
            make = ["ip", "link", "add", f"seg{number}", "type", "veth", "peer", "name", "eth0"]
            # The first host's network, but the machine's process ids.
            enter = ["nsenter", "--target", str(first.pid), "--net"]
            subprocess.run([*enter, *make, "netns", str(host.pid)], check=True)
            _lines(first, f"ip link set seg{number} mtu {mtu} master seg up")
            _lines(host, f"{quick.format('eth0')} ip link set eth0 mtu {mtu} up")
            _lines(host, f"ip addr add 10.77.0.{number}/24 dev eth0; ip addr add fd77::{number}/64 dev eth0 nodad")
        _lines(first, "ip addr add 10.77.0.1/24 dev seg; ip addr add fd77::1/64 dev seg nodad")

    def shell(self, host: str, script: str) -> str:
        """Foreign tools on a host; their output."""
        return _lines(self.sandboxes[host], script)

    def inside(self, host: str, container: str, *argv: str) -> subprocess.CompletedProcess[str]:
        """A foreign tool in a container, with its files."""
        return self.sandboxes[host].run(["ip", "netns", "exec", f"lab-{container}", *argv])

    def reaches(self, host: str, container: str, target: str, *options: str) -> bool:
        """True if the target answers one packet."""
        return self.inside(host, container, "ping", "-c1", "-W2", *options, target).returncode == 0

    def connect(self, host: str, program: Sequence[str] = ("-m", "netcompose.agent")) -> RemoteAgent:
        """A connection to an agent of its own."""
        if host in self.cut:
            raise HostUnreachable(f"host {host}: no route to host")
        stdin, ask = os.pipe()
        answer, stdout = os.pipe()
        agent = forkserver.start(self.sandboxes[host], *program, stdin=stdin, stdout=stdout)
        os.close(stdin)
        os.close(stdout)
        return RemoteAgent(host, Stream(answer, ask), ended=lambda: agent.wait(30))

    @contextmanager
    def run(self, **agents: RemoteAgent) -> Iterator[Executor]:
        """An executor over all hosts; ``agents`` are connections that stand for the usual ones."""
        connections: dict[str, Connection] = {host: agents.get(host) or self.connect(host) for host in self.sandboxes}
        try:
            yield Executor(connections, self.connect)
        finally:
            for connection in connections.values():
                connection.close()

    def planned(self, executor: Executor, text: str) -> tuple[Plan, Desired]:
        """The plan for a topology."""
        made = make(executor, load_text(text))
        return made.plan, made.desired

    def up(self, text: str, **agents: RemoteAgent) -> None:
        """What the command does, with locks."""
        with self.run(**agents) as executor, executor.locked("lab", "a test"):
            plan, desired = self.planned(executor, text)
            assert not plan.problems, plan.problems
            executor.apply(plan, desired=desired.resources)

    def plan(self, text: str) -> Plan:
        """What ``up`` would do."""
        with self.run() as executor:
            return self.planned(executor, text)[0]

    def down(self) -> None:
        """Remove everything of the topology."""
        with self.run() as executor, executor.locked("lab", "a test"):
            executor.apply(make_plan("lab", {}, executor.observe("lab")))

    def snapshot(self, host: str) -> Snapshot:
        """One host as foreign tools see it."""
        return take_snapshot(self.sandboxes[host])

    def snapshots(self) -> dict[str, Snapshot]:
        """Every host as foreign tools see it."""
        return {host: self.snapshot(host) for host in self.sandboxes}

    def assert_same(self, before: Mapping[str, Snapshot], *ignore: str, seconds: float = 10.0) -> None:
        """These hosts are as they were. Waits for what the kernel, or a watchdog, ends in its own time."""
        end = time.monotonic() + seconds
        for host in before:
            while different := self._differences(host, before[host], set(ignore)):
                assert time.monotonic() < end, "\n".join([host, *different])
                time.sleep(0.1)

    def _differences(self, host: str, before: Snapshot, ignore: set[str]) -> list[str]:
        try:
            return list(differences(before, self.snapshot(host), ignore))
        except AssertionError as error:
            # A namespace may go between its listing and its reading.
            return [str(error)]

    def glances(self) -> dict[str, str]:
        """The names of everything on every host, read at once: for after each of many faults."""
        return {host: self.shell(host, _GLANCE) for host in self.sandboxes}

    def assert_glances(self, before: Mapping[str, str], seconds: float = 10.0) -> None:
        """There is what there was."""
        end = time.monotonic() + seconds
        while (now := self.glances()) != before:
            assert time.monotonic() < end, f"{before}\n{now}"
            time.sleep(0.05)

    def faulty(self, host: str, at: int) -> RemoteAgent:
        """An agent that is killed after its n-th operation."""
        return self.connect(host, (FAULTY, str(at)))

    def agents(self, host: str) -> list[str]:
        """The agents and watchdogs that run on a host."""
        shown = self.sandboxes[host].run(["ps", "-eo", "pid=,args="]).stdout
        return [line for line in shown.splitlines() if forkserver.__file__ in line]


def _lines(sandbox: Sandbox, script: str) -> str:
    return str(sandbox.run(["sh", "-ec", script], check=True).stdout)


class HostSnapshots:
    """All hosts of a site as they were when this was made."""

    def __init__(self, site: Site) -> None:
        self._hosts = Hosts({name: host.sandbox for name, host in site.hosts.items()})
        self._before = self._hosts.snapshots()
        self._short = self._hosts.glances()

    def assert_glances(self) -> None:
        """There is what there was: for after each of many faults."""
        self._hosts.assert_glances(self._short)

    def assert_same(self, seconds: float = 10.0) -> None:
        """They are so again."""
        self._hosts.assert_same(self._before, seconds=seconds)
