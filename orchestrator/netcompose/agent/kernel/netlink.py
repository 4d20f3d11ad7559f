"""A netlink socket that sends in batches and reads dumps, and the packing of attributes.

pyroute2's message classes encode and decode ten to thirty times slower than ``struct`` (see ARCHITECTURE.md),
and a plan over a thousand namespaces is mostly decoding; so the few messages that netcompose needs are packed
here. The tests hold every message against pyroute2's classes and against iproute2.

Sources: netlink(7), rtnetlink(7), Documentation/userspace-api/netlink/intro.rst of the kernel.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from typing import Iterator, NamedTuple, Sequence

NLMSG_ERROR, NLMSG_DONE = 2, 3
NLM_F_REQUEST, NLM_F_ACK = 0x1, 0x4
NLM_F_DUMP = 0x300
NLM_F_DUMP_INTR = 0x10
NLM_F_REPLACE, NLM_F_EXCL, NLM_F_CREATE = 0x100, 0x200, 0x400
NLM_F_CAPPED, NLM_F_ACK_TLVS = 0x100, 0x200

_SOL_NETLINK = 270
_NETLINK_CAP_ACK, _NETLINK_EXT_ACK, _NETLINK_GET_STRICT_CHK = 10, 11, 12
_NLMSGERR_ATTR_MSG = 1
_NLA_F_NESTED = 0x8000
NLA_TYPE_MASK = 0x3FFF

_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_U32 = struct.Struct("=I")
_CODE = struct.Struct("=i")
#: What fills a message up to four bytes, by its length modulo four.
_PADDING = (b"", b"\0\0\0", b"\0\0", b"\0")
_ATTRIBUTE_U32 = struct.Struct("=HHI")

#: Messages in one send(): enough to pay for the system call, few enough for the acknowledgements to fit.
BATCH = 128
#: A dump that changes while it is read is read again this many times at the most.
_DUMP_TRIES = 10
#: Bytes to receive at a time: more than the kernel puts into one piece of a dump (32 KiB), and no more than malloc(3)
#: gives without a mapping of its own, which would take three times as long as the rest of a short dump.
_RECEIVE = (1 << 17) - 64


class Message(NamedTuple):
    """One request: message type, flags beyond REQUEST and ACK, and the body behind the header."""

    type: int
    flags: int
    body: bytes


class Refusal(NamedTuple):
    """The kernel's answer to one message of a batch: its position in it, errno and its own words (may be empty)."""

    position: int
    errno: int
    words: str


def attr(kind: int, payload: bytes) -> bytes:
    """One attribute, padded to four bytes."""
    length = 4 + len(payload)
    return _ATTRIBUTE.pack(length, kind) + payload + b"\0" * (-length & 3)


def attr_u32(kind: int, value: int) -> bytes:
    """An attribute with a 32-bit number in host order."""
    return _ATTRIBUTE_U32.pack(8, kind, value)


def attr_text(kind: int, text: str) -> bytes:
    """An attribute with a NUL-terminated string."""
    return attr(kind, text.encode() + b"\0")


def nested(kind: int, *parts: bytes) -> bytes:
    """An attribute that holds attributes."""
    return attr(kind | _NLA_F_NESTED, b"".join(parts))


def attributes(data: bytes, offset: int) -> Iterator[tuple[int, bytes]]:
    """The attributes from ``offset`` on, as (type, payload)."""
    end = len(data)
    while offset + 4 <= end:
        length, kind = _ATTRIBUTE.unpack_from(data, offset)
        if length < 4:
            return
        yield kind & NLA_TYPE_MASK, data[offset + 4 : offset + length]
        offset += (length + 3) & ~3


