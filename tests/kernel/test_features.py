"""What a host can do: found without leaving anything, and compared with what a topology needs before any change."""

from __future__ import annotations

import os

import pytest
from support import assert_same, run, snapshot

from netcompose.compiler.compile import compile_topology
from netcompose.compiler.hostchecks import unmet
from netcompose.resources import Observation, Veth
from netcompose.topology.load import load
from netcompose.transports.sandbox import Sandbox

#: How iproute2 makes what a feature stands for, beside a bridge `parent`.
_BY_HAND = {
    "macvlan": "ip link add link parent name tried type macvlan",
    "ipvlan": "ip link add link parent name tried type ipvlan",
    "8021q": "ip link add link parent name tried type vlan id 10",
    "vxlan": "ip link add tried type vxlan id 42 dstport 4789",
    "dummy": "ip link add tried type dummy",
    "vrf": "ip link add tried type vrf table 100",
    "netem": "tc qdisc add dev lo root netem delay 1ms",
}


def test_a_feature_is_what_iproute2_can_make(host: Sandbox) -> None:
    assert host.connection.hello()
    before = snapshot(host)
    found = host.connection.features()
    assert_same(host, before)
    run(host, "ip", "link", "add", "parent", "type", "bridge")
    for feature, command in _BY_HAND.items():
        done = host.run(command.split())
        assert (found[feature] == "") == (done.returncode == 0), (feature, found[feature], done.stderr)
        host.run(["ip", "link", "del", "tried"])


def test_only_what_is_asked_for_is_answered(host: Sandbox) -> None:
    assert host.connection.features(["macvlan"]) == {"macvlan": ""}
    assert host.connection.features(["no such thing"]) == {}


def test_trying_loads_no_module() -> None:
    """Modules belong to the whole machine, so this is asked of the machine and not of a sandbox."""
    if not os.path.exists("/proc/modules"):
        pytest.skip("this kernel has no modules")
    from netcompose.agent.agent import Agent

    def loaded() -> set[str]:
        with open("/proc/modules") as file:
            return {line.split()[0] for line in file}

    before = loaded()
    Agent().features()
    assert loaded() <= before


def test_what_is_missing_is_told_with_who_asks_for_it(tmp_path, monkeypatch) -> None:
    """For any kind: here links of a topology are made to need a feature."""
    monkeypatch.setattr(Veth, "needs", lambda self: ("8021q",))
    file = tmp_path / "topology.yaml"
    file.write_text(
        "name: t\ncontainers: {a: {network_mode: none}, b: {network_mode: none}}\n"
        "links:\n  - endpoints: ['a:eth1', 'b:eth1']\n"
    )
    topology = load(str(file))
    desired = compile_topology(topology, {})
    assert desired.needs_by_host() == {"local": ("8021q",)}
    (problem,) = unmet(topology, desired.needs, {"local": {"8021q": "the kernel has no 8021q"}})
    assert problem.message == "host 'local': the kernel has no 8021q, needed by the link of 'a' and 'b'"
    assert problem.position.line == 4
    assert not list(unmet(topology, desired.needs, {"local": {"8021q": ""}}))
    # What is there already is not asked about again.
    live = {"local": Observation(resources=desired.resources["local"])}
    assert compile_topology(topology, live).needs == {}
