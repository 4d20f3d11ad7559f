"""macvlan on a segment (S11): what a switch and a router see of the containers, and what the host may not.

Oracles: ip, ping, tcpdump; the router is in a namespace of its own at the other end of the host's ``eth1``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from outside import capture
from segment import LAN, PORT, ROUTER_MAC, plug, promiscuous, shown
from support import Example, assert_same, cli, run, snapshot, until

from netcompose.transports.sandbox import Sandbox

ROUTER = "192.168.50.1"


@pytest.fixture
def host() -> Iterator[Sandbox]:
    """A host on a segment."""
    with Sandbox("server4") as sandbox:
        plug(sandbox)
        yield sandbox


class Topology(Example):
    """A topology of a test's own, on a host whose untouched state is known."""

    def __init__(self, host: Sandbox, folder: Path, text: str, name: str = "t") -> None:
        self.host = host
        self.name = name
        self.file = folder / f"{name}.yaml"
        self.file.write_text(f"name: {name}\n{text}")
        self.before = snapshot(host)


MODES = """
parents: {lan: {interface: eth1}}
networks: {phys: {driver: macvlan, parent: lan, MODE, subnets: [{subnet: 192.168.50.0/24, gateway: 192.168.50.1}]}}
containers:
  a: {networks: {phys: {ipv4_address: 192.168.50.11}}}
  b: {networks: {phys: {ipv4_address: 192.168.50.12}}}
"""


def test_a_place_of_their_own_on_the_segment(example: Callable[[str], Example]) -> None:
    """The example: own MAC addresses on the wire, the segment's router as gateway, promiscuity set and (by the
    fixture's snapshots) put back."""
    shown_ = example("macvlan")
    host = shown_.host
    assert promiscuous(host)
    link = shown(host, "eth0", "macvlan-web1")
    assert link["linkinfo"] == {**link["linkinfo"], "info_kind": "macvlan"}
    assert link["linkinfo"]["info_data"]["mode"] == "bridge"
    assert link["address"] == "02:00:00:00:50:11"
    assert "default via 192.168.50.1 dev eth0" in shown_.inside("web1", "ip", "route")
    with capture(host, PORT, "icmp", where=LAN, options=["-e"]) as frames:
        shown_.ping("web1", ROUTER)
        (request,) = frames(1)
    assert f"02:00:00:00:50:11 > {ROUTER_MAC}" in request
    shown_.ping("web1", "fd00:50::1")
    shown_.ping("web1", "web2", "-4")
    shown_.ping("web1", "web2", "-6")
    # The router reaches them as any machine of its segment.
    until(lambda: host.run([*LAN, "ping", "-c1", "-W1", "192.168.50.11"]).returncode == 0)
    # host_access: the host has a route to each of them, and an address that they answer.
    until(lambda: host.run(["ping", "-c1", "-W1", "192.168.50.11"]).returncode == 0)
    until(lambda: host.run(["ping", "-c1", "-W1", "fd00:50::11"]).returncode == 0)


def test_the_host_reaches_its_own_only_with_host_access(host: Sandbox, tmp_path: Path) -> None:
    """Without a shim the kernel keeps the two apart, though the host has an address on the segment; with it, it adds
    just the shim, and takes just that away."""
    run(host, "ip", "addr", "add", "192.168.50.2/24", "dev", "eth1")
    topology = Topology(host, tmp_path, MODES.replace("MODE", "mode: bridge"))
    topology.up()
    topology.ping("a", "192.168.50.12")
    topology.ping("a", ROUTER)
    assert host.run(["ping", "-c1", "-W1", "192.168.50.11"]).returncode != 0
    topology.ping("a", "192.168.50.2", reaches=False)
    planned, found = topology.change("mode: bridge", "mode: bridge, host_access: true")
    assert planned.actions == {"local/shim/phys": ["create"]}
    assert found == {"host shim/phys", "host routes -4", "host routes -6"}
    until(lambda: host.run(["ping", "-c1", "-W1", "192.168.50.11"]).returncode == 0)
    routes = json.loads(run(host, "ip", "-j", "route", "show", "proto", "110"))
    assert {route["dst"] for route in routes} == {"192.168.50.11", "192.168.50.12"}
    # Its address is the network's own, and stays when planned again.
    assert topology.plan() == []
    planned, found = topology.change("mode: bridge, host_access: true", "mode: bridge")
    assert planned.actions == {"local/shim/phys": ["delete"]} and planned.disturbs == set()
    topology.down()


