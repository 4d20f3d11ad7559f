"""Messages of interfaces that stand on another one, read by pyroute2; and what pyroute2 wrote, read by the agent."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.nsidmsg import nsidmsg
from test_codec import Dump, attrs, indexes, macs, names, read, written

from netcompose.agent.kernel import linkdump, rtnl, stacked
from netcompose.agent.kernel.netlink import Message, attributes

#: ip-link(8)'s words and the kernel's numbers (if_link.h), as pyroute2 has them.
MACVLAN = {"private": 1, "vepa": 2, "bridge": 4, "passthru": 8, "source": 16}
tags = st.integers(1, 4094)


def info_of(decoded: Any) -> tuple[str, Any]:
    info = attrs(decoded)["IFLA_LINKINFO"]
    return info.get_attr("IFLA_INFO_KIND"), info.get_attr("IFLA_INFO_DATA")


@given(names, macs, indexes, indexes, st.sampled_from(sorted(MACVLAN)))
def test_a_macvlan_is_made_on_its_parent_in_its_namespace(
    name: str, mac: str, parent: int, index: int, mode: str
) -> None:
    common = rtnl.link_attributes(name=name, mac=mac, group=9, netns_fd=5) + stacked.on_parent(parent)
    decoded = read(rtnl.create_link("macvlan", common, index=index, data=stacked.macvlan_data(mode)))
    found = attrs(decoded)
    assert decoded["index"] == index
    assert (found["IFLA_LINK"], found["IFLA_IFNAME"], found["IFLA_ADDRESS"]) == (parent, name, mac)
    assert (found["IFLA_NET_NS_FD"], found["IFLA_GROUP"]) == (5, 9)
    kind, data = info_of(decoded)
    assert kind == "macvlan"
    mode_found = data.get_attr("IFLA_MACVLAN_MODE")
    assert MACVLAN.get(str(mode_found), mode_found) == MACVLAN[mode]


@given(st.lists(macs, unique=True, max_size=5))
def test_the_sources_of_a_macvlan_are_set_as_a_whole(sources: list[str]) -> None:
    decoded = read(stacked.change_data("macvlan", stacked.macvlan_data("source", sources), index=7))
    assert decoded["index"] == 7 and not decoded["header"]["flags"] & 0x400
    _, data = info_of(decoded)
    # MACVLAN_MACADDR_SET; pyroute2 has names for the numbers.
    assert data.get_attr("IFLA_MACVLAN_MACADDR_MODE") in (3, "set")
    listed = data.get_attr("IFLA_MACVLAN_MACADDR_DATA")
    assert [value for _, value in (listed["attrs"] if listed else ())] == sources


@given(indexes, st.sampled_from(["l2", "l3", "l3s"]), st.sampled_from(["bridge", "private", "vepa"]))
def test_an_ipvlan_is_made_with_mode_and_flag(parent: int, mode: str, flag: str) -> None:
    data = stacked.ipvlan_data(mode, flag)
    decoded = read(rtnl.create_link("ipvlan", rtnl.link_attributes(name="i") + stacked.on_parent(parent), data=data))
    kind, found = info_of(decoded)
    assert kind == "ipvlan" and attrs(decoded)["IFLA_LINK"] == parent
    # pyroute2 knows the mode; the flags (IFLA_IPVLAN_FLAGS, if_link.h) are looked at as they are.
    assert found.get_attr("IFLA_IPVLAN_MODE") == {"l2": 0, "l3": 1, "l3s": 2}[mode]
    raw = dict(attributes(data, 0))
    assert int.from_bytes(raw[2], "little") == {"bridge": 0, "private": 1, "vepa": 2}[flag]
    assert stacked.read_ipvlan(data) == (mode, flag)


@given(indexes, tags)
def test_a_vlan_is_made_with_its_tag(parent: int, tag: int) -> None:
    message = rtnl.create_link(
        "vlan", rtnl.link_attributes(name="v") + stacked.on_parent(parent), data=stacked.vlan_data(tag)
    )
    decoded = read(message)
    kind, data = info_of(decoded)
    assert (kind, data.get_attr("IFLA_VLAN_ID"), attrs(decoded)["IFLA_LINK"]) == ("vlan", tag, parent)


@pytest.mark.parametrize("on", [True, False])
def test_promiscuity_touches_its_flag_alone(on: bool) -> None:
    decoded = read(stacked.set_promiscuous(on, name="eth1"))
    assert (decoded["header"]["type"], decoded["index"], attrs(decoded)) == (16, 0, {"IFLA_IFNAME": "eth1"})
    assert (decoded["flags"], decoded["change"]) == (0x100 if on else 0, 0x100)


@given(
    names,
    indexes,
    st.sampled_from(
        [
            ("macvlan", [("IFLA_MACVLAN_MODE", "vepa")]),
            ("ipvlan", [("IFLA_IPVLAN_MODE", 2)]),
            ("vlan", [("IFLA_VLAN_ID", 42)]),
            ("veth", []),
        ]
    ),
    st.booleans(),
)
def test_what_stands_on_an_interface_is_read(name: str, parent: int, own: tuple[str, list[Any]], promisc: bool) -> None:
    kind, data = own
    info: dict[str, Any] = {"attrs": [("IFLA_INFO_KIND", kind)]}
    if data:
        info["attrs"].append(("IFLA_INFO_DATA", {"attrs": data}))
    attributes_ = [("IFLA_IFNAME", name), ("IFLA_LINK", parent), ("IFLA_LINKINFO", info)]
    message = written(ifinfmsg, attributes_, family=0, index=3, flags=0x100 if promisc else 0)
    (link,) = linkdump.links(Dump(message))  # type: ignore[arg-type]
    assert (link.name, link.link, link.kind, link.promiscuous) == (name, parent, kind, promisc)
    if kind == "macvlan":
        assert stacked.read_macvlan(link.info) == ("vepa", ())
    elif kind == "ipvlan":
        assert stacked.read_ipvlan(link.info) == ("l3s", "bridge")
    elif kind == "vlan":
        assert stacked.read_vlan(link.info) == 42
    else:
        # What most interfaces are is not looked into.
        assert link.info == b""


@given(st.lists(macs, unique=True, max_size=4))
def test_the_sources_are_read_as_the_kernel_lists_them(sources: list[str]) -> None:
    """The kernel adds a count, and lists them in the order of its hash table."""
    listed = stacked.macvlan_data("source", sources)
    assert stacked.read_macvlan(listed) == ("source", tuple(sorted(sources)))


class Namespace:
    """Stands in for a socket in another namespace that knows the host's by number 4."""

    def __init__(self, *messages: Any) -> None:
        self._dump = Dump(*messages)
        self.asked: list[Message] = []

    def dump(self, kind: int, body: bytes) -> list[bytes]:
        return self._dump.dump(kind, body)

    def ask(self, message: Message) -> list[bytes]:
        self.asked.append(message)
        answer = written(nsidmsg, [("NETNSA_NSID", 4)])
        answer.encode()
        return [bytes(answer.data[16:])]


def test_children_in_another_namespace_are_those_whose_index_counts_on_the_host() -> None:
    def child(name: str, parent: int, number: int | None, kind: str = "macvlan") -> Any:
        where = [] if number is None else [("IFLA_LINK_NETNSID", number)]
        info = {"attrs": [("IFLA_INFO_KIND", kind)]}
        return written(
            ifinfmsg, [("IFLA_IFNAME", name), ("IFLA_LINK", parent), *where, ("IFLA_LINKINFO", info)], family=0, index=9
        )

    socket = Namespace(
        child("ours", 7, 4),
        child("elsewhere", 7, 5),
        child("inside", 7, None),
        child("other-parent", 8, 4),
        child("veth", 7, 4, "veth"),
    )
    found = stacked.children(socket, [7], 11)  # type: ignore[arg-type]
    assert [item.name for item in found] == ["ours"]
    (question,) = socket.asked
    assert question.type == 90
    assert dict(attributes(question.body, 4)) == {3: (11).to_bytes(4, "little")}
