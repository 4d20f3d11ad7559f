"""Parents, macvlan and ipvlan: what they become on a host, and what a host's facts do not allow."""

from __future__ import annotations

from dataclasses import replace

import pytest
from compiler_world import HOST, compiled, container, network, resource, topology, up

from netcompose.compiler.compile import compile_topology
from netcompose.compiler.parents import parents_by_host, stand_ins
from netcompose.compiler.reachability import promised
from netcompose.resources import Child, HostFacts, Ipvlan, Macvlan, Observation, ParentFacts, Promiscuity, Route, Vlan
from netcompose.topology.model import Host, Parent

LAN = Parent(name="lan", path=("parents", "lan"), interface={"": "eth1"})
V10 = Parent(name="v10", path=("parents", "v10"), interface={"": "eth1"}, vlan=10)
ETH1 = ParentFacts(ifindex=2, mac="02:00:00:00:00:01", mtu=1500, up=True)


def phys(*subnets, name="phys", driver="macvlan", parent="lan", **keys):
    return network(name, *(subnets or ("192.168.50.0/24",)), driver=driver, parent=parent, **keys)


def on(net, name, address=""):
    return container(name, (net, {"ipv4_address": address} if address else {}))


def world(*things, parents=(LAN,), **keys):
    made = topology(*things, **keys)
    object.__setattr__(made, "parents", {parent.name: parent for parent in parents})
    return made


def live(**parents):
    """A fresh host with these interfaces; ``eth1_10`` is ``eth1.10``."""
    named = {name.replace("_", "."): facts for name, facts in parents.items()}
    return {HOST: Observation(facts=HostFacts(parents=named, interfaces=tuple(named)))}


def compile_ok(*things, parents=(LAN,), state=None):
    desired = compile_topology(world(*things, parents=parents), state or {})
    assert [problem.message for problem in desired.problems] == []
    return desired


def refused(*things, parents=(LAN,), **facts):
    found = compile_topology(world(*things, parents=parents), live(**facts)).problems
    return [(problem.message, problem.path) for problem in found]


def test_a_container_stands_on_the_parent_and_no_bridge_firewall_or_forwarding_is_made():
    desired = compile_ok(phys(), on("phys", "a", "192.168.50.11"), state=live(eth1=replace(ETH1, mtu=9000)))
    made = resource(desired, "interface/a.eth0")
    assert isinstance(made, Macvlan)
    assert (made.parent, made.mode, made.passthru, made.network) == ("eth1", "bridge", False, "phys")
    assert (made.end.namespace, made.end.addresses, made.end.mtu) == ("a", ("192.168.50.11/24",), 9000)
    assert made.end.mac.startswith("02:") and made.end.routes == ()
    assert {item.kind for item in desired.resources[HOST].values()} == {"namespace", "file", "macvlan"}


def test_the_gateway_is_one_that_is_written_and_its_address_is_nobodys():
    subnet = {"subnet": "192.168.50.0/29", "gateway": "192.168.50.2"}
    names = [f"c{number}" for number in range(5)]
    desired = compile_ok(phys(subnet), *(on("phys", name) for name in names))
    given = {resource(desired, f"interface/{name}.eth0").end.addresses[0] for name in names}
    assert given == {f"192.168.50.{last}/29" for last in (1, 3, 4, 5, 6)}
    assert resource(desired, "interface/c0.eth0").end.routes == (Route("0.0.0.0/0", "192.168.50.2"),)


def test_addresses_of_the_parent_itself_are_not_given_away():
    facts = replace(ETH1, addresses=("192.168.50.1/30",))
    desired = compile_ok(phys("192.168.50.0/30"), on("phys", "a"), state=live(eth1=facts))
    assert resource(desired, "interface/a.eth0").end.addresses == ("192.168.50.2/30",)
    assert refused(phys(), on("phys", "a", "192.168.50.1"), eth1=facts) == [
        ("192.168.50.1 is the address of eth1 itself on host 'local'", ("containers", "a", "networks", "phys"))
    ]


