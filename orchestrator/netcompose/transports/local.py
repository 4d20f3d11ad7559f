"""This host, by plain calls."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netcompose.resources import ExecTarget
    from netcompose.transports.base import Connection


def connect(host: str = "local") -> Connection:
    """The agent of this host, in this process."""
    from netcompose.agent.agent import Agent

    return Agent(host)


def attach(topology: str, target: ExecTarget, argv: Sequence[str]) -> int:
    """Run a command in a container on this process's own terminal or pipes; its exit status."""
    from netcompose.agent.runtimes import execution

    return execution.attach(topology, target, argv)


def logs(topology: str, container: str, *, tail: int | None, follow: bool, timestamps: bool) -> Iterator[bytes]:
    """The output of a container's command, in pieces."""
    from netcompose.agent.runtimes import namespace

    return namespace.logs(topology, container, tail=tail, follow=follow, timestamps=timestamps)
