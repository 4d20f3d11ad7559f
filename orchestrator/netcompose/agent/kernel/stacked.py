"""Interfaces that stand on another one: macvlan, ipvlan and VLAN sub-interfaces; their own attributes both ways.

Numbers are the kernel's ABI (include/uapi/linux/if_link.h, net_namespace.h); the words are ip-link(8)'s.
"""

from __future__ import annotations

import errno
import struct
from typing import NamedTuple, Sequence

from netcompose.agent.kernel.linkdump import (
    IFLA_EXT_MASK,
    IFLA_IFNAME,
    IFLA_INFO_DATA,
    IFLA_INFO_KIND,
    IFLA_LINK,
    IFLA_LINKINFO,
    RTM_GETLINK,
    decode_link,
)
from netcompose.agent.kernel.netlink import Message, Socket, attr, attr_text, attr_u32, attributes, nested
from netcompose.agent.kernel.rtnl import change_link

MACVLAN_MODES = {"private": 1, "vepa": 2, "bridge": 4, "passthru": 8, "source": 16}
IPVLAN_MODES = {"l2": 0, "l3": 1, "l3s": 2}
IPVLAN_FLAGS = {"bridge": 0, "private": 1, "vepa": 2}

_IFLA_MACVLAN_MODE, _MACADDR_MODE, _MACADDR, _MACADDR_DATA = 1, 3, 4, 5
_MACADDR_SET = 3
_IFLA_IPVLAN_MODE, _IFLA_IPVLAN_FLAGS = 1, 2
_IFLA_VLAN_ID = 1
_IFLA_LINK_NETNSID = 37
_RTM_NEWLINK, _RTM_GETNSID = 16, 90
_NETNSA_NSID, _NETNSA_FD = 1, 3
_IFF_PROMISC = 0x100
_RTEXT_FILTER_SKIP_STATS = 8
_IFINFO = struct.Struct("=BxHiII")
_U16 = struct.Struct("=H")
_U32 = struct.Struct("=I")
_S32 = struct.Struct("=i")
_NAMES = {value: name for name, value in MACVLAN_MODES.items()}
_IPVLAN_NAMES = {value: name for name, value in IPVLAN_MODES.items()}
_FLAG_NAMES = {value: name for name, value in IPVLAN_FLAGS.items()}


def macvlan_data(mode: str, sources: Sequence[str] = ()) -> bytes:
    """A macvlan's own attributes; ``sources`` are the MAC addresses that mode ``source`` takes frames from."""
    data = attr_u32(_IFLA_MACVLAN_MODE, MACVLAN_MODES[mode])
    if mode == "source":
        listed = b"".join(attr(_MACADDR, bytes.fromhex(text.replace(":", ""))) for text in sources)
        data += attr_u32(_MACADDR_MODE, _MACADDR_SET) + nested(_MACADDR_DATA, listed)
    return data


def read_macvlan(info: bytes) -> tuple[str, tuple[str, ...]]:
    """Mode and sources of a macvlan's own attributes; a mode without a name is its number."""
    mode, sources = 0, []
    for kind, value in attributes(info, 0):
        if kind == _IFLA_MACVLAN_MODE:
            (mode,) = _U32.unpack(value)
        elif kind == _MACADDR_DATA:
            sources = [address.hex(":") for inner, address in attributes(value, 0) if inner == _MACADDR]
    return _NAMES.get(mode, str(mode)), tuple(sorted(sources))


def ipvlan_data(mode: str, flag: str) -> bytes:
    """An ipvlan's own attributes, which the kernel keeps for all on one parent."""
    both = ((_IFLA_IPVLAN_MODE, IPVLAN_MODES[mode]), (_IFLA_IPVLAN_FLAGS, IPVLAN_FLAGS[flag]))
    return b"".join(attr(kind, _U16.pack(value)) for kind, value in both)


def read_ipvlan(info: bytes) -> tuple[str, str]:
    """Mode and flag of an ipvlan's own attributes."""
    found = {kind: _U16.unpack(value)[0] for kind, value in attributes(info, 0) if len(value) == 2}
    mode, flag = found.get(_IFLA_IPVLAN_MODE, 0), found.get(_IFLA_IPVLAN_FLAGS, 0)
    return _IPVLAN_NAMES.get(mode, str(mode)), _FLAG_NAMES.get(flag, str(flag))


def vlan_data(tag: int) -> bytes:
    """A VLAN sub-interface's own attributes (IEEE 802.1Q)."""
    return attr(_IFLA_VLAN_ID, _U16.pack(tag))


def read_vlan(info: bytes) -> int:
    """The tag of a VLAN sub-interface."""
    return next((int(_U16.unpack(value)[0]) for kind, value in attributes(info, 0) if kind == _IFLA_VLAN_ID), 0)


def on_parent(parent: int) -> bytes:
    """The attribute of a create message that says on which interface (of the sender's namespace) it stands."""
    return attr_u32(IFLA_LINK, parent)


def change_data(kind: str, data: bytes, *, index: int) -> Message:
    """Change a kind's own attributes on an interface that is there."""
    return change_link(
        nested(IFLA_LINKINFO, attr_text(IFLA_INFO_KIND, kind), nested(IFLA_INFO_DATA, data)), index=index
    )


def set_promiscuous(on: bool, *, name: str) -> Message:
    """Set or clear the promiscuous flag as ``ip link set promisc`` does. What packet sockets ask for is not touched."""
    body = _IFINFO.pack(0, 0, 0, _IFF_PROMISC if on else 0, _IFF_PROMISC)
    return Message(_RTM_NEWLINK, 0, body + attr_text(IFLA_IFNAME, name))


class Child(NamedTuple):
    """An interface on a parent in another namespace: its kind, name, alias, group, and its kind's own attributes."""

    parent: int
    kind: str
    name: str
    alias: str
    group: int
    info: bytes


def children(socket: Socket, parents: Sequence[int], host_fd: int) -> list[Child]:
    """The interfaces of the socket's namespace that stand on these interfaces of the host (its namespace's
    descriptor is ``host_fd``)."""
    found: list[Child] = []
    host = -2
    for data in socket.dump(
        RTM_GETLINK, _IFINFO.pack(0, 0, 0, 0, 0) + attr_u32(IFLA_EXT_MASK, _RTEXT_FILTER_SKIP_STATS)
    ):
        link = decode_link(data)
        if link.link not in parents or link.kind not in STACKED:
            continue
        # An index counts in the namespace that the number beside it stands for; without one, in the same.
        number = next((_S32.unpack(v)[0] for kind, v in attributes(data, 16) if kind == _IFLA_LINK_NETNSID), -1)
        if number >= 0:
            if host == -2:
                host = _number_of(socket, host_fd)
            if number == host:
                found.append(Child(link.link, link.kind, link.name, link.alias, link.group, link.info))
    return found


#: Kinds of interface that share their parent's segment.
STACKED = frozenset({"macvlan", "macvtap", "ipvlan", "ipvtap"})


def _number_of(socket: Socket, fd: int) -> int:
    """By which number the socket's namespace knows another one (RTM_GETNSID), -1 if by none."""
    try:
        (answer,) = socket.ask(Message(_RTM_GETNSID, 0, bytes(4) + attr_u32(_NETNSA_FD, fd)))
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.EINVAL, errno.EOPNOTSUPP):
            return -1
        raise
    return next((int(_S32.unpack(value)[0]) for kind, value in attributes(answer, 4) if kind == _NETNSA_NSID), -1)
