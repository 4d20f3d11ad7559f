"""From a host of the topology to a connection: this machine by plain calls, every other one over SSH."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netcompose.topology.model import Host
    from netcompose.transports.base import Connection
    from netcompose.transports.ssh import SshTarget

_SSH_PORT = 22


def connect(host: Host, *, accept_new: bool = False) -> Connection:
    """The agent of a host; notes of the connection are printed. ``accept_new``: see ``--accept-new-host-keys``."""
    if not host.address:
        from netcompose.transports import local

        return local.connect(host.name)
    from netcompose.transports import ssh

    connection = ssh.connect(target_of(host), accept_new=accept_new)
    for note in connection.notes:
        sys.stderr.write(f"note: {note}\n")
    return connection


def target_of(host: Host) -> SshTarget:
    """What the SSH transport needs of a host. A port that is the default leaves the choice to ssh_config(5)."""
    from netcompose.transports.ssh import SshTarget

    return SshTarget(
        name=host.name,
        address=host.address,
        user=host.user,
        port=0 if host.port == _SSH_PORT else host.port,
        identity_file=host.identity_file,
        agent=host.agent,
        proxy_jump=host.proxy_jump,
        become=host.become,
        connect_timeout=host.connect_timeout,
        command_timeout=host.command_timeout,
        keepalive=host.keepalive,
    )
