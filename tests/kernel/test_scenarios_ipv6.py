"""S19: the bridge, names, addresses and cables of S1, S5, S6, S8 and S16 with both families, and with IPv6 alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from support import Example, assert_same, cli, run

from netcompose.transports.sandbox import Sandbox

Bring = Callable[[str], Example]
#: The network's and the cable's prefix of each example.
PREFIXES = {"dual-stack": ("fd00:19::", "fd00:19:1::"), "ipv6-only": ("fd00:6::", "fd00:6:1::")}
both = pytest.mark.parametrize("name", PREFIXES)


@both
def test_s19_bridge_gateway_and_addresses(example: Bring, name: str) -> None:
    lan = example(name)
    net, _ = PREFIXES[name]
    assert lan.addresses("web1", "inet6")["eth0"] == [f"{net}10/64"]
    (automatic,) = lan.addresses("client", "inet6")["eth0"]
    assert automatic.startswith(net)
    assert automatic not in {f"{net}{taken}/64" for taken in ("10", "20", "fe", "99")}
    assert bool(lan.addresses("client")["eth0"]) == (name == "dual-stack")
    routes = json.loads(lan.inside("client", "ip", "-6", "-j", "route", "show", "default"))
    assert [(route["gateway"], route["dev"]) for route in routes] == [(f"{net}fe", "eth0")]
    assert f"{net}fe/64" in run(lan.host, "ip", "-6", "addr")
    lan.ping("client", f"{net}10", "-6")
    lan.ping("client", f"{net}fe", "-6")
    lan.ping("web2", automatic.partition("/")[0], "-6")


@both
def test_s19_no_autoconfigured_address_is_added(example: Bring, name: str) -> None:
    """Nobody sends router advertisements here, and nothing of ours asks for privacy addresses."""
    lan = example(name)
    lan.settle()
    found = json.loads(lan.inside("web2", "ip", "-6", "-j", "addr", "show", "dev", "eth0"))[0]["addr_info"]
    assert sorted(a["scope"] for a in found) == ["global", "link"]


@both
def test_s19_names_aliases_and_links(example: Bring, name: str) -> None:
    lan = example(name)
    net, _ = PREFIXES[name]
    assert lan.names("client", "web1", "ahostsv6") == lan.names("client", "server", "ahostsv6") == {f"{net}10"}
    assert lan.names("client", "web", "ahostsv6") == {f"{net}10", f"{net}20"}
    assert lan.names("web2", "server") == set()
    if name == "dual-stack":
        assert lan.names("client", "web1", "ahostsv4") == {"10.19.0.10"}
    else:
        assert all(":" in address for address in lan.names("client", "web1"))
    lan.ping("client", "web2", "-6")
    lan.inside("client", "curl", "-6", "-sfo", "/dev/null", "--retry", "5", "--retry-connrefused", "http://web1/")


@both
def test_s19_cables(example: Bring, name: str) -> None:
    lan = example(name)
    _, cable = PREFIXES[name]
    assert lan.addresses("web2", "inet6")["eth1"] == [f"{cable}2/64"]
    lan.ping("web1", f"{cable}2", "-6")
    lan.ping("web1", f"{cable}2", "-6", "-M", "do", "-s", str(1500 - 48))
    if name == "dual-stack":
        lan.ping("web1", "10.19.1.2")


@both
def test_s19_a_static_address_changes_in_place(example: Bring, name: str) -> None:
    lan = example(name)
    net, _ = PREFIXES[name]
    plan, touched = lan.change(f"{net}20", f"{net}21")
    assert plan.actions == {"local/interface/web2.eth0": ["update"]}
    assert plan.paths("local/interface/web2.eth0") == {"end.addresses"}
    assert plan.disturbs == {("web2", "blip")}
    assert touched == {"web2 eth0", "web2 routes -6"}
    lan.ping("client", f"{net}21", "-6")
    assert len(json.loads(lan.inside("web2", "ip", "-6", "-j", "route", "show", "default"))) == 1


def test_s19_a_second_family_is_added_to_a_running_network(example: Bring) -> None:
    lan = example("ipv6-only")
    plan, _ = lan.change("subnets: [lan6]", "subnets: [lan6, 10.6.0.0/24]")
    assert all("delete" not in actions for actions in plan.actions.values())
    assert all(how != "outage" for _, how in plan.disturbs)
    (address,) = lan.addresses("web1")["eth0"]
    lan.ping("client", address.partition("/")[0])
    lan.ping("client", "fd00:6::10", "-6")


@both
@pytest.mark.parametrize(
    ("last", "words"),
    [("fe", "gateway"), ("99", "printer"), ("10", "used twice")],
    ids=["gateway", "reserved", "duplicate"],
)
def test_s19_refusals(host: Sandbox, tmp_path: Path, name: str, last: str, words: str) -> None:
    lan = Example(host, name, tmp_path)
    net, _ = PREFIXES[name]
    lan.edit(f"{net}20", f"{net}{last}")
    said = cli(host, "up", file=lan.file, status=3)
    assert f"{net}{last}" in said.stderr
    assert words in said.stderr
    assert_same(host, lan.before)


def test_s19_an_address_outside_every_subnet_is_refused(host: Sandbox, tmp_path: Path) -> None:
    lan = Example(host, "ipv6-only", tmp_path)
    lan.edit("fd00:6::20", "fd00:7::20")
    said = cli(host, "up", file=lan.file, status=3)
    assert "fd00:7::20" in said.stderr
    assert "fd00:6::/64" in said.stderr
    assert_same(host, lan.before)