@pytest.mark.parametrize(
    "mode, between, hairpin", [("bridge", True, True), ("private", False, False), ("vepa", False, True)]
)
def test_who_reaches_whom_by_mode(host: Sandbox, tmp_path: Path, mode: str, between: bool, hairpin: bool) -> None:
    """In every mode the router is reached; the neighbour by the kernel, by a switch that sends back, or never."""
    topology = Topology(host, tmp_path, MODES.replace("MODE", f"mode: {mode}"))
    topology.up()
    assert shown(host, "eth0", "t-a")["linkinfo"]["info_data"]["mode"] == mode
    topology.ping("a", ROUTER)
    topology.ping("b", ROUTER)
    topology.ping("a", "192.168.50.12", reaches=between)
    run(host, *LAN, "bridge", "link", "set", "dev", PORT, "hairpin", "on")
    topology.ping("a", "192.168.50.12", reaches=hairpin)
    run(host, *LAN, "bridge", "link", "set", "dev", PORT, "hairpin", "off")
    topology.down()


def test_mode_source_takes_frames_of_its_sources_only(host: Sandbox, tmp_path: Path) -> None:
    text = MODES.replace("MODE", f'mode: source, sources: ["{ROUTER_MAC}"]')
    topology = Topology(host, tmp_path, text)
    topology.up()
    topology.ping("a", ROUTER)
    topology.ping("a", "192.168.50.12", reaches=False)
    planned, found = topology.change(ROUTER_MAC, "02:00:00:00:00:77")
    assert planned.actions == {f"local/interface/{name}.eth0": ["update"] for name in "ab"}
    assert planned.paths("local/interface/a.eth0") == {"sources"}
    assert found == set()
    assert "02:00:00:00:00:77" in run(host, "ip", "-n", "t-a", "-d", "link", "show", "eth0")
    topology.ping("a", ROUTER, reaches=False)
    topology.down()


def test_passthru_is_the_parent_itself(host: Sandbox, tmp_path: Path) -> None:
    """It has the parent's MAC address, and nobody else can be on that."""
    text = MODES.replace("MODE", "mode: passthru").replace("  b:", "  # b:")
    topology = Topology(host, tmp_path, text)
    topology.up()
    assert shown(host, "eth0", "t-a")["address"] == shown(host, "eth1")["address"]
    topology.ping("a", ROUTER)
    # The parent is free again at once, also when the container goes as a whole.
    cli(host, "down", file=topology.file)
    topology.up()
    topology.down()


def test_dual_stack_and_a_container_on_two_networks(host: Sandbox, tmp_path: Path) -> None:
    """Two networks share a parent and so a segment; each interface has its own MAC address and its own subnets."""
    topology = Topology(
        host,
        tmp_path,
        """
parents: {lan: {interface: eth1}}
networks:
  one: {driver: macvlan, parent: lan, subnets: [{subnet: 192.168.50.0/24, gateway: 192.168.50.1}, "fd00:50::/64"]}
  two: {driver: macvlan, parent: lan, subnets: [192.168.51.0/24, "fd00:51::/64"]}
containers:
  a: {networks: [one, two]}
  b: {networks: [one]}
  c: {networks: [two]}
""",
    )
    topology.up()
    assert set(topology.addresses("a")) == {"eth0", "eth1"}
    macs = [shown(host, name, "t-a")["address"] for name in ("eth0", "eth1")]
    assert len(set(macs)) == 2
    for target in ("b", "c"):
        topology.ping("a", target, "-4")
        topology.ping("a", target, "-6")
    topology.ping("a", ROUTER)
    # Their gateway is no address of the host's, and of two networks the one that has a gateway has the default route.
    assert "default via 192.168.50.1 dev eth0" in topology.inside("a", "ip", "route")
    planned, found = topology.change("a: {networks: [one, two]}", "a: {networks: [one]}")
    assert planned.actions == {"local/interface/a.eth1": ["delete"]}
    assert {name for name in found if name.startswith("a eth0")} == set()
    topology.down()


def test_without_a_parent_a_segment_of_its_own(host: Sandbox, tmp_path: Path) -> None:
    topology = Topology(
        host,
        tmp_path,
        """
networks: {alone: {driver: macvlan, subnets: [192.168.50.0/24]}, other: {driver: macvlan}}
containers:
  a: {networks: {alone: {ipv4_address: 192.168.50.11}}}
  b: {networks: [alone]}
  c: {networks: [other]}
""",
    )
    topology.up()
    topology.ping("a", "b")
    topology.ping("a", ROUTER, reaches=False)
    (address,) = topology.addresses("c")["eth0"]
    topology.ping("a", address.partition("/")[0], reaches=False)
    with capture(host, "eth1", "arp") as frames:
        topology.ping("a", "192.168.50.77", reaches=False)
        run(host, *LAN, "ping", "-c1", "-W1", "192.168.50.78", status=1)
        # The first frame on the parent is the router's: the segment's own have not left it.
        assert "who-has 192.168.50.78" in frames(1)[0]
    topology.down()


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
    assert set(paths.split()) <= _paths(change)
    topology.up()
    assert shown(host, "eth0", "t-a")["ifindex"] == index
    topology.ping("a", "192.168.50.12")
    topology.ping("a", ROUTER)
    topology.down()


