"""Whether there is an nft table, and a digest of it as the kernel dumps it: while it is the same, nft lists the same.

Read over netlink, because starting nft costs ten times as much. What is digested is the kernel's messages as they are,
not understood but taken apart just far enough to leave out what nft's listing has not or what comes in an order that
means nothing. What changes by itself (a counter, a quota, when an element expires) stays in: a table with such a thing
in it, which no table of ours has, has another digest each time, and so nft is asked.

Sources: include/uapi/linux/netfilter/nf_tables.h and net/netfilter/nf_tables_api.c of the kernel, from 4.19 on (the
functions ``nf_tables_fill_*_info`` and ``nf_tables_dump_*``).
"""

from __future__ import annotations

import contextlib
import hashlib
import struct
from typing import Iterable, NamedTuple, Optional, Sequence

from netcompose.agent.kernel.netlink import NLA_TYPE_MASK, Socket, attr_text

_NETLINK_NETFILTER = 12
_SUBSYSTEM = 10 << 8  # NFNL_SUBSYS_NFTABLES
_GET_TABLE, _GET_CHAIN, _GET_RULE, _GET_SET, _GET_ELEMENTS = (_SUBSYSTEM | kind for kind in (1, 4, 7, 10, 13))
_GET_GENERATION, _GET_OBJECT, _GET_FLOWTABLE = (_SUBSYSTEM | kind for kind in (16, 19, 23))
#: struct nfgenmsg of a question: family (NFPROTO_INET), version, resource. In an answer the last is the generation.
_HEAD = struct.pack("=BBH", 1, 0, 0)
#: The first attribute of all kinds of objects and of a list of elements: the table's name.
_TABLE = 1
_SET_NAME = 2
_ELEMENTS = 3

#: Attributes by kind of object that say nothing of a table's content: handles, which change when the same is written
#: again; the handle of the rule before; how often an object is used; how many elements a set has (they are digested
#: themselves), and by which of the kernel's ways it is kept.
_IGNORED = {
    _GET_TABLE: frozenset((3, 4)),  # NFTA_TABLE_USE, HANDLE
    _GET_CHAIN: frozenset((2, 6)),  # NFTA_CHAIN_HANDLE, USE
    _GET_RULE: frozenset((3, 6)),  # NFTA_RULE_HANDLE, POSITION
    _GET_SET: frozenset((16, 19, 20)),  # NFTA_SET_HANDLE, TYPE, COUNT
    _GET_OBJECT: frozenset((5, 6)),  # NFTA_OBJ_USE, HANDLE
    _GET_FLOWTABLE: frozenset((4, 5)),  # NFTA_FLOWTABLE_USE, HANDLE
}

_ATTRIBUTE = struct.Struct("=HH")
_COUNT = struct.Struct("=HI")


class Digest(NamedTuple):
    """Of a table; ``generation`` is the number of the last transaction on all tables (NFTA_GEN_ID), as bytes."""

    value: bytes
    generation: bytes


class Dump(NamedTuple):
    """The kernel's messages on one table, each behind its header (struct nlmsghdr). ``objects`` is by the question that
    they answer, in the kernel's order; ``elements`` by the attributes of the set that they are in."""

    objects: Sequence[tuple[int, Sequence[bytes]]]
    elements: Sequence[tuple[bytes, Sequence[bytes]]]


def exists(name: str) -> bool:
    """True if there is a table ``inet NAME``: one message to the kernel, a hundredth of what starting nft costs."""
    try:
        with contextlib.closing(Socket(_NETLINK_NETFILTER)) as netfilter:
            netfilter.get(_GET_TABLE, _HEAD + attr_text(_TABLE, name))
    except OSError:
        return False
    return True


def digest(name: str) -> Optional[Digest]:
    """The digest of the table ``inet NAME``; None if it could not be read as it was at one moment, for whatever reason
    (it is not there, it changed meanwhile, nobody may ask)."""
    try:
        with contextlib.closing(Socket(_NETLINK_NETFILTER)) as netfilter:
            before = generation(netfilter)
            found = _dump(netfilter, name)
            if found is None or generation(netfilter) != before:
                return None
            return Digest(digested(found), before)
    except (OSError, ValueError, struct.error):
        return None


