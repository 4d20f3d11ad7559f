"""Tunnels between hosts: what fits into them, by which addresses hosts are reached, which numbers they get. That they
carry anything is shown by tests/multihost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from compiler_world import up

from netcompose.compiler.compile import Desired, compile_topology
from netcompose.resources import HostFacts, Listener, Observation, Vxlan
from netcompose.topology.load import load_text

FILE = """
name: wide
hosts: {h1: {address: 192.0.2.1}, h2: {address: 192.0.2.2}}
networks: {ov: {driver: overlay, subnets: [10.10.0.0/24]}}
containers:
  a: {host: h1, networks: {ov: {ipv4_address: 10.10.0.11}}}
  b: {host: h2, networks: {ov: {ipv4_address: 10.10.0.12}}}
links: [{endpoints: ["a:eth9", "b:eth9"]}]
"""


def facts(*interfaces: tuple[str, int, str], **keys: Any) -> Observation:
    """A host whose interfaces are these: (name, MTU, address/prefix)."""
    found: dict[str, tuple[str, ...]] = {}
    for name, _, text in interfaces:
        found[name] = (*found.get(name, ()), text)
    mtus = {name: mtu for name, mtu, _ in interfaces}
    return Observation(facts=HostFacts(interface_addresses=found, mtus=mtus, **keys))


def two(**keys: Any) -> dict[str, Observation]:
    return {f"h{n}": facts(("eth0", 1500, f"192.0.2.{n}/24"), **keys) for n in (1, 2)}


def compiled(live: Mapping[str, Observation], text: str = FILE) -> Desired:
    desired = compile_topology(load_text(text), live)
    assert [problem.message for problem in desired.problems] == []
    return desired


def refused(live: Mapping[str, Observation], text: str = FILE) -> list[str]:
    """``line: message / hint`` of every problem."""
    found = compile_topology(load_text(text), live).problems
    return [f"{p.position.line if p.position else 0}: {p.message} / {p.hint}" for p in found]


def tunnels(desired: Desired, host: str) -> tuple[Vxlan, Vxlan]:
    """A host's ends of the cable and of the overlay."""
    cable, overlay = (desired.resources[host][id] for id in ("link/a.eth9-b.eth9", "tunnel/ov"))
    assert isinstance(cable, Vxlan) and isinstance(overlay, Vxlan)
    return cable, overlay


def test_each_end_leads_to_the_other_host() -> None:
    desired = compiled(two())
    for own, other, container, mac in (("1", "2", "a", "b"), ("2", "1", "b", "a")):
        cable, overlay = tunnels(desired, f"h{own}")
        assert (cable.local, cable.remote) == (f"192.0.2.{own}", f"192.0.2.{other}")
        assert (cable.end.namespace, cable.end.name) == (container, "eth9")
        assert (overlay.local, overlay.remote, overlay.suppress) == (f"192.0.2.{own}", "", True)
        assert overlay.end.master == "bridge/ov" and not overlay.end.isolated
        (station,) = overlay.stations.items()
        far = desired.resources[f"h{other}"][f"interface/{mac}.eth0"]
        assert station == (far.end.mac, (f"192.0.2.{other}", f"10.10.0.1{other}"))
    ends = [tunnels(desired, host) for host in ("h1", "h2")]
    for one, another in zip(*ends, strict=True):
        assert (one.vni, one.port) == (another.vni, another.port) and one.port == 4789
    assert ends[0][0].vni != ends[0][1].vni and min(found.vni for found in ends[0]) >= 4096


@pytest.mark.parametrize(("address", "left"), [("192.0.2.{}", 1450), ("2001:db8::{}", 1430)])
def test_what_fits_is_the_smallest_mtu_less_what_vxlan_adds(address: str, left: int) -> None:
    """RFC 7348: the Ethernet, VXLAN, UDP and IP headers, 50 bytes over IPv4 and 70 over IPv6."""
    text = FILE
    for number in (1, 2):
        text = text.replace(f"192.0.2.{number}", '"' + address.format(number) + '"')
    live = {f"h{n}": facts(("eth0", mtu, address.format(n) + "/64")) for n, mtu in ((1, 9000), (2, 1500))}
    for host, name in (("h1", "a"), ("h2", "b")):
        cable, overlay = tunnels(compiled(live, text), host)
        interface = compiled(live, text).resources[host][f"interface/{name}.eth0"]
        assert {cable.end.mtu, overlay.end.mtu, interface.end.mtu} == {left}
    exact = text.replace("driver: overlay", f"driver: overlay, mtu: {left}")
    exact = exact.replace('["a:eth9", "b:eth9"]', f'["a:eth9", "b:eth9"], mtu: {left}')
    assert tunnels(compiled(live, exact), "h1")[0].end.mtu == left
    told = f"an MTU of {left + 1} for %s does not fit through the underlay: eth0 of h1 has 9000, eth0 of h2 has 1500"
    hint = f"at most {left} is left inside: write that, or leave mtu out"
    larger = exact.replace(f"mtu: {left}", f"mtu: {left + 1}")
    assert refused(live, larger) == [
        f"{line}: {told % what} / {hint}" for line, what in ((4, "network 'ov'"), (8, "this link"))
    ]


