"""Every netlink message that the agent builds, read by pyroute2; and messages that pyroute2 wrote, read by the agent."""

from __future__ import annotations

import ipaddress
import socket
import struct
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from netcompose.agent.kernel import linkdump, netlink, rtnl
from netcompose.agent.kernel.netlink import Message

HEADER = struct.Struct("=IHHII")
_CLASSES = {range(16, 20): ifinfmsg, range(20, 23): ifaddrmsg, range(24, 27): rtmsg, range(108, 110): ifinfmsg}

names = st.from_regex(r"[a-z][a-z0-9._-]{0,14}", fullmatch=True)
macs = st.binary(min_size=6, max_size=6).map(lambda raw: raw.hex(":"))
indexes = st.integers(1, 2**31 - 1)
u32 = st.integers(1, 2**32 - 1)
interfaces = st.one_of(
    st.tuples(st.ip_addresses(v=4), st.integers(0, 32)), st.tuples(st.ip_addresses(v=6), st.integers(0, 128))
).map(lambda pair: ipaddress.ip_interface(f"{pair[0]}/{pair[1]}"))


def read(message: Message) -> Any:
    """The message as pyroute2 understands it."""
    (cls,) = [cls for numbers, cls in _CLASSES.items() if message.type in numbers]
    data = HEADER.pack(16 + len(message.body), message.type, message.flags | netlink.NLM_F_REQUEST, 1, 0) + message.body
    decoded = cls(data)
    decoded.decode()
    assert decoded["header"]["length"] == len(data) and len(data) % 4 == 0
    # What pyroute2 found is all that there is: nothing is cut off or misaligned.
    assert not [name for name, _ in decoded["attrs"] if name == "UNKNOWN"], decoded
    return decoded


def attrs(decoded: Any) -> dict[str, Any]:
    return dict(decoded["attrs"])


@given(
    names,
    macs,
    st.integers(68, 65535),
    u32,
    st.integers(0, 2**31 - 1),
    st.text("abc:/-", max_size=40),
    st.integers(0, 99),
)
def test_attributes_of_an_interface(
    name: str, mac: str, mtu: int, group: int, master: int, alias: str, fd: int
) -> None:
    common = rtnl.link_attributes(name=name, mac=mac, mtu=mtu, group=group, master=master, alias=alias, netns_fd=fd)
    decoded = read(rtnl.create_link("bridge", common, index=7, up=True))
    assert (decoded["index"], decoded["flags"] & 1, decoded["change"]) == (7, 1, 1)
    found = attrs(decoded)
    assert found["IFLA_LINKINFO"].get_attr("IFLA_INFO_KIND") == "bridge"
    del found["IFLA_LINKINFO"]
    assert found == {
        "IFLA_IFNAME": name,
        "IFLA_ADDRESS": mac,
        "IFLA_MTU": mtu,
        "IFLA_GROUP": group,
        "IFLA_MASTER": master,
        "IFLA_IFALIAS": alias,
        "IFLA_NET_NS_FD": fd,
    }


def test_what_is_not_given_is_not_in_the_message() -> None:
    decoded = read(rtnl.change_link(rtnl.link_attributes(mtu=1400), index=3))
    assert decoded["header"]["type"] == 16 and not decoded["header"]["flags"] & (netlink.NLM_F_CREATE)
    assert (decoded["index"], decoded["flags"], decoded["change"]) == (3, 0, 0)
    assert attrs(decoded) == {"IFLA_MTU": 1400}
    down = read(rtnl.change_link(b"", name="eth0", up=False))
    assert (down["index"], down["flags"], down["change"]) == (0, 0, 1)
    assert attrs(down) == {"IFLA_IFNAME": "eth0"}


