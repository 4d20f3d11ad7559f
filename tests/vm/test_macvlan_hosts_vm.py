"""One topology over two machines, each with its own kernel and network cards: S11 and S12 across hosts.

The controller is this process, and its agents' pipes lead into the machines: the protocol of several hosts (armed
runs, confirmation) without SSH, whose start of Python from nothing takes an emulated machine half a minute. SSH itself is
tested in tests/multihost. Oracles: ip, ping, tcpdump, the snapshot.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "multihost"))

from hosts_support import Hosts
from outside import capture
from segment import promiscuous, shown
from support import assert_same, run, snapshot, until
from virtual.machine import Machine

from netcompose.agent.protocol import Stream
from netcompose.transports.remote import RemoteAgent

TOPOLOGY = """
name: lab
hosts: {server4: {underlay: eth1}, server5: {underlay: eth1}}
parents:
  lan: {interface: {server4: eth1, server5: ens5}, promiscuous: true}
  v10: {interface: {server4: eth1, server5: ens5}, vlan: 10}
networks:
  phys: {driver: macvlan, parent: lan, subnets: [192.168.50.0/24]}
  office: {driver: macvlan, parent: v10, subnets: [192.168.10.0/24]}
containers:
  flat4: {host: server4, networks: {phys: {ipv4_address: 192.168.50.4, mac_address: "02:00:00:00:50:04"}}}
  flat5: {host: server5, networks: {phys: {ipv4_address: 192.168.50.5, mac_address: "02:00:00:00:50:05"}}}
  tagged4: {host: server4, networks: {office: {ipv4_address: 192.168.10.4, mac_address: "02:00:00:00:10:04"}}}
  both5:
    host: server5
    networks:
      office: {ipv4_address: 192.168.10.5, mac_address: "02:00:00:00:10:05"}
      phys: {ipv4_address: 192.168.50.6}
"""


class Machines(Hosts):
    """Virtual machines in the place of throw-away hosts."""

    def __init__(self, *machines: Machine) -> None:
        super().__init__({machine.name: machine for machine in machines})  # type: ignore[misc]

    def connect(self, host: str, program: Sequence[str] = ("-m", "netcompose.agent")) -> RemoteAgent:
        """A connection to an agent of its own."""
        agent = self.sandboxes[host].popen([sys.executable, *program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert agent.stdin is not None and agent.stdout is not None
        # The stream has files of its own, and closes them.
        with agent.stdin as ask, agent.stdout as answer:
            stream = Stream(*map(os.dup, (answer.fileno(), ask.fileno())))
        return RemoteAgent(host, stream, ended=lambda: agent.wait(30))

    def ping(self, host: str, container: str, target: str) -> bool:
        """Whether the target answers one of a few packets."""
        return self.inside(host, container, "ping", "-c3", "-i0.2", "-W2", target).returncode == 0


def vlans(machine: Machine) -> list[str]:
    return [link["ifname"] for link in json.loads(run(machine, "ip", "-j", "link", "show", "type", "vlan")) if link]


def rename(machine: Machine, old: str, new: str) -> None:
    for words in (f"{old} down", f"{old} name {new}", f"{new} up"):
        run(machine, "ip", "link", "set", *words.split())


@pytest.fixture
def hosts(pair: tuple[Machine, Machine]) -> Iterator[Machines]:
    """Two machines on one segment, the second of which calls its card there otherwise."""
    _, right = pair
    rename(right, "eth1", "ens5")
    until(lambda: "fe80" in run(right, "ip", "-6", "addr", "show", "dev", "ens5", "-tentative"))
    yield Machines(*pair)
    rename(right, "ens5", "eth1")
    until(lambda: "fe80" in run(right, "ip", "-6", "addr", "show", "dev", "eth1", "-tentative"))


def test_containers_of_two_machines_are_neighbours_on_the_segment_and_its_vlan(
    hosts: Machines, pair: tuple[Machine, Machine]
) -> None:
    left, right = pair
    before = [snapshot(machine) for machine in pair]
    hosts.up(TOPOLOGY)
    assert hosts.plan(TOPOLOGY).empty
    for machine, card in ((left, "eth1"), (right, "ens5")):
        assert promiscuous(machine, card) and vlans(machine) == [f"{card}.10"]
    assert shown(left, "eth0", "lab-flat4")["linkinfo"]["info_kind"] == "macvlan"
    # S11: each has its own MAC address on the segment.
    with capture(right, "ens5", "icmp", options=["-e"]) as frames:
        assert hosts.ping("server4", "flat4", "192.168.50.5")
        assert "02:00:00:00:50:04 > 02:00:00:00:50:05" in frames(1)[0]
    # S12: the tag is on the cable, and only who is in the VLAN is reached through it.
    with capture(right, "ens5", "vlan and icmp", options=["-e"]) as frames:
        assert hosts.ping("server4", "tagged4", "192.168.10.5")
        (frame,) = frames(1)
        assert "02:00:00:00:10:04 > 02:00:00:00:10:05" in frame and "vlan 10" in frame
    assert hosts.ping("server4", "flat4", "192.168.50.6")
    assert not hosts.ping("server4", "flat4", "192.168.10.5")
    assert not hosts.ping("server5", "flat5", "192.168.10.4")
    hosts.down()
    for machine, card, untouched in zip(pair, ("eth1", "ens5"), before, strict=True):
        assert not promiscuous(machine, card) and vlans(machine) == []
        assert_same(machine, untouched)
