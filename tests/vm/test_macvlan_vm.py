"""VLANs (S12) and ipvlan (S13) on a distribution's kernel, on a real second card; between machines: the next module.

Oracles: ip, ping, tcpdump, the snapshot.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from outside import capture
from segment import shown
from support import Example, assert_same, cli, run, snapshot, until
from virtual.machine import Machine


class Topology(Example):
    """A topology of a test's own, on a host whose untouched state is known."""

    def __init__(self, host: Machine, folder: Path, text: str, name: str = "t") -> None:
        self.host = host  # type: ignore[assignment]
        self.name = name
        self.file = folder / f"{name}.yaml"
        self.file.write_text(f"name: {name}\n{text}")
        self.before = snapshot(self.host)


def vlans(host: Any) -> dict[str, Any]:
    """Every VLAN sub-interface of the host, by name."""
    found = json.loads(run(host, "ip", "-d", "-j", "link", "show", "type", "vlan") or "[]")
    return {link["ifname"]: link for link in found if link}


def test_two_vlans_of_one_parent(example: Callable[[str], Example]) -> None:
    """S12: made, owned, on the wire with their tags; apart from each other, but for who is in both; removed."""
    topology = example("macvlan-vlan")
    host = topology.host
    made = vlans(host)
    assert set(made) == {"eth1.10", "eth1.20"}
    for name, tag in (("eth1.10", 10), ("eth1.20", 20)):
        assert made[name]["linkinfo"]["info_data"]["id"] == tag
        assert made[name]["link"] == "eth1" and made[name]["ifalias"] == f"netcompose:*:vlan/{name}"
        # The host itself is not on the VLAN, whatever routers there say.
        assert not json.loads(run(host, "ip", "-j", "addr", "show", "dev", name))[0]["addr_info"]
    topology.ping("both", "web10")
    topology.ping("both", "web20")
    topology.ping("web10", "192.168.10.12")
    topology.ping("web10", "192.168.20.11", reaches=False)
    with capture(host, "eth1", "vlan and arp", options=["-e"]) as frames:
        topology.ping("web10", "192.168.10.77", reaches=False)
        assert "vlan 10" in frames(1)[0] and "who-has 192.168.10.77" in frames(1)[0]
    with capture(host, "eth1", "vlan and arp", options=["-e"]) as frames:
        topology.ping("both", "192.168.20.77", reaches=False)
        assert "vlan 20" in frames(1)[0]


SHARED = """
parents: {v10: {interface: eth1, vlan: 10}}
networks: {office: {driver: macvlan, parent: v10, subnets: [192.168.10.0/24]}, lab: {driver: macvlan, parent: v10, subnets: [192.168.11.0/24]}}
containers:
  NAME: {networks: {office: {ipv4_address: 192.168.10.LAST}}}
  NAME2: {networks: [lab]}
"""


def test_a_vlan_is_shared_between_networks_and_topologies(host: Machine, tmp_path: Path) -> None:
    one = Topology(host, tmp_path, SHARED.replace("NAME", "a").replace("LAST", "11"))
    two = Topology(host, tmp_path, SHARED.replace("NAME", "b").replace("LAST", "12"), name="u")
    one.up()
    index = vlans(host)["eth1.10"]["ifindex"]
    two.up()
    assert vlans(host)["eth1.10"]["ifindex"] == index and one.plan() == []
    two.ping("b", "192.168.10.11")
    # Changed by hand: each topology sees it, the first mends it for both.
    run(host, "ip", "link", "set", "eth1.10", "down")
    assert [change["address"] for change in two.plan()] == ["local/vlan/eth1.10"] == [c["address"] for c in one.plan()]
    one.up()
    assert two.plan() == []
    cli(host, "down", file=one.file)
    assert vlans(host)["eth1.10"]["ifindex"] == index and two.plan() == []
    # What asks for another MTU than the others have is refused.
    one.edit("vlan: 10}", "vlan: 10, mtu: 1400}")
    assert "eth1.10 is shared with u, and has MTU 1500 there" in cli(host, "plan", file=one.file, status=3).stderr
    cli(host, "down", file=two.file)
    assert vlans(host) == {}
    assert_same(host, one.before)


def test_a_vlan_left_by_a_killed_run_is_removed(host: Machine, tmp_path: Path) -> None:
    """Killed after the first message: the group is there, alias and second name are not."""
    topology = Topology(host, tmp_path, SHARED.replace("NAME", "a").replace("LAST", "11"))
    topology.up()
    (group,) = {link["group"] for link in vlans(host).values()}
    topology.down()
    add = ["ip", "link", "add", "link", "eth1", "name", "eth1.10", "group", group, "type", "vlan", "id", "10"]
    run(host, *add)
    changes = {change["address"]: change["actions"] for change in topology.plan()}
    assert changes["local/leftover/host/eth1.10"] == ["delete"] and changes["local/vlan/eth1.10"] == ["create"]
    topology.up()
    topology.down()
    run(host, *add)
    topology.down()


