"""S1, S5, S6, S8: bridges, names, addresses, links by name. Oracles: ip, bridge, ping, getent, curl, nsenter."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from support import Example, assert_same, cli, run, snapshot

from netcompose.transports.sandbox import Sandbox

Bring = Callable[[str], Example]


def bridge_of(example: Example, network: str) -> str:
    """The name of a network's bridge, found by its mark."""
    links = json.loads(run(example.host, "ip", "-j", "link", "show", "type", "bridge"))
    (name,) = (link["ifname"] for link in links if link.get("ifalias") == f"netcompose:{example.name}:bridge/{network}")
    return str(name)


def test_s1_containers_share_a_subnet_on_a_bridge_that_is_their_gateway(example: Bring) -> None:
    lan = example("default-bridge")
    addresses = [lan.addresses(name)["eth0"][0] for name in ("c1", "c2", "c3")]
    assert len(set(addresses)) == 3
    assert all(address.endswith("/16") for address in addresses)
    assert all(ip_address(address[:-3]) in ip_network("172.17.0.0/16") for address in addresses)
    bridge = bridge_of(lan, "default")
    (on_host,) = json.loads(run(lan.host, "ip", "-j", "-4", "addr", "show", "dev", bridge))
    assert [(a["local"], a["prefixlen"]) for a in on_host["addr_info"]] == [("172.17.0.1", 16)]
    ports = json.loads(run(lan.host, "bridge", "-j", "link"))
    assert {(port["master"], port["state"]) for port in ports} == {(bridge, "forwarding")}
    # Each port is the other end of a veth pair of one container.
    peers = [json.loads(lan.inside(name, "ip", "-j", "link", "show", "eth0"))[0] for name in ("c1", "c2", "c3")]
    assert sorted(peer["link_index"] for peer in peers) == sorted(port["ifindex"] for port in ports)
    for source in ("c1", "c2", "c3"):
        (route,) = json.loads(lan.inside(source, "ip", "-j", "route", "show", "default"))
        assert (route["gateway"], route["dev"]) == ("172.17.0.1", "eth0")
        lan.ping(source, "172.17.0.1")
        for address in addresses:
            lan.ping(source, address[:-3])


def test_s1_a_bridge_keeps_its_mtu_whatever_is_plugged_into_it(example: Bring) -> None:
    lan = example("default-bridge")
    bridge = bridge_of(lan, "default")
    for number in (1, 2):
        run(lan.host, *f"ip link add small{number} mtu 1400 type veth peer name far{number}".split())
        run(lan.host, "ip", "link", "set", f"small{number}", "master", bridge)
        assert "mtu 1500 " in run(lan.host, "ip", "link", "show", bridge)
        assert lan.plan() == []
        lan.edit("[172.17.0.0/16]\n", "[172.17.0.0/16]\n    mtu: 1400\n")
        lan.up()
        lan.edit("    mtu: 1400\n", "")
        lan.up()
    for number in (1, 2):
        run(lan.host, "ip", "link", "del", f"small{number}")


def test_s1_a_mac_address_changes_in_place(example: Bring) -> None:
    lan = example("default-bridge")
    mac = 'networks: {default: {mac_address: "02:00:00:00:00:03"}}'
    plan, touched = lan.change("c3:\n    networks: [default]", f"c3:\n    {mac}")
    assert plan.actions == {"local/interface/c3.eth0": ["update"]}
    assert plan.paths("local/interface/c3.eth0") == {"end.mac"}
    assert plan.disturbs == {("c3", "blip")}
    assert touched == {"c3 eth0"}
    assert "02:00:00:00:00:03" in lan.inside("c3", "ip", "link", "show", "eth0")
    lan.ping("c1", lan.addresses("c3")["eth0"][0][:-3])


def test_s1_adding_a_container_renumbers_nobody(example: Bring) -> None:
    lan = example("default-bridge")
    before = {name: lan.addresses(name) for name in ("c1", "c2", "c3")}
    plan, touched = lan.change("  c3:\n", "  a0: {networks: [default]}\n  c3:\n")
    assert set(map(tuple, plan.actions.values())) == {("create",)}
    assert plan.disturbs == set()
    assert {name for name in touched if not name.startswith("a0 ")} == {"host interface/a0.eth0", "host routes -6"}
    assert {name: lan.addresses(name) for name in before} == before
    lan.ping("a0", "c2")


def test_s5_names_hostnames_and_shared_aliases(example: Bring) -> None:
    lan = example("name-resolution")
    assert lan.names("demo3", "demo1") == {"10.5.0.11"}
    assert lan.names("demo1", "demo2") == lan.names("demo1", "second") == lan.names("demo3", "blue") == {"10.5.0.12"}
    assert lan.names("demo3", "web") == {"10.5.0.11", "10.5.0.12"}
    assert lan.names("demo2", "demo2") == {"10.5.0.12"}
    assert lan.names("demo3", "nobody") == set()
    for name in ("demo1", "demo2", "second", "web", "blue"):
        lan.ping("demo3", name)
    # The host itself was taught nothing.
    assert lan.host.run(["getent", "hosts", "demo1"]).stdout == ""


def test_s5_a_changed_alias_changes_files_only(example: Bring) -> None:
    lan = example("name-resolution")
    plan, touched = lan.change("[web, blue]", "[web, green]")
    assert plan.changes != []
    assert plan.actions == {}, "only what carries names"
    assert plan.disturbs == set()
    assert touched == set()
    assert lan.names("demo3", "green") == {"10.5.0.12"}
    assert lan.names("demo3", "blue") == set()


