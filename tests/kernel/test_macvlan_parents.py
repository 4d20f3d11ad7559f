"""Parents (S11): their promiscuous flag, which is shared; those that cannot be are refused; a rehearsal has stand-ins.

Oracles: ip, ping.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from parent_support import MODES, Topology
from segment import promiscuous
from support import NETCOMPOSE, assert_same, cli, run, until

from netcompose.transports.sandbox import Sandbox


@pytest.fixture
def host(host_on_a_segment: Sandbox) -> Sandbox:
    """A host on a segment."""
    return host_on_a_segment


def test_promiscuity_is_shared_and_put_back_by_the_last(host: Sandbox, tmp_path: Path) -> None:
    """Two topologies ask for it; each sees that it was switched off by hand; the last one puts it back."""
    text = MODES.replace("MODE", "mode: bridge").replace("interface: eth1", "interface: eth1, promiscuous: true")
    one = Topology(host, tmp_path, text)
    two = Topology(host, tmp_path, text.replace("50.11}", "50.21}").replace("50.12}", "50.22}"), name="u")
    one.up()
    two.up()
    assert promiscuous(host)
    run(host, "ip", "link", "set", "eth1", "promisc", "off")
    (change,) = one.plan()
    assert (change["address"], change["actions"]) == ("local/promiscuous/eth1", ["update"])
    one.up()
    assert promiscuous(host) and two.plan() == []
    cli(host, "down", file=one.file)
    assert promiscuous(host)
    two.down()
    assert not promiscuous(host)
    assert_same(host, one.before)


def test_promiscuity_that_was_there_stays(host: Sandbox, tmp_path: Path) -> None:
    run(host, "ip", "link", "set", "eth1", "promisc", "on")
    text = MODES.replace("MODE", "mode: bridge").replace("interface: eth1", "interface: eth1, promiscuous: true")
    topology = Topology(host, tmp_path, text)
    topology.up()
    topology.down()
    assert promiscuous(host)


def test_a_failure_puts_everything_back(host: Sandbox, tmp_path: Path) -> None:
    """The container's command fails after interfaces, shim and promiscuity are there."""
    text = MODES.replace("MODE", "host_access: true").replace("interface: eth1", "interface: eth1, promiscuous: true")
    topology = Topology(host, tmp_path, text.replace("50.11}}}", '50.11}}, exec: [["false"]]}'))
    cli(host, "up", file=topology.file, status=4)
    assert_same(host, topology.before)


REFUSED = {
    "missing": ((), "eth1", "eth9", "host 'local' has no interface 'eth9'"),
    "down": (("ip link set eth1 down",), "", "", "'eth1' of host 'local' is down"),
    "bridge port": (
        ("ip link add br0 type bridge", "ip link set eth1 master br0"),
        "",
        "",
        "'eth1' of host 'local' is a port of bridge br0",
    ),
    "loopback": ((), "eth1", "lo", "'lo' of host 'local' is loopback"),
    "a macvlan": (
        ("ip link add link eth1 name sub type macvlan mode bridge", "ip link set sub up"),
        "eth1",
        "sub",
        "'sub' of host 'local' is itself of kind macvlan",
    ),
    "MTU": (
        (),
        "mode: bridge",
        "mode: bridge, mtu: 9000",
        "the MTU 9000 is larger than that of eth1 on host 'local', 1500",
    ),
    "own address": (
        ("ip addr add 192.168.50.12/24 dev eth1",),
        "",
        "",
        "192.168.50.12 is the address of eth1 itself on host 'local'",
    ),
    "passthru beside a foreign one": (
        ("ip link add link eth1 name sub type macvlan mode bridge",),
        "mode: bridge",
        "mode: passthru",
        "eth1 of host 'local' has macvlan sub (not made by netcompose) already: mode passthru shares its parent with nobody",
    ),
    "beside a foreign passthru in another namespace": (
        ("ip netns add other", "ip link add link eth1 name sub netns other type macvlan mode passthru"),
        "",
        "",
        "has macvlan sub in namespace other (not made by netcompose) already: it is in mode passthru",
    ),
}


