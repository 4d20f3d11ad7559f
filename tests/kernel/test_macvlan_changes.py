"""macvlan on a segment (S11): what is changed by hand or in the file, in place or not.

Oracles: ip, tc, ping.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from parent_support import MODES, ROUTER, Topology, changed_paths
from segment import shown
from support import run, until

from netcompose.transports.sandbox import Sandbox


@pytest.fixture
def host(host_on_a_segment: Sandbox) -> Sandbox:
    """A host on a segment."""
    return host_on_a_segment


BY_HAND = {
    "mode": (["ip", "-n", "t-a", "link", "set", "eth0", "type", "macvlan", "mode", "private"], "mode"),
    "mac": (["ip", "-n", "t-a", "link", "set", "eth0", "address", "02:00:00:00:00:99"], "end.mac"),
    "mtu": (["ip", "-n", "t-a", "link", "set", "eth0", "mtu", "1400"], "end.mtu"),
    "down": (["ip", "-n", "t-a", "link", "set", "eth0", "down"], "end.up end.routes"),
    "address": (["ip", "-n", "t-a", "addr", "del", "192.168.50.11/24", "dev", "eth0"], "end.addresses end.routes"),
    "alias": (["ip", "-n", "t-a", "link", "set", "eth0", "alias", ""], "end.alias"),
    "name": (["ip", "-n", "t-a", "link", "set", "eth0", "name", "other"], "end.name"),
    "network": (["ip", "-n", "t-a", "link", "property", "del", "dev", "eth0", "altname", "t-network-phys"], "network"),
}


@pytest.mark.parametrize("what", sorted(BY_HAND))
def test_drift_is_seen_and_mended_in_place(host: Sandbox, tmp_path: Path, what: str) -> None:
    topology = Topology(host, tmp_path, MODES.replace("MODE", "mode: bridge"))
    topology.up()
    index = shown(host, "eth0", "t-a")["ifindex"]
    command, paths = BY_HAND[what]
    run(host, *command)
    (change,) = topology.plan()
    assert change["address"] == "local/interface/a.eth0" and change["actions"] == ["update"]
    assert set(paths.split()) <= changed_paths(change)
    topology.up()
    assert shown(host, "eth0", "t-a")["ifindex"] == index
    topology.ping("a", "192.168.50.12")
    topology.ping("a", ROUTER)
    topology.down()


IN_PLACE = [
    ("mode: bridge", "mode: private", {"mode"}),
    ("mode: bridge", "mode: bridge, mtu: 1400", {"end.mtu"}),
    ("192.168.50.11}", "192.168.50.11, mac_address: '02:00:00:00:00:aa'}", {"end.mac"}),
    ("192.168.50.11}", "192.168.50.21}", {"end.addresses"}),
    (", gateway: 192.168.50.1", "", {"end.routes"}),
]


@pytest.mark.parametrize("old, new, paths", IN_PLACE)
def test_a_live_change_leaves_the_interface(host: Sandbox, tmp_path: Path, old: str, new: str, paths: set[str]) -> None:
    """The index stays, and counters are not set back: the interface is the same one."""
    topology = Topology(host, tmp_path, MODES.replace("MODE", "mode: bridge"))
    topology.up()
    topology.ping("a", ROUTER)
    index, sent = _identity(host)
    topology.edit(old, new)
    changes = {change["address"]: change for change in topology.plan()}
    mine = changes["local/interface/a.eth0"]
    assert mine["actions"] == ["update"] and changed_paths(mine) == paths
    topology.up()
    assert _identity(host)[0] == index and _identity(host)[1] >= sent > 0
    topology.down()


def _identity(host: Sandbox) -> tuple[int, int]:
    (link,) = json.loads(run(host, "ip", "-n", "t-a", "-s", "-j", "link", "show", "eth0"))
    return link["ifindex"], link["stats64"]["tx"]["packets"]


@pytest.mark.parametrize(
    "old, new, reason",
    [
        ("mode: bridge", "mode: passthru", "passthru is settled when the interface is made"),
        ("interface: eth1", "interface: eth2", "an interface stays on the parent it was made on"),
    ],
)
def test_what_cannot_change_in_place_says_so(host: Sandbox, tmp_path: Path, old: str, new: str, reason: str) -> None:
    run(host, "ip", "link", "add", "eth2", "type", "veth", "peer", "name", "far2")
    run(host, "ip", "link", "set", "far2", "up")
    run(host, "ip", "link", "set", "eth2", "up")
    for name in ("eth2", "far2"):
        until(lambda name=name: "fe80" in run(host, "ip", "-6", "addr", "show", "dev", name))
    until(lambda: not run(host, "ip", "-6", "addr", "show", "tentative").strip())
    topology = Topology(host, tmp_path, MODES.replace("MODE", "mode: bridge").replace("  b:", "  # b:"))
    topology.up()
    index = shown(host, "eth0", "t-a")["ifindex"]
    topology.edit(old, new)
    changes = {change["address"]: change for change in topology.plan()}
    mine = changes["local/interface/a.eth0"]
    assert mine["actions"] == ["delete", "create"] and reason in mine["reason"]
    assert mine["disturbs"] == [{"container": "a", "how": "outage", "why": "it is made anew"}]
    topology.up()
    assert shown(host, "eth0", "t-a")["ifindex"] != index
    topology.down()


def test_what_a_container_sends_can_be_impaired(host: Sandbox, tmp_path: Path) -> None:
    rated = "192.168.50.11, impairment: {rate: 10mbit}}"
    topology = Topology(host, tmp_path, MODES.replace("MODE", "mode: bridge").replace("192.168.50.11}", rated))
    topology.up()
    index = shown(host, "eth0", "t-a")["ifindex"]

    def queue() -> tuple[str, int]:
        (found,) = json.loads(run(host, "tc", "-n", "t-a", "-j", "qdisc", "show", "dev", "eth0"))
        return found["kind"], found["options"]["rate"]

    assert queue() == ("tbf", 1_250_000), "bytes a second"
    topology.edit("10mbit", "20mbit")
    (change,) = topology.plan()
    assert changed_paths(change) >= {"end.impairment.rate"}
    topology.up()
    assert queue() == ("tbf", 2_500_000) and shown(host, "eth0", "t-a")["ifindex"] == index
    run(host, *["tc", "-n", "t-a", "qdisc", "del", "dev", "eth0", "root"])
    (change,) = topology.plan()
    assert change["address"] == "local/interface/a.eth0"
    topology.up()
    assert queue() == ("tbf", 2_500_000)
    topology.ping("a", "192.168.50.12")
    topology.down()


def test_a_container_that_comes_touches_no_other(host: Sandbox, tmp_path: Path) -> None:
    topology = Topology(host, tmp_path, MODES.replace("MODE", "mode: bridge"))
    topology.up()
    _, found = topology.change("containers:", "containers:\n  c: {networks: [phys]}")
    assert {name for name in found if not name.startswith("c ")} <= {"c"}
    topology.ping("a", "c")
    topology.down()


def test_a_mac_address_goes_from_a_container_that_goes_to_one_that_comes(host: Sandbox, tmp_path: Path) -> None:
    """The kernel refuses the second one on a parent as long as the first is there, and that goes with its namespace."""
    text = MODES.replace("MODE", "mode: bridge").replace("50.12}", "50.12, mac_address: '02:00:00:00:00:bb'}")
    topology = Topology(host, tmp_path, text)
    topology.up()
    topology.edit("  b:", "  c:")
    topology.up()
    assert shown(host, "eth0", "t-c")["address"] == "02:00:00:00:00:bb"
    topology.edit("  c:", "  b:")
    topology.up()
    topology.ping("a", "b")
    topology.down()


def test_an_interface_that_is_about_to_end_is_waited_for(host: Sandbox, tmp_path: Path) -> None:
    """As one in a namespace that was removed, which the kernel ends in its own time: here one ends a while later."""
    text = MODES.replace("MODE", "mode: bridge").replace("50.12}", "50.12, mac_address: '02:00:00:00:00:bb'}")
    topology = Topology(host, tmp_path, text)
    run(host, "ip", "link", "add", "link", "eth1", "name", "old", "address", "02:00:00:00:00:bb", "type", "macvlan")
    run(host, "ip", "link", "set", "old", "up")
    ending = host.popen(["sh", "-c", "sleep 3; ip link del old"])
    topology.up()
    assert ending.wait(10) == 0
    topology.ping("a", "b")
    topology.down()
