"""This host, by plain calls."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netcompose.resources import ExecTarget
    from netcompose.transports.base import Connection
    from netcompose.transports.remote import RemoteAgent


def connect(host: str = "local") -> Connection:
    """The agent of this host, in this process."""
    from netcompose.agent.agent import Agent

    return Agent(host)


def spawn(host: str = "local") -> RemoteAgent:
    """The agent of this host, in a process of its own: as one of several hosts it is armed like the others."""
    import os
    import subprocess
    import sys

    from netcompose.agent.protocol import Stream
    from netcompose.transports.remote import RemoteAgent
    from netcompose.transports.sandbox import environment

    # A session of its own: Ctrl-C at the terminal is for this process, which then tells all hosts.
    child = subprocess.Popen(
        [sys.executable, "-m", "netcompose.agent"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
        env=environment(),
    )
    assert child.stdin is not None and child.stdout is not None  # noqa: S101 (for the type checker)
    stream = Stream(os.dup(child.stdout.fileno()), os.dup(child.stdin.fileno()))
    child.stdin.close()
    child.stdout.close()
    return RemoteAgent(host, stream, ended=child.wait)


def attach(topology: str, target: ExecTarget, argv: Sequence[str]) -> int:
    """Run a command in a container on this process's own terminal or pipes; its exit status."""
    from netcompose.agent.runtimes import execution

    return execution.attach(topology, target, argv)


def logs(topology: str, container: str, *, tail: int | None, follow: bool, timestamps: bool) -> Iterator[bytes]:
    """The output of a container's command, in pieces."""
    from netcompose.agent.runtimes import execution

    return execution.logs(topology, container, tail=tail, follow=follow, timestamps=timestamps)