def test_changes_of_a_vlan(host: Machine, tmp_path: Path) -> None:
    """The MTU in place, with those on it; another tag is another sub-interface, and the plan says who notices."""
    topology = Topology(host, tmp_path, SHARED.replace("NAME", "a").replace("LAST", "11"))
    topology.up()
    index = vlans(host)["eth1.10"]["ifindex"]
    topology.edit("vlan: 10}", "vlan: 10, mtu: 1400}")
    changes = {change["address"]: change for change in topology.plan()}
    assert changes["local/vlan/eth1.10"]["actions"] == changes["local/interface/a.eth0"]["actions"] == ["update"]
    topology.up()
    assert vlans(host)["eth1.10"]["ifindex"] == index and vlans(host)["eth1.10"]["mtu"] == 1400
    assert shown(host, "eth0", "t-a")["mtu"] == 1400
    topology.edit("vlan: 10, mtu: 1400}", "vlan: 11}")
    changes = {change["address"]: change for change in topology.plan()}
    assert changes["local/vlan/eth1.11"]["actions"] == ["create"]
    assert changes["local/vlan/eth1.10"]["actions"] == ["delete"]
    interface = changes["local/interface/a.eth0"]
    assert interface["actions"] == ["delete", "create"] and interface["disturbs"][0]["how"] == "outage"
    topology.up()
    assert set(vlans(host)) == {"eth1.11"}
    topology.down()


VLAN_REFUSED = {
    "a foreign one of this name": (
        "ip link add link eth1 name eth1.10 type vlan id 10",
        "VLAN 10 of eth1 is there already as eth1.10, made by others",
    ),
    "a foreign one of this tag": (
        "ip link add link eth1 name office type vlan id 10",
        "VLAN 10 of eth1 is there already as office, made by others",
    ),
    "an address of the subnet on the parent": (
        "ip addr add 192.168.10.9/24 dev eth1",
        "eth1 of host 'local' has 192.168.10.9/24, which is in 192.168.10.0/24 of 'office' on its VLAN 10",
    ),
}


@pytest.mark.parametrize("what", sorted(VLAN_REFUSED))
def test_vlans_that_cannot_be_are_refused(host: Machine, tmp_path: Path, what: str) -> None:
    command, message = VLAN_REFUSED[what]
    run(host, *command.split())
    try:
        topology = Topology(host, tmp_path, SHARED.replace("NAME", "a").replace("LAST", "11"))
        said = cli(host, "up", file=topology.file, status=3).stderr
        assert message in said, said
        assert_same(host, topology.before)
    finally:
        host.run(command.replace(" add ", " del ").split(" type ")[0].replace("link eth1 name ", "").split())


def test_a_foreign_vlan_is_used_as_it_is(host: Machine, tmp_path: Path) -> None:
    """Named as the interface of a parent it is foreign: not changed, not removed."""
    run(host, "ip", "link", "add", "link", "eth1", "name", "eth1.10", "type", "vlan", "id", "10")
    try:
        run(host, "ip", "link", "set", "eth1.10", "up")
        until(lambda: "inet6 fe80" in run(host, "ip", "addr", "show", "dev", "eth1.10"))
        until(lambda: not run(host, "ip", "-6", "addr", "show", "tentative").strip())
        text = SHARED.replace("interface: eth1, vlan: 10", "interface: eth1.10")
        topology = Topology(host, tmp_path, text.replace("NAME", "a").replace("LAST", "11"))
        topology.up()
        topology.down()
    finally:
        run(host, "ip", "link", "del", "eth1.10")


def test_a_bond_is_a_parent_and_its_slaves_are_not(host: Machine, tmp_path: Path) -> None:
    """A slave's frames are the bond's to take; what stands on the bond is on the wire behind it."""
    text = SHARED.replace("NAME", "a").replace("LAST", "11").replace("interface: eth1, vlan: 10", "interface: eth1")
    # Otherwise the module makes one by itself.
    run(host, "modprobe", "bonding", "max_bonds=0")
    try:
        for command in (
            "ip link add bond1 type bond mode active-backup",
            "ip link set eth1 down",
            "ip link set eth1 master bond1",
            "ip link set bond1 up",
        ):
            run(host, *command.split())
        until(lambda: "inet6 fe80" in run(host, "ip", "addr", "show", "dev", "bond1"))
        until(lambda: not run(host, "ip", "-6", "addr", "show", "tentative").strip())
        topology = Topology(host, tmp_path, text)
        for command in ("plan", "up"):
            said = cli(host, command, file=topology.file, status=3).stderr
            assert "t.yaml:3:28: 'eth1' of host 'local' is a slave of bond bond1, which takes its frames" in said, said
            assert "hint: name bond1, or another interface" in said
        assert_same(host, topology.before)
        topology.edit("interface: eth1", "interface: bond1")
        topology.up()
        assert shown(host, "eth0", "t-a")["link_index"] == shown(host, "bond1")["ifindex"]
        with capture(host, "eth1", "arp") as frames:
            topology.ping("a", "192.168.10.77", reaches=False)
            assert "who-has 192.168.10.77 tell 192.168.10.11" in frames(1)[0]
        topology.down()
    finally:
        for command in ("ip link del bond1", "modprobe -r bonding", "ip link set eth1 up"):
            host.run(command.split())
        until(lambda: "inet6 fe80" in run(host, "ip", "addr", "show", "dev", "eth1"))
        until(lambda: not run(host, "ip", "-6", "addr", "show", "tentative").strip())


