"""Runs inside a container, on the host, or outside: asks what it is told to ask, and answers those who ask.

    probe.py serve NAME TCP_PORT UDP_PORT    tell each client this name and the client's address
    probe.py ask                             JSON {cell: question} on stdin, JSON {cell: answer} on stdout

Nothing here knows whether Docker or netcompose made the network. It stands alone: a container sees no other file.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

#: What a question without an answer is worth, whatever the reason: refused, dropped, unreachable, unknown.
NOTHING = "-"
#: Longer than anything on one machine takes, even a busy one; silence costs this much.
PATIENCE = 2


def serve(name: str, tcp_port: int, udp_port: int) -> None:
    tcp = socket.create_server(("::", tcp_port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=64)
    udp = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    # A reply has to come from the address that was asked: here the one that the packet carried.
    udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    udp.bind(("::", udp_port))
    threading.Thread(target=_serve_udp, args=(udp, name), daemon=True).start()
    while True:
        client, peer = tcp.accept()
        with client:
            client.sendall(_said(name, peer[0]))


def _serve_udp(udp: socket.socket, name: str) -> None:
    while True:
        _, control, _, peer = udp.recvmsg(2048, socket.CMSG_SPACE(20))
        udp.sendmsg([_said(name, peer[0])], control, 0, peer)


def _said(name: str, peer: str) -> bytes:
    return f"{name} sees {peer.removeprefix('::ffff:')}".encode()


def ask(questions: dict[str, list[str]]) -> dict[str, str]:
    with ThreadPoolExecutor(max_workers=128) as pool:
        return dict(zip(questions, pool.map(_answer, questions.values()), strict=True))


def _answer(question: list[str]) -> str:
    what, *rest = question
    try:
        return _WAYS[what](*rest) or NOTHING
    except (OSError, subprocess.SubprocessError):
        return NOTHING


def _ping(target: str) -> str:
    return "answers" if _run("ping", "-n", "-c", "1", "-W", str(PATIENCE), target).returncode == 0 else ""


def _resolve(database: str, name: str) -> str:
    """As programs do, through the C library."""
    return " ".join(sorted({line.split()[0] for line in _run("getent", database, name).stdout.splitlines()}))


def _dig(*question: str) -> str:
    """As DNS clients do, asking the first server of resolv.conf."""
    done = _run("dig", "+short", f"+time={PATIENCE}", "+tries=1", *question)
    return " ".join(sorted(done.stdout.split())) if done.returncode == 0 else ""


def _tcp(host: str, port: str) -> str:
    with socket.create_connection((host, int(port)), timeout=PATIENCE) as connection:
        return connection.recv(200).decode()


def _udp(host: str, port: str) -> str:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as client:
        client.settimeout(PATIENCE)
        # Connected, so that an answer from another address than the one asked is none.
        client.connect((host, int(port)))
        client.send(b"who?")
        return client.recv(200).decode()


def _run(*argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE * 5)


_WAYS: dict[str, Callable[..., str]] = {
    "ping": _ping,
    "resolve": _resolve,
    "dig": _dig,
    "tcp": _tcp,
    "udp": _udp,
}

if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    else:
        json.dump(ask(json.load(sys.stdin)), sys.stdout)
