"""What is known of a host before it is contacted."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SshTarget:
    """A host as the topology names it. What is empty (or None) is taken from OpenSSH's configuration, as ssh(1) does.

    ``name`` is the host's name in the topology, for messages; ``address`` an address, a DNS name or an alias of
    ssh_config(5). ``proxy_jump`` is written as OpenSSH's ProxyJump. ``become`` is ``"sudo"`` or empty. Times are in
    seconds: ``connect_timeout`` for everything until the agent answers, ``command_timeout`` for the silence of the
    host during one request, ``keepalive`` between signs of life (0: none).
    """

    name: str
    address: str
    user: str = ""
    port: int | None = None
    identity_file: str = ""
    agent: bool = True
    proxy_jump: str = ""
    become: str = ""
    connect_timeout: float = 10.0
    command_timeout: float = 60.0
    keepalive: float = 15.0