@given(names, names, indexes, indexes)
def test_a_pair_of_ends(one: str, two: str, index: int, peer_index: int) -> None:
    message = rtnl.create_veth(
        rtnl.link_attributes(name=one, netns_fd=5),
        rtnl.link_attributes(name=two, group=9),
        index=index,
        peer_index=peer_index,
    )
    decoded = read(message)
    assert decoded["header"]["flags"] & netlink.NLM_F_CREATE and decoded["header"]["flags"] & netlink.NLM_F_EXCL
    info = attrs(decoded)["IFLA_LINKINFO"]
    assert info.get_attr("IFLA_INFO_KIND") == "veth"
    peer = info.get_attr("IFLA_INFO_DATA").get_attr("VETH_INFO_PEER")
    assert (decoded["index"], decoded.get_attr("IFLA_IFNAME"), decoded.get_attr("IFLA_NET_NS_FD")) == (index, one, 5)
    assert (peer["index"], dict(peer["attrs"])) == (peer_index, {"IFLA_IFNAME": two, "IFLA_GROUP": 9})


def test_removals() -> None:
    one = read(rtnl.delete_link("eth0"))
    assert one["header"]["type"] == 17 and attrs(one) == {"IFLA_IFNAME": "eth0"}
    many = read(rtnl.delete_group(0x6E630001))
    assert many["header"]["type"] == 17 and attrs(many) == {"IFLA_GROUP": 0x6E630001} and many["index"] == 0


@pytest.mark.parametrize("build, number", [(rtnl.add_altname, 108), (rtnl.delete_altname, 109)])
def test_second_names(build: Any, number: int) -> None:
    decoded = read(build("campus-bridge-lan", name="nc1"))
    assert decoded["header"]["type"] == number
    assert decoded.get_attr("IFLA_IFNAME") == "nc1"
    assert decoded.get_attr("IFLA_PROP_LIST").get_attr("IFLA_ALT_IFNAME") == "campus-bridge-lan"


@given(interfaces, indexes)
@example(ipaddress.ip_interface("10.0.0.1/30"), 2)
@example(ipaddress.ip_interface("10.0.0.1/31"), 2)
@example(ipaddress.ip_interface("10.0.0.1/32"), 2)
def test_addresses(address: ipaddress.IPv4Interface | ipaddress.IPv6Interface, index: int) -> None:
    text = str(address)
    for message, number in ((rtnl.add_address(text, index), 20), (rtnl.delete_address(text, index), 21)):
        decoded = read(message)
        assert decoded["header"]["type"] == number
        assert (decoded["index"], decoded["prefixlen"]) == (index, address.network.prefixlen)
        assert ipaddress.ip_address(decoded.get_attr("IFA_LOCAL")) == address.ip
        if address.version == 4:
            assert decoded["family"] == socket.AF_INET
            broadcast = decoded.get_attr("IFA_BROADCAST")
            wanted = str(address.network.broadcast_address) if address.network.prefixlen < 31 else None
            assert broadcast == wanted
        else:
            assert decoded["family"] == socket.AF_INET6
            assert decoded["flags"] & 2  # IFA_F_NODAD


@given(interfaces, st.booleans(), st.integers(0, 2**31), indexes)
def test_routes(to: Any, has_next_hop: bool, metric: int, index: int) -> None:
    network = to.network
    via = str(to.ip) if has_next_hop else ""
    added = read(rtnl.add_route(str(network), via, metric, index, 110))
    removed = read(rtnl.delete_route(str(network), via, metric, index))
    assert (added["header"]["type"], removed["header"]["type"]) == (24, 25)
    assert (added["proto"], removed["proto"], removed["scope"]) == (110, 0, 255)
    assert added["scope"] == (253 if network.version == 4 and not via else 0)
    for decoded in (added, removed):
        assert (decoded["dst_len"], decoded["table"], decoded["type"]) == (network.prefixlen, 254, 1)
        found = attrs(decoded)
        assert found.pop("RTA_OIF") == index
        assert found.pop("RTA_PRIORITY", 0) == metric
        gateway = found.pop("RTA_GATEWAY", None)
        assert (ipaddress.ip_address(gateway) if gateway else None) == (to.ip if via else None)
        destination = found.pop("RTA_DST", None)
        assert (ipaddress.ip_address(destination) if destination else None) == (
            network.network_address if network.prefixlen else None
        )
        assert not found


# --- what the kernel says, written by pyroute2 --------------------------------------------------------------------


