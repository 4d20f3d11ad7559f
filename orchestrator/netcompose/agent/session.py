"""The connection that this agent was started over, so that a plan can tell what touches its path."""

from __future__ import annotations

import functools
import os
import struct
from socket import AF_INET, AF_INET6, inet_pton
from typing import Mapping

from netcompose.agent.kernel import rtnl
from netcompose.agent.kernel.namespaces import HOST, Namespaces
from netcompose.agent.kernel.netlink import Message, attr, attributes

#: Set by sshd for everything in a session: both addresses and ports (ssh(1)). sudo(8) takes it away from its command.
_VARIABLE = b"SSH_CONNECTION="
#: Processes that are looked at upwards: agent, login shell, sudo twice, sshd.
_GENERATIONS = 8
_ROUTE = struct.Struct("=BBBBBBBBI")
_RTA_DST, _RTA_OIF = 1, 4


def read(namespaces: Namespaces, names: Mapping[int, str]) -> dict[str, str]:
    """``peer``, ``address`` and ``interface`` of the SSH session; empty if there is none. ``names`` are the host's
    interfaces by index."""
    peer, address = _ends(os.getpid())
    if not peer:
        return {}
    return {"peer": peer, "address": address, "interface": names.get(_way(namespaces, peer), "")}


@functools.lru_cache(maxsize=1)
def _ends(process: int) -> tuple[str, str]:
    """Both addresses, from the environment of this process or of one that it descends from."""
    for _ in range(_GENERATIONS):
        try:
            with open("/proc/{}/environ".format(process), "rb") as file:
                for entry in file.read().split(b"\0"):
                    if entry.startswith(_VARIABLE):
                        peer, _, address, _ = entry[len(_VARIABLE) :].decode("ascii", "replace").split()
                        return _plain(peer), _plain(address)
            with open("/proc/{}/stat".format(process), "rb") as file:
                # The name in parentheses may have blanks (proc(5)).
                process = int(file.read().rpartition(b")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            break
        if process <= 1:
            break
    return "", ""


def _plain(address: str) -> str:
    """Without a zone, and IPv4 as such."""
    return address.partition("%")[0].rpartition("::ffff:")[2] if "." in address else address.partition("%")[0]


def _way(namespaces: Namespaces, peer: str) -> int:
    """The index of the interface by which the peer is reached; 0 if there is no way."""
    family = AF_INET6 if ":" in peer else AF_INET
    raw = inet_pton(family, peer)
    body = _ROUTE.pack(family, len(raw) * 8, 0, 0, 0, 0, 0, 0, 0) + attr(_RTA_DST, raw)
    try:
        answers = namespaces.socket(HOST).ask(Message(rtnl.RTM_GETROUTE, 0, body))
    except OSError:
        return 0
    found = dict(attributes(answers[0], 12)) if answers else {}
    return int(struct.unpack("=I", found[_RTA_OIF])[0]) if _RTA_OIF in found else 0
