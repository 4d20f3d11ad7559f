"""The name server that serves containers, Unbound: whether this host has one, as whom it runs, whether it answers."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from typing import Optional

from netcompose.agent import programs
from netcompose.agent.runtimes import output, records
from netcompose.errors import KernelRefused, NetcomposeError
from netcompose.resources import Process

#: Its folder below /etc, over which the topology's own files are mounted; its AppArmor profile lets it read no other.
FOLDER = "/etc/unbound"
_ACCOUNT = "unbound"
#: Where servers are, for an agent whose PATH is an ordinary user's.
_MORE = "/usr/local/sbin:/usr/sbin:/sbin"
#: Seconds within which it has to answer, and one question is given.
_DEADLINE, _PATIENCE = 10.0, 0.02
#: ``id.server CH TXT`` (RFC 4892): who are you? The header asks for no recursion.
_QUESTION = b"nc\0\0\0\1\0\0\0\0\0\0\2id\6server\0\0\x10\0\3"


def program() -> tuple[str, str]:
    """``(path, "")`` of a usable server, or ``("", why there is none)``."""
    path = programs.which("unbound", path="{}:{}".format(os.environ.get("PATH", os.defpath), _MORE))
    if not path:
        return "", "no program unbound on this host (package unbound)"
    if not os.path.isdir(FOLDER):
        return "", "unbound is there, and its folder {} is not".format(FOLDER)
    return path, ""


def account() -> str:
    """The unprivileged account for it; empty if there is none or this agent may not become it."""
    import pwd

    try:
        uid = pwd.getpwnam(_ACCOUNT).pw_uid
    except KeyError:
        return ""
    return _ACCOUNT if os.geteuid() == 0 and _is_mapped(uid) else ""


def _is_mapped(uid: int) -> bool:
    """Whether this user namespace has the id: one made without root has a single one (user_namespaces(7))."""
    with open("/proc/self/uid_map", "rb") as file:
        ranges = [[int(word) for word in line.split()] for line in file]
    return any(first <= uid < first + count for first, _, count in ranges)


def said(directory: str) -> int:
    """How much it has said so far: when it begins to reload, it says so before it answers anybody again."""
    with contextlib.suppress(OSError):
        return os.stat(os.path.join(directory, output.NAME)).st_size
    return 0


def failure(process: Process, directory: str, before: int = 0) -> Optional[NetcomposeError]:
    """Wait until a server answers by its present files; why not, if it does not.

    It was started, or told to reload when it had :func:`said` as much as ``before``.
    """
    port, identity = _announced("/etc/netns/{}/unbound/unbound.conf".format(process.netns))
    restarts = (records.read(directory, records.STATE) or {}).get("restarts", 0)
    end = time.monotonic() + _DEADLINE
    while time.monotonic() < end:
        if said(directory) == before:
            time.sleep(0.001)
            continue
        if identity in _answer(port):
            return None
        state = records.read(directory, records.STATE) or {}
        if state.get("restarts", 0) > restarts + 1 or state.get("final"):
            break
    lines = b"".join(output.read(directory, tail=20)).decode(errors="replace").splitlines()
    errors = [line.partition("error: ")[2] for line in lines if "error: " in line]
    return KernelRefused(
        "the name server of the containers does not answer on port {}{}".format(
            port, ": " + errors[0] if errors else ""
        ),
        object_id=process.id,
        hint="`netcompose logs {}` shows what it says; ss -tulpn shows who has the port".format(process.container),
    )


def _announced(path: str) -> tuple[int, bytes]:
    """The port that a configuration has it listen on, and what it is to say of itself."""
    found: dict[str, str] = {}
    with open(path, encoding="utf-8") as file:
        for line in file:
            key, _, value = line.strip().partition(": ")
            if key in ("port", "identity"):
                found.setdefault(key, value.strip('"'))
    return int(found["port"]), found["identity"].encode()


def _answer(port: int) -> bytes:
    """What the server says of itself to the host's loopback, which it answers too; nothing if it is silent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(_PATIENCE)
        with contextlib.suppress(OSError):
            asking.connect(("127.0.0.1", port))
            asking.send(_QUESTION)
            return asking.recv(512)
    # A refusal comes at once.
    time.sleep(0.002)
    return b""
