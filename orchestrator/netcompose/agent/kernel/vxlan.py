"""VXLAN interfaces, and the tables that lead through them: messages, and what dumps say.

Numbers are the kernel's ABI (include/uapi/linux/if_link.h, neighbour.h); what they mean is in ip-link(8), bridge(8) and
ip-neighbour(8).
"""

from __future__ import annotations

import struct
from socket import AF_BRIDGE as _AF_BRIDGE
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton
from typing import Iterator, NamedTuple

from netcompose.agent.kernel.linkdump import IFLA_LINKINFO, Link
from netcompose.agent.kernel.netlink import (
    NLM_F_CREATE,
    NLM_F_REPLACE,
    Message,
    Socket,
    attr,
    attr_text,
    attr_u32,
    attributes,
    nested,
)
from netcompose.agent.kernel.rtnl import change_link

RTM_NEWNEIGH, RTM_DELNEIGH, RTM_GETNEIGH = 28, 29, 30
_ID, _GROUP, _LOCAL, _LEARNING, _PORT, _GROUP6, _LOCAL6 = 1, 2, 4, 7, 15, 16, 17
_SLAVE_KIND, _SLAVE_DATA = 4, 5
_BRPORT_NEIGH_SUPPRESS = 32
_NDA_DST, _NDA_LLADDR = 1, 2
_NDA_IFINDEX = 8
_NTF_SELF, _NTF_MASTER = 0x02, 0x04
_NUD_NOARP, _NUD_PERMANENT = 0x40, 0x80
_NDMSG = struct.Struct("=BxxxiHBB")


class Tunnel(NamedTuple):
    """What an interface of kind ``vxlan`` was made with; ``remote`` empty for none. ``suppress`` is of its port."""

    vni: int
    port: int
    local: str
    remote: str
    suppress: bool


class Entry(NamedTuple):
    """One entry of a table: ``master`` tells a bridge's from the tunnel's own; ``to`` is where a MAC address is, or the
    IP address that it belongs to."""

    mac: str
    to: str
    master: bool = False


def tunnel_data(vni: int, port: int, local: str, remote: str) -> bytes:
    """The attributes of a tunnel's own in its create message. It learns nothing from what arrives."""
    data = attr_u32(_ID, vni) + attr(_PORT, struct.pack("!H", port)) + attr(_LEARNING, b"\0")
    for address, four, six in ((local, _LOCAL, _LOCAL6), (remote, _GROUP, _GROUP6)):
        if address:
            data += attr(six if ":" in address else four, _raw(address))
    return data


def decode(link: Link) -> Tunnel:
    """What a live interface of kind ``vxlan`` is."""
    own = dict(attributes(link.info, 0))
    port = dict(attributes(link.port, 0))
    return Tunnel(
        vni=struct.unpack("=I", own.get(_ID, bytes(4)))[0],
        port=struct.unpack("!H", own.get(_PORT, bytes(2)))[0],
        local=_address(own.get(_LOCAL) or own.get(_LOCAL6) or b""),
        remote=_address(own.get(_GROUP) or own.get(_GROUP6) or b""),
        suppress=port.get(_BRPORT_NEIGH_SUPPRESS) == b"\1",
    )


def suppress_neighbours(on: bool, *, index: int = 0, name: str = "") -> Message:
    """Whether a bridge answers for the neighbours that it knows instead of asking through this port."""
    own = attr(_BRPORT_NEIGH_SUPPRESS, bytes([on]))
    info = attr_text(_SLAVE_KIND, "bridge") + nested(_SLAVE_DATA, own)
    return change_link(nested(IFLA_LINKINFO, info), index=index, name=name)


def _entry(kind: int, index: int, entry: Entry) -> Message:
    flags = NLM_F_CREATE | NLM_F_REPLACE if kind == RTM_NEWNEIGH else 0
    # Static, not permanent: with a bridge that would be an address of the bridge itself.
    state, where = (_NUD_NOARP, _NTF_MASTER) if entry.master else (_NUD_NOARP | _NUD_PERMANENT, _NTF_SELF)
    body = _NDMSG.pack(_AF_BRIDGE, index, state, where, 0) + attr(
        _NDA_LLADDR, bytes.fromhex(entry.mac.replace(":", ""))
    )
    if not entry.master:
        body += attr(_NDA_DST, _raw(entry.to))
    return Message(kind, flags, body)


def add_entry(index: int, entry: Entry) -> Message:
    """A MAC address is behind this port, or behind this host (``bridge fdb replace``)."""
    return _entry(RTM_NEWNEIGH, index, entry)


def delete_entry(index: int, entry: Entry) -> Message:
    """It is not any more (``bridge fdb del``)."""
    return _entry(RTM_DELNEIGH, index, entry)


def _neighbour(kind: int, index: int, entry: Entry) -> Message:
    family = AF_INET6 if ":" in entry.to else AF_INET
    flags = NLM_F_CREATE | NLM_F_REPLACE if kind == RTM_NEWNEIGH else 0
    body = _NDMSG.pack(family, index, _NUD_PERMANENT, 0, 0) + attr(_NDA_DST, _raw(entry.to))
    return Message(kind, flags, body + attr(_NDA_LLADDR, bytes.fromhex(entry.mac.replace(":", ""))))


def add_neighbour(index: int, entry: Entry) -> Message:
    """An IP address belongs to a MAC address for good (``ip neighbour replace ... nud permanent``)."""
    return _neighbour(RTM_NEWNEIGH, index, entry)


def delete_neighbour(index: int, entry: Entry) -> Message:
    """It does not any more."""
    return _neighbour(RTM_DELNEIGH, index, entry)


def entries(socket: Socket, index: int) -> Iterator[Entry]:
    """The entries that lead through a tunnel: its own, and those of its bridge. Addresses of the interface itself and
    entries that were learned are left out."""
    for data in socket.dump(RTM_GETNEIGH, _NDMSG.pack(_AF_BRIDGE, index, 0, 0, 0)):
        _, owner, state, flags, _ = _NDMSG.unpack_from(data, 0)
        found = dict(attributes(data, 12))
        mac = found.get(_NDA_LLADDR, b"")
        # Older kernels do not filter by the interface.
        if owner != index or len(mac) != 6:
            continue
        if flags & _NTF_SELF and _NDA_DST in found:
            yield Entry(mac.hex(":"), _address(found[_NDA_DST]))
        elif not flags & _NTF_SELF and state & _NUD_NOARP and not state & _NUD_PERMANENT:
            yield Entry(mac.hex(":"), "", master=True)


def neighbours(socket: Socket, index: int) -> Iterator[Entry]:
    """The permanent neighbours on an interface, of both families."""
    for family in (AF_INET, AF_INET6):
        body = _NDMSG.pack(family, 0, 0, 0, 0) + attr_u32(_NDA_IFINDEX, index)
        for data in socket.dump(RTM_GETNEIGH, body):
            _, owner, state, _, _ = _NDMSG.unpack_from(data, 0)
            found = dict(attributes(data, 12))
            mac = found.get(_NDA_LLADDR, b"")
            if owner == index and state & _NUD_PERMANENT and len(mac) == 6 and _NDA_DST in found:
                yield Entry(mac.hex(":"), _address(found[_NDA_DST]))


def _raw(address: str) -> bytes:
    return inet_pton(AF_INET6 if ":" in address else AF_INET, address)


def _address(raw: bytes) -> str:
    text = inet_ntop(AF_INET if len(raw) == 4 else AF_INET6, raw) if raw else ""
    return "" if text in ("0.0.0.0", "::") else text
