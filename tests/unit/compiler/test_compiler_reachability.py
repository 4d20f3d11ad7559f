from __future__ import annotations

from compiler_world import HOST, compiled, container, link, network

from netcompose.compiler.reachability import names, promised

FORWARD = {"net.ipv4.ip_forward": "1", "net.ipv6.conf.all.forwarding": "1"}


def matrix(*things):
    """(source, target, address) -> (reaches, name)."""
    promises = promised(compiled(*things).resources[HOST])
    assert list(promises) == sorted(promises, key=lambda p: (p.source, p.target, p.family))
    return {(p.source, p.target, p.address): (p.reaches, p.name) for p in promises}


def reached(*things):
    return {key for key, (reaches, _) in matrix(*things).items() if reaches}


def at(net, address, **keys):
    return (net, {("ipv6_address" if ":" in address else "ipv4_address"): address, **keys})


A, B = network("a", "10.0.1.0/24"), network("b", "10.0.2.0/24")


def test_same_bridge_reaches_and_other_bridge_does_not_until_joined():
    x, y = container("x", at("a", "10.0.1.11")), container("y", at("b", "10.0.2.12"))
    assert reached(A, B, x, y) == set()
    both = container("z", at("a", "10.0.1.13"), at("b", "10.0.2.13"))
    assert reached(A, B, x, y, both) == {
        ("x", "z", "10.0.1.13"),
        ("z", "x", "10.0.1.11"),
        ("y", "z", "10.0.2.13"),
        ("z", "y", "10.0.2.12"),
    }
    found = matrix(A, B, x, y, both)
    assert found["x", "z", "10.0.1.13"] == (True, "z")
    assert found["x", "z", "10.0.2.13"] == (False, "")
    assert found["x", "y", "10.0.2.12"] == (False, "")


def chain(*, forward=FORWARD, back=True, six=False):
    near, far = ("fd00:1::", "fd00:2::") if six else ("10.1.0.", "10.2.0.")
    length = 64 if six else 24
    to = (f"{near}/{length}", f"{far}/{length}") if six else (f"{near}0/{length}", f"{far}0/{length}")
    return [
        container("c", network_mode="none", routes=[{"to": to[1], "via": f"{near}1"}]),
        container("r", network_mode="none", sysctls=forward),
        container("s", network_mode="none", routes=[{"to": to[0], "via": f"{far}1"}] if back else []),
        link("c:e", "r:e", addresses=(f"{near}2/{length}", f"{near}1/{length}")),
        link("r:f", "s:f", addresses=(f"{far}1/{length}", f"{far}2/{length}")),
    ]


def test_router_between_two_cables_forwards_both_families():
    for six in (False, True):
        far = "fd00:2::2" if six else "10.2.0.2"
        assert ("c", "s", far) in reached(*chain(six=six))
        assert ("c", "s", far) not in reached(*chain(six=six, forward={}))
        assert ("c", "s", far) not in reached(*chain(six=six, back=False))


def test_what_the_kernel_asks_before_it_forwards():
    four, six = ("c", "s", "10.2.0.2"), ("c", "s", "fd00:2::2")
    assert four in reached(*chain(forward={"net.ipv4.conf.default.forwarding": "1"}))
    assert four not in reached(*chain(forward={"net.ipv6.conf.all.forwarding": "1"}))
    assert six not in reached(*chain(six=True, forward={"net.ipv4.ip_forward": "1"}))
    assert six not in reached(*chain(six=True, forward={"net.ipv6.conf.default.forwarding": "1"}))


def test_the_far_address_of_a_router_is_local_to_it_and_needs_no_forwarding():
    assert ("c", "r", "10.2.0.1") in reached(*chain(forward={}))


def test_the_longest_prefix_decides():
    nodes = chain()
    wrong = [{"to": "10.2.0.0/16", "via": "10.1.0.1"}, {"to": "10.2.0.2/32", "via": "10.1.0.99"}]
    nodes[0] = container("c", network_mode="none", routes=wrong)
    assert ("c", "s", "10.2.0.2") not in reached(*nodes)


def test_routing_loop_ends():
    nodes = [
        container(n, network_mode="none", sysctls=FORWARD, routes=[{"to": "10.9.0.0/24", "via": via}])
        for n, via in (("p", "10.1.0.2"), ("q", "10.1.0.1"))
    ]
    island = container("i", network_mode="none")
    cables = [
        link("p:e", "q:e", addresses=("10.1.0.1/24", "10.1.0.2/24")),
        link("i:e", "j:e", addresses=("10.9.0.1/24", ())),
    ]
    assert ("p", "i", "10.9.0.1") not in reached(*nodes, island, container("j", network_mode="none"), *cables)


