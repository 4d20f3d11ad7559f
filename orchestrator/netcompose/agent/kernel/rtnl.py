"""Links, addresses and routes: requests to the kernel, and its dumps (of links see linkdump.py) as small tuples.

Numbers are the kernel's ABI (include/uapi/linux/if_link.h, if_addr.h, rtnetlink.h; rtnetlink(7)).
"""

from __future__ import annotations

import errno
import struct
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton
from typing import NamedTuple

from netcompose.agent.kernel.linkdump import (
    IFF_UP,
    IFINFO,
    IFLA_ADDRESS,
    IFLA_ALT_IFNAME,
    IFLA_BRPORT_ISOLATED,
    IFLA_GROUP,
    IFLA_IFALIAS,
    IFLA_IFNAME,
    IFLA_INFO_DATA,
    IFLA_INFO_KIND,
    IFLA_INFO_SLAVE_DATA,
    IFLA_LINKINFO,
    IFLA_MASTER,
    IFLA_MTU,
    IFLA_PROP_LIST,
)
from netcompose.agent.kernel.netlink import (
    NLM_F_CREATE,
    NLM_F_EXCL,
    NLM_F_REPLACE,
    Message,
    Socket,
    attr,
    attr_text,
    attr_u32,
    attributes,
    nested,
)

RTM_NEWLINK, RTM_DELLINK = 16, 17
RTM_NEWADDR, RTM_DELADDR, RTM_GETADDR = 20, 21, 22
RTM_NEWROUTE, RTM_DELROUTE, RTM_GETROUTE = 24, 25, 26
RTM_NEWLINKPROP, RTM_DELLINKPROP = 108, 109

IFLA_NET_NS_FD = 28
_IFLA_INFO_SLAVE_KIND = 4
_VETH_INFO_PEER = 1
_IFA_ADDRESS, _IFA_LOCAL, _IFA_BROADCAST, _IFA_FLAGS = 1, 2, 4, 8
_IFA_F_NODAD, _IFA_F_PERMANENT = 0x02, 0x80
_RTA_DST, _RTA_OIF, _RTA_GATEWAY, _RTA_PRIORITY, _RTA_TABLE = 1, 4, 5, 6, 15
_RT_TABLE_MAIN = 254
_RTN_UNICAST = 1
_RTPROT_KERNEL = 2
_SCOPE_UNIVERSE, _SCOPE_LINK = 0, 253
IPV6_DEFAULT_METRIC = 1024

_IFADDR = struct.Struct("=BBBBI")
_RTMSG = struct.Struct("=BBBBBBBBI")
_U32 = struct.Struct("=I")


class Address(NamedTuple):
    """A live address, ``10.0.0.2/24``, on the interface with this index. Link-local ones are left out."""

    ifindex: int
    text: str


class LiveRoute(NamedTuple):
    """A live unicast route of the main table. ``to`` is a prefix, ``via`` may be empty, ``protocol`` as in
    ``/etc/iproute2/rt_protos``; an IPv6 metric of 1024 (the kernel's default) is given as 0."""

    ifindex: int
    to: str
    via: str
    metric: int
    protocol: int


# --- requests ---------------------------------------------------------------------------------------------------


def _mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def link_attributes(
    *,
    name: str = "",
    mac: str = "",
    mtu: int = 0,
    group: int = 0,
    master: int | None = None,
    alias: str | None = None,
    netns_fd: int = -1,
) -> bytes:
    """The attributes of an interface that are given; the rest is left as it is."""
    parts = []
    if name:
        parts.append(attr_text(IFLA_IFNAME, name))
    if mac:
        parts.append(attr(IFLA_ADDRESS, _mac(mac)))
    if mtu:
        parts.append(attr_u32(IFLA_MTU, mtu))
    if group:
        parts.append(attr_u32(IFLA_GROUP, group))
    if master is not None:
        parts.append(attr_u32(IFLA_MASTER, master))
    if alias is not None:
        parts.append(attr(IFLA_IFALIAS, alias.encode()))
    if netns_fd >= 0:
        parts.append(attr_u32(IFLA_NET_NS_FD, netns_fd))
    return b"".join(parts)


def _ifinfo(index: int = 0, up: bool | None = None) -> bytes:
    return IFINFO.pack(0, 0, index, IFF_UP if up else 0, 0 if up is None else IFF_UP)


