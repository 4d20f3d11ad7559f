"""Which ports of the host are in use, and by whom.

Listening TCP sockets are asked of the kernel (sock_diag(7)), because /proc/net/tcp is made by looking through the table
of all connections of the machine, which takes milliseconds on an idle host; the rest is read from /proc/net (proc(5)).
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import sys
from typing import Iterable, Iterator

from netcompose.agent.kernel.netlink import NLMSG_DONE, NLMSG_ERROR
from netcompose.resources import Listener

#: File, protocol, and the state of a socket that is not connected to anybody: listening (TCP), closed (UDP).
_TCP_TABLES = (("tcp", "tcp", b"0A"), ("tcp6", "tcp", b"0A"))
_UDP_TABLES = (("udp", "udp", b"07"), ("udp6", "udp", b"07"))
_NETLINK_SOCK_DIAG, _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST_DUMP = 4, 20, 0x301
#: Header of a message; family, protocol, extensions, states of a request, and 48 bytes of a socket: any.
_QUESTION = struct.Struct("=IHHIIBBBxI48x")
_LISTEN = 1 << 10
#: Of an answer (struct inet_diag_msg behind the header): family, port and address; and where its inode is.
_ANSWER, _INODE, _ANSWER_SIZE = struct.Struct("!B3xH2x16s"), 16 + 68, 16 + 72


def read() -> list[Listener]:
    """Every socket that holds a port, sorted."""
    asked = _listening()
    found = set(asked or ())
    for table, protocol, state in (*(_TCP_TABLES if asked is None else ()), *_UDP_TABLES):
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


def _listening() -> list[Listener] | None:
    """Listening TCP sockets as the kernel tells them; None if it would have to load a module for that."""
    # A reading loads nothing: the module is there, or there are none.
    if not os.path.isdir("/sys/module/tcp_diag") and os.path.isdir("/lib/modules/" + os.uname().release):
        return None
    found: list[Listener] = []
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_SOCK_DIAG) as asking:
            for family in (socket.AF_INET, socket.AF_INET6):
                head = (_QUESTION.size, _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST_DUMP, int(family), 0)
                asking.send(_QUESTION.pack(*head, family, socket.IPPROTO_TCP, 0, _LISTEN))
                found += _answers(asking, int(family))
    except OSError:
        return None
    return found


def _answers(asking: socket.socket, family: int) -> Iterator[Listener]:
    """What one question is answered with; the family is its sequence number."""
    while True:
        data = asking.recv(1 << 18)
        offset = 0
        while offset < len(data):
            length, kind, _, sequence = struct.unpack_from("=IHHI", data, offset)
            if sequence == family:
                if kind == NLMSG_ERROR:
                    (code,) = struct.unpack_from("=i", data, offset + 16)
                    raise OSError(-code, os.strerror(-code))
                if kind == NLMSG_DONE:
                    return
                if length >= _ANSWER_SIZE:
                    version, port, address = _ANSWER.unpack_from(data, offset + 16)
                    (inode,) = struct.unpack_from("=I", data, offset + _INODE)
                    raw = address if version == socket.AF_INET6 else address[:4]
                    yield Listener("tcp", socket.inet_ntop(version, raw), port, inode)
            offset += (length + 3) & ~3


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
