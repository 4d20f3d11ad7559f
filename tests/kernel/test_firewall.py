"""S7, S9 and S19: who reaches whom, and with which address. Oracles: ping, curl, tcpdump, ip, nft, sysctl."""

from __future__ import annotations

import json
import struct
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import outside
import pytest
from outside import HOST, OUT, OUTSIDE, get
from support import Example, Planned, cli, run, until

from netcompose.transports.sandbox import Sandbox

Bring = Callable[[str], Example]

#: The networks of the example "isolation", in the order of their subnets, and who is on them.
NETWORKS = {
    "front": ("f1", "f2", "both"),
    "back": ("b1", "both"),
    "quiet": ("q1", "q2"),
    "vault": ("v1", "v2"),
    "left": ("l1",),
    "right": ("r1",),
}
#: Pairs that reach each other in the example as it is.
TOGETHER = [("f1", "f2"), ("f1", "both"), ("f2", "both"), ("b1", "both"), ("v1", "v2"), ("l1", "r1")]

_PING = 'for a in "$@"; do (ping -c 1 -W 1 -n "$a" >/dev/null 2>&1 && echo "$a") & done; wait'


@pytest.fixture
def host(host_with_a_neighbour: Sandbox) -> Sandbox:
    """With a neighbour."""
    return host_with_a_neighbour


def inside(example: Example, container: str) -> list[str]:
    return ["ip", "netns", "exec", f"{example.name}-{container}"]


def reached(host: Sandbox, wanted: Mapping[str, tuple[list[str], Iterable[str]]]) -> dict[str, set[str]]:
    """For each name: which of the addresses answer from there, all asked at once."""
    started = {
        name: host.popen([*where, "sh", "-c", _PING, "sh", *sorted(addresses)], stdout=-1, text=True)
        for name, (where, addresses) in wanted.items()
    }
    return {name: set(process.communicate(timeout=60)[0].split()) for name, process in started.items()}


def everywhere(example: Example) -> dict[str, set[str]]:
    """Container -> all its addresses, of both families."""
    names = sorted({name for members in NETWORKS.values() for name in members})
    return {
        name: {
            address.partition("/")[0]
            for family in ("inet", "inet6")
            for own in example.addresses(name, family).values()
            for address in own
        }
        for name in names
    }


def matrix(example: Example) -> set[tuple[str, str]]:
    """Which containers reach an address of which others; by IPv4 and IPv6 alike."""
    addresses = everywhere(example)
    whose = {address: name for name, own in addresses.items() for address in own}
    asked = {name: (inside(example, name), set(whose) - addresses[name]) for name in addresses}
    found = reached(example.host, asked)
    for name, answered in found.items():
        for other, own in addresses.items():
            agree = {family: sum((":" in address) == (family == 6) for address in answered & own) for family in (4, 6)}
            assert agree[4] == agree[6], f"{name} -> {other}: {answered & own} of {own}"
    return {(name, whose[address]) for name, answered in found.items() for address in answered}


