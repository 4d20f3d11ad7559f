from __future__ import annotations

import pytest
from compiler_world import change, compiled, container, fresh, link, network, problems, resource, topology, up

from netcompose.compiler.compile import compile_topology
from netcompose.compiler.names import choose_interface_names
from netcompose.resources import Bridge, End, Route
from netcompose.resources.names import host_interface_name, mark
from netcompose.topology.model import Attachment

A, B, C = network("a", "10.0.1.0/24"), network("b", "10.0.2.0/24"), network("c", "10.0.3.0/24")


def interfaces(desired, name):
    """Interface name -> network."""
    view = desired.containers[name]
    by_addresses = {own: net for net, own in view.networks.items()}
    return {interface: by_addresses.get(own) for interface, own in view.interfaces.items()}


def test_attachment_is_a_veth_between_container_and_bridge():
    desired = compiled(network("n", "10.0.0.0/24", mtu=9000), container("w", ("n", {"ipv4_address": "10.0.0.9"})))
    veth = resource(desired, "interface/w.eth0")
    own = mark("campus", "interface/w.eth0")
    assert veth.end == End(
        namespace="w",
        name="eth0",
        mac=veth.end.mac,
        mtu=9000,
        alias=own,
        addresses=("10.0.0.9/24",),
        routes=(Route("0.0.0.0/0", "10.0.0.1"),),
    )
    assert veth.peer == End(
        namespace="",
        name=host_interface_name("campus", veth.id),
        mac=veth.peer.mac,
        mtu=9000,
        master="bridge/n",
        alias=own,
    )
    bridge = resource(desired, "bridge/n")
    assert bridge == Bridge(
        id="bridge/n",
        network="n",
        name=host_interface_name("campus", "bridge/n"),
        mac=bridge.mac,
        mtu=9000,
        alias=mark("campus", "bridge/n"),
        addresses=("10.0.0.1/24",),
    )
    assert len({veth.end.mac, veth.peer.mac, bridge.mac}) == 3
    assert all(m.startswith("02:") and len(m) == 17 for m in (veth.end.mac, veth.peer.mac, bridge.mac))


def test_default_mtu_and_internal_network():
    desired = compiled(network("n", "10.0.0.0/24", "fd00::/64", internal=True), container("w", "n"))
    bridge, veth = resource(desired, "bridge/n"), resource(desired, "interface/w.eth0")
    assert (bridge.mtu, veth.end.mtu, veth.peer.mtu) == (1500, 1500, 1500)
    assert bridge.addresses == ("10.0.0.1/24", "fd00::1/64"), "where its containers ask for names"
    assert veth.end.routes == (), "and no way out"


def test_a_network_that_nobody_joins_is_made_all_the_same():
    assert "bridge/a" in compiled(A).resources["local"]


def test_explicit_mac_wins_and_a_live_one_does_not():
    given = container("w", ("a", {"mac_address": "02:42:AC:11:00:02"}))
    assert resource(compiled(A, given), "interface/w.eth0").end.mac == "02:42:ac:11:00:02"
    desired = compiled(A, container("w", "a"))
    live = change(up(desired), "interface/w.eth0", end={"mac": "02:00:00:00:00:01"})
    assert compiled(A, container("w", "a"), live=live).resources == desired.resources


@pytest.mark.parametrize(
    ("given", "cables", "live", "expected"),
    [
        ([("a", ""), ("b", "")], [], {}, {"a": "eth0", "b": "eth1"}),
        ([("a", ""), ("b", "eth0")], [], {}, {"a": "eth1", "b": "eth0"}),
        ([("a", ""), ("b", "")], ["eth0"], {}, {"a": "eth1", "b": "eth2"}),
        ([("a", ""), ("b", "")], [], {"b": "eth0"}, {"a": "eth1", "b": "eth0"}),
        ([("a", ""), ("b", "")], ["eth0"], {"b": "eth0"}, {"a": "eth1", "b": "eth2"}),
        ([("a", "eth0"), ("b", "")], [], {"b": "eth0"}, {"a": "eth0", "b": "eth1"}),
        ([("a", "x"), ("b", "")], [], {"a": "eth0"}, {"a": "x", "b": "eth0"}),
    ],
)
def test_interface_names(given, cables, live, expected):
    attachments = [Attachment(network=n, path=(), interface_name=i) for n, i in given]
    assert choose_interface_names(attachments, cables, live) == expected


