"""Links as the kernel dumps them, decoded to small tuples.

Numbers are the kernel's ABI (include/uapi/linux/if_link.h; rtnetlink(7)).
"""

from __future__ import annotations

import struct
import sys
from typing import NamedTuple

from netcompose.agent.kernel.netlink import NLA_TYPE_MASK, Socket, attr_u32, attributes

RTM_GETLINK = 18
IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_LINK, IFLA_QDISC = 1, 3, 4, 5, 6
IFLA_MASTER, IFLA_LINKINFO, IFLA_IFALIAS, IFLA_GROUP = 10, 18, 20, 27
IFLA_EXT_MASK, IFLA_PROP_LIST, IFLA_ALT_IFNAME = 29, 52, 53
IFLA_INFO_KIND, IFLA_INFO_DATA, IFLA_INFO_SLAVE_DATA = 1, 2, 5
IFLA_BRPORT_ISOLATED = 33
IFF_UP = 1
_IFF_PROMISC = 0x100
_RTEXT_FILTER_SKIP_STATS = 8

IFINFO = struct.Struct("=BxHiII")
_NLA = struct.Struct("=HH")


class Link(NamedTuple):
    """A live interface. ``master`` and ``link`` are interface indexes (0: none); ``kind`` is empty for hardware;
    ``isolated`` is that of a bridge's port; ``impaired`` tells that netem or tbf is at its root (``qdisc.py``);
    ``promiscuous`` is what was asked for by ip-link(8), not by packet sockets; ``info`` are the own attributes of a
    kind that stands on another interface, to be read by stacked.py, or of a tunnel (vxlan.py); ``port`` are those of a
    tunnel as the port of a bridge."""

    ifindex: int
    name: str
    up: bool
    mac: str
    mtu: int
    master: int
    link: int
    group: int
    alias: str
    kind: str
    altnames: tuple[str, ...]
    isolated: bool = False
    impaired: bool = False
    promiscuous: bool = False
    info: bytes = b""
    port: bytes = b""


def links(socket: Socket) -> list[Link]:
    """Every interface of the socket's namespace, in the kernel's order."""
    body = IFINFO.pack(0, 0, 0, 0, 0) + attr_u32(IFLA_EXT_MASK, _RTEXT_FILTER_SKIP_STATS)
    return [decode_link(message) for message in socket.dump(RTM_GETLINK, body)]


def decode_link(data: bytes) -> Link:
    """One RTM_NEWLINK message without its header."""
    layout = _layout(data)
    _, _, index, flags, _ = IFINFO.unpack_from(data, 0)
    name, mac, mtu, master, link, group, alias, about, names, queue = layout.places
    kind, isolated, info, port = _about(data[about])
    altnames: tuple[str, ...] = ()
    if names is not _ABSENT:
        inner = attributes(data[names], 0)
        altnames = tuple(_text(value) for what, value in inner if what == IFLA_ALT_IFNAME)
    return Link(
        ifindex=index,
        name=_text(data[name]),
        up=bool(flags & IFF_UP),
        mac=data[mac].hex(":"),
        mtu=int.from_bytes(data[mtu], sys.byteorder),
        master=int.from_bytes(data[master], sys.byteorder),
        link=int.from_bytes(data[link], sys.byteorder),
        group=int.from_bytes(data[group], sys.byteorder),
        alias=_text(data[alias]),
        kind=kind,
        altnames=altnames,
        isolated=isolated,
        impaired=data[queue] in _IMPAIRING,
        promiscuous=bool(flags & _IFF_PROMISC),
        info=info,
        port=port,
    )


def _text(value: bytes) -> str:
    return value.rstrip(b"\0").decode(errors="replace")


_ABSENT = slice(0, 0)
#: What is read of a message, in this order.
_READ = (
    IFLA_IFNAME, IFLA_ADDRESS, IFLA_MTU, IFLA_MASTER, IFLA_LINK, IFLA_GROUP, IFLA_IFALIAS, IFLA_LINKINFO,
    IFLA_PROP_LIST, IFLA_QDISC,
)  # fmt: skip


class _Layout:
    """Where the attributes that are read are in messages whose attributes have the same types and lengths.

    A link has some forty attributes, and the links of a host have few layouts: recognising one costs a fraction of a
    walk through the message. ``unpack`` gives the header of every attribute, ``headers`` is what it has to give.
    """

    __slots__ = ("headers", "places", "unpack")

    def __init__(self, data: bytes) -> None:
        formats, places = ["=16x"], {}
        offset, end = 16, len(data)
        while offset + 4 <= end:
            length, what = _NLA.unpack_from(data, offset)
            if length < 4:
                break
            after = min(offset + ((length + 3) & ~3), end)
            formats.append("HH{}x".format(after - offset - 4))
            places[what & NLA_TYPE_MASK] = slice(offset + 4, offset + length)
            offset = after
        self.places = tuple(places.get(what, _ABSENT) for what in _READ)
        self.unpack = struct.Struct("".join(formats)).unpack_from
        self.headers = self.unpack(data)


#: By the length of the message.
_layouts: dict[int, list[_Layout]] = {}
_MOST_LAYOUTS, _MOST_LENGTHS = 8, 512


def _layout(data: bytes) -> _Layout:
    known = _layouts.get(len(data))
    if known is None:
        if len(_layouts) >= _MOST_LENGTHS:
            _layouts.clear()
        known = _layouts[len(data)] = []
    for layout in known:
        if layout.unpack(data) == layout.headers:
            return layout
    layout = _Layout(data)
    known.insert(0, layout)
    del known[_MOST_LAYOUTS:]
    return layout


#: Kinds whose own attributes are kept.
_WITH_INFO = frozenset({"macvlan", "macvtap", "ipvlan", "ipvtap", "vlan", "vxlan"})
#: Queueing disciplines that impair, as a link's message names its root one: only then are they worth a dump.
_IMPAIRING = frozenset({b"netem\0", b"tbf\0"})
#: How the attribute of an isolated port begins: what most ports lack need not be looked for one by one.
_ISOLATED = _NLA.pack(5, IFLA_BRPORT_ISOLATED) + b"\1"


def _about(data: bytes) -> tuple[str, bool, bytes, bytes]:
    """What IFLA_LINKINFO says: the kind, whether the port is isolated, own attributes, those as a port."""
    kind = ""
    for what, value in attributes(data, 0):
        if what == IFLA_INFO_KIND:
            kind = _text(value)
            break
    if kind not in _WITH_INFO and _ISOLATED not in data:
        return kind, False, b"", b""
    parts = dict(attributes(data, 0))
    slave = parts.get(IFLA_INFO_SLAVE_DATA, b"")
    return (
        kind,
        dict(attributes(slave, 0)).get(IFLA_BRPORT_ISOLATED) == b"\1",
        parts.get(IFLA_INFO_DATA, b"") if kind in _WITH_INFO else b"",
        slave if kind == "vxlan" else b"",
    )