class Dump:
    """Stands in for a socket: gives the messages that pyroute2 encoded, without their headers."""

    def __init__(self, *messages: Any) -> None:
        self.messages = messages

    def dump(self, kind: int, body: bytes) -> list[bytes]:
        family = body[0]
        found = []
        for message in self.messages:
            if family in (0, message["family"]):
                message.encode()
                found.append(bytes(message.data[16:]))
        return found


def written(cls: type, attributes: list[tuple[str, Any]], **fields: Any) -> Any:
    message = cls()
    for key, value in fields.items():
        message[key] = value
    message["attrs"] = attributes
    return message


@given(names, macs, st.integers(68, 65535), u32, st.text("abc:/-", min_size=1, max_size=40), indexes, st.booleans())
def test_an_interface_is_read(name: str, mac: str, mtu: int, group: int, alias: str, index: int, up: bool) -> None:
    info = {"attrs": [("IFLA_INFO_KIND", "veth")]}
    attributes = [
        ("IFLA_IFNAME", name),
        ("IFLA_TXQLEN", 1000),
        ("IFLA_ADDRESS", mac),
        ("IFLA_MTU", mtu),
        ("IFLA_MASTER", 12),
        ("IFLA_LINK", 13),
        ("IFLA_GROUP", group),
        ("IFLA_IFALIAS", alias),
        ("IFLA_LINKINFO", info),
        ("IFLA_PROP_LIST", {"attrs": [("IFLA_ALT_IFNAME", "second"), ("IFLA_ALT_IFNAME", "third")]}),
    ]
    (link,) = linkdump.links(Dump(written(ifinfmsg, attributes, family=0, index=index, flags=int(up))))  # type: ignore[arg-type]
    assert link == linkdump.Link(index, name, up, mac, mtu, 12, 13, group, alias, "veth", ("second", "third"))


@given(interfaces, indexes.filter(lambda index: index > 1))
def test_an_address_is_read(address: Any, index: int) -> None:
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    attributes = [("IFA_ADDRESS", str(address.ip)), ("IFA_FLAGS", 0x80)]
    if address.version == 4:
        attributes.append(("IFA_LOCAL", str(address.ip)))
    link_local = address.version == 6 and address.ip.is_link_local
    scope = 253 if link_local else 0
    prefix = address.network.prefixlen
    message = written(ifaddrmsg, attributes, family=family, prefixlen=prefix, flags=0x80, index=index, scope=scope)
    temporary = written(
        ifaddrmsg, [*attributes[:1], ("IFA_FLAGS", 0)], family=family, prefixlen=64, flags=0, index=index, scope=0
    )
    found = rtnl.addresses(Dump(message, temporary))  # type: ignore[arg-type]
    if link_local:
        assert found == []
    else:
        (one,) = found
        assert one.ifindex == index and ipaddress.ip_interface(one.text) == address


@given(interfaces, st.booleans(), st.integers(0, 2**31), indexes)
@example(ipaddress.ip_interface("fd00::1/64"), True, 1024, 2)
@example(ipaddress.ip_interface("10.0.0.1/24"), True, 1024, 2)
def test_a_route_is_read(to: Any, has_next_hop: bool, metric: int, index: int) -> None:
    network = to.network
    family = socket.AF_INET if network.version == 4 else socket.AF_INET6
    attributes: list[tuple[str, Any]] = [("RTA_TABLE", 254), ("RTA_OIF", index)]
    if network.prefixlen:
        attributes.append(("RTA_DST", str(network.network_address)))
    if has_next_hop:
        attributes.append(("RTA_GATEWAY", str(to.ip)))
    if metric:
        attributes.append(("RTA_PRIORITY", metric))
    fields = {"family": family, "dst_len": network.prefixlen, "proto": 110}
    ours = written(rtmsg, attributes, table=254, type=1, **fields)
    others = [
        written(rtmsg, attributes, table=255, type=2, **fields),
        written(rtmsg, attributes, table=254, type=6, **fields),
    ]
    (route,) = rtnl.routes(Dump(ours, *others))  # type: ignore[arg-type]
    assert route.ifindex == index and route.protocol == 110
    assert ipaddress.ip_network(route.to) == network
    assert (ipaddress.ip_address(route.via) if route.via else None) == (to.ip if has_next_hop else None)
    assert route.metric == (0 if network.version == 6 and metric == 1024 else metric)
