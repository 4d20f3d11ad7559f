"""Hosts over SSH: one connection, one channel, an agent at its end. Nothing is needed there but sshd and python3.

    connection = ssh.connect(ssh.SshTarget("server4", "10.0.0.4", user="root"))

Importing this package is cheap; paramiko is imported by the first connection.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from netcompose.transports.ssh.target import SshTarget

if TYPE_CHECKING:
    from netcompose.transports.ssh.approach import Approach, Beginning
    from netcompose.transports.ssh.connection import SshAgent

__all__ = ["SshTarget", "begin", "clean", "connect"]


def begin(targets: Sequence[SshTarget]) -> Beginning:
    """Begin connections to several hosts, and meanwhile import what is needed to go on with them."""
    from netcompose.transports.ssh import approach

    begun = approach.Beginning(targets)
    import paramiko  # noqa: F401

    from netcompose.transports.ssh import connection  # noqa: F401

    return begun


def connect(
    target: SshTarget, *, accept_new: bool = False, timeout: float | None = None, approach: Approach | None = None
) -> SshAgent:
    """The agent of a host: a :class:`~netcompose.transports.base.Connection`, with ``notes`` for the user.

    ``accept_new`` accepts and notes the key of a host that is not known yet, never one that has changed. ``timeout``
    is in seconds for connecting and logging in; None: the target's own. ``approach`` is what was begun for it. Raises
    ``HostUnreachable`` (of which ``HostKeyRefused`` and ``LoginRefused`` are kinds), ``HostLacks`` (no python3, no
    sudo), ``NotPermitted`` (not root) or ``ProtocolError``; the message begins with the host and the hint says what to
    do.
    """
    from netcompose.transports.ssh.connection import open_agent

    seconds = target.connect_timeout if timeout is None else timeout
    return open_agent(target, accept_new=accept_new, timeout=seconds, approach=approach)


def clean(target: SshTarget, *, accept_new: bool = False, timeout: float | None = None) -> list[str]:
    """Remove what netcompose keeps on a host between runs, the agent and what it imports; the names of the files.

    Errors as for :func:`connect`, without an agent being started.
    """
    from netcompose.transports.ssh.connection import empty_cache

    return empty_cache(target, accept_new=accept_new, timeout=target.connect_timeout if timeout is None else timeout)
