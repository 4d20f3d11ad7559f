"""From a host of the topology to a connection over SSH."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netcompose.topology.model import Host
    from netcompose.transports.ssh import SshTarget
    from netcompose.transports.ssh.approach import Approach
    from netcompose.transports.ssh.connection import SshAgent


@contextlib.contextmanager
def approach(hosts: Iterable[Host]) -> Iterator[Callable[[str], Approach | None]]:
    """Connections to hosts that have an address, begun before they are needed: what there is of one, by its name."""
    from netcompose.transports import ssh

    begun = ssh.begin([target_of(host) for host in hosts if host.address])
    try:
        yield begun.take
    finally:
        begun.close()


def connect(host: Host, *, accept_new: bool = False, approach: Approach | None = None) -> SshAgent:
    """The agent of a host that has an address; notes of the connection are printed. ``accept_new``: see
    ``--accept-new-host-keys``; ``approach`` is what was begun for the host."""
    from netcompose.transports import ssh

    connection = ssh.connect(target_of(host), accept_new=accept_new, approach=approach)
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