class Socket:
    """A netlink socket of the network namespace that the thread is in when it is made; for routing, unless another
    ``protocol`` is given."""

    def __init__(self, protocol: int = 0) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
        # Acknowledgements of a whole batch have to fit; the kernel counts about 800 bytes for each.
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        for option in (_NETLINK_CAP_ACK, _NETLINK_EXT_ACK, _NETLINK_GET_STRICT_CHK):
            self._socket.setsockopt(_SOL_NETLINK, option, 1)
        self._sequence = 1

    def close(self) -> None:
        """Close the socket; further calls fail."""
        self._socket.close()

    def send(self, messages: Sequence[Message]) -> list[Refusal]:
        """Send all messages, BATCH at a time, and return what the kernel refused.

        A batch is not atomic: the kernel carries out every message on its own. Nothing is sent after a batch
        in which something was refused.
        """
        for start in range(0, len(messages), BATCH):
            refusals = self._send_batch(messages[start : start + BATCH], start)
            if refusals:
                return refusals
        return []

    @staticmethod
    def after(position: int) -> int:
        """The position of the first message that :meth:`send` did not send after a refusal at ``position``."""
        return (position // BATCH + 1) * BATCH

    def _send_batch(self, messages: Sequence[Message], start: int) -> list[Refusal]:
        """The kernel works a batch off in its order and tells every refusal unasked (netlink_rcv_skb); so only the
        last message asks for an acknowledgement, behind which nothing comes."""
        first = self._sequence
        self._sequence += len(messages)
        last = self._sequence - 1
        parts: list[bytes] = []
        for sequence, (kind, flags, body) in enumerate(messages, first):
            asked = flags | NLM_F_REQUEST | NLM_F_ACK if sequence == last else flags | NLM_F_REQUEST
            parts += (_HEADER.pack(16 + len(body), kind, asked, sequence, 0), body, _PADDING[len(body) & 3])
        self._socket.send(b"".join(parts))
        refusals: list[Refusal] = []
        while True:
            data = self._socket.recv(_RECEIVE)
            offset = 0
            while offset < len(data):
                length, kind, flags, sequence, _ = _HEADER.unpack_from(data, offset)
                if kind == NLMSG_ERROR and sequence >= first:
                    (code,) = _CODE.unpack_from(data, offset + 16)
                    if code:
                        words = _words(data[offset : offset + length], flags)
                        refusals.append(Refusal(start + sequence - first, -code, words))
                    if sequence == last:
                        return refusals
                offset += (length + 3) & ~3

    def dump(self, kind: int, body: bytes) -> list[bytes]:
        """All messages of a dump, undecoded, each without its header.

        Raises ``OSError`` with the kernel's errno. A dump that was interrupted by a change is read again.
        """
        for _ in range(_DUMP_TRIES):
            found, interrupted = self.dump_once(kind, body)
            if not interrupted:
                return found
        return found

    def dump_once(self, kind: int, body: bytes) -> tuple[list[bytes], bool]:
        """The same without a second try: all messages, and whether something changed meanwhile."""
        sequence = self._sequence
        self._sequence += 1
        self._socket.send(_HEADER.pack(16 + len(body), kind, NLM_F_REQUEST | NLM_F_DUMP, sequence, 0) + body)
        found: list[bytes] = []
        interrupted = False
        unpack = _HEADER.unpack_from
        while True:
            data = self._socket.recv(_RECEIVE)
            offset, end = 0, len(data)
            while offset < end:
                length, answer, flags, answered, _ = unpack(data, offset)
                if answered == sequence:
                    interrupted = interrupted or bool(flags & NLM_F_DUMP_INTR)
                    if answer == NLMSG_DONE or answer == NLMSG_ERROR:
                        code = _CODE.unpack_from(data, offset + 16)[0] if length >= 20 else 0
                        if code:
                            raise OSError(-code, os.strerror(-code))
                        return found, interrupted
                    found.append(data[offset + 16 : offset + length])
                offset += (length + 3) & ~3

    def get(self, kind: int, body: bytes) -> bytes:
        """The one message that a question is answered with, without its header, and without an acknowledgement.

        Raises ``OSError`` with the kernel's errno.
        """
        sequence = self._sequence
        self._sequence += 1
        self._socket.send(_HEADER.pack(16 + len(body), kind, NLM_F_REQUEST, sequence, 0) + body)
        while True:
            data = self._socket.recv(_RECEIVE)
            length, answer, _, answered, _ = _HEADER.unpack_from(data, 0)
            if answered == sequence:
                if answer == NLMSG_ERROR:
                    (code,) = _CODE.unpack_from(data, 16)
                    raise OSError(-code, os.strerror(-code))
                return data[16:length]

    def ask(self, message: Message) -> list[bytes]:
        """Send one question and return what is told before its acknowledgement, each without its header."""
        sequence = self._sequence
        self._sequence += 1
        flags = NLM_F_REQUEST | NLM_F_ACK | message.flags
        self._socket.send(_HEADER.pack(16 + len(message.body), message.type, flags, sequence, 0) + message.body)
        told: list[bytes] = []
        while True:
            data = self._socket.recv(_RECEIVE)
            offset = 0
            while offset < len(data):
                length, answer, flags, answered, _ = _HEADER.unpack_from(data, offset)
                if answered == sequence:
                    if answer == NLMSG_ERROR:
                        (code,) = _CODE.unpack_from(data, offset + 16)
                        if code:
                            raise OSError(-code, _words(data[offset : offset + length], flags) or os.strerror(-code))
                        return told
                    told.append(data[offset + 16 : offset + length])
                offset += (length + 3) & ~3

    def request(self, message: Message) -> None:
        """Send one message; ``OSError`` with the kernel's words if it is refused."""
        for refusal in self.send([message]):
            raise OSError(refusal.errno, refusal.words or os.strerror(refusal.errno))


def _words(message: bytes, flags: int) -> str:
    """The kernel's own words in an error message (extended acknowledgement)."""
    if not flags & NLM_F_ACK_TLVS:
        return ""
    offset = 36
    if not flags & NLM_F_CAPPED:
        (length,) = _U32.unpack_from(message, 20)
        offset = 20 + ((length + 3) & ~3)
    for kind, payload in attributes(message, offset):
        if kind == _NLMSGERR_ATTR_MSG:
            return payload.rstrip(b"\0").decode(errors="replace")
    return ""


#: Refusals that mean "it is already gone", which is what a removal wants.
GONE = frozenset({errno.ENODEV, errno.ENOENT, errno.ESRCH, errno.EADDRNOTAVAIL, errno.ENXIO})