def _paths(change: dict[str, Any], prefix: str = "") -> set[str]:
    found = set()
    before, after = change["before"], change["after"]
    for key in after:
        if isinstance(after[key], dict):
            found |= _paths({"before": before[key], "after": after[key]}, f"{prefix}{key}.")
        elif before[key] != after[key] and key not in ("ifindex", "users"):
            found.add(prefix + key)
    return found


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
    assert mine["actions"] == ["update"] and _paths(mine) == paths
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
    assert _paths(change) >= {"end.impairment.rate"}
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


def test_promiscuity_is_shared_and_put_back_by_the_last(host: Sandbox, tmp_path: Path) -> None:
    """Two topologies ask for it; each sees that it was switched off by hand; the last one puts it back."""
    text = MODES.replace("MODE", "mode: bridge").replace("interface: eth1", "interface: eth1, promiscuous: true")
    one = Topology(host, tmp_path, text)
    two = Topology(host, tmp_path, text.replace("50.11}", "50.21}").replace("50.12}", "50.22}"), name="u")
    one.up()
    two.up()
    assert promiscuous(host)
    run(host, "ip", "link", "set", "eth1", "promisc", "off")
    (change,) = one.plan()
    assert (change["address"], change["actions"]) == ("local/promiscuous/eth1", ["update"])
    one.up()
    assert promiscuous(host) and two.plan() == []
    cli(host, "down", file=one.file)
    assert promiscuous(host)
    two.down()
    assert not promiscuous(host)
    assert_same(host, one.before)


def test_promiscuity_that_was_there_stays(host: Sandbox, tmp_path: Path) -> None:
    run(host, "ip", "link", "set", "eth1", "promisc", "on")
    text = MODES.replace("MODE", "mode: bridge").replace("interface: eth1", "interface: eth1, promiscuous: true")
    topology = Topology(host, tmp_path, text)
    topology.up()
    topology.down()
    assert promiscuous(host)


def test_a_failure_puts_everything_back(host: Sandbox, tmp_path: Path) -> None:
    """The container's command fails after interfaces, shim and promiscuity are there."""
    text = MODES.replace("MODE", "host_access: true").replace("interface: eth1", "interface: eth1, promiscuous: true")
    topology = Topology(host, tmp_path, text.replace("50.11}}}", '50.11}}, exec: [["false"]]}'))
    cli(host, "up", file=topology.file, status=4)
    assert_same(host, topology.before)


REFUSED = {
    "missing": ((), "eth1", "eth9", "host 'local' has no interface 'eth9'"),
    "down": (("ip link set eth1 down",), "", "", "'eth1' of host 'local' is down"),
    "bridge port": (
        ("ip link add br0 type bridge", "ip link set eth1 master br0"),
        "",
        "",
        "'eth1' of host 'local' is a port of bridge br0",
    ),
    "loopback": ((), "eth1", "lo", "'lo' of host 'local' is loopback"),
    "a macvlan": (
        ("ip link add link eth1 name sub type macvlan mode bridge", "ip link set sub up"),
        "eth1",
        "sub",
        "'sub' of host 'local' is itself of kind macvlan",
    ),
    "MTU": (
        (),
        "mode: bridge",
        "mode: bridge, mtu: 9000",
        "the MTU 9000 is larger than that of eth1 on host 'local', 1500",
    ),
    "own address": (
        ("ip addr add 192.168.50.12/24 dev eth1",),
        "",
        "",
        "192.168.50.12 is the address of eth1 itself on host 'local'",
    ),
    "passthru beside a foreign one": (
        ("ip link add link eth1 name sub type macvlan mode bridge",),
        "mode: bridge",
        "mode: passthru",
        "eth1 of host 'local' has macvlan sub (not made by netcompose) already: mode passthru shares its parent with nobody",
    ),
    "beside a foreign passthru in another namespace": (
        ("ip netns add other", "ip link add link eth1 name sub netns other type macvlan mode passthru"),
        "",
        "",
        "has macvlan sub in namespace other (not made by netcompose) already: it is in mode passthru",
    ),
}


