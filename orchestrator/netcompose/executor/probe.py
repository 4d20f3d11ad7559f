"""The program that ``rehearse`` runs inside each container: who answers an echo request, what do names mean.

Its text is handed to ``python3 -c``, so it stands alone. The argument is JSON ``{"addresses": [...], "names":
[...]}``; it prints ``{"reached": [...], "names": {name: [address, ...]}}``. Echo requests go to all addresses at
once, a few times until everything expected has answered (RFC 792, RFC 4443).
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import struct
import sys
import time

#: Seconds. A router forwards no IPv6 packet to a neighbour that it does not know until its link-local address has
#: passed duplicate detection (RFC 4862), up to two seconds after the interface came up.
_ROUNDS = (0.25, 0.5, 1.0, 1.0, 1.0)
#: A name that no file has goes to the resolvers, and in a rehearsal those outside the topology never answer: do not
#: wait five seconds twice, as is usual (resolv.conf(5)), and ask for many names at a time.
_RESOLVER = "timeout:1 attempts:1"
_NAMES_AT_A_TIME = 64


def _checksum(data: bytes) -> int:
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def _request(family: int, identity: int) -> bytes:
    if family == socket.AF_INET6:
        return struct.pack("!BBHHH", 128, 0, 0, identity, 1)
    body = struct.pack("!BBHHH", 8, 0, 0, identity, 1)
    return struct.pack("!BBHHH", 8, 0, _checksum(body), identity, 1)


def _is_reply(family: int, data: bytes, identity: int) -> bool:
    offset = (data[0] & 15) * 4 if family == socket.AF_INET else 0
    reply = 0 if family == socket.AF_INET else 129
    if len(data) < offset + 8:
        return False
    kind, _, _, answered, _ = struct.unpack_from("!BBHHH", data, offset)
    return bool(kind == reply and answered == identity)


def reachable(addresses: list[str], expected: set[str]) -> set[str]:
    """The addresses that answer. Waits for the expected ones; silence of the others is believed after one round."""
    identity = os.getpid() & 0xFFFF
    sockets = {}
    for family, protocol in ((socket.AF_INET, socket.IPPROTO_ICMP), (socket.AF_INET6, socket.IPPROTO_ICMPV6)):
        if any((":" in address) == (family == socket.AF_INET6) for address in addresses):
            sockets[family] = socket.socket(family, socket.SOCK_RAW, protocol)
    reached: set[str] = set()
    for patience in _ROUNDS:
        for address in addresses:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            if address not in reached:
                with contextlib.suppress(OSError):
                    sockets[family].sendto(_request(family, identity), (address, 0))
        end = time.monotonic() + patience
        while time.monotonic() < end and not reached >= set(addresses):
            ready, _, _ = select.select(list(sockets.values()), [], [], max(0.0, end - time.monotonic()))
            for sock in ready:
                data, sender = sock.recvfrom(2048)
                if sender[0] in addresses and _is_reply(sock.family, data, identity):
                    reached.add(sender[0])
        if reached >= expected:
            break
    return reached


def meaning(name: str) -> list[str]:
    """The addresses of a name, as programs in the container see them."""
    try:
        return sorted({str(found[4][0]) for found in socket.getaddrinfo(name, None, proto=socket.IPPROTO_TCP)})
    except OSError:
        return []


def meanings(names: list[str]) -> dict[str, list[str]]:
    """The addresses of many names."""
    from concurrent.futures import ThreadPoolExecutor

    os.environ["RES_OPTIONS"] = _RESOLVER
    with ThreadPoolExecutor(max_workers=_NAMES_AT_A_TIME) as pool:
        return dict(zip(names, pool.map(meaning, names), strict=True))


if __name__ == "__main__":
    job = json.loads(sys.argv[1])
    answer = {
        "reached": sorted(reachable(job["addresses"], set(job["expected"]))),
        "names": meanings(job["names"]),
    }
    sys.stdout.write(json.dumps(answer))