def create_link(kind: str, common: bytes, *, index: int = 0, up: bool | None = None, data: bytes = b"") -> Message:
    """Make an interface of a kind (``bridge``); ``common`` from :func:`link_attributes`, ``data`` the kind's own."""
    info = attr_text(IFLA_INFO_KIND, kind) + (nested(IFLA_INFO_DATA, data) if data else b"")
    body = _ifinfo(index, up) + common + nested(IFLA_LINKINFO, info)
    return Message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, body)


def create_veth(common: bytes, peer: bytes, *, index: int = 0, up: bool | None = None, peer_index: int = 0) -> Message:
    """Make a veth pair, each end where its attributes put it (veth(4))."""
    return create_link("veth", common, index=index, up=up, data=attr(_VETH_INFO_PEER, _ifinfo(peer_index) + peer))


def change_link(common: bytes, *, index: int = 0, name: str = "", up: bool | None = None) -> Message:
    """Change an interface that exists, found by its index or, with index 0, by its name."""
    found_by = b"" if index else attr_text(IFLA_IFNAME, name)
    return Message(RTM_NEWLINK, 0, _ifinfo(index, up) + found_by + common)


def isolate_port(isolated: bool, *, index: int = 0, name: str = "") -> Message:
    """Let a port of a bridge reach the other isolated ports, or not (``ip link set ... type bridge_slave``)."""
    own = attr(IFLA_BRPORT_ISOLATED, bytes([isolated]))
    info = attr_text(_IFLA_INFO_SLAVE_KIND, "bridge") + nested(IFLA_INFO_SLAVE_DATA, own)
    return change_link(nested(IFLA_LINKINFO, info), index=index, name=name)


def delete_link(name: str) -> Message:
    """Remove an interface by name."""
    return Message(RTM_DELLINK, 0, _ifinfo() + attr_text(IFLA_IFNAME, name))


def delete_group(group: int) -> Message:
    """Remove every interface of a group at once (``ip link del group N``)."""
    return Message(RTM_DELLINK, 0, _ifinfo() + attr_u32(IFLA_GROUP, group))


def add_altname(altname: str, *, name: str) -> Message:
    """Give an interface a second name (``ip link property add``)."""
    names = nested(IFLA_PROP_LIST, attr_text(IFLA_ALT_IFNAME, altname))
    return Message(RTM_NEWLINKPROP, NLM_F_CREATE | NLM_F_EXCL, _ifinfo() + attr_text(IFLA_IFNAME, name) + names)


def delete_altname(altname: str, *, name: str) -> Message:
    """Take a second name away (``ip link property del``)."""
    names = nested(IFLA_PROP_LIST, attr_text(IFLA_ALT_IFNAME, altname))
    return Message(RTM_DELLINKPROP, 0, _ifinfo() + attr_text(IFLA_IFNAME, name) + names)


def _address(text: str, index: int) -> bytes:
    address, _, prefix = text.partition("/")
    family = AF_INET6 if ":" in address else AF_INET
    raw = inet_pton(family, address)
    length = int(prefix)
    if family == AF_INET6:
        # Addresses come from a plan that knows them to be unique: no seconds of duplicate detection.
        return _IFADDR.pack(family, length, _IFA_F_NODAD, _SCOPE_UNIVERSE, index) + attr(_IFA_LOCAL, raw)
    body = _IFADDR.pack(family, length, 0, _SCOPE_UNIVERSE, index) + attr(_IFA_LOCAL, raw) + attr(_IFA_ADDRESS, raw)
    if length < 31:
        host_bits = (1 << (32 - length)) - 1
        body += attr(_IFA_BROADCAST, (int.from_bytes(raw, "big") | host_bits).to_bytes(4, "big"))
    return body


def link_local(mac: str) -> str:
    """The link-local address that an interface makes from its MAC address (RFC 4291, appendix A)."""
    raw = bytearray(_mac(mac))
    raw[0] ^= 2
    return "fe80::{:x}:{:x}:{:x}:{:x}/64".format(
        raw[0] << 8 | raw[1], raw[2] << 8 | 0xFF, 0xFE00 | raw[3], raw[4] << 8 | raw[5]
    )


def add_address(text: str, index: int) -> Message:
    """Give an interface an address, ``10.0.0.2/24``; nothing happens if it has it."""
    return Message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, _address(text, index))


