"""``rehearse`` of several hosts: one throw-away host for each, on a segment of their own, with the real overlay, routes
and cables between them, also without root. Nothing is left on the machine."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hosts_support import EXAMPLES
from test_scenarios_rehearse import measured, readable_python, rehearse

TOPOLOGY = """
name: lab
hosts: {server4: {address: 10.0.0.4}, server5: {address: 10.0.0.5, underlay: eth1}, server6: {}}
networks:
  ov1: {driver: overlay, subnets: [10.10.0.0/24, "fd10::/64"]}
  r1: {driver: routed, subnets: [10.30.0.0/16, "fd30::/64"]}
  lan: {subnets: [10.40.0.0/24]}
containers:
  a: {host: server4, networks: [ov1]}
  b: {host: server5, networks: [ov1]}
  c: {host: server4, networks: [r1]}
  d: {host: server6, networks: [r1]}
  e: {host: server5, networks: [lan, r1]}
  f: {host: server4, network_mode: none}
  g: {host: server5, network_mode: none}
links:
  - endpoints: ["f:eth0", "g:eth0"]
    addresses: [10.1.0.1/30, 10.1.0.2/30]
"""
REACHED = [("a", "b"), ("c", "d"), ("c", "e"), ("d", "e"), ("f", "g")]


def reached(text: str) -> set[tuple[object, object]]:
    return {(way["source"], way["target"]) for way in measured(text) if way["how"] == "address" and way["measured"]}


def test_the_real_overlay_routes_and_cables_are_as_promised(tmp_path: Path) -> None:
    file = tmp_path / "topology.yaml"
    file.write_text(TOPOLOGY)
    done = rehearse(tmp_path, file, "--output", "json")
    assert reached(done.stdout) == {pair for one, other in REACHED for pair in ((one, other), (other, one))}


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user's tests are without root anyway")
def test_without_root(tmp_path: Path) -> None:
    file = EXAMPLES / "overlay" / "topology.yaml"
    nobody = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups")
    python = readable_python(tmp_path, nobody)
    if subprocess.run([*nobody, "unshare", "-Urn", "true"], capture_output=True).returncode != 0:
        pytest.skip("this machine has no user namespaces for ordinary users")
    done = rehearse(tmp_path, file, "--output", "json", before=nobody, python=python)
    assert reached(done.stdout) == {("web1", "tools"), ("tools", "web1")}


def test_a_promise_that_is_broken_between_hosts_is_named(tmp_path: Path) -> None:
    file = tmp_path / "topology.yaml"
    broken = "b: {host: server5, networks: [ov1], exec: [[ip, route, add, blackhole, 10.10.0.8/32]]}"
    file.write_text(
        TOPOLOGY.replace("b: {host: server5, networks: [ov1]}", broken).replace(
            "a: {host: server4, networks: [ov1]}", "a: {host: server4, networks: {ov1: {ipv4_address: 10.10.0.8}}}"
        )
    )
    done = rehearse(tmp_path, file, status=1)
    wrong = [line.strip() for line in done.stdout.splitlines() if "although it is promised" in line]
    assert [line.partition(" by ")[0] for line in wrong] == ["a does not reach b", "b does not reach a"]


PHYSICAL = """
name: lab
hosts: {server4: {address: 10.0.0.4}, server5: {address: 10.0.0.5}}
parents:
  lan: {interface: {server4: eth1, server5: ens4}}
  alone: {interface: eth7}
networks:
  open: {driver: macvlan, parent: lan, subnets: [10.50.0.0/24, "fd50::/64"]}
  shut: {driver: macvlan, parent: alone, mode: private, subnets: [10.51.0.0/24]}
  inner: {driver: macvlan, subnets: [10.52.0.0/24]}
containers:
  a: {host: server4, networks: [open]}
  b: {host: server5, networks: [open]}
  c: {host: server4, networks: [shut]}
  d: {host: server4, networks: [shut]}
  e: {host: server5, networks: [shut]}
  f: {host: server4, networks: [inner]}
  g: {host: server4, networks: [inner]}
"""


def test_parents_are_stood_in_for_by_a_segment_between_the_hosts(tmp_path: Path) -> None:
    file = tmp_path / "topology.yaml"
    file.write_text(PHYSICAL)
    done = rehearse(tmp_path, file, "--output", "json")
    # Mode private keeps those of one host apart, and lets through what comes from outside.
    pairs = [("a", "b"), ("c", "e"), ("d", "e"), ("f", "g")]
    assert reached(done.stdout) == {pair for one, other in pairs for pair in ((one, other), (other, one))}
    told = "a segment between the hosts stands in for the interface eth1 of host 'server4' and ens4 of host 'server5'"
    assert told in done.stderr


def test_impairments_that_the_kernel_lacks_are_left_out_and_told_once(tmp_path: Path) -> None:
    from netcompose.transports.sandbox import Sandbox

    with Sandbox() as host:
        if not host.connection.features(["netem"])["netem"]:
            pytest.skip("this kernel has netem")
    file = tmp_path / "topology.yaml"
    file.write_text(TOPOLOGY + "    impairment: {delay: 10ms}\n")
    done = rehearse(tmp_path, file, "--output", "json")
    assert ("f", "g") in reached(done.stdout)
    assert done.stderr.count("left out: the impairment of link f:eth0 <-> g:eth0") == 1