def test_choices_stay_when_it_is_up():
    """Name and address of a live interface stay, by the network that it says it is for."""
    things = (phys(), phys("192.168.51.0/24", name="second"), container("a", "phys", "second"))
    before = compile_ok(*things)
    again = compile_ok(
        phys("192.168.51.0/24", name="second"), phys(), container("a", "second", "phys"), state=up(before)
    )
    assert {id: r for id, r in again.resources[HOST].items() if id.startswith("interface")} == {
        id: r for id, r in before.resources[HOST].items() if id.startswith("interface")
    }


def test_a_vlan_is_made_once_for_all_networks_on_it():
    parents = (replace(V10, mtu=1400, promiscuous=True), replace(V10, name="v20", vlan=20))
    things = [phys(name="one", parent="v10"), phys("192.168.51.0/24", name="two", parent="v10")]
    things += [phys("192.168.52.0/24", name="three", parent="v20")]
    desired = compile_ok(
        *things, on("one", "a"), on("two", "b"), on("three", "c"), parents=parents, state=live(eth1=ETH1)
    )
    vlans = [item for item in desired.resources[HOST].values() if isinstance(item, Vlan)]
    assert [(v.id, v.interface, v.tag, v.mtu, v.alias) for v in vlans] == [
        ("vlan/eth1.10", "eth1", 10, 1400, "netcompose:*:vlan/eth1.10"),
        ("vlan/eth1.20", "eth1", 20, 1500, "netcompose:*:vlan/eth1.20"),
    ]
    assert resource(desired, "interface/a.eth0").parent == "vlan/eth1.10"
    assert resource(desired, "interface/a.eth0").end.mtu == 1400
    assert [need.id for need in resource(desired, "interface/a.eth0").requires()] == ["namespace/a", "vlan/eth1.10"]
    assert resource(desired, "promiscuous/eth1") == Promiscuity("promiscuous/eth1", "eth1")
    assert desired.needs_by_host() == {HOST: ("8021q", "macvlan")}
    assert desired.needs[HOST]["8021q"].what == "parent 'v10'"


def test_a_vlan_that_others_use_keeps_its_mtu():
    shared = Child("vlan", "eth1.10", "10", topology="*", id="vlan/eth1.10", users=("campus", "other"), mtu=1400)
    facts = {"eth1": replace(ETH1, children=(shared,)), "eth1_10": replace(ETH1, kind="vlan", mtu=1400)}
    desired = compile_ok(phys(parent="v10"), on("phys", "a"), parents=(V10,), state=live(**facts))
    assert resource(desired, "vlan/eth1.10").mtu == resource(desired, "interface/a.eth0").end.mtu == 1400
    (problem,) = refused(phys(parent="v10"), on("phys", "a"), parents=(replace(V10, mtu=1300),), **facts)
    assert problem == ("eth1.10 is shared with other, and has MTU 1400 there", ("parents", "v10", "mtu"))
    alone = replace(shared, users=("campus",))
    mine = {"eth1": replace(ETH1, children=(alone,)), "eth1_10": replace(ETH1, kind="vlan", mtu=1400)}
    assert (
        resource(
            compile_ok(phys(parent="v10"), on("phys", "a"), parents=(V10,), state=live(**mine)), "vlan/eth1.10"
        ).mtu
        == 1500
    )


def test_interfaces_by_host():
    hosts = {name: Host(name=name, path=()) for name in ("server4", "server5")}
    parent = replace(LAN, interface={"server4": "eth1", "server5": "ens4"})
    tagged = replace(parent, name="tagged", vlan=7)
    made = world(
        phys(), phys("192.168.51.0/24", name="second", parent="tagged"),
        container("a", "phys", host="server4"), container("b", "phys", "second", host="server5"),
        parents=(parent, tagged), hosts=hosts,
    )  # fmt: skip
    assert parents_by_host(made) == {"server4": ("eth1",), "server5": ("ens4", "ens4.7")}
    assert parents_by_host(topology(network("n", "10.0.0.0/24"))) == {}
    desired = compile_topology(made, {})
    assert desired.resources["server4"]["interface/a.eth0"].parent == "eth1"
    assert desired.resources["server5"]["interface/b.eth0"].parent == "ens4"
    assert "vlan/ens4.7" in desired.resources["server5"] and "vlan/eth1.7" not in desired.resources["server4"]
    possible, cables = stand_ins(made, ["server5"], has_vlans=False)
    assert cables == (({"server5": "ens4"}, 1500), ({"server5": "ens4.7"}, 1500))
    assert possible.parents["tagged"].vlan == 0
    assert stand_ins(made, ["server5"], has_vlans=True) == (made, (({"server5": "ens4"}, 1500),))
    both = {"server4": "eth1", "server5": "ens4"}
    assert stand_ins(made, list(hosts), has_vlans=True) == (made, ((both, 1500),))
    possible, cables = stand_ins(made, list(hosts), has_vlans=False)
    assert [item.interfaces for item in cables] == [both, {"server5": "ens4.7"}]