def delete_address(text: str, index: int) -> Message:
    """Take an address away."""
    return Message(RTM_DELADDR, 0, _address(text, index))


def _route(to: str, via: str, metric: int, index: int, protocol: int) -> bytes:
    network, _, prefix = to.partition("/")
    length = int(prefix)
    family = AF_INET6 if ":" in network else AF_INET
    scope = _SCOPE_UNIVERSE if via or family == AF_INET6 else _SCOPE_LINK
    body = _RTMSG.pack(family, length, 0, 0, _RT_TABLE_MAIN, protocol, scope, _RTN_UNICAST, 0)
    if length:
        body += attr(_RTA_DST, inet_pton(family, network))
    if via:
        body += attr(_RTA_GATEWAY, inet_pton(family, via))
    if metric:
        body += attr_u32(_RTA_PRIORITY, metric)
    return body + attr_u32(_RTA_OIF, index)


def add_route(to: str, via: str, metric: int, index: int, protocol: int) -> Message:
    """Add a route, in the place of one with the same destination and metric."""
    return Message(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, _route(to, via, metric, index, protocol))


def delete_route(to: str, via: str, metric: int, index: int) -> Message:
    """Remove a route of any protocol."""
    body = bytearray(_route(to, via, metric, index, 0))
    body[6] = 255  # RT_SCOPE_NOWHERE: any scope
    return Message(RTM_DELROUTE, 0, bytes(body))


# --- dumps ------------------------------------------------------------------------------------------------------


def addresses(socket: Socket) -> list[Address]:
    """Every permanent address of both families, without loopback's and link-local ones."""
    found = []
    for data in socket.dump(RTM_GETADDR, _IFADDR.pack(0, 0, 0, 0, 0)):
        family, prefix, flags, scope, index = _IFADDR.unpack_from(data, 0)
        if index == 1 or (scope == _SCOPE_LINK and family == AF_INET6):
            continue
        local = given = b""
        for what, value in attributes(data, 8):
            if what == _IFA_LOCAL:
                local = value
            elif what == _IFA_ADDRESS:
                given = value
            elif what == _IFA_FLAGS:
                (flags,) = _U32.unpack(value)
        if flags & _IFA_F_PERMANENT:
            found.append(Address(index, "{}/{}".format(inet_ntop(family, local or given), prefix)))
    return found


def routes(socket: Socket, *, kernels_own: bool = True) -> list[LiveRoute]:
    """Every unicast route of the main table, both families; with or without those that the kernel made by itself
    (most of them: one for each address, one for each interface)."""
    try:
        # One dump of all families: with those that are not asked for it is half the work of one for each.
        dumped = socket.dump(RTM_GETROUTE, _RTMSG.pack(0, 0, 0, 0, _RT_TABLE_MAIN, 0, 0, 0, 0))
    except OSError as error:
        # A namespace without any route has no main table yet.
        if error.errno in (errno.ENOENT, errno.EAFNOSUPPORT, errno.EOPNOTSUPP):
            return []
        raise
    found: list[LiveRoute] = []
    for data in dumped:
        family, protocol = data[0], data[5]
        if (kernels_own or protocol != _RTPROT_KERNEL) and family in (AF_INET, AF_INET6):
            route = _decode_route(family, data)
            if route is not None:
                found.append(route)
    return found


def _decode_route(family: int, data: bytes) -> LiveRoute | None:
    _, prefix, _, _, table, protocol, _, kind, _ = _RTMSG.unpack_from(data, 0)
    # Kernels without strict checking ignore the filter.
    if table != _RT_TABLE_MAIN or kind != _RTN_UNICAST:
        return None
    to = "0.0.0.0" if family == AF_INET else "::"
    via = ""
    metric = index = 0
    for what, value in attributes(data, 12):
        if what == _RTA_DST:
            to = inet_ntop(family, value)
        elif what == _RTA_GATEWAY:
            via = inet_ntop(family, value)
        elif what == _RTA_PRIORITY:
            (metric,) = _U32.unpack(value)
        elif what == _RTA_OIF:
            (index,) = _U32.unpack(value)
    if family == AF_INET6 and metric == IPV6_DEFAULT_METRIC:
        metric = 0
    return LiveRoute(index, "{}/{}".format(to, prefix), via, metric, protocol)
