"""This host, by plain calls."""

from __future__ import annotations

from netcompose.transports.base import Connection


def connect(host: str = "local") -> Connection:
    """The agent of this host, in this process."""
    from netcompose.agent.agent import Agent

    return Agent(host)