def symmetric(pairs: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    return {pair for one, other in pairs for pair in ((one, other), (other, one))}


def bridge_netfilter(host: Sandbox, value: int) -> None:
    if host.run(["sysctl", "-q", "-w", f"net.bridge.bridge-nf-call-iptables={value}"]).returncode:
        pytest.skip("this kernel has no br_netfilter")
    run(host, "sysctl", "-q", "-w", f"net.bridge.bridge-nf-call-ip6tables={value}")


def non_files(plan: Planned) -> dict[str, list[str]]:
    """What a plan does besides telling others of names."""
    changes = (change for change in plan.changes if change["kind"] != "file" and "@dns" not in change["address"])
    return {change["address"]: change["actions"] for change in changes}


@pytest.mark.parametrize("br_netfilter", [0, 1])
def test_s7_who_reaches_whom(example: Bring, host: Sandbox, br_netfilter: int) -> None:
    bridge_netfilter(host, br_netfilter)
    isolation = example("isolation")
    assert run(host, "sysctl", "-n", "net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding").split() == ["1", "1"]
    assert matrix(isolation) == symmetric(TOGETHER)


def test_s7_only_a_containers_own_gateway_answers(example: Bring, host: Sandbox) -> None:
    isolation = example("isolation")
    gateways = {f"10.7.{number}.1" for number in range(1, 7)} | {f"fd00:7:{number}::1" for number in range(1, 7)}
    asked = {name: (inside(isolation, name), gateways) for name in ("f1", "b1", "both", "q1", "v1", "l1", "r1")}
    own = {"f1": (1,), "b1": (2,), "both": (1, 2), "q1": (3,), "v1": (), "l1": (5,), "r1": (6,)}
    assert reached(host, asked) == {
        name: {address for n in numbers for address in (f"10.7.{n}.1", f"fd00:7:{n}::1")}
        for name, numbers in own.items()
    }


def test_s7_containers_with_forged_routes_get_no_further(example: Bring, host: Sandbox) -> None:
    isolation = example("isolation")
    gateways = {"q1": "10.7.3.1", "q2": "10.7.3.1", "v1": "10.7.4.1", "f1": "10.7.1.1"}
    own = {name: isolation.addresses(name)["eth0"][0].partition("/")[0] for name in gateways}
    own["outside"] = OUTSIDE[4]
    seen_outside = [*OUT, "nstat", "-asz", "IcmpInEchos"]
    before = run(host, *seen_outside)
    for one, other in (("q1", "q2"), ("v1", "f1"), ("v1", "outside")):
        # Both ways, so that an answer would find its way back.
        for source, target in ((one, other), (other, one)):
            if source != "outside":
                isolation.inside(source, "ip", "route", "add", f"{own[target]}/32", "via", gateways[source])
        isolation.ping(one, own[other], reaches=False)
    assert run(host, *seen_outside) == before, "not even a packet without an answer got out"


def test_s7_nothing_comes_in_from_outside_but_the_host_itself_reaches_all(example: Bring, host: Sandbox) -> None:
    addresses = everywhere(example("isolation"))
    everything = {address for own in addresses.values() for address in own}
    found = reached(host, {"outside": (OUT, everything), "host": ([], everything)})
    assert found == {"outside": set(), "host": everything}


def test_s7_the_internal_network_reaches_no_port_of_the_host(example: Bring, host: Sandbox) -> None:
    isolation = example("isolation")
    with outside.server(host, 8000, []):
        for where, address, reaches in (
            ("f1", "10.7.1.1", True),
            ("f1", HOST[4], True),
            ("v1", "10.7.4.1", False),
            ("v1", "fd00:7:4::1", False),
        ):
            assert bool(get(host, address, 8000, inside(isolation, where))) is reaches


def test_s7_joining_and_leaving_a_network_is_one_interface(example: Bring, host: Sandbox) -> None:
    isolation = example("isolation")
    plan, touched = isolation.change("f2: {networks: [front]}", "f2: {networks: {front: {gw_priority: 1}, back: {}}}")
    assert non_files(plan) == {"local/interface/f2.eth1": ["create"]}
    assert plan.disturbs == set()
    assert {name for name in touched if name.endswith((" eth0", " namespace"))} == set()
    assert matrix(isolation) >= symmetric([*TOGETHER, ("f2", "b1")])
    plan, touched = isolation.change("f2: {networks: {front: {gw_priority: 1}, back: {}}}", "f2: {networks: [front]}")
    assert non_files(plan) == {"local/interface/f2.eth1": ["delete"]}
    assert {name for name in touched if name.endswith((" eth0", " namespace"))} == set()
    assert matrix(isolation) == symmetric(TOGETHER)


def test_s7_other_topologies_are_other_worlds(example: Bring, host: Sandbox, tmp_path: Path) -> None:
    isolation = example("isolation")
    file = tmp_path / "other.yaml"
    file.write_text(
        'name: other\nnetworks: {n: {subnets: [10.8.0.0/24, "fd00:8::/64"], isolated: false}}\n'
        'containers: {c: {networks: {n: {ipv4_address: 10.8.0.9, ipv6_address: "fd00:8::9"}}}}\n'
    )
    cli(host, "up", file=file)
    theirs = {"10.8.0.9", "fd00:8::9", "10.8.0.1", "fd00:8::1"}
    ours = {address for own in everywhere(isolation).values() for address in own} | {"10.7.1.1", "fd00:7:1::1"}
    sources = {name: (inside(isolation, name), theirs) for name in ("f1", "l1", "v1")}
    found = reached(host, {**sources, "other": (["ip", "netns", "exec", "other-c"], ours)})
    assert found == {"f1": set(), "l1": set(), "v1": set(), "other": set()}
    cli(host, "down", file=file)
    assert run(host, "sysctl", "-n", "net.ipv4.ip_forward").strip() == "1", "the first topology still needs it"
    assert matrix(isolation) == symmetric(TOGETHER)


def test_icc_changes_in_place(example: Bring, host: Sandbox) -> None:
    isolation = example("isolation")
    before = '"fd00:7:3::/64"], icc: false}'
    plan, touched = isolation.change(before, '"fd00:7:3::/64"]}')
    assert non_files(plan) == {
        "local/firewall/isolation": ["update"],
        "local/interface/q1.eth0": ["update"],
        "local/interface/q2.eth0": ["update"],
    }
    assert plan.paths("local/firewall/isolation") == {"table.map within"}
    assert plan.paths("local/interface/q1.eth0") == {"peer.isolated"}
    assert touched <= {"host interface/q1.eth0", "host interface/q2.eth0"}
    assert matrix(isolation) == symmetric([*TOGETHER, ("q1", "q2")])
    isolation.change('"fd00:7:3::/64"]}', before)
    assert matrix(isolation) == symmetric(TOGETHER)
    ports = json.loads(run(host, "bridge", "-d", "-j", "link"))
    assert sum(port["isolated"] for port in ports) == 2


#: What is written instead on a network, which parts of the table change, and what has to be in one of them.
EDITS = {
    "isolated": ('"fd00:7:2::/64"]}', '"fd00:7:2::/64"], isolated: false}', {"set routed"}),
    "masquerade": (
        '"fd00:7:2::/64"]}',
        '"fd00:7:2::/64"], masquerade: false}',
        {"set masquerade4", "set masquerade6"},
    ),
}


@pytest.mark.parametrize("case", EDITS)
def test_an_edited_attribute_of_a_network_changes_its_part_of_the_table_alone(
    example: Bring, host: Sandbox, case: str
) -> None:
    isolation = example("isolation")
    old, new, parts = EDITS[case]
    plan, touched = isolation.change(old, new)
    assert non_files(plan) == {"local/firewall/isolation": ["update"]}
    assert plan.paths("local/firewall/isolation") == {f"table.{part}" for part in parts}
    assert plan.disturbs == set()
    assert touched == set()
    more = [("b1", "l1"), ("b1", "r1"), ("both", "l1"), ("both", "r1")] if case == "isolated" else []
    found = matrix(isolation)
    assert found >= symmetric(TOGETHER)
    assert ("b1", "l1") in found or not more


#: What somebody does to the table by hand.
DRIFT = {
    "rule removed": 'nft -a list chain inet netcompose-isolation forward | sed -n "s/.*oifname @networks drop.*handle //p"'
    " | xargs nft delete rule inet netcompose-isolation forward handle",
    "rule added": "nft insert rule inet netcompose-isolation forward tcp dport 22 counter accept",
    "rules swapped": "nft add rule inet netcompose-isolation forward ct state established,related accept",
    "chain flushed": "nft flush chain inet netcompose-isolation input",
    "element removed": "nft flush set inet netcompose-isolation internal",
    "element added": "nft add element inet netcompose-isolation networks { eth7 }",
    "policy changed": "nft chain inet netcompose-isolation forward { policy drop \\; }",
    "set added": "nft add set inet netcompose-isolation extra { type ipv4_addr \\; }",
    "switched off": "nft 'add table inet netcompose-isolation { flags dormant; }'",
    "table deleted": "nft delete table inet netcompose-isolation",
    "all flushed": "nft flush ruleset",
}


def test_drift_in_the_table_is_seen_named_and_mended(example: Bring, host: Sandbox) -> None:
    isolation = example("isolation")
    wanted = run(host, "nft", "list", "table", "inet", "netcompose-isolation")
    for case, command in DRIFT.items():
        run(host, "sh", "-c", command)
        assert run(host, "sh", "-c", "nft list table inet netcompose-isolation || true") != wanted, case
        gone = case in ("table deleted", "all flushed")
        assert {change["address"]: change["actions"] for change in isolation.plan()} == {
            "local/firewall/isolation": ["create" if gone else "update"]
        }, case
        isolation.up()
        mended = run(host, "nft", "list", "table", "inet", "netcompose-isolation")
        # Elements of a set are in no order of their own.
        assert sorted(mended.split()) == sorted(wanted.split()), case
        wanted = mended


def test_drift_of_a_sysctl_and_of_an_isolated_port_is_seen_and_mended(example: Bring, host: Sandbox) -> None:
    isolation = example("isolation")
    run(host, "sysctl", "-q", "-w", "net.ipv4.ip_forward=0")
    assert [change["address"] for change in isolation.plan()] == ["local/sysctl/net.ipv4.ip_forward"]
    isolation.up()
    isolation.ping("l1", isolation.addresses("r1")["eth0"][0].partition("/")[0])
    links = json.loads(run(host, "ip", "-j", "link"))
    (port,) = (link["ifname"] for link in links if link.get("ifalias") == "netcompose:isolation:interface/q1.eth0")
    run(host, "bridge", "link", "set", "dev", port, "isolated", "off")
    (change,) = isolation.plan()
    assert change["address"] == "local/interface/q1.eth0"
    isolation.up()
    assert matrix(isolation) == symmetric(TOGETHER)


def test_the_table_reads_well(example: Bring, host: Sandbox) -> None:
    example("isolation")
    text = run(host, "nft", "list", "table", "inet", "netcompose-isolation")
    assert 'comment "network vault"' in text
    assert 'comment "nothing leaves an internal network"' in text


def test_s9_what_leaves_has_the_hosts_address_unless_the_network_says_otherwise(example: Bring, host: Sandbox) -> None:
    example_outside = example("outside")
    with outside.server(host, 8000):
        for family in (4, 6):
            kind = {4: "inet", 6: "inet6"}[family]
            assert get(host, OUTSIDE[family], 8000, inside(example_outside, "c1")) == HOST[family]
            own = example_outside.addresses("c2", kind)["eth0"][0].partition("/")[0]
            assert get(host, OUTSIDE[family], 8000, inside(example_outside, "c2")) == own
            assert get(host, OUTSIDE[family], 8000, inside(example_outside, "c3")) == ""
    with outside.server(host, 8000, []):
        # The host itself sees who asks.
        own = example_outside.addresses("c1")["eth0"][0].partition("/")[0]
        assert get(host, "10.9.1.1", 8000, inside(example_outside, "c1")) == own


@pytest.mark.parametrize("gateway", ["10.9.1.1", "fd00:9:1::1"])
def test_s9_what_the_host_says_to_itself_keeps_its_address(example: Bring, host: Sandbox, gateway: str) -> None:
    example("outside")
    with outside.server(host, 8000, []):
        # By the gateway's address, and through loopback all the same.
        for target in (gateway, HOST[6 if ":" in gateway else 4]):
            done = host.run(["curl", "-sS", "--max-time", "2", "--interface", gateway, outside.url(target, 8000)])
            assert done.stdout == gateway, done.stderr


def test_s9_on_the_wire(example: Bring, host: Sandbox) -> None:
    example_outside = example("outside")
    with outside.capture(host, "eth0", "icmp[icmptype] = icmp-echo", OUT) as read:
        example_outside.ping("c1", OUTSIDE[4])
        example_outside.ping("c2", OUTSIDE[4])
        seen = read(2)
    own = example_outside.addresses("c2")["eth0"][0].partition("/")[0]
    assert f"IP {HOST[4]} > {OUTSIDE[4]}: ICMP echo request" in seen[0]
    assert f"IP {own} > {OUTSIDE[4]}: ICMP echo request" in seen[1]


@pytest.mark.parametrize(
    "settings",
    [
        ["net.ipv4.conf.all.accept_redirects=0", "net.ipv4.conf.up0.forwarding=1"],
        ["net.ipv4.ip_forward=1"],
        ["net.ipv4.ip_forward=1", "net.ipv4.conf.all.accept_redirects=1", "net.ipv6.conf.all.forwarding=1"],
    ],
    ids=["hardened", "router", "both"],
)
def test_s9_down_puts_back_what_the_host_had(host: Sandbox, tmp_path: Path, settings: list[str]) -> None:
    run(host, "sysctl", "-q", "-w", *settings)
    example_outside = Example(host, "outside", tmp_path)
    example_outside.up()
    example_outside.down()


def test_s9_two_topologies_share_forwarding_and_the_last_puts_it_back(host: Sandbox, tmp_path: Path) -> None:
    first = Example(host, "outside", tmp_path)
    (tmp_path / "two").mkdir()
    second = Example(host, "isolation", tmp_path / "two")
    first.up()
    second.up()
    cli(host, "down", file=first.file)
    assert run(host, "sysctl", "-n", "net.ipv4.ip_forward").strip() == "1"
    second.down()
    assert run(host, "sysctl", "-n", "net.ipv4.ip_forward").strip() == "0"


def test_s9_a_topology_without_a_way_out_does_not_make_the_host_forward(host: Sandbox, tmp_path: Path) -> None:
    isolation = Example(host, "outside", tmp_path)
    text = isolation.file.read_text().replace(", masquerade: false", "").replace('/64"]}', '/64"], internal: true}')
    isolation.file.write_text(text)
    isolation.up()
    assert run(host, "sysctl", "-n", "net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding").split() == ["0", "0"]
    isolation.down()


_ADVERTISE = """
import socket, sys
sock = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
index = socket.if_nametoindex("eth0")
sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
sock.sendto(bytes.fromhex(sys.argv[1]), ("ff02::1", 0, 0, index))
"""


def test_s9_a_default_route_by_router_advertisement_survives_forwarding(host: Sandbox, tmp_path: Path) -> None:
    advertisement = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0).hex()
    advertise = [*OUT, sys.executable, "-c", _ADVERTISE, advertisement]

    def default() -> list[dict[str, object]]:
        return list(json.loads(run(host, "ip", "-6", "-j", "route", "show", "default", "dev", "up0") or "[]"))

    run(host, *advertise)
    until(lambda: [route["protocol"] for route in default()] == ["ra"])
    example_outside = Example(host, "outside", tmp_path)
    example_outside.up()
    assert run(host, "sysctl", "-n", "net.ipv6.conf.up0.accept_ra").strip() == "2"
    assert [route["protocol"] for route in default()] == ["ra"], "it was not lost"
    run(host, "ip", "-6", "route", "del", "default", "dev", "up0")
    assert example_outside.plan() == [], "a route that is away for a while changes nothing"
    run(host, *advertise)
    until(default)
    cli(host, "down", file=example_outside.file)
    assert run(host, "sysctl", "-n", "net.ipv6.conf.up0.accept_ra", "net.ipv6.conf.all.forwarding").split() == [
        "1",
        "0",
    ]
    assert [route["protocol"] for route in default()] == ["ra"]
