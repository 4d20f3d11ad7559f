"""What the tests of names share: a resolver outside, a program that asks all the time, and what dig says."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from subprocess import PIPE, Popen

from support import Example, run, until

from netcompose.transports.sandbox import Sandbox

Asked = Callable[[], list[str]]

#: A resolver for the outside world: answers every question for an address with 203.0.113.7, writes down what it was asked.
_UPSTREAM = r"""
import socket, struct, sys
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind((sys.argv[1], 53))
while True:
    query, client = server.recvfrom(4096)
    labels, position = [], 12
    while query[position]:
        labels.append(query[position + 1 : position + 1 + query[position]].decode())
        position += query[position] + 1
    question = query[12 : position + 5]
    kind = struct.unpack("!H", question[-4:-2])[0]
    print(".".join(labels), flush=True)
    found = b"\xc0\x0c\0\1\0\1\0\0\0\0\0\4\xcb\0\x71\7" if kind == 1 else b""
    server.sendto(query[:2] + struct.pack("!HHHHH", 0x8180, 1, bool(found), 0, 0) + question + found, client)
"""

#: Asks 200 times a second, each time once, and tells what came back until its standard input is closed.
_ASKER = r"""
import collections, json, os, select, socket, struct, sys, time
server, name = sys.argv[1:]
question = b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + b"\0\0\1\0\1"
came, waiting, number = collections.Counter(), {}, 0
due = time.monotonic()
stop = False
while waiting or not stop:
    ready, _, _ = select.select([0, *waiting], [], [], max(0.0, due - time.monotonic()))
    for item in ready:
        if item == 0:
            stop = True
        else:
            try:
                answer = item.recv(4096)
                came["answered" if answer[3] & 15 == 0 and answer[7] else "code %d" % (answer[3] & 15)] += 1
            except OSError as error:
                came[error.strerror] += 1
            del waiting[item]
    now = time.monotonic()
    for item in [item for item, end in waiting.items() if end < now]:
        came["lost"] += 1
        del waiting[item]
    if now >= due and not stop:
        item = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        item.connect((server, 53))
        number += 1
        item.send(struct.pack("!HHHHHH", number & 0xFFFF, 0x0100, 1, 0, 0, 0) + question)
        waiting[item] = now + 4
        due += 0.005
print(json.dumps(came))
"""


def dig(example: Example, container: str, *question: str) -> list[str]:
    """What dig prints in short, sorted; empty for no answer."""
    return sorted(example.inside(container, "dig", "+short", "+tries=1", "+time=3", *question).split())


def status(example: Example, container: str, *question: str) -> str:
    """``NOERROR``, ``NXDOMAIN``, ``REFUSED``."""
    text = example.inside(container, "dig", "+tries=1", "+time=3", *question)
    return text.partition("status: ")[2].partition(",")[0]


def server_pid(example: Example) -> str:
    return run(example.host, "pgrep", "-x", "unbound").strip()


def plan_of(example: Example) -> dict[str, list[str]]:
    return {change["address"]: change["actions"] for change in example.plan()}


@contextlib.contextmanager
def upstream(host: Sandbox) -> Iterator[Asked]:
    """A resolver in a namespace of its own, which the host uses from now on: what it was asked so far."""
    run(
        host,
        "sh",
        "-ec",
        """
        ip netns add world
        ip link add up0 type veth peer name up1 netns world
        ip link set up0 addrgenmode none
        ip addr add 198.51.100.1/24 dev up0
        ip link set up0 up
        ip -n world addr add 198.51.100.53/24 dev up1
        ip -n world link set up1 up
        echo 'nameserver 198.51.100.53' >/etc/resolv.conf
    """,
    )
    server = host.popen(["ip", "netns", "exec", "world", sys.executable, "-c", _UPSTREAM, "198.51.100.53"], stdout=-1)
    asked: list[str] = []
    os.set_blocking(server.stdout.fileno(), False)

    def seen() -> list[str]:
        with contextlib.suppress(BlockingIOError):
            asked.extend(os.read(server.stdout.fileno(), 1 << 16).decode().split())
        return asked

    until(lambda: run(host, "ip", "netns", "exec", "world", "ss", "-Hlun").strip())
    yield seen
    server.kill()
    server.wait(10)
    server.stdout.close()


def asker(example: Example, container: str, server: str, name: str) -> Popen[bytes]:
    """A program in a container that asks for a name until its standard input ends; then it prints what came, as JSON."""
    argv = ["ip", "netns", "exec", f"{example.name}-{container}", sys.executable, "-c", _ASKER, server, name]
    return example.host.popen(argv, stdin=PIPE, stdout=PIPE)
