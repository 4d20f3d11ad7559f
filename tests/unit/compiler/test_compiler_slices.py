"""Routed networks: each host's slice, the routes between them, and what cannot be. That they carry anything is shown by
tests/multihost."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_interface, ip_network

import pytest

from netcompose.compiler.compile import Desired, compile_topology
from netcompose.resources import Bridge, HostFacts, HostRoute, Observation
from netcompose.topology.load import load_text

FILE = """
name: wide
hosts: {h1: {address: 192.0.2.1}, h2: {address: 192.0.2.2}, h3: {address: 192.0.2.3}}
networks: {far: {driver: routed, subnets: [10.20.0.0/16]}}
containers: {a: {host: h1, networks: [far]}, b: {host: h2, networks: [far]}, c: {host: h3, networks: [far]}}
"""


def host(*addresses: str, mtu: int = 1500) -> Observation:
    return Observation(facts=HostFacts(interface_addresses={"eth0": addresses}, mtus={"eth0": mtu}))


def three(mask: int = 24) -> dict[str, Observation]:
    return {f"h{n}": host(f"192.0.2.{n}/{mask}") for n in (1, 2, 3)}


def compiled(live: Mapping[str, Observation], text: str = FILE) -> Desired:
    desired = compile_topology(load_text(text), live)
    assert [problem.message for problem in desired.problems] == []
    return desired


def refused(live: Mapping[str, Observation], text: str) -> list[str]:
    found = compile_topology(load_text(text), live).problems
    return [f"{p.position.line if p.position else 0}: {p.message}" for p in found]


def slices(desired: Desired) -> dict[str, str]:
    """The slice of each host, by its bridge's address."""
    found = {}
    for name, resources in desired.resources.items():
        bridge = resources["bridge/far"]
        assert isinstance(bridge, Bridge)
        found[name] = str(ip_interface(bridge.addresses[0]).network)
    return found


def routes(desired: Desired, name: str) -> set[tuple[str, str, str]]:
    return {(r.to, r.via, r.interface) for r in desired.resources[name].values() if isinstance(r, HostRoute)}


def test_each_host_has_a_slice_and_a_route_to_every_other() -> None:
    desired = compiled(three())
    found = slices(desired)
    assert len(set(found.values())) == 3
    for text in found.values():
        assert ip_network(text).prefixlen == 24 and ip_network(text).subnet_of(ip_network("10.20.0.0/16"))
    for name in found:
        others = {(found[other], f"192.0.2.{other[1]}", "eth0") for other in found if other != name}
        assert routes(desired, name) == others


def test_an_explicit_address_says_which_slice_and_nobody_else_moves() -> None:
    before = slices(compiled(three()))
    fixed = FILE.replace("b: {host: h2, networks: [far]}", "b: {host: h2, networks: {far: {ipv4_address: 10.20.77.9}}}")
    assert slices(compiled(three(), fixed)) == {**before, "h2": "10.20.77.0/24"}
    both = fixed.replace("c: {host: h3, networks: [far]}", "c: {host: h3, networks: {far: {ipv4_address: 10.20.77.8}}}")
    told = "5: 10.20.77.8 is in 10.20.77.0/24, which is not the part of 10.20.0.0/16 that 'h3' has"
    assert told in refused(three(), both)


def test_a_live_slice_is_kept() -> None:
    desired = compiled(three())
    live = three()
    for name in live:
        bridge = desired.resources[name]["bridge/far"]
        assert isinstance(bridge, Bridge)
        moved = Bridge(**{**bridge.__dict__, "addresses": (f"10.20.{100 + int(name[1])}.1/24",)})
        live[name] = Observation(resources={"bridge/far": moved}, facts=live[name].facts)
    assert slices(compiled(live)) == {f"h{n}": f"10.20.{100 + n}.0/24" for n in (1, 2, 3)}


def test_more_hosts_than_slices() -> None:
    # Three host bits, of which a slice has two.
    assert refused(three(), FILE.replace("10.20.0.0/16", "10.20.0.0/29"))[0] == (
        "4: 10.20.0.0/29 of network 'far' has 2 slices, and more hosts than that"
    )


def test_hosts_of_a_routed_network_are_neighbours() -> None:
    live = three() | {"h3": host("192.0.2.3/32")}
    told = refused(live, FILE)
    assert "4: network 'far': h1 (192.0.2.1) is no neighbour of h3 (192.0.2.3/32)" in told
    # Of a host that is left alone only the address is known, which has to be near for the others alone.
    alone = {name: found for name, found in three().items() if name != "h3"}
    desired = compiled(alone)
    assert routes(desired, "h3") == set()
    assert {via for _, via, _ in routes(desired, "h1")} == {"192.0.2.2", "192.0.2.3"}


@pytest.mark.parametrize(("mtu", "made"), [(9000, 1500), (1500, 1500), (1400, 1400)])
def test_the_mtu_is_one_that_the_segment_carries(mtu: int, made: int) -> None:
    live = three() | {"h2": host("192.0.2.2/24", mtu=mtu)}
    for name in ("h1", "h2", "h3"):
        bridge = compiled(live).resources[name]["bridge/far"]
        assert isinstance(bridge, Bridge) and bridge.mtu == made


def test_both_families_take_addresses_of_both_on_the_segment() -> None:
    text = FILE.replace("[10.20.0.0/16]", '[10.20.0.0/16, "fd00:20::/48"]')
    assert "there is no IPv6 address beside 192.0.2.2 that a route to " in refused(three(), text)[0]
    live = {f"h{n}": host(f"192.0.2.{n}/24", f"2001:db8::{n}/64") for n in (1, 2, 3)}
    via = {via for _, via, _ in routes(compiled(live, text), "h1")}
    assert via == {"192.0.2.2", "192.0.2.3", "2001:db8::2", "2001:db8::3"}