@pytest.mark.parametrize("what", sorted(REFUSED))
def test_parents_that_cannot_be_are_refused_before_any_change(host: Sandbox, tmp_path: Path, what: str) -> None:
    commands, old, new, message = REFUSED[what]
    for command in commands:
        run(host, *command.split())
    text = MODES.replace("MODE", "mode: bridge")
    if "passthru" in new:
        text = text.replace("  b:", "  # b:")
    topology = Topology(host, tmp_path, text.replace(old, new) if old else text)
    for command in ("plan", "up"):
        said = cli(host, command, file=topology.file, status=3).stderr
        assert message in said, said
        assert f"{topology.file}:" in said and "hint:" in said
    assert "Traceback" not in said
    assert_same(host, topology.before)


def test_a_foreign_passthru_in_a_namespace_without_a_name(host: Sandbox, tmp_path: Path) -> None:
    """As a container engine's are: only a process is in it."""
    sleeper = host.popen(["unshare", "--net", "sleep", "60"])
    try:
        until(lambda: host.run(["pgrep", "-x", "sleep"]).returncode == 0)
        (pid,) = run(host, "pgrep", "-x", "sleep").split()
        run(
            host,
            "ip",
            "link",
            "add",
            "link",
            "eth1",
            "name",
            "sub",
            "netns",
            pid,
            "type",
            "macvlan",
            "mode",
            "passthru",
        )
        topology = Topology(host, tmp_path, MODES.replace("MODE", "mode: bridge"))
        said = cli(host, "up", file=topology.file, status=3).stderr
        assert f"eth1 of host 'local' has macvlan sub in process {pid} (not made by netcompose)" in said
    finally:
        host.run(["pkill", "-x", "sleep"])
        sleeper.wait(10)


def test_another_topology_beside_passthru_is_named(host: Sandbox, tmp_path: Path) -> None:
    one = Topology(host, tmp_path, MODES.replace("MODE", "mode: passthru").replace("  b:", "  # b:"))
    one.up()
    two = Topology(host, tmp_path, MODES.replace("MODE", "mode: bridge"), name="u")
    said = cli(host, "up", file=two.file, status=3).stderr
    assert "macvlan eth0 in namespace t-a (interface/a.eth0 of topology t) already: it is in mode passthru" in said
    one.down()


def test_what_the_kernel_lacks_is_named_with_the_line_that_needs_it(host: Sandbox, tmp_path: Path) -> None:
    reason = host.connection.features(["8021q"])["8021q"]
    if not reason:
        pytest.skip("this kernel has VLANs")
    topology = Topology(host, tmp_path, MODES.replace("MODE", "mode: bridge").replace("eth1}", "eth1, vlan: 10}"))
    said = cli(host, "plan", file=topology.file, status=3).stderr
    assert "t.yaml:3:11: host 'local': the kernel has no 8021q, needed by parent 'lan'" in said
    assert_same(host, topology.before)


def test_rehearse_stands_in_for_parents_and_keeps_the_promises(host: Sandbox, tmp_path: Path) -> None:
    """Every driver and mode that keeps frames inside the host, beside bridges that the host forwards for."""
    file = tmp_path / "mix.yaml"
    file.write_text(
        """
name: mix
parents: {lan: {interface: eth1}, tagged: {interface: eth1, vlan: 7}}
networks:
  front: {subnets: [10.9.0.0/24, "fd00:9::/64"]}
  bare: {subnets: [10.8.0.0/24], masquerade: false}
  shut: {subnets: [10.7.0.0/24], internal: true}
  phys: {driver: macvlan, parent: lan, host_access: true, subnets: [192.168.50.0/24, "fd00:50::/64"]}
  apart: {driver: macvlan, parent: lan, mode: private, subnets: [192.168.51.0/24]}
  vepa: {driver: macvlan, parent: lan, mode: vepa, subnets: [192.168.52.0/24]}
  vlan: {driver: macvlan, parent: tagged, subnets: [192.168.54.0/24]}
  own: {driver: macvlan, host_access: true}
containers:
  a: {networks: [front]}
  b: {networks: [bare]}
  c: {networks: [shut]}
  p1: {networks: [phys]}
  p2: {networks: [phys, front]}
  q1: {networks: [apart]}
  q2: {networks: [apart]}
  v1: {networks: [vepa]}
  v2: {networks: [vepa, vlan]}
  w: {networks: [vlan]}
  o1: {networks: [own]}
  o2: {networks: [own]}
"""
    )
    from support import NETCOMPOSE

    done = host.run([*NETCOMPOSE, "rehearse", "-f", str(file)], timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "stands in for the interface eth1\n" in done.stderr
    assert "all as the topology promises" in done.stdout