def test_joining_and_leaving_a_network_leaves_the_other_interfaces_alone():
    before = compiled(A, B, C, container("w", "a", "c"))
    assert interfaces(before, "w") == {"eth0": "a", "eth1": "c"}
    joined = compiled(A, B, C, container("w", "b", "a", "c"), live=up(before))
    assert interfaces(joined, "w") == {"eth0": "a", "eth1": "c", "eth2": "b"}
    left = compiled(A, B, C, container("w", "b", "c"), live=up(joined))
    assert interfaces(left, "w") == {"eth1": "c", "eth2": "b"}
    assert resource(left, "interface/w.eth2").peer == resource(joined, "interface/w.eth2").peer


def test_an_interface_renamed_by_hand_is_to_be_put_back():
    desired = compiled(A, B, container("w", "a", "b"))
    live = change(up(desired), "interface/w.eth1", end={"name": "foo"})
    assert compiled(A, B, container("w", "a", "b"), live=live).resources == desired.resources


def test_rename_is_reported_as_a_move_and_changes_neither_mac_nor_address():
    before = compiled(A, container("w", "a"))
    after = compiled(A, container("w", ("a", {"interface_name": "front0"})), live=up(before))
    assert after.moved == {"local": {"interface/w.front0": "interface/w.eth0"}}
    old, new = resource(before, "interface/w.eth0").end, resource(after, "interface/w.front0").end
    assert (old.mac, old.addresses) == (new.mac, new.addresses)


def test_no_move_when_another_interface_takes_the_old_name():
    before = compiled(A, B, container("w", "a", "b"))
    swapped = container("w", ("a", {"interface_name": "eth1"}), ("b", {"interface_name": "eth0"}))
    assert compiled(A, B, swapped, live=up(before)).moved == {}
    cabled = [container("w", ("a", {"interface_name": "x"}), "b"), container("v", network_mode="none")]
    assert compiled(A, B, *cabled, link("w:eth0", "v:eth0"), live=up(before)).moved == {}


def test_link_does_not_depend_on_the_order_of_its_ends():
    nodes = [container("r1", network_mode="none"), container("r2", network_mode="none")]
    one = compiled(
        *nodes, link("r2:eth1", "r1:eth9", addresses=("10.1.0.2/30", ("10.1.0.1/30", "fd00::1/64")), mtu=9000)
    )
    two = compiled(
        *nodes, link("r1:eth9", "r2:eth1", addresses=(("10.1.0.1/30", "fd00::1/64"), "10.1.0.2/30"), mtu=9000)
    )
    assert one.resources == two.resources
    veth = resource(one, "link/r1.eth9-r2.eth1")
    assert (veth.end.namespace, veth.end.name, veth.end.addresses) == ("r1", "eth9", ("10.1.0.1/30", "fd00::1/64"))
    assert (veth.peer.namespace, veth.peer.name, veth.peer.addresses) == ("r2", "eth1", ("10.1.0.2/30",))
    assert (veth.end.mtu, veth.peer.mtu, veth.peer.master) == (9000, 9000, "")
    assert veth.end.alias == veth.peer.alias == mark("campus", veth.id)
    assert veth.end.mac != veth.peer.mac


def test_link_ends_with_their_own_macs():
    nodes = [container("r1", network_mode="none"), container("r2", network_mode="none")]
    desired = compiled(*nodes, link("r2:e", "r1:e", macs=("02:00:00:00:00:0B", "")))
    veth = resource(desired, "link/r1.e-r2.e")
    assert veth.peer.mac == "02:00:00:00:00:0b"
    assert veth.end.mac == resource(compiled(*nodes, link("r1:e", "r2:e")), veth.id).end.mac


def test_link_end_without_a_stack_is_a_problem():
    nodes = [container("r1", network_mode="none"), container("h", network_mode="host")]
    ((message, path),) = problems(*nodes, link("r1:eth0", "h:eth5"))
    assert "no network stack of its own" in message
    assert path == ("links", 0)


def test_two_objects_of_one_name_are_a_problem():
    things = [A, container("w.x", ("a", {"interface_name": "y"})), container("w", ("a", {"interface_name": "x.y"}))]
    ((message, _),) = problems(*things)
    assert "interface/w.x.y" in message


def test_compiling_twice_gives_the_same_bytes():
    things = [A, B, container("w", "a", "b", command=("sleep", "1")), container("v", "b")]
    one, two = (compile_topology(topology(*things), fresh()) for _ in range(2))
    assert repr(one) == repr(two)


def test_a_converged_host_gives_what_it_has():
    things = [A, B, network("auto"), container("w", "a", "b"), container("v", "b", "auto"), container("u", "auto")]
    before = compiled(*things)
    after = compiled(*reversed(things), live=up(before))
    assert after.resources == before.resources
    assert after.moved == {}
