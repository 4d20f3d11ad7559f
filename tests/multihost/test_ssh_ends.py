"""The agent behind SSH: it goes, whatever is lost, and what was not confirmed is taken back."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from subprocess import DEVNULL

import pytest
from ssh_support import LAB, TOPOLOGY, background, contact, resources
from testbed.sites import wait_until


@pytest.fixture
def site(make_site):
    return make_site(1)


LOCKED = """
connection = ssh.connect(target)
connection.lock("lab", "the test")
print("locked", flush=True)
time.sleep(1000)
"""


def locks(site):
    """True if the host's lock can be taken."""
    code = (
        "connection = ssh.connect(target)\nconnection.lock('lab', 'another')\nconnection.unlock()\nconnection.close()"
    )
    return contact(site, code, status=None).returncode == 0


def test_the_agent_ends_and_gives_the_lock_back_when_its_controller_is_killed(site):
    with background(site, LOCKED) as (process, said):
        assert said == "locked"
        assert len(site["server1"].agents()) == 1 and not locks(site)
        process.kill()
        wait_until(lambda: not site["server1"].agents())
        assert locks(site)


def test_the_agent_ends_when_sshd_is_killed(site):
    with background(site, LOCKED) as (_, said):
        assert said == "locked"
        site.sshd_kill("server1")
        wait_until(lambda: not site["server1"].agents())
    site["server1"].start_sshd()
    assert locks(site)


def test_the_agent_ends_when_the_cable_is_cut_and_nobody_can_tell_it(site):
    with background(site, LOCKED, more=", keepalive=0.5") as (_, said):
        assert said == "locked"
        # Signs of life keep it for longer than its patience.
        time.sleep(4)
        assert site["server1"].agents()
        site.cut("server1")
        wait_until(lambda: not site["server1"].agents(), 10)
        site.heal("server1")
        assert locks(site)


def test_an_agent_that_is_busy_for_long_is_left_in_peace(site):
    code = """
connection = ssh.connect(target)
from netcompose.resources import ExecTarget
print(connection.run("lab", ExecTarget("x", "", "x", {}, "/", ""), ["sleep", "4"], 20)[0])
print(connection.hello()["pid"] == connection.started.pid)
connection.close()
"""
    assert contact(site, code, more=", keepalive=0.5").stdout == "0\nTrue\n"


@pytest.mark.parametrize("end", ["kill the controller", "kill sshd", "cut the cable"])
def test_what_was_not_confirmed_is_taken_back_when_the_connection_is_lost(site, end):
    file = site.folder / "lab.yaml"
    file.write_text(LAB)
    before = resources(site["server1"])
    code = (
        TOPOLOGY
        + """
connection = ssh.connect(target)
connection.lock("lab", "test")
plan, desired = plan_for(connection)
connection.apply("lab", plan.changes)
print("applied", flush=True)
time.sleep(1000)
"""
    )
    with background(site, code, str(file), more=", keepalive=0.5") as (process, said):
        assert said == "applied"
        assert resources(site["server1"]) != before
        if end == "kill the controller":
            process.kill()
        elif end == "kill sshd":
            site.sshd_kill("server1")
        else:
            site.cut("server1")
        wait_until(lambda: not site["server1"].agents(), 20)
        site.heal("server1")
        assert resources(site["server1"]) == before


@pytest.mark.parametrize("cut", [True, False])
def test_a_host_that_vanishes_is_told_in_time(site, cut):
    code = """
from netcompose.errors import HostUnreachable
connection = ssh.connect(target)
print("there", flush=True)
while "gone" not in open(sys.argv[1]).read(): time.sleep(0.05)
start = time.monotonic()
try: connection.observe("lab")
except HostUnreachable as error: print(error.exit_status, time.monotonic() - start < 5, error.message)
start = time.monotonic()
connection.close()
print(time.monotonic() - start < 3)
"""
    flag = site.folder / "flag"
    flag.write_text("")
    with background(site, code, str(flag), more=", command_timeout=2") as (process, said):
        assert said == "there"
        if cut:
            site.cut("server1")
        else:
            site.sshd_kill("server1")
        flag.write_text("gone")
        assert process.stdout.readline() == (
            "7 True host server1: no answer to observe within 2 s\n"
            if cut
            else "7 True host server1: the connection was lost during observe\n"
        )
        assert process.stdout.readline() == "True\n"