@pytest.mark.parametrize("what", sorted(REFUSED))
def test_parents_that_cannot_be_are_refused_before_any_change(host: Sandbox, tmp_path: Path, what: str) -> None:
    commands, old, new, message = REFUSED[what]
    for command in commands:
        run(host, *command.split())
    text = MODES.replace("MODE", "mode: bridge")
    if "passthru" in new:
        text = text.replace("  b:", "  # b:")
    topology = Topology(host, tmp_path, text.replace(old, new) if old else text)
    for command in ("plan", "up"):
        said = cli(host, command, file=topology.file, status=3).stderr
        assert message in said, said
        assert f"{topology.file}:" in said and "hint:" in said
    assert "Traceback" not in said
    assert_same(host, topology.before)


def test_a_foreign_passthru_in_a_namespace_without_a_name(host: Sandbox, tmp_path: Path) -> None:
    """As a container engine's are: only a process is in it."""
    sleeper = host.popen(["unshare", "--net", "sleep", "60"])
    try:
        until(lambda: host.run(["pgrep", "-x", "sleep"]).returncode == 0)
        (pid,) = run(host, "pgrep", "-x", "sleep").split()
        run(
            host,
            "ip",
            "link",
            "add",
            "link",
            "eth1",
            "name",
            "sub",
            "netns",
            pid,
            "type",
            "macvlan",
            "mode",
            "passthru",
        )
        topology = Topology(host, tmp_path, MODES.replace("MODE", "mode: bridge"))
        said = cli(host, "up", file=topology.file, status=3).stderr
        assert f"eth1 of host 'local' has macvlan sub in process {pid} (not made by netcompose)" in said
    finally:
        host.run(["pkill", "-x", "sleep"])
        sleeper.wait(10)


def test_another_topology_beside_passthru_is_named(host: Sandbox, tmp_path: Path) -> None:
    one = Topology(host, tmp_path, MODES.replace("MODE", "mode: passthru").replace("  b:", "  # b:"))
    one.up()
    two = Topology(host, tmp_path, MODES.replace("MODE", "mode: bridge"), name="u")
    said = cli(host, "up", file=two.file, status=3).stderr
    assert "macvlan eth0 in namespace t-a (interface/a.eth0 of topology t) already: it is in mode passthru" in said
    one.down()


def test_what_the_kernel_lacks_is_named_with_the_line_that_needs_it(host: Sandbox, tmp_path: Path) -> None:
    reason = host.connection.features(["8021q"])["8021q"]
    if not reason:
        pytest.skip("this kernel has VLANs")
    topology = Topology(host, tmp_path, MODES.replace("MODE", "mode: bridge").replace("eth1}", "eth1, vlan: 10}"))
    said = cli(host, "plan", file=topology.file, status=3).stderr
    assert "t.yaml:3:11: host 'local': the kernel has no 8021q, needed by parent 'lan'" in said
    assert_same(host, topology.before)


def test_rehearse_stands_in_for_parents_and_keeps_the_promises(host: Sandbox, tmp_path: Path) -> None:
    """Every driver and mode that keeps frames inside the host, beside bridges that the host forwards for."""
    file = tmp_path / "mix.yaml"
    file.write_text(
        """
name: mix
parents: {lan: {interface: eth1}, tagged: {interface: eth1, vlan: 7}}
networks:
  front: {subnets: [10.9.0.0/24, "fd00:9::/64"]}
  bare: {subnets: [10.8.0.0/24], masquerade: false}
  shut: {subnets: [10.7.0.0/24], internal: true}
  phys: {driver: macvlan, parent: lan, host_access: true, subnets: [192.168.50.0/24, "fd00:50::/64"]}
  apart: {driver: macvlan, parent: lan, mode: private, subnets: [192.168.51.0/24]}
  vepa: {driver: macvlan, parent: lan, mode: vepa, subnets: [192.168.52.0/24]}
  vlan: {driver: macvlan, parent: tagged, subnets: [192.168.54.0/24]}
  own: {driver: macvlan, host_access: true}
containers:
  a: {networks: [front]}
  b: {networks: [bare]}
  c: {networks: [shut]}
  p1: {networks: [phys]}
  p2: {networks: [phys, front]}
  q1: {networks: [apart]}
  q2: {networks: [apart]}
  v1: {networks: [vepa]}
  v2: {networks: [vepa, vlan]}
  w: {networks: [vlan]}
  o1: {networks: [own]}
  o2: {networks: [own]}
"""
    )
    done = host.run([*NETCOMPOSE, "rehearse", "-f", str(file)], timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "stands in for the interface eth1\n" in done.stderr
    assert "all as the topology promises" in done.stdout
