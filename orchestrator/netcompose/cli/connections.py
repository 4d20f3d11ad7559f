"""From a host of the topology to a connection over SSH."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netcompose.topology.model import Host
    from netcompose.transports.ssh import SshTarget
    from netcompose.transports.ssh.connection import SshAgent


def connect(host: Host, *, accept_new: bool = False) -> SshAgent:
    """The agent of a host that has an address; notes of the connection are printed. ``accept_new``: see
    ``--accept-new-host-keys``."""
    from netcompose.transports import ssh

    connection = ssh.connect(target_of(host), accept_new=accept_new)
    for note in connection.notes:
        sys.stderr.write(f"note: {note}\n")
    return connection


def target_of(host: Host) -> SshTarget:
    """What the SSH transport needs of a host."""
    from netcompose.transports.ssh import SshTarget

    return SshTarget(
        name=host.name,
        address=host.address,
        user=host.user,
        port=host.port,
        identity_file=host.identity_file,
        agent=host.agent,
        proxy_jump=host.proxy_jump,
        become=host.become,
        connect_timeout=host.connect_timeout,
        command_timeout=host.command_timeout,
        keepalive=host.keepalive,
    )