def test_joined_container_shares_addresses_and_way():
    things = [
        A,
        container("x", at("a", "10.0.1.11")),
        container("y", at("a", "10.0.1.12")),
        container("j", network_mode="container", joins="x"),
    ]
    found = matrix(*things)
    assert found["j", "y", "10.0.1.12"] == (True, "y")
    assert found["j", "x", "10.0.1.11"] == (True, "x")
    assert found["y", "j", "10.0.1.11"] == (True, "x")


def test_router_container_between_two_networks():
    """The hosts have to be told: the bridge's gateway forwards nothing between networks."""
    router = container("r", at("a", "10.0.1.254"), at("b", "10.0.2.254"), sysctls=FORWARD)
    plain = [container("x", at("a", "10.0.1.11")), container("y", at("b", "10.0.2.12"))]
    assert ("x", "y", "10.0.2.12") not in reached(A, B, router, *plain)
    told = [
        container("x", at("a", "10.0.1.11"), routes=[{"to": "10.0.2.0/24", "via": "10.0.1.254"}]),
        container("y", at("b", "10.0.2.12"), routes=[{"to": "10.0.1.0/24", "via": "10.0.2.254"}]),
    ]
    assert {("x", "y", "10.0.2.12"), ("y", "x", "10.0.1.11")} <= reached(A, B, router, *told)


def test_answer_goes_to_the_address_of_the_outgoing_interface():
    """c has two cables; it asks over the first, and s only knows the way back to the second."""
    nodes = chain()
    nodes[2] = container("s", network_mode="none", routes=[{"to": "10.3.0.0/24", "via": "10.2.0.1"}])
    extra = [container("d", network_mode="none"), link("c:g", "d:g", addresses=("10.3.0.1/24", "10.3.0.2/24"))]
    assert ("c", "s", "10.2.0.2") not in reached(*nodes, *extra)


def test_unnumbered_way_uses_the_address_of_the_interface_it_leaves_by():
    nodes = [
        container("c", network_mode="none", routes=[{"to": "10.5.0.2/32", "interface": "e"}]),
        container("s", network_mode="none", routes=[{"to": "10.1.0.2/32", "interface": "e"}]),
        container("d", network_mode="none"),
    ]
    cables = [
        link("c:e", "s:e", addresses=("10.1.0.2/24", "10.5.0.2/24")),
        link("c:a", "d:a", addresses=("10.0.0.1/24", "10.0.0.2/24")),
    ]
    assert ("c", "s", "10.5.0.2") in reached(*nodes, *cables)


def leaf_spine(spines, leaves):
    """Each leaf has a host network behind it (a cable to a host), and static routes over spine 0."""
    things = []
    for leaf in range(leaves):
        others = [o for o in range(leaves) if o != leaf]
        routes = [{"to": f"10.100.{o}.0/24", "via": f"10.{leaf}.0.1"} for o in others]
        things.append(container(f"leaf{leaf}", network_mode="none", sysctls=FORWARD, routes=routes))
        things.append(
            container(f"h{leaf}", network_mode="none", routes=[{"to": "0.0.0.0/0", "via": f"10.100.{leaf}.1"}])
        )
        things.append(
            link(f"leaf{leaf}:host", f"h{leaf}:eth0", addresses=(f"10.100.{leaf}.1/24", f"10.100.{leaf}.2/24"))
        )
        for spine in range(spines):
            ends = (f"10.{leaf}.{spine}.1/30", f"10.{leaf}.{spine}.2/30")
            things.append(link(f"spine{spine}:l{leaf}", f"leaf{leaf}:s{spine}", addresses=ends))
    for spine in range(spines):
        routes = [{"to": f"10.100.{leaf}.0/24", "via": f"10.{leaf}.{spine}.2"} for leaf in range(leaves)]
        things.append(container(f"spine{spine}", network_mode="none", sysctls=FORWARD, routes=routes))
    return things


def test_leaf_spine_hosts_reach_each_other():
    found = reached(*leaf_spine(2, 6))
    for a in range(6):
        for b in range(6):
            assert a == b or (f"h{a}", f"h{b}", f"10.100.{b}.2") in found


def test_names_are_read_from_the_hosts_file():
    found = compiled(
        A,
        container("x", at("a", "10.0.1.11", aliases=("www",))),
        container("y", at("a", "10.0.1.12", aliases=("www",))),
    )
    known = names(found.resources[HOST], "x")
    assert known["www"] == ("10.0.1.11", "10.0.1.12")
    assert known["y"] == ("10.0.1.12",)
    assert known["localhost"] == ("127.0.0.1", "::1")
    assert names(found.resources[HOST], "nobody") == {}
