"""Which ports of the host are in use, from /proc/net (proc(5)), and by whom."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from typing import Iterable, Iterator

from netcompose.resources import Listener

#: File, protocol, and the state of a socket that is not connected to anybody: listening (TCP), closed (UDP).
_TABLES = (("tcp", "tcp", b"0A"), ("tcp6", "tcp", b"0A"), ("udp", "udp", b"07"), ("udp6", "udp", b"07"))


def read() -> list[Listener]:
    """Every socket that holds a port, sorted."""
    found = set()
    for table, protocol, state in _TABLES:
        for line in _lines("/proc/net/" + table):
            fields = line.split(None, 10)
            if len(fields) > 9 and fields[3] == state:
                address, _, port = fields[1].partition(b":")
                found.add(Listener(protocol, _address(address.decode()), int(port, 16), int(fields[9])))
    for line in _lines("/proc/net/sctp/eps"):
        # ENDPT SOCK STY SST HBKT LPORT UID INODE LADDRS
        fields = line.split()
        if len(fields) > 8 and fields[5].isdigit():
            for address in fields[8:]:
                found.add(Listener("sctp", _canonical(address.decode()), int(fields[5]), int(fields[7])))
    return sorted(found, key=lambda item: (item.protocol, item.port, item.address, item.inode))


def owners(inodes: Iterable[int]) -> dict[int, str]:
    """Who has these sockets, in words: ``nginx (pid 812)``. One that cannot be found is left out."""
    wanted = {"socket:[{}]".format(inode): inode for inode in inodes}
    found: dict[int, str] = {}
    for pid in sorted((name for name in os.listdir("/proc") if name.isdigit()), key=int):
        if len(found) == len(wanted):
            break
        with contextlib.suppress(OSError):
            folder = "/proc/{}/fd".format(pid)
            for fd in os.listdir(folder):
                with contextlib.suppress(OSError):
                    inode = wanted.get(os.readlink(os.path.join(folder, fd)))
                    if inode is not None:
                        found.setdefault(inode, _process(pid))
    return found


def _process(pid: str) -> str:
    with open("/proc/{}/comm".format(pid), encoding="utf-8", errors="replace") as file:
        name = file.read().strip()
    with open("/proc/{}/cmdline".format(pid), "rb") as file:
        words = file.read().decode(errors="replace")
    _, mark, rest = words.partition("/run/netcompose/")
    topology, _, what = rest.partition("/")
    if mark and what.startswith("containers/@ports/"):
        return "topology {}".format(topology)
    return "{} (pid {})".format(name, pid)


def _lines(path: str) -> Iterator[bytes]:
    try:
        with open(path, "rb") as file:
            next(file, b"")
            yield from file
    except OSError:
        return


def _canonical(address: str) -> str:
    """SCTP's table writes IPv6 addresses with all of their zeros."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return socket.inet_ntop(family, socket.inet_pton(family, address))


def _address(text: str) -> str:
    """An address as the kernel prints it: 32-bit words in the machine's own order."""
    raw = bytes.fromhex(text)
    if sys.byteorder == "little":
        raw = b"".join(raw[start : start + 4][::-1] for start in range(0, len(raw), 4))
    return socket.inet_ntop(socket.AF_INET if len(raw) == 4 else socket.AF_INET6, raw)