def test_s6_the_address_is_the_one_asked_for_and_the_range_is_kept(example: Bring) -> None:
    lan = example("addresses")
    assert lan.addresses("fixed") == {"eth0": ["172.18.0.10/16"]}
    assert "02:00:00:00:00:10" in lan.inside("fixed", "ip", "link", "show", "eth0")
    automatic = {lan.addresses(name)["eth0"][0][:-3] for name in ("auto1", "auto2")}
    assert len(automatic) == 2
    assert all(ip_address(address) in ip_network("172.18.10.0/29") for address in automatic)
    assert not automatic & {"172.18.10.1", "172.18.10.2"}, "these are reserved"
    lan.ping("auto1", "172.18.0.254")
    assert "172.18.0.254/16" in run(lan.host, "ip", "-br", "addr", "show", "dev", bridge_of(lan, "lan"))


def test_s6_a_static_address_changes_in_place(example: Bring) -> None:
    lan = example("addresses")
    plan, touched = lan.change("172.18.0.10,", "172.18.0.11,")
    assert plan.actions == {"local/interface/fixed.eth0": ["update"]}
    assert plan.paths("local/interface/fixed.eth0") == {"end.addresses"}
    assert plan.disturbs == {("fixed", "blip")}
    assert touched == {"fixed eth0", "fixed routes -4"}
    assert lan.addresses("fixed") == {"eth0": ["172.18.0.11/16"]}
    lan.ping("auto1", "fixed")
    (route,) = json.loads(lan.inside("fixed", "ip", "-j", "route", "show", "default"))
    assert route["gateway"] == "172.18.0.254", "removing the old address must not lose the default route"


#: What is written instead, and what the refusal has to name: the value and the subnet.
REFUSALS = {
    "no-subnet": ("subnets: [front]", "mtu: 1500", ["172.18.0.10", "lan", "subnet"]),
    "outside": ("ipv4_address: 172.18.0.10,", "ipv4_address: 172.19.0.10,", ["172.19.0.10", "172.18.0.0/16"]),
    "duplicate": ("auto1:\n    networks: [lan]", None, ["172.18.0.10", "172.18.0.0/16", "used twice", "line 17"]),
    "gateway": (
        "ipv4_address: 172.18.0.10,",
        "ipv4_address: 172.18.0.254,",
        ["172.18.0.254", "gateway", "lan", "172.18.0.0/16"],
    ),
    "reserved": (
        "ipv4_address: 172.18.0.10,",
        "ipv4_address: 172.18.10.2,",
        ["172.18.10.2", "camera", "lan", "172.18.0.0/16"],
    ),
    "overlap": ("  lan:\n", "  other: {subnets: [172.18.128.0/17]}\n  lan:\n", ["172.18.128.0/17", "172.18.0.0/16"]),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_s6_refusals_name_line_value_and_subnet_and_change_nothing(case: str, host: Sandbox, tmp_path: Path) -> None:
    old, new, words = REFUSALS[case]
    if new is None:
        new = "auto1:\n    networks: {lan: {ipv4_address: 172.18.0.10}}"
    example = Example(host, "addresses", tmp_path)
    example.edit(old, new)
    for command in ("validate", "plan", "up"):
        said = cli(host, command, file=example.file, status=3)
        assert re.search(rf"^{re.escape(str(example.file))}:\d+:\d+: ", said.stderr, re.MULTILINE), said.stderr
        assert [word for word in words if word not in said.stderr] == [], said.stderr
        assert said.stdout == ""
    assert_same(host, example.before)


def test_s6_a_refused_change_of_what_is_up_touches_nothing(example: Bring) -> None:
    lan = example("addresses")
    lan.settle()
    before = snapshot(lan.host)
    lan.edit("ipv4_address: 172.18.0.10,", "ipv4_address: 172.18.0.254,")
    cli(lan.host, "up", file=lan.file, status=3)
    assert_same(lan.host, before, seconds=0)
    lan.edit("ipv4_address: 172.18.0.254,", "ipv4_address: 172.18.0.10,")


def test_s8_a_link_is_a_name_in_one_container_and_follows_its_target(example: Bring) -> None:
    lan = example("container-links")
    assert lan.names("app", "database") == {"10.8.0.10"}
    assert lan.names("other", "database") == lan.names("db", "database") == set(), "one way, for app only"
    process = run(lan.host, "sh", "-c", "pgrep -x sleep").strip()
    in_process = ["nsenter", "-t", process, "-n", "-m", "getent", "hosts", "database"]
    assert run(lan.host, *in_process).split()[0] == "10.8.0.10"
    lan.inside("app", "curl", "-sf", "--retry", "5", "--retry-connrefused", "-o", "/dev/null", "http://database:5432/")

    plan, touched = lan.change("10.8.0.10", "10.8.0.11")
    assert plan.actions == {"local/interface/db.eth0": ["update"]}
    assert plan.disturbs == {("db", "blip")}
    assert touched == {"db eth0", "db routes -4"}
    assert lan.names("app", "database") == {"10.8.0.11"}
    assert run(lan.host, *in_process).split()[0] == "10.8.0.11", "a process that runs already sees it too"
    lan.inside("app", "curl", "-sf", "-o", "/dev/null", "http://database:5432/")
