"""The virtual machines themselves: what is in them, how commands run, what is left. Oracles: uname, modprobe, ip, ping, ssh."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from outside import capture, running
from support import run, until
from virtual.machine import Machine

#: What the machines are for: kernel features that a minimal kernel lacks.
FEATURES = (
    *("8021q", "macvlan", "ipvlan", "dummy", "vrf", "sch_netem", "sch_tbf", "vxlan", "wireguard", "geneve", "bridge"),
    *("br_netfilter", "nf_tables", "nft_nat", "nft_fib_inet", "ifb", "tun", "openvswitch", "overlay"),
)


def test_it_runs_a_distributions_kernel_with_its_modules(host: Machine) -> None:
    release = run(host, "uname", "-r").strip()
    assert release == host.release and release.endswith("-cloud-amd64") and release != os.uname().release
    before = run(host, "cat", "/proc/modules")
    run(host, "modprobe", "-a", *FEATURES)
    loaded = {line.split()[0] for line in run(host, "cat", "/proc/modules").splitlines()}
    assert loaded >= set(FEATURES)
    # What was not loaded before can be in the way of tests that look at the host's settings.
    for feature in ("openvswitch", "br_netfilter", "wireguard", "geneve"):
        if not any(line.startswith(feature + " ") for line in before.splitlines()):
            run(host, "modprobe", "-r", feature)


def test_commands_have_input_output_errors_and_a_status(host: Machine) -> None:
    done = host.run(["sh", "-c", "cat; echo two >&2; exit 3"], input="one\n")
    assert (done.stdout, done.stderr, done.returncode) == ("one\n", "two\n", 3)
    done = host.run(["sh", "-c", "echo one; echo two >&2"], stderr=subprocess.STDOUT)
    assert sorted(done.stdout.split()) == ["one", "two"]
    assert host.run(["sh", "-c", "kill -TERM $$"]).returncode == 128 + signal.SIGTERM
    assert host.run(["no-such-program"]).returncode == 127
    data = bytes(range(256)) * 4096
    assert host.run(["cat"], input=data, text=False).stdout == data
    assert host.run(["printenv", "WHO"], env={"WHO": "me"}).stdout == "me\n"
    assert host.run(["pwd"], cwd="/proc").stdout == "/proc\n"
    with pytest.raises(subprocess.CalledProcessError):
        host.run(["false"], check=True)


def test_a_command_that_takes_too_long_is_killed_with_its_children(host: Machine) -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        host.run(["sh", "-c", "sleep 1001 & sleep 1001"], timeout=0.5)
    until(lambda: host.run(["pgrep", "-f", "sleep 1001"]).returncode == 1)


def test_a_started_program_is_talked_to_and_ends_with_its_stand_in(host: Machine) -> None:
    with running(host, "sh", "-c", "echo ready; exec sleep 1002") as process:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        assert run(host, "pgrep", "-f", "sleep 1002")
    until(lambda: host.run(["pgrep", "-f", "sleep 1002"]).returncode == 1)
    with host.popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        for word in ("one\n", "two\n"):
            process.stdin.write(word)
            process.stdin.flush()
            assert process.stdout.readline() == word
        process.stdin.close()
        assert process.wait(10) == 0


def test_output_that_nobody_reads_does_not_stop_other_commands(host: Machine) -> None:
    with host.popen(["sh", "-c", "head -c 3000000 /dev/zero"], stdout=subprocess.PIPE) as process:
        time.sleep(1)
        assert run(host, "echo", "still here") == "still here\n"
        assert process.stdout is not None and len(process.stdout.read()) == 3_000_000


def test_files_of_the_tests_folder_are_there_as_they_are_now(host: Machine, tmp_path: Path) -> None:
    path = tmp_path / "folder" / "file"
    path.parent.mkdir()
    for content in ("one", "two"):
        path.write_text(content)
        assert run(host, "cat", str(path)) == content


def test_it_runs_this_checkouts_package_with_its_own_python(host: Machine) -> None:
    shown = run(
        host, sys.executable, "-c", "import netcompose, sys; print(netcompose.__file__, sys.version.split()[0])"
    )
    assert "/orchestrator/netcompose/__init__.py" in shown
    root = Path(__file__).parents[2]
    assert f"{root}/orchestrator/netcompose/__init__.py" in shown
    for path in ("orchestrator/netcompose/agent/agent.py", "tests/vm/virtual/guest/agent.py"):
        assert run(host, "cat", str(root / path)) == (root / path).read_text()


def test_a_command_line_that_is_forked_is_like_one_that_is_started(host: Machine, tmp_path: Path) -> None:
    """`python -m netcompose` of the tests is a fork of a process that has imported it; another Python is none."""
    file = tmp_path / "topology.yaml"
    file.write_text("name: t\nnetworks: {n: {subnets: [10.9.0.0/24]}}\ncontainers:\n  a: {networks: [n]}\n")
    (tmp_path / "changed.yaml").write_text(file.read_text() + "  b: {networks: [n]}\n")
    bad = tmp_path / "bad.yaml"
    bad.write_text("name: t\nnetworks: {n: {subnets: [10.9.0.0/33]}}\n")
    # Up by one and down by the other, of which each sees what the other did.
    started, forked = (
        lambda *words, python=python, **options: host.run([python, "-m", "netcompose", *words], **options)
        for python in ("/usr/bin/python3", sys.executable)
    )
    forked("up", "-f", str(file), check=True)
    for words, status in (
        (["plan", "-f", "changed.yaml", "--detailed-exitcode"], 2),
        (["plan", "-f", "bad.yaml"], 3),
        (["plan", "-f"], 1),
        (["exec", "-f", str(file), "a", "--", "sh", "-c", "cat; exit 9"], 9),
    ):
        options = {"input": "in\n", "cwd": str(tmp_path)}
        one, other = (way(*words, **options) for way in (started, forked))
        assert one.returncode == other.returncode == status, one
        assert (one.stdout, one.stderr) == (other.stdout, other.stderr)
    # One that is killed when its time is up is gone, as any other.
    with pytest.raises(subprocess.TimeoutExpired):
        forked("exec", "-f", str(file), "a", "--", "sleep", "1003", timeout=2)
    until(lambda: host.run(["pgrep", "-f", "sleep 1003"]).returncode == 1)
    started("down", "-f", str(file), check=True)


def test_two_machines_are_on_one_segment(pair: tuple[Machine, Machine]) -> None:
    left, right = pair
    for number, machine in enumerate(pair, 1):
        run(machine, "ip", "addr", "add", f"192.0.2.{number}/24", "dev", "eth1")
    try:
        with capture(right, "eth1", "icmp[icmptype] == icmp-echo", options=["-e"]) as frames:
            run(left, "ping", "-c", "1", "-W", "5", "192.0.2.2")
            (frame,) = frames(1)
        assert f"{left.mac(1)} > {right.mac(1)}" in frame
        # Each has a kernel of its own, and the way between them is a cable.
        assert run(left, "cat", "/proc/sys/kernel/random/boot_id") != run(
            right, "cat", "/proc/sys/kernel/random/boot_id"
        )
        right.cable(False)
        until(lambda: "NO-CARRIER" in json.loads(run(right, "ip", "-j", "link", "show", "eth1"))[0]["flags"])
        run(left, "ping", "-c", "1", "-W", "1", "192.0.2.2", status=1)
        right.cable(True)
        until(lambda: left.run(["ping", "-c", "1", "-W", "1", "192.0.2.2"]).returncode == 0, 20)
    finally:
        for machine in pair:
            run(machine, "ip", "addr", "flush", "dev", "eth1", "scope", "global")
    until(lambda: all(not run(machine, "ip", "-6", "addr", "show", "tentative").strip() for machine in pair))


def test_a_vlan_of_one_machine_reaches_the_same_vlan_of_the_other_and_is_tagged(pair: tuple[Machine, Machine]) -> None:
    left, right = pair
    try:
        for number, machine in enumerate(pair, 1):
            run(machine, *["ip", "link", "add", "link", "eth1", "name", "eth1.10", "type", "vlan", "id", "10"])
            run(machine, *f"ip addr add 198.51.100.{number}/24 dev eth1.10".split())
            run(machine, *["ip", "link", "set", "eth1.10", "up"])
        with capture(right, "eth1", "vlan 10 and icmp", options=["-e"]) as frames:
            run(left, "ping", "-c", "1", "-W", "5", "198.51.100.2")
            (frame,) = frames(1)
        assert "vlan 10" in frame
    finally:
        for machine in pair:
            machine.run(["ip", "link", "del", "eth1.10"])


def test_ssh_leads_to_it(host: Machine, tmp_path: Path) -> None:
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    public = (tmp_path / "key.pub").read_text()
    known = tmp_path / "known_hosts"
    known.write_text(f"[127.0.0.1]:{host.ssh_port} {host.host_key}\n")
    try:
        for user, home in (("root", "/root"), ("tester", "/home/tester")):
            host.put(public, f"{home}/.ssh/authorized_keys", 0o644)
            options = ["-F", "none", "-o", "BatchMode=yes", "-o", f"UserKnownHostsFile={known}", "-i", key]
            done = subprocess.run(
                ["ssh", *options, "-p", str(host.ssh_port), f"{user}@127.0.0.1", "hostname; sudo -n id -u"],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=60,
            )
            assert done.stdout.split() == [host.name, "0"], done.stderr
    finally:
        host.run(["rm", "-rf", "/root/.ssh", "/home/tester/.ssh"])


_KILLED = """
import os, sys
sys.path[:0] = {path!r}
from virtual.machine import Machine
machine = Machine("short")
machine.power(__import__("virtual.booted").booted.booted())
print(machine.pid, flush=True)
sys.stdin.read()
"""


@pytest.mark.usefixtures("machines")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_it_ends_with_its_creator_however_that_ends(number: signal.Signals) -> None:
    script = textwrap.dedent(_KILLED).format(path=[str(Path(__file__).parent)])
    with subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as creator:
        assert creator.stdout is not None
        pid = int(creator.stdout.readline())
        until(lambda: "qemu" in Path(f"/proc/{pid}/comm").read_text())
        creator.send_signal(number)
        creator.wait(10)
        until(lambda: not _lives(pid))


def _lives(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return False