def test_passthru_and_ipvlan_have_the_parents_mac():
    desired = compile_ok(phys(mode="passthru"), on("phys", "a"))
    assert (resource(desired, "interface/a.eth0").end.mac, resource(desired, "interface/a.eth0").passthru) == ("", True)
    desired = compile_ok(phys(driver="ipvlan", mode="l3s", flag="private"), on("phys", "a"))
    made = resource(desired, "interface/a.eth0")
    assert isinstance(made, Ipvlan) and (made.end.mac, made.mode, made.flag) == ("", "l3s", "private")


@pytest.mark.parametrize(("keys", "routes"), [({}, (Route("0.0.0.0/0"),)), ({"internal": True}, ())])
def test_layer_3_has_a_default_route_without_a_gateway(keys, routes):
    desired = compile_ok(phys(driver="ipvlan", mode="l3", **keys), on("phys", "a"))
    assert resource(desired, "interface/a.eth0").end.routes == routes
    desired = compile_ok(phys("fd00:60::/64", driver="ipvlan", mode="l3"), container("a", "phys"))
    assert resource(desired, "interface/a.eth0").end.routes == (Route("::/0"),)


def test_host_access_is_a_shim_with_a_route_to_each():
    net = phys("192.168.50.0/24", "fd00:50::/64", host_access=True)
    desired = compile_ok(net, on("phys", "a", "192.168.50.11"), on("phys", "b", "192.168.50.12"))
    shim = resource(desired, "shim/phys")
    assert shim.end.namespace == "" and shim.parent == "eth1"
    assert [address.rpartition("/")[2] for address in shim.end.addresses] == ["32", "128"]
    routes = [route.to for route in shim.end.routes]
    assert (
        routes[:2] == ["192.168.50.11/32", "192.168.50.12/32"]
        and [to.rpartition("/")[2] for to in routes[2:]] == ["128"] * 2
    )
    # Its address is kept, and no container is made of it.
    again = compile_ok(net, on("phys", "a", "192.168.50.11"), on("phys", "c"), state=up(desired))
    assert resource(again, "shim/phys").end.addresses == shim.end.addresses
    assert set(again.networks["phys"].members) == {"a", "c"}


def test_a_network_without_a_parent_is_a_segment_of_its_own():
    desired = compile_ok(network("alone", "192.168.50.0/24", driver="macvlan"), on("alone", "a"), parents=())
    made = resource(desired, "segment/alone")
    assert (made.addresses, made.mac) == ((), "") and resource(desired, "interface/a.eth0").parent == "segment/alone"
    assert not any(id.startswith(("firewall/", "sysctl/")) for id in desired.resources[HOST])


def test_names_on_a_segment_are_in_hosts_files_also_beside_a_name_server():
    things = (
        network("br", "10.0.0.0/24"), phys(),
        container("x", "br", "phys"), container("y", "br"), on("phys", "z", "192.168.50.13"),
    )  # fmt: skip
    state = {HOST: Observation(facts=HostFacts(name_server="/usr/sbin/unbound"))}
    desired = compile_ok(*things, state=state)
    hosts = resource(desired, "file/x/hosts").content
    assert "192.168.50.13\tz\n" in hosts and "\ty\n" not in hosts
    assert "192.168.50.13\tz\n" in resource(desired, "file/z/hosts").content
    assert resource(desired, "file/x/resolv.conf").content.startswith("nameserver 10.0.0.1\n")