def unchanged(since: Digest) -> bool:
    """True if there was no transaction since."""
    try:
        with contextlib.closing(Socket(_NETLINK_NETFILTER)) as netfilter:
            return generation(netfilter) == since.generation
    except OSError:
        return False


def generation(netfilter: Socket) -> bytes:
    """The number of the last transaction (NFTA_GEN_ID, the first attribute of an answer)."""
    return netfilter.get(_GET_GENERATION, _HEAD)[8:12]


def _dump(netfilter: Socket, name: str) -> Optional[Dump]:
    """All of a table; None if something changed meanwhile."""
    table = attr_text(_TABLE, name)
    objects: list[tuple[int, Sequence[bytes]]] = [(_GET_TABLE, [netfilter.get(_GET_TABLE, _HEAD + table)])]
    elements: list[tuple[bytes, Sequence[bytes]]] = []
    for kind in (_GET_CHAIN, _GET_RULE, _GET_OBJECT, _GET_FLOWTABLE, _GET_SET):
        found, interrupted = netfilter.dump_once(kind, _HEAD + table)
        if interrupted:
            return None
        objects.append((kind, of_table(table, found)))
    for message in objects[-1][1]:
        which = _attribute(message, _SET_NAME, len(_HEAD) + len(table))
        found, interrupted = netfilter.dump_once(_GET_ELEMENTS, _HEAD + table + which)
        if interrupted:
            return None
        elements.append((which, found))
    return Dump(objects, elements)


def of_table(table: bytes, messages: Sequence[bytes]) -> list[bytes]:
    """The messages on one table, given as the attribute with its name: not every dump is of one table alone.

    ``ValueError`` if that is not the first attribute of each: what is said of whom would not be known.
    """
    start = len(_HEAD)
    for message in messages:
        if _ATTRIBUTE.unpack_from(message, start)[1] != _TABLE:
            raise ValueError("a message that does not begin with its table's name")
    return [message for message in messages if message.startswith(table, start)]


def digested(dump: Dump) -> bytes:
    """The digest of what was dumped.

    The order of chains and rules counts, that of a set's elements does not: a hash table's changes by itself, and it
    may list an element twice while it grows.
    """
    parts: list[bytes] = []
    for kind, messages in dump.objects:
        for message in messages:
            kept = _kept(message, _IGNORED[kind])
            parts += (_COUNT.pack(kind, len(kept)), kept)
    for which, messages in dump.elements:
        elements = sorted({element for message in messages for element in _listed(message)})
        parts += (_COUNT.pack(_GET_ELEMENTS, len(elements)), which, *elements)
    return hashlib.sha256(b"".join(parts)).digest()


def _attributes(message: bytes, offset: int) -> Iterable[tuple[int, int, int]]:
    """(type, start, end with its padding) of every attribute; ``ValueError`` if there is anything else."""
    end = len(message)
    unpack = _ATTRIBUTE.unpack_from
    while offset < end:
        length, kind = unpack(message, offset)
        after = offset + ((length + 3) & ~3)
        if length < 4 or offset + length > end:
            raise ValueError("an attribute of {} bytes".format(length))
        yield kind & NLA_TYPE_MASK, offset, after
        offset = after


def _kept(message: bytes, ignored: frozenset[int]) -> bytes:
    """A message's attributes without those."""
    parts = []
    since = len(_HEAD)
    for kind, start, end in _attributes(message, since):
        if kind in ignored:
            parts.append(message[since:start])
            since = end
    parts.append(message[since:])
    return b"".join(parts)


def _attribute(message: bytes, wanted: int, offset: int) -> bytes:
    """The first attribute of a type from ``offset`` on, as it is."""
    for kind, start, end in _attributes(message, offset):
        if kind == wanted:
            return message[start:end]
    raise ValueError("no attribute {}".format(wanted))


def _listed(message: bytes) -> list[bytes]:
    """A set's elements in one message (NFTA_SET_ELEM_LIST_ELEMENTS), each as it is."""
    for kind, start, end in _attributes(message, len(_HEAD)):
        if kind == _ELEMENTS:
            return [message[first:last] for _, first, last in _attributes(message[:end], start + 4)]
    raise ValueError("a message on elements without elements")
