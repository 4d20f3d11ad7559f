"""Routed networks (S15): a slice of the subnet for each host, routes between them, nothing encapsulated."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from hosts_support import Hosts, capture

TOPOLOGY = """
name: lab
hosts: {server4: {underlay: 10.77.0.1}, server5: {underlay: 10.77.0.2}, server6: {underlay: 10.77.0.3}}
networks:
  r1: {driver: routed, subnets: [10.30.0.0/16, "fd30::/64"]}
  other: {subnets: [10.31.0.0/24]}
containers:
  a: {host: server4, networks: [r1]}
  b: {host: server5, networks: {r1: {aliases: [www]}}}
  c: {host: server6, networks: {r1: {}}}
  d: {host: server5, networks: [other]}
"""


@pytest.fixture
def hosts() -> Iterator[Hosts]:
    """Three throw-away hosts on one segment."""
    with Hosts.start("server4", "server5", "server6") as started:
        started.join()
        yield started


def address(hosts: Hosts, host: str, container: str, family: str = "inet") -> str:
    found = json.loads(hosts.inside(host, container, "ip", "-j", "addr", "show", "eth0").stdout)[0]["addr_info"]
    return next(str(a["local"]) for a in found if a["family"] == family and a["scope"] == "global")


def ours(hosts: Hosts, host: str) -> set[tuple[str, str, str]]:
    """The routes of protocol 110 on a host."""
    found = [r for way in ("-4", "-6") for r in json.loads(hosts.shell(host, f"ip {way} -j route show proto 110"))]
    return {(route["dst"], route["gateway"], route["dev"]) for route in found}


def test_a_routed_network_joins_containers_of_all_hosts_without_tunnels(hosts: Hosts) -> None:
    before = hosts.snapshots()
    hosts.up(TOPOLOGY)
    assert hosts.plan(TOPOLOGY).empty
    for host, container in (("server4", "a"), ("server5", "b"), ("server6", "c")):
        for target in {"a", "b", "c", "www"} - {container}:
            assert hosts.reaches(host, container, target, "-4"), (container, target)
            assert hosts.reaches(host, container, target, "-6"), (container, target)
    # Each host has a slice, and routes to those of the others.
    slices = {
        host: address(hosts, host, name).rpartition(".")[0] + ".0/24"
        for host, name in (("server4", "a"), ("server5", "b"), ("server6", "c"))
    }
    assert len(set(slices.values())) == 3
    assert {(to, via) for to, via, _ in ours(hosts, "server4") if "." in to} == {
        (slices["server5"], "10.77.0.2"),
        (slices["server6"], "10.77.0.3"),
    }
    assert {dev for _, _, dev in ours(hosts, "server5")} == {"eth0"} and len(ours(hosts, "server5")) == 4
    assert hosts.shell("server4", "ip -d link show type vxlan") == ""
    # A full packet passes whole: nothing is added to it. On the wire it is what the container sent, by its own address.
    b = address(hosts, "server5", "b")
    with capture(hosts.sandboxes["server5"], "eth0", "icmp") as lines:
        assert hosts.reaches("server4", "a", b, "-M", "do", "-s", "1472")
        assert f"{address(hosts, 'server4', 'a')} > {b}: ICMP echo request" in lines(1)[0]
    # From elsewhere only what is published: the neighbour itself, and other networks, stay outside.
    hosts.shell("server4", f"! ping -c1 -W1 {b}")
    d = address(hosts, "server5", "d")
    assert not hosts.reaches("server4", "a", d) and not hosts.reaches("server5", "d", b)
    hosts.down()
    hosts.assert_same(before)


def test_a_new_host_moves_nobody_and_is_one_route_on_each_of_the_others(hosts: Hosts) -> None:
    two = TOPOLOGY.replace("  c: {host: server6, networks: {r1: {}}}\n", "")
    hosts.up(two)
    had = {name: address(hosts, host, name) for host, name in (("server4", "a"), ("server5", "b"))}
    plan = hosts.plan(TOPOLOGY)
    changed = [
        (c.host, c.kind, c.actions)
        for c in plan.changes
        if c.host != "server6" and "@dns" not in c.id and c.kind != "file"
    ]
    assert changed == [(host, "route", ("create",)) for host in ("server4", "server4", "server5", "server5")]
    assert all(not c.disturbs for c in plan.changes)
    hosts.up(TOPOLOGY)
    assert had == {name: address(hosts, host, name) for host, name in (("server4", "a"), ("server5", "b"))}
    assert hosts.reaches("server4", "a", "c") and hosts.reaches("server6", "c", "b")


def test_a_route_that_was_changed_by_hand_is_seen_and_put_back(hosts: Hosts) -> None:
    hosts.up(TOPOLOGY)
    to, via, dev = sorted(ours(hosts, "server5"))[0]
    (line,) = [
        line for line in hosts.shell("server5", "ip -4 route show proto 110").splitlines() if line.startswith(to)
    ]
    metric = line.split()[line.split().index("metric") + 1]
    hosts.shell("server5", f"ip route replace {to} via 10.77.0.9 dev {dev} proto 110 metric {metric}")
    (change,) = hosts.plan(TOPOLOGY).changes
    assert change.address == f"server5/route/{to}" and [d.path for d in change.differences] == ["via"]
    hosts.shell("server5", f"ip route del {to} metric {metric}")
    # One that is not ours is left alone.
    hosts.shell("server5", "ip route add 192.0.2.0/24 via 10.77.0.9 proto 110")
    (change,) = hosts.plan(TOPOLOGY).changes
    assert change.actions == ("create",)
    hosts.up(TOPOLOGY)
    assert (to, via, dev) in ours(hosts, "server5")
    hosts.down()
    assert ours(hosts, "server5") == {("192.0.2.0/24", "10.77.0.9", dev)}


def problems(hosts: Hosts, text: str) -> list[str]:
    from netcompose.compiler.compile import compile_topology
    from netcompose.topology.load import load_text

    topology = load_text(text)
    with hosts.run() as executor:
        found = compile_topology(topology, executor.observe(topology.name)).problems
    return [f"{problem.message} / {problem.hint}" for problem in found]


def test_hosts_that_are_no_neighbours_and_addresses_of_other_slices_are_refused(hosts: Hosts) -> None:
    hosts.shell("server6", "ip addr add 10.88.0.3/24 dev eth0")
    found = problems(hosts, TOPOLOGY.replace("10.77.0.3", "10.88.0.3"))
    assert found and all("is no neighbour of" in text and "driver: overlay" in text for text in found), found
    text = TOPOLOGY.replace(
        "a: {host: server4, networks: [r1]}", "a: {host: server4, networks: {r1: {ipv4_address: 10.30.7.5}}}"
    )
    assert problems(hosts, text) == []
    text = text.replace(
        "c: {host: server6, networks: {r1: {}}}", "c: {host: server6, networks: {r1: {ipv4_address: 10.30.7.6}}}"
    )
    message = "\n".join(problems(hosts, text))
    assert "10.30.7.6 is in 10.30.7.0/24, which is not the part" in message


def test_an_internal_routed_network_reaches_its_other_hosts_and_nothing_else(hosts: Hosts) -> None:
    text = TOPOLOGY.replace("driver: routed,", "driver: routed, internal: true,")
    hosts.up(text)
    assert hosts.plan(text).empty
    assert hosts.reaches("server4", "a", "b") and hosts.reaches("server6", "c", "a", "-6")
    assert not hosts.reaches("server4", "a", "10.77.0.2")
