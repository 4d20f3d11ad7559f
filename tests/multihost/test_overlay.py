"""Overlay networks (S14): VXLAN between hosts, tables from the topology, no flooding, the size that fits."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hosts_support import Hosts, capture

TOPOLOGY = """
name: lab
hosts: {server4: {underlay: 10.77.0.1}, server5: {underlay: 10.77.0.2}, server6: {underlay: 10.77.0.3}}
networks:
  ov1: {driver: overlay, subnets: [10.10.0.0/24, "fd10::/64"], vni: 4242}
  ov2: {driver: overlay, subnets: [10.10.0.0/24]}
  out: {subnets: [10.20.0.0/24]}
containers:
  a: {host: server4, networks: {ov1: {ipv4_address: 10.10.0.11}, out: {}}}
  b: {host: server5, networks: {ov1: {ipv4_address: 10.10.0.12, aliases: [www]}}}
  c: {host: server6, networks: {ov1: {ipv4_address: 10.10.0.13}}}
  x: {host: server4, networks: {ov2: {ipv4_address: 10.10.0.11}}}
  y: {host: server5, networks: {ov2: {ipv4_address: 10.10.0.12}}}
"""


@pytest.fixture
def hosts() -> Iterator[Hosts]:
    """Three throw-away hosts on one segment."""
    with Hosts.start("server4", "server5", "server6") as started:
        started.join()
        yield started


def ports(hosts: Hosts, host: str) -> dict[str, dict[str, Any]]:
    """The tunnels of a host by what they are for."""
    links = json.loads(hosts.shell(host, "ip -d -j link show type vxlan"))
    return {link["ifalias"].rpartition("/")[2]: link for link in links}


def tables(hosts: Hosts, host: str, network: str) -> tuple[set[tuple[str, str]], set[str], set[tuple[str, str]]]:
    """(MAC, host) of the tunnel's entries, MACs that the bridge has behind it, (address, MAC) of the neighbours."""
    port = ports(hosts, host)[network]
    found = json.loads(hosts.shell(host, f"bridge -j fdb show dev {port['ifname']}"))
    near = {entry["mac"] for entry in found if entry.get("state") == "static" and "master" in entry}
    far = {(entry["mac"], entry["dst"]) for entry in found if "dst" in entry}
    neighbours = json.loads(hosts.shell(host, f"ip -j neigh show dev {port['master']} nud permanent"))
    return far, near, {(entry["dst"], entry["lladdr"]) for entry in neighbours}


def mac(hosts: Hosts, host: str, container: str) -> str:
    """The MAC address of a container's eth0."""
    return str(json.loads(hosts.inside(host, container, "ip", "-j", "link", "show", "eth0").stdout)[0]["address"])


def test_an_overlay_joins_containers_of_all_hosts_and_leaves_nothing(hosts: Hosts) -> None:
    before = hosts.snapshots()
    hosts.up(TOPOLOGY)
    assert hosts.plan(TOPOLOGY).empty
    # By name, from every host to every other, both families.
    for host, container in (("server4", "a"), ("server5", "b"), ("server6", "c")):
        for target in {"a", "b", "c", "www"} - {container}:
            assert hosts.reaches(host, container, target, "-4"), (container, target)
            assert hosts.reaches(host, container, target, "-6"), (container, target)
    # What the tables say is what the topology says.
    far, near, neighbours = tables(hosts, "server4", "ov1")
    b, c = mac(hosts, "server5", "b"), mac(hosts, "server6", "c")
    assert far == {(b, "10.77.0.2"), (c, "10.77.0.3")} and near == {b, c}
    assert {("10.10.0.12", b), ("10.10.0.13", c)} <= neighbours and len(neighbours) == 4
    port = ports(hosts, "server4")["ov1"]
    data = port["linkinfo"]
    assert data["info_data"]["id"] == 4242 and data["info_data"]["port"] == 4789
    assert data["info_data"]["learning"] is False and data["info_slave_data"]["neigh_suppress"] is True
    # A full-size packet passes unbroken, and the size is what the underlay leaves.
    assert port["mtu"] == 1450
    assert hosts.reaches("server4", "a", "10.10.0.12", "-M", "do", "-s", str(1450 - 28))
    assert not hosts.reaches("server4", "a", "10.10.0.12", "-M", "do", "-s", str(1450 - 27))
    # The second interface is the way out.
    assert hosts.inside("server4", "a", "ip", "route", "get", "192.0.2.9").stdout.count("via 10.20.0.1 ") == 1
    assert "default" not in hosts.inside("server5", "b", "ip", "route").stdout
    hosts.down()
    hosts.assert_same(before)


