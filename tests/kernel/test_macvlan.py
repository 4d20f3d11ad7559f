"""macvlan on a segment (S11): what a switch and a router see of the containers, and what the host may not.

Oracles: ip, ping, tcpdump; the router is in a namespace of its own at the other end of the host's ``eth1``.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from outside import capture
from parent_support import MODES, ROUTER, Topology
from segment import LAN, PORT, ROUTER_MAC, promiscuous, shown
from support import Example, cli, run, until

from netcompose.transports.sandbox import Sandbox


@pytest.fixture
def host(host_on_a_segment: Sandbox) -> Sandbox:
    """A host on a segment."""
    return host_on_a_segment


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
