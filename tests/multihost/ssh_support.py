"""What the tests of the agent behind SSH share: code on the controller, and what foreign tools see on a host."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from typing import TextIO

import forkserver

CACHE = "/var/cache/netcompose"
TARGET = "from netcompose.transports import ssh\ntarget = ssh.SshTarget('server1', '10.99.0.11', user='root'{more})\n"
TOPOLOGY = """
from netcompose.compiler.compile import compile_topology
from netcompose.executor.run import Executor
from netcompose.planner.planner import make_plan
from netcompose.topology.load import load
topology = load(sys.argv[1], variables={}, vars_files=[])
def plan_for(connection):
    live = {"local": connection.observe("lab")}
    desired = compile_topology(topology, live)
    assert not desired.problems, desired.problems
    return make_plan("lab", desired.resources, live), desired.resources
"""
LAB = """
name: lab
networks: {lan: {subnets: [10.5.0.0/24]}}
containers:
  web:
    networks: {lan: {ipv4_address: 10.5.0.10}}
    command: [sh, -c, "echo noise on stdout; echo noise on stderr >&2; exec sleep 1000"]
    exec: [[sh, -c, "echo more noise; echo and more >&2"]]
"""


def contact(site, code, *argv, more="", status=0, **options):
    """Code on the controller, which knows ``target``; what it prints."""
    return site.python("import sys, time\n" + TARGET.format(more=more) + code, *argv, status=status, **options)


def resources(host):
    """What a topology leaves on a host, as foreign tools see it."""
    return host.shell(
        "ip -j link; ip -j addr; ip netns list; nft -s -j list ruleset; find /run /etc/netns -printf '%p %y\\n' 2>/dev/null | sort || true"
    )


def listed(host):
    """The cached agents on a host, and files of others, without what a Python has compiled of them."""
    names = host.run("sh", "-c", f"ls {CACHE} 2>/dev/null; true").split()
    return [name for name in names if not name.endswith(".code")]


@dataclass(frozen=True)
class Background:
    """A program on the controller and what it prints."""

    started: forkserver.Started
    stdout: TextIO

    def kill(self):
        """End it as kill -9 does."""
        self.started.kill()


@contextlib.contextmanager
def background(site, code, *argv, more=""):
    """Code on the controller while the block runs, and what it prints; it has printed one line, which is given."""
    receive, stdout = os.pipe()
    with open(os.devnull) as nothing, open(stdout, "w"):
        process = forkserver.start(
            *(site.controller, "-c", "import sys, time\n" + TARGET.format(more=more) + code, *argv),
            stdin=nothing.fileno(),
            stdout=stdout,
            env=site.environment(),
        )
    with open(receive) as said:
        try:
            yield Background(process, said), said.readline().strip()
        finally:
            process.kill()
            process.wait(10)