def test_ipvlan(example: Callable[[str], Example]) -> None:
    """S13: the parent's MAC address, and in layer 3 two subnets of which neither has a gateway."""
    topology = example("ipvlan")
    host = topology.host
    flat = shown(host, "eth0", "ipvlan-web1")
    assert flat["linkinfo"]["info_kind"] == "ipvlan" and flat["linkinfo"]["info_data"]["mode"] == "l2"
    assert flat["address"] == shown(host, "eth1")["address"]
    topology.ping("web1", "web2")
    assert "default via 192.168.60.1 dev eth0" in topology.inside("web1", "ip", "route")
    assert shown(host, "eth0", "ipvlan-up")["linkinfo"]["info_data"]["mode"] == "l3"
    assert "default dev eth0" in topology.inside("up", "ip", "route")
    topology.ping("up", "192.168.62.11")
    topology.ping("low", "192.168.61.11")
    topology.ping("web1", "192.168.61.11", reaches=False)


IPVLAN = """
parents: {lan: {interface: eth1}}
networks: {flat: {driver: ipvlan, parent: lan, MODE, subnets: [192.168.60.0/24, "fd00:60::/64"]}}
containers:
  a: {networks: {flat: {ipv4_address: 192.168.60.11, ipv6_address: "fd00:60::11"}}}
  b: {networks: {flat: {ipv4_address: 192.168.60.12, ipv6_address: "fd00:60::12"}}}
"""


@pytest.mark.parametrize("mode", ["l2", "l3", "l3s"])
def test_ipvlan_modes_and_flags(host: Machine, tmp_path: Path, mode: str) -> None:
    """Who talks to whom; the flag changes in place."""
    topology = Topology(host, tmp_path, IPVLAN.replace("MODE", f"mode: {mode}, flag: private"))
    topology.up()
    index = shown(host, "eth0", "t-a")["ifindex"]
    for flag, following in (("private", "vepa"), ("vepa", "bridge"), ("bridge", "")):
        data = shown(host, "eth0", "t-a")["linkinfo"]["info_data"]
        assert data["mode"] == mode and flag in json.dumps(data)
        topology.ping("a", "192.168.60.12", reaches=flag == "bridge")
        topology.ping("a", "fd00:60::12", reaches=flag == "bridge")
        if following:
            topology.edit(f"flag: {flag}", f"flag: {following}")
            topology.up()
    assert shown(host, "eth0", "t-a")["ifindex"] == index
    topology.down()


def test_ipvlan_changes_and_drift(host: Machine, tmp_path: Path) -> None:
    """Mode and flag change in place, for all on the parent; what was changed by hand is seen and mended."""
    topology = Topology(host, tmp_path, IPVLAN.replace("MODE", "mode: l2"))
    topology.up()
    topology.ping("a", "192.168.60.12")
    index = shown(host, "eth0", "t-a")["ifindex"]
    topology.edit("mode: l2", "mode: l3, flag: private")
    assert {change["address"]: change["actions"] for change in topology.plan()} == {
        f"local/interface/{name}.eth0": ["update"] for name in "ab"
    }
    topology.up()
    assert shown(host, "eth0", "t-a")["ifindex"] == index
    run(host, "ip", "-n", "t-b", "link", "set", "eth0", "type", "ipvlan", "mode", "l2", "bridge")
    assert {change["address"] for change in topology.plan()} == {f"local/interface/{name}.eth0" for name in "ab"}
    topology.up()
    assert shown(host, "eth0", "t-a")["linkinfo"]["info_data"]["mode"] == "l3"
    topology.edit("driver: ipvlan, parent: lan, mode: l3, flag: private", "driver: macvlan, parent: lan")
    changes = {change["address"]: change for change in topology.plan()}
    assert changes["local/interface/a.eth0"]["reason"] == "a ipvlan cannot become a macvlan"
    topology.up()
    topology.ping("a", "192.168.60.12")
    topology.down()


