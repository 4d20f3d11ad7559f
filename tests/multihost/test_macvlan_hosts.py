"""macvlan over two hosts on one segment (S11): each host has its parent, under its own name, and addresses come from one
pool. Oracles: ip, ping."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from hosts_support import Hosts

TOPOLOGY = """
name: lab
hosts: {server4: {underlay: 10.77.0.1}, server5: {underlay: 10.77.0.2}}
parents: {lan: {interface: {server4: seg, server5: eth0}, promiscuous: true}}
networks: {phys: {driver: macvlan, parent: lan, subnets: [192.168.50.0/24, "fd50::/64"]}}
containers:
  a: {host: server4, networks: [phys]}
  b: {host: server5, networks: [phys]}
  c: {host: server5, networks: [phys]}
"""


@pytest.fixture
def hosts() -> Iterator[Hosts]:
    """Two throw-away hosts on one segment."""
    with Hosts.start("server4", "server5") as started:
        started.join()
        yield started


def promiscuity(hosts: Hosts, host: str, name: str) -> bool:
    (found,) = json.loads(hosts.shell(host, f"ip -j link show {name}"))
    return "PROMISC" in found["flags"]


def test_containers_of_two_hosts_are_on_one_segment(hosts: Hosts) -> None:
    before = hosts.snapshots()
    hosts.up(TOPOLOGY)
    for target in ("b", "c"):
        assert hosts.reaches("server4", "a", target, "-4") and hosts.reaches("server4", "a", target, "-6")
    assert hosts.reaches("server5", "b", "a") and hosts.reaches("server5", "b", "c")
    # The neighbour's own MAC address is what arrives, and no address is there twice.
    (link,) = json.loads(hosts.inside("server5", "b", "ip", "-j", "addr", "show", "eth0").stdout)
    address = next(item["local"] for item in link["addr_info"] if item["family"] == "inet")
    (neighbour,) = json.loads(hosts.inside("server4", "a", "ip", "-j", "neigh", "show", address).stdout)
    assert neighbour["lladdr"] == link["address"]
    assert promiscuity(hosts, "server4", "seg") and promiscuity(hosts, "server5", "eth0")
    assert hosts.plan(TOPOLOGY).empty
    hosts.down()
    assert not promiscuity(hosts, "server4", "seg") and not promiscuity(hosts, "server5", "eth0")
    hosts.assert_same(before)