def test_two_overlays_with_the_same_subnet_do_not_mix(hosts: Hosts) -> None:
    hosts.up(TOPOLOGY)
    assert ports(hosts, "server4")["ov1"]["linkinfo"]["info_data"]["id"] == 4242
    assert ports(hosts, "server4")["ov2"]["linkinfo"]["info_data"]["id"] != 4242
    assert hosts.reaches("server4", "x", "10.10.0.12") and not hosts.reaches("server4", "x", "10.10.0.13")
    # b is stopped: who answers x on the same address is y.
    hosts.shell("server5", "ip -n lab-b link set eth0 down")
    assert hosts.reaches("server4", "x", "10.10.0.12") and not hosts.reaches("server4", "a", "10.10.0.12")


def test_on_the_wire_are_tunnelled_packets_to_one_host_and_no_questions(hosts: Hosts) -> None:
    hosts.up(TOPOLOGY)
    wire = hosts.sandboxes["server5"]
    with capture(wire, "eth0", "udp port 4789") as lines:
        assert hosts.reaches("server4", "a", "10.10.0.12")
        seen = "\n".join(lines(2))
        assert "VXLAN" in seen and "vni 4242" in seen and "10.10.0.11 > 10.10.0.12: ICMP echo request" in seen
    # An address that nobody has is not asked for beyond the host, nor is one that somebody has.
    with capture(wire, "eth0", "udp port 4789") as lines:
        assert not hosts.reaches("server4", "a", "10.10.0.99")
        hosts.inside("server4", "a", "ip", "neigh", "flush", "all")
        assert hosts.reaches("server4", "a", "10.10.0.12")
        assert not any("ARP" in line for line in lines(2))


def test_one_more_container_is_one_more_entry_on_each_other_host(hosts: Hosts) -> None:
    hosts.up(TOPOLOGY)
    more = TOPOLOGY + "  d: {host: server6, networks: {ov1: {ipv4_address: 10.10.0.14}}}\n"
    plan = hosts.plan(more)
    tunnels = {c.address: [d.path for d in c.differences] for c in plan.changes if c.kind == "vxlan"}
    assert set(tunnels) == {"server4/tunnel/ov1", "server5/tunnel/ov1"}
    ((path,), same) = tunnels.values()
    assert [path] == same and path.startswith("stations.")
    assert all(not c.disturbs for c in plan.changes)
    index = ports(hosts, "server4")["ov1"]["ifindex"]
    hosts.up(more)
    assert hosts.reaches("server4", "a", "10.10.0.14") and hosts.reaches("server6", "d", "b")
    assert ports(hosts, "server4")["ov1"]["ifindex"] == index
    assert (path.partition(".")[2], "10.77.0.3") in tables(hosts, "server4", "ov1")[0]
    hosts.up(TOPOLOGY)
    assert path.partition(".")[2] not in {mac for mac, _ in tables(hosts, "server4", "ov1")[0]}
    assert len(tables(hosts, "server4", "ov1")[2]) == 4


@pytest.mark.parametrize(
    "what",
    [
        "bridge fdb del {b} dev {port} dst 10.77.0.2 self",
        "bridge fdb del {b} dev {port} master",
        "ip neigh del 10.10.0.12 dev {bridge}",
    ],
)
def test_a_lost_entry_is_seen_and_made_again(hosts: Hosts, what: str) -> None:
    hosts.up(TOPOLOGY)
    port = ports(hosts, "server4")["ov1"]
    b = mac(hosts, "server5", "b")
    hosts.shell("server4", what.format(b=b, port=port["ifname"], bridge=port["master"]))
    (change,) = hosts.plan(TOPOLOGY).changes
    assert change.address == "server4/tunnel/ov1" and [d.path for d in change.differences] == [f"stations.{b}"]
    hosts.up(TOPOLOGY)
    assert hosts.reaches("server4", "a", "10.10.0.12")
    assert hosts.plan(TOPOLOGY).empty


def test_a_container_that_moves_to_another_host_is_found_there(hosts: Hosts) -> None:
    hosts.up(TOPOLOGY)
    moved = TOPOLOGY.replace("b: {host: server5", "b: {host: server6")
    hosts.up(moved)
    assert hosts.reaches("server4", "a", "b") and hosts.reaches("server6", "b", "a")
    assert "lab-b" not in hosts.shell("server5", "ip netns")
    assert hosts.plan(moved).empty
