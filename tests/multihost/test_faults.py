"""Faults between the command line and the hosts, over real sshd: a cable that is cut before, during and after the
changes, sshd killed, a host that nothing can be done on. Afterwards the change is complete everywhere, or every host is
as it was; and the next `up` works."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hosts_support import FAULTY, HostSnapshots
from testbed.sites import NETCOMPOSE, Site, program, wait_until

TOPOLOGY = """
name: lab
networks:
  ov1: {driver: overlay, subnets: [10.10.0.0/24]}
containers:
  a: {host: server1, networks: [ov1]}
  b: {host: server2, networks: [ov1], exec: [[sleep, "SECONDS"]]}
"""

#: So little that a run after each operation over sshd takes seconds; the proofs and test_armed.py have all the rest.
SMALL = """
name: lab
containers:
  a: {host: server1}
  b: {host: server2, sysctls: {net.ipv4.ip_forward: "1"}}
"""


@pytest.fixture
def site(two_hosts: Site) -> Site:
    """Two hosts."""
    return two_hosts


@pytest.fixture
def file(site: Site, tmp_path: Path) -> Path:
    """The topology, which takes a few seconds on the second host."""
    path = tmp_path / "topology.yaml"
    path.write_text(site.document() + TOPOLOGY.replace("SECONDS", "4"))
    return path


def start(site: Site, file: Path) -> subprocess.Popen[str]:
    """`up` in the background, when it is in the middle of the changes."""
    process = site.controller.popen(
        [*NETCOMPOSE, "up", "-f", str(file)],
        env={"HOME": str(site.home), "SSH_AUTH_SOCK": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_until(lambda: "sleep 4" in site["server2"].run("ps", "-eo", "args"))
    return process


def ended(process: subprocess.Popen[str], seconds: float = 200) -> tuple[int, str]:
    _, said = process.communicate(timeout=seconds)
    assert "Traceback" not in said, said
    return process.returncode, said


def works(site: Site, file: Path) -> None:
    """The next `up`, and a packet from host to host."""
    site.netcompose("up", "-f", str(file), timeout=120)
    assert "No changes" in site.netcompose("plan", "-f", str(file)).stdout
    site.netcompose("exec", "-f", str(file), "a", "--", "ping", "-c1", "-W5", "b")


#: What is wrong with the second host -> what its line of the hosts file says, how it is made so and well again, what is
#: said, and what there is to do.
WRONG = {
    "key": ("user: root", "ANOTHER KEY", "", "shows another host key than the known one", "ssh-keygen -R"),
    "user": ("user: nobodyhere", "true", "user: root", "does not let you log in", "is the user right"),
    "root": ("user: me", "true", "user: me, become: sudo", "me is not root there", "`become: sudo`"),
    "python3": ("user: root", "NO python3", "", "there is no python3", "apt-get install python3"),
    "sudo": ("user: me, become: sudo", "NO sudo", "", "there is no sudo", "install sudo there"),
    "sudo's password": (
        "user: me, become: sudo",
        "sed -i 's/NOPASSWD: //' /etc/sudoers.d/me",
        "",
        "sudo wants a password of me",
        "me ALL=(ALL) NOPASSWD: ALL",
    ),
    "disk": ("user: root", "FULL", "", "/run is full", "du -sh /run"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_host_that_cannot_be_worked_on_keeps_the_others_from_being_changed(
    site: Site, tmp_path: Path, what: str
) -> None:
    line, make, well, said, hint = WRONG[what]
    host = site["server2"]
    host.add_user("me", sudo="NOPASSWD: ALL")
    # sudo's own, made by its first use.
    host.shell("mkdir -p -m 711 /run/sudo")
    file = tmp_path / "topology.yaml"
    first = site.document(["server1"])
    file.write_text(f"{first}  server2: {{address: {host.address}, {line}}}\n" + TOPOLOGY.replace("SECONDS", "0"))
    undo = _break(site, make)
    before = HostSnapshots(site)
    done = site.netcompose("up", "-f", str(file), status=None)
    assert done.returncode in (1, 7) and "nothing was changed" in done.stderr, done.stderr
    assert "\n  server2: " in done.stderr and said in done.stderr and "server1: " not in done.stderr, done.stderr
    assert hint in done.stderr, done.stderr
    before.assert_same()
    undo()
    if well:
        file.write_text(file.read_text().replace(line, well))
    works(site, file)


def _break(site: Site, how: str) -> Callable[[], object]:
    """Make something wrong on the second host; what makes it well again."""
    host = site["server2"]
    if how.startswith("NO "):
        # Commands of a login find everything but this.
        folder = host.folder / "bin"
        folder.mkdir(mode=0o755)
        for name in {"env", "true", "python3", "sudo", "sh"} - {how.removeprefix("NO ")}:
            (folder / name).symlink_to(program(name))
        files = [host.home / ".bashrc", host.folder / "me" / ".bashrc"]
        for file in files:
            file.write_text(f"export PATH={folder}\n")
        return lambda: [file.unlink() for file in files]
    if how == "FULL":
        host.shell("mkdir -p /run/netcompose; mount -t tmpfs -o size=64k tmpfs /run/netcompose")
        return lambda: host.shell("umount /run/netcompose; rmdir /run/netcompose")
    if how == "ANOTHER KEY":
        known = site.known_hosts.read_text()
        other = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJVnaMl+QSDp/oJkY1ZqI4MMHlRDR0SyCTnNdyzWDRVs"
        site.known_hosts.write_text(known.splitlines(keepends=True)[0] + f"{host.address} {other}\n")
        return lambda: site.known_hosts.write_text(known)
    host.shell(how)
    return lambda: host.shell("echo 'me ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/me; chmod 440 /etc/sudoers.d/me")


def test_a_cable_that_is_cut_in_the_middle(site: Site, file: Path) -> None:
    before = HostSnapshots(site)
    process = start(site, file)
    site.cut("server2")
    status, said = ended(process)
    assert status in (4, 7) and "server1: rolled back" in said, said
    assert "server2: unreachable: it rolls back by itself within 30 s" in said, said
    # Nobody tells it; it finds out.
    before.assert_same(60)
    site.heal("server2")
    works(site, file)


def test_a_cable_that_is_cut_for_a_moment(site: Site, file: Path) -> None:
    before = HostSnapshots(site)
    process = start(site, file)
    site.cut("server2")
    time.sleep(1)
    site.heal("server2")
    status, said = ended(process)
    assert status in (0, 4), said
    if status:
        before.assert_same(60)
    works(site, file)


@pytest.mark.parametrize("who", ["sshd", "agent"])
def test_what_is_killed_on_a_host_in_the_middle(site: Site, file: Path, who: str) -> None:
    before = HostSnapshots(site)
    process = start(site, file)
    if who == "sshd":
        site.sshd_kill("server2")
    else:
        for pid in site["server2"].agents():
            site["server2"].run("kill", "-KILL", pid, check=False)
    status, said = ended(process)
    if who == "agent":
        # Also the watchdog, whose command line is the same: then what is left is seen and mended.
        assert status in (1, 4), said
    else:
        assert status in (4, 7), said
        before.assert_same(60)
        site["server2"].start_sshd()
    works(site, file)


#: A run at each point until one is over before its point, in one process; how many were killed.
EACH_POINT = """
import pathlib, sys, time
from netcompose import errors
from netcompose.executor.planning import make
from netcompose.executor.run import Executor
from netcompose.topology.load import load
from netcompose.transports import ssh
fault, first = pathlib.Path(sys.argv[2]), int(sys.argv[3])
topology = load(sys.argv[1], variables={}, vars_files=[])
hosts = {name: ssh.SshTarget(name, host.address, user="root") for name, host in topology.hosts.items()}
def connect(name):
    return ssh.connect(hosts[name])
