"""Image containers on networks of every sort, all in one topology: a cable with an impairment, macvlan on a physical
segment, an internal network. Each container is started again by the engine, and has everything as before.

Oracles: tc, iperf3, ip, ping and tcpdump. Networks over hosts are in test_image_hosts.py, network modes in
test_image_keys.py; VLANs, netem and ipvlan take a kernel that tests/vm has, and are the same resources there.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from engine import Engine
from image_support import Example, Images, engine_objects
from impaired import has_netem, rate, root
from outside import capture
from segment import LAN, PORT, ROUTER_MAC, plug, shown
from support import assert_same, run, snapshot, until

TOPOLOGY = """
name: nets
parents: {lan: {interface: eth1}}
networks:
  phys: {driver: macvlan, parent: lan, subnets: [{subnet: 192.168.50.0/24, gateway: 192.168.50.1}]}
  inner: {internal: true, subnets: [10.6.0.0/24]}
  front: {subnets: [10.5.0.0/24]}
containers:
  slow: &of {image: small, network_mode: none, stop_grace_period: 0}
  fast: *of
  wire: {image: small, stop_grace_period: 0, networks: {phys: {ipv4_address: 192.168.50.11,
         mac_address: "02:00:00:00:50:11"}}}
  beside: {networks: {phys: {ipv4_address: 192.168.50.12}}}
  closed: {image: small, networks: [inner], stop_grace_period: 0}
  within: {networks: [inner]}
  open: {image: small, networks: [front], stop_grace_period: 0}
links:
  - endpoints: ["slow:eth1", "fast:eth1"]
    addresses: [10.1.0.1/30, 10.1.0.2/30]
    impairment: {rate: 8mbit}
"""


@pytest.fixture
def nets(image_engine: Engine, tmp_path: Path) -> Images:
    plug(image_engine.host)
    run(image_engine.host, "ip", "addr", "add", "192.168.50.2/24", "dev", "eth1")
    text = TOPOLOGY
    if has_netem(image_engine.host):
        text = text.replace("{rate: 8mbit}", "{rate: 8mbit, delay: 50ms}")
    return Images(image_engine, tmp_path, text)


class _ByNamespace(Example):
    """A topology whose containers are looked into by the host's programs."""

    def __init__(self, nets: Images) -> None:
        self.host, self.name, self.file = nets.host, nets.name, nets.file


def look(nets: Images) -> None:
    """Everything is as the file says, for the engine's containers as for the others."""
    # What the cable does to what is sent.
    queue = root(_ByNamespace(nets), "slow", "eth1")
    assert queue["kind"] in ("tbf", "netem")
    assert abs(rate(_ByNamespace(nets), "slow", "fast", "10.1.0.2", 8e6) - 8e6) < 4e5
    if queue["kind"] == "netem":
        times = nets.inside("slow", "ping", "-c3", "-A", "10.1.0.2")
        assert min(float(line.split("time=")[1].split()[0]) for line in times.splitlines() if "time=" in line) > 100
    # A place of its own on the segment, where its MAC address is seen.
    assert shown(nets.host, "eth0", "nets-wire")["linkinfo"]["info_kind"] == "macvlan"
    with capture(nets.host, PORT, "icmp", where=LAN, options=["-e"]) as frames:
        until(lambda: nets.pings("wire", "192.168.50.1"))
        (request,) = frames(1)
    assert f"02:00:00:00:50:11 > {ROUTER_MAC}" in request
    assert nets.pings("wire", "beside") and not nets.pings("wire", "192.168.50.2"), "the host is not on the segment"
    # An internal network has its members and no way out; another one has.
    assert nets.pings("closed", "within") and "default" not in nets.inside("closed", "ip", "route")
    assert nets.pings("open", "192.168.50.1")
    run(nets.host, "ip", "-n", "nets-closed", "route", "add", "default", "via", "10.6.0.1")
    assert not nets.pings("closed", "192.168.50.1")
    run(nets.host, "ip", "-n", "nets-closed", "route", "del", "default")
    assert nets.actions() == {}


def test_every_sort_of_network_also_after_the_engine_has_started_the_containers_again(nets: Images) -> None:
    before = snapshot(nets.host)
    nets.up()
    look(nets)
    names = ("slow", "wire", "closed", "open")
    nets.engine.docker("restart", "--time", "0", *(f"nets-{name}" for name in names))
    for name in names:
        nets.await_running(name)
    look(nets)
    nets.nc("down")
    assert engine_objects(nets.engine) == []
    assert_same(nets.host, before)
