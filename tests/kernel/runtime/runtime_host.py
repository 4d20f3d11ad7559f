"""The runtime of native containers at work in a throw-away host."""

import json
import os
import sys
import textwrap
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[3] / "orchestrator"
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root on the machine")
PRELUDE = """
import json, os, sys, time
from netcompose.agent.runtimes import namespace as runtime
from netcompose.errors import NetcomposeError
from netcompose.resources import ExecTarget, Process
def P(container, *command, **options):
    return Process("process/" + container, container=container, command=command, **options)
def web(*command, **options):
    return P("web", *command, **{"namespace": "web", "netns": "t-web", "hostname": "webhost", **options})
def until(condition, seconds=5):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.01)
def text(container="web", **options): return b"".join(runtime.logs("t", container, **options)).decode()
def failure(function, *arguments):
    try: function(*arguments)
    except NetcomposeError as error: return type(error).__name__ + ": " + error.message + " | " + error.hint
"""
SETUP = """
ip netns add t-web; ip -n t-web link set lo up; ip -n t-web link add eth0 type bridge
mkdir -p /etc/netns/t-web; echo 192.0.2.9 nine > /etc/netns/t-web/hosts; echo search web > /etc/netns/t-web/resolv.conf
"""


class Host:
    """A sandbox with a wired container ``web`` of topology ``t``, and the runtime at work inside it."""

    def __init__(self, sandbox):
        self.sandbox = sandbox

    def __call__(self, *argv, **options):
        return self.sandbox.run(argv, check=True, **options).stdout

    def python(self, code, path=PACKAGE, interpreter=sys.executable, **options):
        """Run code inside; what it prints, the last line as JSON if it is."""
        done = self.sandbox.run(
            [interpreter, "-c", PRELUDE + textwrap.dedent(code)], env={"PYTHONPATH": str(path)}, **options
        )
        assert done.returncode == 0, done.stderr
        try:
            return json.loads(done.stdout)
        except ValueError:
            return done.stdout

    def enter(self, *argv, kinds="-n -m -u -i -p"):
        """A foreign tool inside the container."""
        return self("nsenter", "-t", str(self.pid), *kinds.split(), *argv)

    @property
    def pid(self):
        return self.python('print(runtime.state("t", "web").pid)')