UNFIT = {
    "has no interface 'eth1'": ParentFacts(),
    "is down": replace(ETH1, up=False),
    "is a port of bridge br0": replace(ETH1, master="a port of bridge br0"),
    "is a slave of bond bond0": replace(ETH1, master="a slave of bond bond0"),
    "is loopback": replace(ETH1, loopback=True),
    "is wireless": replace(ETH1, wireless=True),
    "is an interface of topology other": replace(ETH1, whose="topology other"),
    "is itself of kind macvlan": replace(ETH1, kind="macvlan"),
}


@pytest.mark.parametrize("words", UNFIT)
def test_what_a_parent_cannot_be(words):
    (problem,) = refused(phys(), on("phys", "a"), eth1=UNFIT[words])
    assert words in problem[0] and "'eth1'" in problem[0] and problem[1] == ("parents", "lan", "interface")


def test_ipvlan_may_be_on_a_wireless_interface():
    assert refused(phys(driver="ipvlan"), on("phys", "a"), eth1=replace(ETH1, wireless=True)) == []


CLASHES = [
    ("macvlan", {"mode": "bridge"}, Child("macvlan", "m", "passthru"), "it is in mode passthru"),
    ("macvlan", {"mode": "passthru"}, Child("macvtap", "m", "vepa"), "mode passthru shares its parent with nobody"),
    ("macvlan", {}, Child("ipvlan", "i", "l2", "bridge"), "an interface carries macvlan or ipvlan, not both"),
    ("ipvlan", {}, Child("macvlan", "m", "bridge"), "an interface carries macvlan or ipvlan, not both"),
    ("ipvlan", {"mode": "l3"}, Child("ipvlan", "i", "l2", "bridge"), "and that is l2 bridge there"),
    ("ipvlan", {"flag": "private"}, Child("ipvtap", "i", "l2", "bridge"), "and that is l2 bridge there"),
]


@pytest.mark.parametrize(("driver", "keys", "child", "reason"), CLASHES)
def test_what_stands_there_already_and_does_not_go_with_it(driver, keys, child, reason):
    theirs = replace(child, where="process 812")
    net = phys(driver=driver, **keys)
    ((message, path),) = refused(net, on("phys", "a"), eth1=replace(ETH1, children=(theirs,)))
    assert f"{child.kind} {child.name} in process 812 (not made by netcompose) already" in message and reason in message
    assert path == ("networks", "phys", "parent")
    # Our own that stays is no reason; one that goes has to go first.
    ours = replace(child, topology="campus", id="interface/a.eth0")
    assert refused(net, on("phys", "a"), eth1=replace(ETH1, children=(ours,))) == []
    going = replace(ours, id="interface/gone.eth0")
    (problem,) = compile_topology(world(net, on("phys", "a")), live(eth1=replace(ETH1, children=(going,)))).problems
    assert problem.hint.startswith("run up without this network first")


@pytest.mark.parametrize(
    "child", [Child("macvlan", "m", "bridge"), Child("macvtap", "m", "vepa"), Child("vlan", "eth1.9", "9")]
)
def test_what_may_be_beside(child):
    assert refused(phys(), on("phys", "a"), eth1=replace(ETH1, children=(child,))) == []


def test_the_mtu_of_what_stands_on_it():
    (problem,) = refused(phys(mtu=9000), on("phys", "a"), eth1=ETH1)
    assert problem == ("the MTU 9000 is larger than that of eth1 on host 'local', 1500", ("networks", "phys", "mtu"))
    (problem,) = refused(phys(parent="v10"), on("phys", "a"), parents=(replace(V10, mtu=1600),), eth1=ETH1)
    assert problem == ("the MTU 1600 is larger than that of eth1 on host 'local', 1500", ("parents", "v10", "mtu"))
    assert refused(phys(mtu=1400), on("phys", "a"), eth1=ETH1) == []


def test_a_vlans_parent_carries_no_address_of_the_subnet():
    facts = replace(ETH1, addresses=("192.168.50.9/24", "10.0.0.1/8"))
    ((message, path),) = refused(phys(parent="v10"), on("phys", "a"), parents=(V10,), eth1=facts)
    assert "eth1 of host 'local' has 192.168.50.9/24, which is in 192.168.50.0/24 of 'phys' on its VLAN 10" in message
    assert path == ("parents", "v10", "interface")


