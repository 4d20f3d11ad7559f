"""Others on the same host: who holds the lock, whose names are taken, and what is not ours stays as it is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest
from proof_host import ProofHost, edited

from netcompose.resources.names import host_interface_name

CAMPUS: dict[str, Any] = {
    "name": "campus",
    "networks": {"lan": {"subnets": ["10.9.0.0/24"]}},
    "containers": {
        "a": {"networks": ["lan"], "sysctls": {"net.ipv4.ip_forward": "1"}},
        "b": {"networks": ["lan"]},
    },
}
BRIDGE = host_interface_name("campus", "bridge/lan")
PORT = host_interface_name("campus", "interface/a.eth0")


def start(host: ProofHost, *argv: str) -> subprocess.Popen[str]:
    """The command line as a process of its own inside."""
    process: subprocess.Popen[str] = host.sandbox.popen(
        [sys.executable, "-m", "netcompose", *argv], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    return process


def test_of_two_runs_one_wins_and_the_other_names_it(host: ProofHost) -> None:
    gate = host.folder / "gate"
    os.mkfifo(gate)
    slow = edited(CAMPUS, "containers a exec", [["sh", "-c", f"echo in > {gate}; read go < {gate}"]])
    file = host.write(slow)
    first = start(host, "up", "-f", file)
    with open(gate) as opened:
        assert opened.read() == "in\n"  # The first run is in the middle now.
    second = start(host, "up", "-f", file)
    out, error = second.communicate(timeout=30)
    third = start(host, "down", "-f", file)
    _, refused = third.communicate(timeout=30)
    with open(gate, "w") as opened:
        opened.write("go\n")
    _, first_error = first.communicate(timeout=30)
    assert (first.returncode, second.returncode, third.returncode) == (0, 6, 6), (first_error, error, refused)
    assert "is locked by" in error and "netcompose up of campus" in error and "process " in error
    assert out == "" and "is locked by" in refused
    assert host.cli("plan", "--detailed-exitcode", "-f", file).status == 0


def test_many_runs_at_once_end_in_the_wanted_state(host: ProofHost) -> None:
    file = host.write(CAMPUS)
    runs = [start(host, "up", "-f", file) for _ in range(4)]
    ended = [(run.communicate(timeout=60), run.returncode) for run in runs]
    assert {status for _, status in ended} <= {0, 6} and any(status == 0 for _, status in ended), ended
    assert host.cli("plan", "--detailed-exitcode", "-f", file).status == 0


def test_the_lock_file_of_a_dead_process_is_no_lock(host: ProofHost) -> None:
    host.sh('mkdir -p /run/netcompose; echo \'{"owner": "somebody", "pid": 1, "since": 0}\' > /run/netcompose/lock')
    host.converge(CAMPUS)
    assert "lock" not in host.run("ls", "/run/netcompose").split()


IN_THE_WAY = {
    "a bridge": (f"ip link add {BRIDGE} type bridge", "local/bridge/lan", BRIDGE),
    "an interface": (f"ip link add {PORT} type veth peer name other", "local/interface/a.eth0", PORT),
    "an interface's second name": (
        f"ip link add x type bridge; ip link property add dev x altname {BRIDGE}",
        "local/bridge/lan",
        BRIDGE,
    ),
    "a namespace": ("ip netns add campus-a", "local/namespace/a", "campus-a"),
    "a namespace with an interface": (
        "ip netns add campus-b; ip -n campus-b link add eth0 type bridge",
        "local/namespace/b",
        "campus-b",
    ),
    "a file in the place of a namespace": (
        "mkdir -p /run/netns; echo x > /run/netns/campus-a",
        "local/namespace/a",
        "campus-a",
    ),
    "a hosts file": (
        "mkdir -p /etc/netns/campus-a; echo 192.0.2.1 mine > /etc/netns/campus-a/hosts",
        "local/file/a/hosts",
        "/etc/netns/campus-a/hosts",
    ),
    "an empty resolv.conf": (
        "mkdir -p /etc/netns/campus-a; : > /etc/netns/campus-a/resolv.conf",
        "local/file/a/resolv.conf",
        "/etc/netns/campus-a/resolv.conf",
    ),
}


@pytest.mark.parametrize("what", IN_THE_WAY)
def test_a_foreign_object_in_the_way_is_named_and_nothing_is_changed(host: ProofHost, what: str) -> None:
    script, address, name = IN_THE_WAY[what]
    host.sh(script)
    before = host.snapshot()
    file = host.write(CAMPUS)
    planned, applied = host.cli("plan", "-f", file), host.cli("up", "-f", file)
    for done in (planned, applied):
        assert done.status == 1, done
        assert address in done.err and f"{name} is taken" in done.err, done.err
    host.assert_same(before)
    assert host.cli("down", "-f", file).status == 0
    host.assert_same(before)


def test_what_others_have_beside_and_inside_survives_up_change_and_down(host: ProofHost) -> None:
    host.sh(
        "ip link add br0 type bridge; ip link add v0 type veth peer name v1; ip addr add 192.0.2.1/24 dev br0;"
        "ip link set br0 up; ip netns add elsewhere; ip route add 198.51.100.0/24 dev br0;"
        "mkdir -p /etc/netns/elsewhere; echo 192.0.2.1 mine > /etc/netns/elsewhere/hosts"
    )
    before = host.snapshot()
    host.converge(CAMPUS)
    host.converge(edited(edited(CAMPUS, "networks lan mtu", 1300), "containers b", ...))
    seen = host.snapshot()
    for name in ("br0", "v0", "v1"):
        assert link(seen, "", name) == link(before, "", name)
    assert seen["links"]["elsewhere"] == before["links"]["elsewhere"]
    host.down(CAMPUS)
    host.assert_same(before)


def link(snapshot: dict[str, Any], netns: str, name: str) -> dict[str, Any]:
    (found,) = [link for link in snapshot["links"][netns] if link["ifname"] == name]
    return dict(found)


def test_foreign_interfaces_in_our_bridge_and_namespace_and_files_in_our_folder_stay(host: ProofHost) -> None:
    host.converge(CAMPUS)
    host.sh(
        f"ip link add mine0 type veth peer name mine1; ip link set mine0 master {BRIDGE} up;"
        "ip -n campus-a link add extra type bridge; ip -n campus-a addr add 198.51.100.1/24 dev extra;"
        "echo mine > /etc/netns/campus-a/passwd"
    )
    before = host.snapshot()
    assert host.cli("plan", "--detailed-exitcode", "-f", host.write(CAMPUS)).status == 0
    changed = edited(CAMPUS, "networks lan mtu", 1300)
    host.converge(changed)
    assert link(host.snapshot(), "", "mine0")["master"] == BRIDGE
    assert link(host.snapshot(), "campus-a", "extra") == link(before, "campus-a", "extra")
    host.down(CAMPUS)
    after = host.snapshot()
    assert "master" not in link(after, "", "mine0")
    assert host.run("cat", "/etc/netns/campus-a/passwd") == "mine\n"
    # The interface inside lived in a namespace that was ours, and went with it.
    assert list(after["links"]) == [""]


def test_a_topology_whose_name_starts_with_anothers_is_another(host: ProofHost) -> None:
    longer = {**CAMPUS, "name": "campus-a", "networks": {"lan": {"subnets": ["10.8.0.0/24"]}}}
    host.converge(CAMPUS)
    alone = host.snapshot()
    host.converge(longer)
    both = host.snapshot()
    for topology in (CAMPUS, longer):
        assert host.cli("plan", "--detailed-exitcode", "-f", host.write(topology)).status == 0
    host.down(CAMPUS)
    host.converge(CAMPUS)
    host.assert_same(both, ignore=("ifindex", "link_index", "files"))
    host.down(longer)
    host.assert_same(alone, ignore=("ifindex", "link_index", "files"))


def test_two_topologies_whose_containers_would_have_one_namespace_name_clash_with_words(host: ProofHost) -> None:
    """campus + a-b and campus-a + b are both campus-a-b."""
    one = {"name": "campus", "containers": {"a-b": {"network_mode": "none"}}}
    two = {"name": "campus-a", "containers": {"b": {"network_mode": "none"}}}
    host.converge(one)
    before = host.snapshot()
    done = host.cli("up", "-f", host.write(two))
    assert done.status == 1 and "campus-a-b is taken" in done.err and "topology campus" in done.err, done
    host.assert_same(before)
    host.down(two)
    host.assert_same(before)


def test_json_of_a_refused_plan_names_the_problem(host: ProofHost) -> None:
    host.run("ip", "link", "add", BRIDGE, "type", "bridge")
    done = host.cli("plan", "--output", "json", "-f", host.write(CAMPUS))
    (problem,) = json.loads(done.out)["problems"]
    assert done.status == 1 and problem["address"] == "local/bridge/lan" and BRIDGE in problem["message"]
