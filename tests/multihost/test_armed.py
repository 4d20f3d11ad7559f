"""Runs over several hosts are all or nothing, whatever is lost on the way: the agent, the connection, the confirmation.

Oracles are the hosts' dumps by foreign tools: after each fault the change is complete everywhere, or every host is
byte-identical to what it was.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hosts_support import Hosts

from netcompose import errors
from netcompose.executor import settle
from netcompose.transports.remote import RemoteAgent

CHUNKS = 4

FIRST = """
name: lab
hosts: {server4: {}, server5: {}}
networks:
  n4: {subnets: [10.4.0.0/24]}
  n5: {subnets: [10.5.0.0/24, "fd00:5::/64"]}
containers:
  a: {host: server4, networks: [n4], command: [sleep, "1001"]}
  b: {host: server5, networks: [n5], command: [sleep, "1002"], sysctls: {net.ipv4.ip_forward: "1"}}
  c: {host: server5, networks: [n5]}
"""
#: Other attributes on each host.
SECOND = FIRST.replace("/24]}", "/24], mtu: 1400}").replace('/64"]}', '/64"], mtu: 1400}').replace('"1002"', '"1003"')


@pytest.fixture
def hosts() -> Iterator[Hosts]:
    """Two throw-away hosts."""
    with Hosts.start("server4", "server5") as started:
        yield started


def test_a_run_is_complete_everywhere_and_leaves_nobody_behind(hosts: Hosts) -> None:
    before = hosts.snapshots()
    hosts.up(FIRST)
    assert hosts.plan(FIRST).empty
    for host, container in (("server4", "lab-a"), ("server5", "lab-b")):
        assert container in hosts.sandboxes[host].run(["ip", "netns"]).stdout
        assert hosts.agents(host) == []
    hosts.down()
    hosts.assert_same(before)


@pytest.mark.parametrize("chunk", range(CHUNKS))
@pytest.mark.parametrize("start", ["fresh", "running"])
def test_an_agent_that_is_killed_at_any_operation_brings_all_hosts_back(hosts: Hosts, start: str, chunk: int) -> None:
    if start == "running":
        hosts.up(FIRST)
    before, short = hosts.snapshots(), hosts.glances()
    point, killed = chunk + 1, 0
    while True:
        try:
            hosts.up(SECOND, server5=hosts.faulty("server5", point))
        except errors.ApplyFailed as error:
            killed += 1
            assert "server4: rolled back" in error.message, error.message
            assert "server5: rolled back (its connection was lost)" in error.message, error.message
            hosts.assert_glances(short)
            if killed % 6 == 1:
                hosts.assert_same(before)
            point += CHUNKS
            continue
        break
    # The run was over before the point; it is complete then, and so is what comes after all those faults.
    assert killed > (10 if start == "fresh" else 2)
    assert hosts.plan(SECOND).empty


def test_a_failure_on_one_host_brings_the_others_back_and_says_so_of_each(hosts: Hosts) -> None:
    before = hosts.snapshots()
    with pytest.raises(errors.ApplyFailed) as caught:
        hosts.up(FIRST.replace('"1002"', '"1002"], exec: [[sh, -c, "exit 3"]'))
    assert caught.value.exit_status == 4
    assert "exec of container b" in caught.value.message
    assert "server4: rolled back" in caught.value.message and "server5: rolled back" in caught.value.message
    hosts.assert_same(before)
    assert hosts.agents("server4") == hosts.agents("server5") == []


class Loses:
    """A connection that is lost around one call: the agent is killed, or nobody asks it anything more."""

    def __init__(self, inner: RemoteAgent, method: str, when: str, cut: Any) -> None:
        self.inner, self.method, self.when, self.cut = inner, method, when, cut

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.inner, name)
        if name != self.method:
            return found

        def lossy(*arguments: Any) -> Any:
            if self.when == "before":
                self.cut(self.inner)
            answer = found(*arguments)
            if self.when == "after":
                self.cut(self.inner)
            return answer

        return lossy


def close(connection: RemoteAgent) -> None:
    connection.close()


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("method", ["arm", "apply", "observe"])
def test_a_connection_that_is_closed_on_the_way_brings_all_hosts_back(hosts: Hosts, method: str, when: str) -> None:
    hosts.up(FIRST)
    before = hosts.snapshots()
    # The first observation is for the plan.
    inner = hosts.connect("server5")
    lossy: Any = Loses(inner, method, when, close)
    with hosts.run(server5=lossy) as executor, executor.locked("lab", "a test"):
        lossy.method = ""
        plan, desired = hosts.planned(executor, SECOND)
        lossy.method = method
        with pytest.raises((errors.ApplyFailed, errors.HostsFailed)) as caught:
            executor.apply(plan, desired=desired.resources)
    if method == "arm" and when == "before":
        assert caught.value.exit_status == 7
        assert "nothing was changed\nserver5: the connection is closed" in caught.value.message
    else:
        assert "server5: rolled back (its connection was lost)" in caught.value.message, caught.value.message
        assert "server4: rolled back" in caught.value.message
    hosts.assert_same(before)
    hosts.up(SECOND)
    assert hosts.plan(SECOND).empty


def test_a_host_that_cannot_be_reached_any_more_takes_itself_back(
    hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts.up(FIRST)
    before = hosts.snapshots()
    monkeypatch.setattr(settle, "PATIENCE", 2.0)

    def cut(connection: RemoteAgent) -> None:
        # Stopped, not ended: to the host it looks as if nobody had anything to ask, as when a cable is pulled.
        hosts.cut.add("server5")
        monkeypatch.setattr(connection, "_open", False)

    lossy: Any = Loses(hosts.connect("server5"), "apply", "after", cut)
    with hosts.run(server5=lossy) as executor, executor.locked("lab", "a test"):
        plan, desired = hosts.planned(executor, SECOND)
        with pytest.raises(errors.HostUnreachable) as caught:
            executor.apply(plan, desired=desired.resources)
        assert caught.value.exit_status == 7
        assert "server4: rolled back" in caught.value.message
        assert "server5: unreachable: it rolls back by itself within 2 s" in caught.value.message
        # Its lock was given back as well, although its old agent never heard of the end.
        hosts.assert_same({"server5": before["server5"]})
        assert hosts.agents("server5") == []
    hosts.assert_same(before)
    hosts.cut.clear()
    hosts.up(SECOND)
    assert hosts.plan(SECOND).empty


def test_a_host_that_waits_for_a_slow_one_is_not_forgotten(hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settle, "PATIENCE", 1.5)
    slow = FIRST.replace('"1002"]', '"1002"], exec: [[sleep, "4"]]')
    start = time.monotonic()
    hosts.up(slow)
    assert time.monotonic() - start > 4
    assert hosts.plan(slow).empty


@pytest.mark.parametrize("step", ["ready", "confirm"])
@pytest.mark.parametrize("how", ["unreachable", "the answer is lost"])
def test_a_confirmation_that_is_lost_brings_all_hosts_back(
    hosts: Hosts, step: str, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts.up(FIRST)
    before = hosts.snapshots()
    told = RemoteAgent.settle

    def lost(self: RemoteAgent, token: str, what: str) -> str:
        if self.host == "server5" and what == step:
            if how == "the answer is lost":
                told(self, token, what)
            raise errors.HostUnreachable("host server5: no answer to settle")
        return told(self, token, what)

    with hosts.run() as executor, executor.locked("lab", "a test"):
        plan, desired = hosts.planned(executor, SECOND)
        monkeypatch.setattr(RemoteAgent, "settle", lost)
        with pytest.raises(errors.ApplyFailed) as caught:
            executor.apply(plan, desired=desired.resources)
        monkeypatch.setattr(RemoteAgent, "settle", told)
    assert "server4: rolled back" in caught.value.message and "server5: rolled back" in caught.value.message
    hosts.assert_same(before)
    assert hosts.agents("server4") == hosts.agents("server5") == []
    hosts.up(SECOND)
    assert hosts.plan(SECOND).empty


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_an_interrupted_run_stops_everywhere_and_is_put_back(hosts: Hosts, number: signal.Signals) -> None:
    import threading

    from netcompose.cli.common import interruptible

    before = hosts.snapshots()
    text = FIRST.replace('"1002"]', '"1002"], exec: [[sleep, "1"]]').replace('"1001"]', '"1001"], exec: [[sleep, "2"]]')
    seen = threading.Event()

    def step(host: str, done: int, total: int, address: str) -> None:
        if not seen.is_set():
            seen.set()
            os.kill(os.getpid(), number)

    with hosts.run() as executor, executor.locked("lab", "a test"), interruptible():
        plan, desired = hosts.planned(executor, text)
        with pytest.raises(errors.ApplyFailed, match="interrupted; everything was put back"):
            executor.apply(plan, step, desired=desired.resources)
    hosts.assert_same(before)
    assert hosts.agents("server4") == hosts.agents("server5") == []


def test_what_is_in_the_way_on_every_host_is_told_at_once_and_nothing_is_changed(hosts: Hosts) -> None:
    before = hosts.snapshots()
    with hosts.run() as executor:
        other = hosts.connect("server4")
        other.lock("lab", "somebody else")
        with pytest.raises(errors.Locked, match="somebody else"), executor.locked("lab", "a test"):
            pass
        other.close()
    # Full: what a run notes in /run has no room.
    for host in hosts.sandboxes.values():
        host.run(["mount", "-o", "remount,size=200k", "/run"], check=True)
        host.run(["sh", "-c", "head -c 190k /dev/zero > /run/full 2>/dev/null"], check=False)
    with hosts.run() as executor, executor.locked("lab", "a test"):
        plan, desired = hosts.planned(executor, FIRST)
        with pytest.raises(errors.HostsFailed) as caught:
            executor.apply(plan, desired=desired.resources)
    assert caught.value.exit_status == 7
    assert "2 hosts cannot be worked on; nothing was changed" in caught.value.message
    for host in hosts.sandboxes:
        assert f"\n{host}: /run is full" in caught.value.message
        # mount(8) has made a folder of its own.
        hosts.sandboxes[host].run(["mount", "-o", "remount,size=50%", "/run"], check=True)
        hosts.sandboxes[host].run(["rm", "-r", "/run/full", "/run/mount"], check=True)
    hosts.assert_same(before, "mounts")


def test_a_watchdog_hears_its_own_user_only(hosts: Hosts) -> None:
    with hosts.run() as executor, executor.locked("lab", "a test"):
        plan, _ = hosts.planned(executor, FIRST)
        agent = executor._connections["server4"]
        agent.arm("lab", [c for c in plan.changes if c.host == "server4"], "f00d", 30.0)
        code = (
            "import socket; s = socket.socket(socket.AF_UNIX); s.settimeout(5); s.connect('\\0netcompose-run-f00d'); "
            "s.sendall(b'confirm'); print(repr(s.recv(100)))"
        )
        asked = hosts.sandboxes["server4"].run(["setpriv", "--reuid=65534", "python3", "-c", code])
        assert asked.stdout.strip() == "b''", asked
        fresh = hosts.connect("server4")
        assert fresh.settle("f00d", "ready") == "ready"
        assert fresh.settle("beef", "confirm") == "gone"
        agent.rollback()
        fresh.close()