def test_numbers_that_are_in_use_are_not_taken() -> None:
    desired = compiled(two())
    cable, overlay = tunnels(desired, "h1")
    taken = {
        host: facts(("eth0", 1500, f"192.0.2.{host[1]}/24"), tunnels=((overlay.vni, 4789),)) for host in ("h1", "h2")
    }
    again = tunnels(compiled(taken), "h1")
    assert again[0].vni == cable.vni and again[1].vni != overlay.vni and again[1].vni >= 4096
    # What the file gives to another network of the topology is not taken either.
    given = FILE.replace("{ov:", f"{{other: {{driver: overlay, subnets: [10.11.0.0/24], vni: {overlay.vni}}}, ov:", 1)
    assert tunnels(compiled(two(), given), "h1")[1].vni == again[1].vni
    # Its own is in use as well, and is kept.
    assert tunnels(compiled(up(desired, **taken_facts())), "h1")[1].vni == overlay.vni


def taken_facts() -> dict[str, Any]:
    return {"interface_addresses": {"eth0": ("192.0.2.1/24", "192.0.2.2/24")}, "mtus": {"eth0": 1500}}


@pytest.mark.parametrize(("inode", "usual"), [(0, True), (7, False)])
def test_a_port_that_a_program_has_is_not_taken(inode: int, usual: bool) -> None:
    """A socket without an inode is the kernel's own, of a tunnel."""
    listener = Listener(protocol="udp", address="0.0.0.0", port=4789, inode=inode)
    live = two() | {"h2": facts(("eth0", 1500, "192.0.2.2/24"), listeners=(listener,))}
    ports = {found.port for host in ("h1", "h2") for found in tunnels(compiled(live), host)}
    assert (ports == {4789}) is usual and len(ports) == 1
    assert usual or 40000 <= ports.pop() < 48000


def test_the_underlay_is_the_one_that_is_written_or_the_only_one() -> None:
    several = facts(("eth0", 1500, "192.0.2.2/24"), ("eth1", 1500, "2001:db8::7/64"), ("eth1", 1500, "198.51.100.7/24"))
    named = two() | {"h2": several}
    assert tunnels(compiled(named), "h2")[0].local == "192.0.2.2"
    for written in ("eth1", "198.51.100.7"):
        text = FILE.replace("{address: 192.0.2.2}", f"{{address: 192.0.2.2, underlay: {written}}}")
        # IPv4 goes first where an interface has both.
        assert tunnels(compiled(named, text), "h2")[0].local == "198.51.100.7"
        assert tunnels(compiled(named, text), "h1")[0].remote == "198.51.100.7"
    only = FILE.replace("{address: 192.0.2.2}", "{address: h2.example}")
    assert tunnels(compiled(two(), only), "h2")[0].local == "192.0.2.2"
    reached = named | {"h2": Observation(facts=HostFacts(
        interface_addresses=several.facts.interface_addresses, mtus=several.facts.mtus, session={"address": "198.51.100.7"}
    ))}  # fmt: skip
    assert tunnels(compiled(reached, only), "h2")[0].local == "198.51.100.7"
    assert refused(named, only) == [
        "3: it is not known by which address the other hosts reach 'h2' / write underlay: INTERFACE or ADDRESS for the "
        "host; it has: eth0 192.0.2.2/24, eth1 2001:db8::7/64 198.51.100.7/24"
    ]


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("192.0.2.9", "host 'h2' has no address 192.0.2.9 for tunnels to the others / it has: eth0 192.0.2.2/24"),
        ("eth7", "host 'h2' has no interface eth7 that is up with an address / it has: eth0 192.0.2.2/24"),
    ],
)
def test_an_underlay_that_is_not_there_is_refused_once(written: str, told: str) -> None:
    text = FILE.replace("{address: 192.0.2.2}", f"{{address: 192.0.2.2, underlay: {written}}}")
    assert refused(two(), text) == [f"3: {told}"]


def test_both_families_cannot_be_one_underlay() -> None:
    live = two() | {"h2": facts(("eth0", 1500, "2001:db8::2/64"))}
    text = FILE.replace("address: 192.0.2.2}", 'address: "2001:db8::2"}')
    told = "the underlay addresses of its hosts are of both families: h1 192.0.2.1, h2 2001:db8::2"
    hint = "write underlay: ADDRESS for the hosts, all IPv4 or all IPv6"
    assert sorted(refused(live, text)) == [f"4: {told} / {hint}", f"8: {told} / {hint}"]


def test_of_a_host_that_is_left_alone_the_file_says_the_underlay() -> None:
    alone = {"h1": two()["h1"]}
    assert tunnels(compiled(alone), "h1")[0].remote == "192.0.2.2"
    text = FILE.replace("{address: 192.0.2.2}", "{address: h2.example}")
    assert refused(alone, text) == [
        "3: host 'h2' is not asked in this run, and its underlay address is not in the file / "
        "write underlay: ADDRESS for the host, or leave --host out"
    ]


def test_on_one_host_there_is_no_tunnel() -> None:
    desired = compiled(two(), FILE.replace("b: {host: h2", "b: {host: h1"))
    assert not [found for host in desired.resources.values() for found in host.values() if isinstance(found, Vxlan)]
    assert desired.resources["h1"]["interface/a.eth0"].end.mtu == 1450