def up(point):
    connections = {name: connect(name) for name in hosts if name != "server2"}
    fault.write_text(str(point))
    try:
        connections["server2"] = connect("server2")
    finally:
        fault.unlink()
    try:
        executor = Executor(connections, connect)
        with executor.locked(topology.name, "a test"):
            made = make(executor, topology)
            executor.apply(made.plan, desired=made.desired.resources)
    finally:
        for connection in connections.values():
            connection.close()
point, killed = first, 0
while True:
    try:
        up(point)
        break
    except errors.ApplyFailed as error:
        assert "server1: rolled back" in error.message and "server2: rolled back (its connection" in error.message, error
        print("killed", flush=True)
        sys.stdin.readline()
    point += POINTS
"""
#: The points are shared out to so many tests, which run side by side.
POINTS = 2


@pytest.mark.parametrize("first", range(1, POINTS + 1))
def test_an_agent_behind_sshd_that_is_killed_after_any_operation(site: Site, tmp_path: Path, first: int) -> None:
    file = tmp_path / "topology.yaml"
    file.write_text(site.document() + SMALL)
    host = site["server2"]
    folder = host.folder / "bin"
    folder.mkdir(mode=0o755)
    script = folder / "python3"
    faulty = f"{sys.executable} -I -S {FAULTY} {host.folder}/fault"
    script.write_text(f'#!/bin/sh\n[ -e {host.folder}/fault ] && exec {faulty} "$@"\nexec {sys.executable} "$@"\n')
    script.chmod(0o755)
    (host.home / ".bashrc").write_text(f"export PATH={folder}:$PATH\n")
    # What is kept of the agent comes first.
    site.netcompose("-f", str(file), "hosts")
    before = HostSnapshots(site)
    code = EACH_POINT.replace("POINTS", str(POINTS))
    process = site.controller.popen(
        [sys.executable, "-c", code, str(file), str(host.folder / "fault"), str(first)],
        env=site.environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    killed = 0
    while process.stdout.readline() == "killed\n":
        killed += 1
        before.assert_glances()
        if killed % 6 == 1:
            before.assert_same()
        process.stdin.write("\n")
        process.stdin.flush()
    status, said = ended(process)
    assert status == 0, said
    # The run was over before the last point: it is complete then, after all those faults.
    assert killed >= 4, killed
    assert "No changes" in site.netcompose("plan", "-f", str(file)).stdout


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=lambda number: number.name)
def test_a_controller_that_goes_in_the_middle(site: Site, file: Path, number: signal.Signals) -> None:
    before = HostSnapshots(site)
    process = start(site, file)
    # The command line itself, not the nsenter(1) that started it.
    site.run("pkill", f"-{number.name.removeprefix('SIG')}", "-f", "netcompose up -f")
    process.wait(60)
    assert process.stdout and process.stderr
    process.stdout.close()
    process.stderr.close()
    before.assert_same(60)
    works(site, file)