def test_vlans_that_others_made():
    theirs = Child("vlan", "office", "10", mtu=1500)
    ((message, path),) = refused(
        phys(parent="v10"), on("phys", "a"), parents=(V10,), eth1=replace(ETH1, children=(theirs,))
    )
    assert message == "VLAN 10 of eth1 is there already as office, made by others" and path == (
        "parents",
        "v10",
        "vlan",
    )


def reached(*things, parents=(LAN,)):
    return {(p.source, p.target) for p in promised(compile_ok(*things, parents=parents).resources[HOST]) if p.reaches}


BOTH = {("a", "b"), ("b", "a")}


@pytest.mark.parametrize(
    ("driver", "keys", "expected"),
    [
        ("macvlan", {}, BOTH),
        ("macvlan", {"mode": "private"}, set()),
        ("macvlan", {"mode": "vepa"}, set()),
        ("macvlan", {"mode": "source", "sources": ("02:00:00:00:00:01",)}, set()),
        ("ipvlan", {}, BOTH),
        ("ipvlan", {"mode": "l3"}, BOTH),
        ("ipvlan", {"flag": "private"}, set()),
        ("ipvlan", {"flag": "vepa"}, set()),
    ],
)
def test_who_is_promised_to_reach_whom(driver, keys, expected):
    assert reached(phys(driver=driver, **keys), on("phys", "a"), on("phys", "b")) == expected


MACS = tuple(f"02:00:00:00:00:0{last}" for last in (1, 2))


@pytest.mark.parametrize(
    ("driver", "keys", "expected"),
    [
        ("macvlan", {}, BOTH),
        ("macvlan", {"mode": "private"}, BOTH),
        ("macvlan", {"mode": "passthru"}, BOTH),
        ("macvlan", {"mode": "source", "sources": MACS[:1]}, set()),
        ("macvlan", {"mode": "source", "sources": MACS}, BOTH),
        ("ipvlan", {}, BOTH),
        ("ipvlan", {"flag": "private"}, BOTH),
        ("ipvlan", {"mode": "l3"}, set()),
        ("macvlan", {"parent": ""}, set()),
    ],
)
def test_who_is_promised_to_reach_whom_on_another_host(driver, keys, expected):
    hosts = {name: Host(name=name, path=()) for name in ("server4", "server5")}
    mac = {} if keys.get("mode") == "passthru" else {"mac_address": True}
    ends = [
        container(name, ("phys", dict.fromkeys(mac, MACS[i])), host=host)
        for i, (name, host) in enumerate(zip("ab", hosts, strict=True))
    ]
    parent = replace(LAN, interface={"server4": "eth1", "server5": "ens4"})
    made = world(phys(driver=driver, **keys), *ends, parents=(parent,), hosts=hosts)
    desired = compile_topology(made, {})
    given = {address for own in desired.networks["phys"].members.values() for address in own}
    assert len(given) == 2, "one pool for all hosts"
    promises = promised(*desired.resources.values())
    assert {(p.source, p.target) for p in promises if p.reaches} == expected


def test_layer_3_reaches_across_subnets_and_layer_2_does_not():
    for mode, expected in (("l3", BOTH), ("l2", set())):
        upper, lower = (phys(f"192.168.{n}.0/24", name=f"n{n}", driver="ipvlan", mode=mode) for n in (1, 2))
        assert reached(upper, lower, on("n1", "a"), on("n2", "b")) == expected


def test_a_bridge_reaches_a_segment_through_the_host_only_with_host_access_and_masquerade():
    def both(keys, **access):
        return reached(network("br", "10.0.0.0/24", **keys), phys(**access), on("br", "a"), on("phys", "b"))

    assert both({}, host_access=True) == {("a", "b")}
    assert both({}) == set()
    assert both({"masquerade": False}, host_access=True) == set()
    assert both({"internal": True}, host_access=True) == set()


def test_without_parents_nothing_is_asked_for():
    desired = compiled(network("n", "10.0.0.0/24"), container("a", "n"))
    assert desired.needs == {}