def test_keepalive_finds_a_host_that_is_gone_before_the_answer_is_due(site):
    code = """
from netcompose.errors import HostUnreachable
from netcompose.resources import ExecTarget
connection = ssh.connect(target)
print("there", flush=True)
start = time.monotonic()
try: connection.run("lab", ExecTarget("x", "", "x", {}, "/", ""), ["sleep", "60"], 10)
except HostUnreachable as error: print(time.monotonic() - start < 10, error.message, flush=True)
"""
    with background(site, code, more=", keepalive=1, command_timeout=5") as (process, said):
        assert said == "there"
        time.sleep(0.5)
        site.cut("server1")
        assert process.stdout.readline() == "True host server1: the connection was lost during run_many\n"


@pytest.mark.parametrize("how", ["the host's cable is cut", "the jump host stands still"])
def test_keepalive_finds_a_host_that_is_gone_behind_a_jump_host(make_site, how):
    site = make_site(2)
    code = """
from netcompose.errors import HostUnreachable
from netcompose.resources import ExecTarget
target = ssh.SshTarget("server2", "10.99.0.12", user="root", keepalive=1, proxy_jump="root@10.99.0.11")
connection = ssh.connect(target)
print("there", flush=True)
start = time.monotonic()
try: connection.run("lab", ExecTarget("x", "", "x", {}, "/", ""), ["sleep", "60"], 30)
except HostUnreachable as error: print(2 < time.monotonic() - start < 15, error.message, flush=True)
"""
    with background(site, code) as (process, said):
        assert said == "there"
        # As long as somebody answers it is left in peace.
        time.sleep(5)
        assert site["server2"].agents()
        with contextlib.ExitStack() as until_then:
            if how.startswith("the host"):
                site.cut("server2")
            else:
                until_then.enter_context(site["server1"].sshd_stands_still())
            assert process.stdout.readline() == "True host server2: the connection was lost during run_many\n"


def test_an_agent_that_is_killed_is_told_with_its_last_words(site):
    code = """
from netcompose.errors import HostUnreachable
connection = ssh.connect(target)
print(connection.started.pid, flush=True)
while "gone" not in open(sys.argv[1]).read(): time.sleep(0.05)
try: connection.observe("lab")
except HostUnreachable as error: print(error.message)
"""
    flag = site.folder / "flag"
    flag.write_text("")
    with background(site, code, str(flag)) as (process, pid):
        site["server1"].shell(f"echo 'out of luck' > /proc/{pid}/fd/2; kill -KILL {pid}")
        flag.write_text("gone")
        said = process.stdout.readline()
        assert said == "host server1: the connection was lost during observe; its last words: out of luck\n"


def test_much_on_stderr_does_not_stop_the_conversation(site):
    code = """
connection = ssh.connect(target)
print(connection.started.pid, flush=True)
while "go" not in open(sys.argv[1]).read(): time.sleep(0.05)
for _ in range(3): print(connection.observe("lab").facts.hostname, flush=True)
"""
    flag = site.folder / "flag"
    flag.write_text("")
    with background(site, code, str(flag), more=", command_timeout=10") as (process, pid):
        with site["server1"].sandbox.popen(
            ["sh", "-c", f"head -c 40000000 /dev/zero > /proc/{pid}/fd/2"], stderr=DEVNULL, start_new_session=True
        ) as writer:
            try:
                written = [-1, 0]
                while written[-1] != written[-2] or not written[-1]:
                    time.sleep(0.5)
                    written.append(int(site["server1"].run("sh", "-c", "cat /proc/$(pgrep -x head)/io").split()[3]))
                assert 16 << 20 < written[-1] < 40000000, "the channel's window is full, nobody reads"
                flag.write_text("go")
                assert [process.stdout.readline() for _ in range(3)] == ["server1\n"] * 3
            finally:
                os.killpg(writer.pid, signal.SIGKILL)
