"""Cables between hosts: one object of the topology, two ends on two hosts, made, changed and removed together (S16)."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from hosts_support import Hosts

TOPOLOGY = """
name: lab
hosts: {server4: {underlay: 10.77.0.1}, server5: {underlay: eth0}}
containers:
  r1: {host: server4, network_mode: none}
  r2: {host: server5, network_mode: none}
links:
  - endpoints: ["r1:eth1", "r2:eth7"]
    addresses: [[10.1.0.1/30, "fd01::1/64"], [10.1.0.2/30, "fd01::2/64"]]
"""


@pytest.fixture
def hosts() -> Iterator[Hosts]:
    """Two throw-away hosts on one segment."""
    with Hosts.start("server4", "server5") as started:
        started.join()
        yield started


def tunnel(hosts: Hosts, host: str, container: str, name: str) -> dict[str, object]:
    (found,) = json.loads(hosts.inside(host, container, "ip", "-d", "-j", "link", "show", name).stdout)
    return dict(found)


def test_a_cable_between_hosts_carries_full_packets_of_both_families(hosts: Hosts) -> None:
    before = hosts.snapshots()
    hosts.up(TOPOLOGY)
    assert hosts.reaches("server4", "r1", "10.1.0.2") and hosts.reaches("server5", "r2", "fd01::1")
    ends = [tunnel(hosts, "server4", "r1", "eth1"), tunnel(hosts, "server5", "r2", "eth7")]
    one, two = (end["linkinfo"]["info_data"] for end in ends)
    assert one["id"] == two["id"] and one["port"] == two["port"] == 4789
    assert (one["local"], one["remote"]) == ("10.77.0.1", "10.77.0.2") == (two["remote"], two["local"])
    assert [end["mtu"] for end in ends] == [1450, 1450]
    # What fits passes whole, and one byte more does not.
    assert hosts.reaches("server4", "r1", "10.1.0.2", "-M", "do", "-s", str(1450 - 28))
    assert not hosts.reaches("server4", "r1", "10.1.0.2", "-M", "do", "-s", str(1450 - 27))
    # Nothing of it is on the hosts themselves.
    assert "vxlan" not in hosts.shell("server4", "ip -d link")
    assert hosts.plan(TOPOLOGY).empty
    hosts.down()
    hosts.assert_same(before)


def test_a_number_that_a_deleted_namespace_still_has_is_waited_for(hosts: Hosts) -> None:
    hosts.up(TOPOLOGY)
    before = tunnel(hosts, "server4", "r1", "eth1")["linkinfo"]["info_data"]["id"]  # type: ignore[index]
    # Somebody is in it, so that it goes on without a name, with its tunnel.
    held = hosts.sandboxes["server4"].popen(
        ["ip", "netns", "exec", "lab-r1", "sh", "-c", "echo in; sleep 2"], stdout=-1
    )
    assert held.stdout is not None and held.stdout.readline() == b"in\n"
    hosts.shell("server4", "ip netns del lab-r1")
    hosts.up(TOPOLOGY)
    assert tunnel(hosts, "server4", "r1", "eth1")["linkinfo"]["info_data"]["id"] == before  # type: ignore[index]
    assert hosts.reaches("server4", "r1", "10.1.0.2") and hosts.plan(TOPOLOGY).empty
    held.wait(10)
    held.stdout.close()


def test_one_attribute_changes_at_both_ends_and_nothing_else(hosts: Hosts) -> None:
    hosts.up(TOPOLOGY)
    index = tunnel(hosts, "server4", "r1", "eth1")["ifindex"]
    changed = TOPOLOGY + "    mtu: 1300\n"
    plan = hosts.plan(changed)
    assert [(c.address, c.actions) for c in plan.changes] == [
        ("server4/link/r1.eth1-r2.eth7", ("update",)),
        ("server5/link/r1.eth1-r2.eth7", ("update",)),
    ]
    hosts.up(changed)
    assert tunnel(hosts, "server4", "r1", "eth1")["mtu"] == 1300 == tunnel(hosts, "server5", "r2", "eth7")["mtu"]
    assert tunnel(hosts, "server4", "r1", "eth1")["ifindex"] == index
    # Another underlay address makes both ends anew.
    changed = TOPOLOGY.replace("underlay: 10.77.0.1", 'underlay: "fd77::1"').replace(
        "underlay: eth0", 'underlay: "fd77::2"'
    )
    plan = hosts.plan(changed)
    assert {(c.host, c.actions) for c in plan.changes} == {
        ("server4", ("delete", "create")),
        ("server5", ("delete", "create")),
    }
    assert {(d.container, d.how) for c in plan.changes for d in c.disturbs} == {("r1", "outage"), ("r2", "outage")}
    hosts.up(changed)
    assert hosts.reaches("server4", "r1", "10.1.0.2")
    assert tunnel(hosts, "server4", "r1", "eth1")["mtu"] == 1430
    # One end that is lost is made again, the other stays.
    hosts.shell("server5", "ip -n lab-r2 link del eth7")
    assert [(c.address, c.actions) for c in hosts.plan(changed).changes] == [
        ("server5/link/r1.eth1-r2.eth7", ("create",))
    ]
    hosts.up(changed)
    assert hosts.reaches("server4", "r1", "10.1.0.2")


def test_a_container_that_is_made_anew_gets_its_number_back_at_once(hosts: Hosts) -> None:
    hosts.up(TOPOLOGY)
    for _ in range(3):
        hosts.shell("server5", "ip netns del lab-r2")
        hosts.up(TOPOLOGY)
        assert hosts.reaches("server4", "r1", "10.1.0.2")


def problems(hosts: Hosts, text: str) -> list[str]:
    from netcompose.compiler.compile import compile_topology
    from netcompose.topology.load import load_text

    topology = load_text(text)
    with hosts.run() as executor:
        return [str(p.message) for p in compile_topology(topology, executor.observe(topology.name)).problems]


def test_numbers_and_sizes_that_do_not_go_are_found_before_any_change(hosts: Hosts) -> None:
    (message,) = problems(hosts, TOPOLOGY + "    mtu: 1451\n")
    assert (
        "1451 for this link does not fit" in message and "seg of server4 has 1500, eth0 of server5 has 1500" in message
    )
    (message,) = problems(hosts, TOPOLOGY.replace("underlay: eth0", "underlay: eth5"))
    assert "server5" in message and "eth5" in message
    (message,) = problems(hosts, TOPOLOGY.replace("underlay: eth0", 'underlay: "fd77::2"'))
    assert "both families" in message
    (message,) = problems(hosts, TOPOLOGY.replace("{underlay: eth0}", "{}"))
    assert "by which address" in message
    # Without a word, the only address is it.
    hosts.shell("server5", "ip -6 addr del fd77::2/64 dev eth0")
    assert problems(hosts, TOPOLOGY.replace("{underlay: eth0}", "{}")) == []


def test_what_others_have_is_kept_away_from(hosts: Hosts) -> None:
    hosts.up(TOPOLOGY)
    number = tunnel(hosts, "server4", "r1", "eth1")["linkinfo"]["info_data"]["id"]  # type: ignore[index]
    hosts.down()
    hosts.shell("server5", f"ip link add theirs type vxlan id {number} dstport 4789 local 10.77.0.2 remote 10.77.0.9")
    hosts.up(TOPOLOGY)
    found = tunnel(hosts, "server4", "r1", "eth1")["linkinfo"]["info_data"]["id"]  # type: ignore[index]
    assert found == number + 1 == tunnel(hosts, "server5", "r2", "eth7")["linkinfo"]["info_data"]["id"]  # type: ignore[index]
    hosts.down()
    assert "theirs" in hosts.shell("server5", "ip link")


def test_the_ends_are_impaired_each_in_its_direction_and_live(hosts: Hosts) -> None:
    def rate(host: str, container: str, name: str) -> int | None:
        shown = json.loads(hosts.shell(host, f"tc -n lab-{container} -j qdisc show dev {name}"))
        return next((item["options"]["rate"] for item in shown if item["kind"] == "tbf"), None)

    slow = TOPOLOGY + "    impairment: [{rate: 10mbit}, {rate: 20mbit}]\n"
    hosts.up(slow)
    # In bytes a second.
    assert (rate("server4", "r1", "eth1"), rate("server5", "r2", "eth7")) == (1_250_000, 2_500_000)
    assert hosts.reaches("server4", "r1", "10.1.0.2")
    assert hosts.plan(slow).empty
    index = tunnel(hosts, "server4", "r1", "eth1")["ifindex"]
    (change,) = hosts.plan(slow.replace("10mbit", "30mbit")).changes
    assert (change.address, change.actions) == ("server4/link/r1.eth1-r2.eth7", ("update",))
    hosts.up(slow.replace("10mbit", "30mbit"))
    assert rate("server4", "r1", "eth1") == 3_750_000 and tunnel(hosts, "server4", "r1", "eth1")["ifindex"] == index
    hosts.shell("server5", "tc -n lab-r2 qdisc del dev eth7 root")
    (change,) = hosts.plan(slow.replace("10mbit", "30mbit")).changes
    assert change.address == "server5/link/r1.eth1-r2.eth7"
    hosts.up(TOPOLOGY)
    assert (rate("server4", "r1", "eth1"), rate("server5", "r2", "eth7")) == (None, None)
    hosts.down()