def test_the_host_on_an_ipvlan(host: Machine, tmp_path: Path) -> None:
    topology = Topology(host, tmp_path, IPVLAN.replace("MODE", "host_access: true"))
    topology.up()
    for address in ("192.168.60.11", "fd00:60::11"):
        until(lambda address=address: host.run(["ping", "-c1", "-W1", address]).returncode == 0)
    topology.down()


def test_an_ipvlan_of_others_in_another_mode_is_refused(host: Machine, tmp_path: Path) -> None:
    """The kernel would change that one's mode with ours."""
    run(host, "ip", "link", "add", "link", "eth1", "name", "theirs", "type", "ipvlan", "mode", "l3")
    try:
        topology = Topology(host, tmp_path, IPVLAN.replace("MODE", "mode: l2"))
        said = cli(host, "up", file=topology.file, status=3).stderr
        assert "has ipvlan theirs (not made by netcompose) already: the kernel has one mode for all ipvlans" in said
        topology.edit("driver: ipvlan, parent: lan, mode: l2", "driver: macvlan, parent: lan")
        assert (
            "an interface carries macvlan or ipvlan, not both" in cli(host, "up", file=topology.file, status=3).stderr
        )
    finally:
        run(host, "ip", "link", "del", "theirs")


def test_two_ipvlans_exchange_their_addresses(host: Machine, tmp_path: Path) -> None:
    """The kernel has no address twice on a parent, not for a moment; neither interface is made anew."""
    text = IPVLAN.replace("MODE", "mode: l2")
    topology = Topology(host, tmp_path, text)
    topology.up()
    before = {name: shown(host, "eth0", f"t-{name}")["ifindex"] for name in "ab"}
    turned = text.replace("0.11", "0.1x").replace("0.12", "0.11").replace("0.1x", "0.12")
    turned = turned.replace("::11", "::1x").replace("::12", "::11").replace("::1x", "::12")
    topology.file.write_text(f"name: t\n{turned}")
    changes = {change["address"]: change["actions"] for change in topology.plan()}
    assert changes["local/interface/a.eth0"] == changes["local/interface/b.eth0"] == ["update"]
    topology.up()
    assert {name: shown(host, "eth0", f"t-{name}")["ifindex"] for name in "ab"} == before
    assert topology.addresses("a") == {"eth0": ["192.168.60.12/24"]}
    assert topology.addresses("b", "inet6") == {"eth0": ["fd00:60::11/64"]}
    topology.ping("a", "192.168.60.11")
    topology.ping("a", "fd00:60::11")
    topology.down()


def modules(host: Machine) -> list[str]:
    """Those that are loaded."""
    return [line.split()[0] for line in run(host, "cat", "/proc/modules").splitlines()]


def test_what_the_kernel_can_is_looked_at_and_loaded_when_it_is_needed(host: Machine, tmp_path: Path) -> None:
    """A distribution's kernel has most of it as modules, on the disk; one that is not there is named with the line."""
    topology = Topology(host, tmp_path, IPVLAN.replace("MODE", "mode: l2"))
    run(host, "modprobe", "-r", "ipvlan")
    try:
        before = modules(host)
        told = json.loads(cli(host, "hosts", "--output", "json", file=topology.file).stdout)[0]["features"]
        kernels = ("8021q", "bridge", "dummy", "ipvlan", "macvlan", "netem", "tbf", "veth", "vrf", "vxlan", "wireguard")
        assert {name: told[name] for name in kernels} == dict.fromkeys(kernels, "")
        cli(host, "plan", file=topology.file)
        assert modules(host) == before and "ipvlan" not in before
        topology.up()
        assert "ipvlan" in modules(host)
        topology.down()
        until(lambda: host.run(["modprobe", "-r", "ipvlan"]).returncode == 0)
        folder = f"/usr/lib/modules/{host.release}"
        run(host, "mv", f"{folder}/kernel/drivers/net/ipvlan", "/tmp/ipvlan")
        run(host, "sed", "-i.kept", "/ipvlan.ko:/d", f"{folder}/modules.dep")
        try:
            assert "the kernel has no ipvlan" in cli(host, "hosts", file=topology.file).stdout
            said = cli(host, "up", file=topology.file, status=3).stderr
            assert "t.yaml:4:12: host 'local': the kernel has no ipvlan, needed by network 'flat'" in said, said
            assert_same(host, topology.before)
        finally:
            run(host, "mv", "/tmp/ipvlan", f"{folder}/kernel/drivers/net/ipvlan")
            run(host, "mv", f"{folder}/modules.dep.kept", f"{folder}/modules.dep")
    finally:
        run(host, "modprobe", "ipvlan")
