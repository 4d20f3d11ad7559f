"""The nft table is read without nft while it is what nft listed last, and every change of it is seen. Oracle: nft itself,
behind a wrapper on PATH that notes each of its calls."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import forkserver
import pytest
from listing_cases import DAMAGE, DRIFT, FLOWTABLE, KEPT, TABLE
from support import assert_same, cli, run, snapshot

from netcompose.transports.sandbox import Sandbox

#: Networks of all sorts, both families, published ports of all sorts, names.
TOPOLOGY = """
name: listed
networks:
  front: {subnets: [10.7.1.0/24, "fd00:7:1::/64"]}
  quiet: {subnets: [10.7.3.0/24, "fd00:7:3::/64"], icc: false}
  vault: {subnets: [10.7.4.0/24, "fd00:7:4::/64"], internal: true}
  left: {subnets: [10.7.5.0/24, "fd00:7:5::/64"], isolated: false}
  plain: {subnets: ["fd00:7:6::/64"], masquerade: false}
containers:
  f1: {networks: [front], command: [sleep, "1000"], stop_grace_period: 0, ports: ["8080:80", "5353:53/udp"]}
  q1: {networks: [quiet], command: [sleep, "1000"], stop_grace_period: 0, ports: ["192.0.2.1:9000-9001:7000-7001"]}
  v1: {networks: [vault]}
  l1: {networks: [left]}
  p1: {networks: [plain]}
"""
NETWORKS = "name: listed\nnetworks:\n" + "".join(
    f'  net{n}: {{subnets: [10.{n // 256}.{n % 256}.0/24, "fd00:{n:x}::/64"]}}\n' for n in range(120)
)
ALONE = "name: listed\nnetworks: {lan: {subnets: [10.9.0.0/24]}}\ncontainers: {c: {networks: [lan]}}\n"


#: What the agent reads, how often it started nft for that, and what nft lists.
_READ = """
import json, os, sys
from netcompose.agent import listing
from netcompose.agent.kernel import nft
notes = sys.argv[1]
before = os.path.getsize(notes)
found = listing.read("listed")
asked = open(notes).read()[before:].splitlines()
print(json.dumps([found, len(asked), nft.read("netcompose-listed")]))
"""

_NAMES = (
    "h() { nft -a list chain " + TABLE + ' "$1" | sed -n "s/.*# handle \\([0-9]*\\)$/\\1/p" | tail -1; }; '
    "forward=$(h forward); output=$(h output); left=$(nft list set "
    + TABLE
    + ' routed | grep -o "\\"nc[0-9a-f]*\\""); '
)


class Watched:
    """A host on which nft's calls are noted."""

    def __init__(self, host: Sandbox, folder: Path) -> None:
        self.host = host
        self.file = folder / "topology.yaml"
        self._notes = folder / "calls"
        self._notes.touch()
        real = shutil.which("nft")
        wrapper = folder / "bin" / "nft"
        wrapper.parent.mkdir()
        wrapper.write_text(f'#!/bin/sh\necho "$*" >> {self._notes}\nexec {real} "$@"\n')
        wrapper.chmod(0o755)
        self.env = {"PATH": f"{wrapper.parent}:{os.environ['PATH']}"}

    def cli(self, *argv: str) -> str:
        return cli(self.host, *argv, file=self.file, env=self.env).stdout

    def up(self, text: str = TOPOLOGY) -> None:
        self.file.write_text(text)
        self.cli("up")

    def plan(self) -> tuple[list[str], list[str]]:
        """The addresses of what a plan changes, and nft's calls for it."""
        before = self._notes.stat().st_size
        changes = json.loads(self.cli("plan", "--output", "json"))["changes"]
        with self._notes.open() as notes:
            notes.seek(before)
            return [change["address"] for change in changes], notes.read().splitlines()

    def read(self) -> tuple[dict[str, list[str]] | None, int]:
        """The table, which has to be as nft lists it, and how often nft was asked."""
        said = self.python(_READ, str(self._notes))
        # Seconds go on from one listing to the next.
        found, calls, listed = json.loads(re.sub(r'\\"expires\\": \d+', "", said))
        assert found == listed
        return found, calls

    def python(self, code: str, *argv: str) -> str:
        """What a piece of Python prints on the host."""
        if isinstance(self.host, Sandbox):
            done = forkserver.run(self.host, "-c", code, *argv, env=self.env)
        else:
            # A virtual machine.
            done = self.host.run([sys.executable, "-c", code, *argv], env=self.env)
        assert done.returncode == 0, done.stderr
        return str(done.stdout)

    def sh(self, text: str) -> None:
        run(self.host, "sh", "-ec", text)

    def has_flowtables(self) -> bool:
        """Not every kernel has them, for the family inet."""
        add = f"add table inet probe; add flowtable inet probe {FLOWTABLE}; delete table inet probe"
        return self.host.run(["nft", add]).returncode == 0

    def files(self) -> str:
        """Everything that a run keeps, with all times."""
        return run(self.host, "find", "/run/netcompose", "-printf", "%p %i %m %s %T@ %C@\n")


@pytest.fixture
def watched(host: Sandbox, tmp_path: Path) -> Iterator[Watched]:
    """The host has an address to publish on. At the end everything is taken down, and nothing may be left."""
    run(host, "ip", "link", "add", "up0", "type", "bridge")
    run(host, "ip", "addr", "add", "192.0.2.1/24", "dev", "up0")
    before = snapshot(host)
    found = Watched(host, tmp_path)
    yield found
    found.cli("down")
    assert_same(host, before)
    run(host, "ip", "link", "del", "up0")


@pytest.mark.parametrize("text", [TOPOLOGY, NETWORKS, ALONE], ids=["of all sorts", "many networks", "alone"])
def test_a_plan_starts_no_nft_when_nothing_changed(watched: Watched, text: str) -> None:
    watched.up(text)
    assert watched.plan() == ([], [])
    found, calls = watched.read()
    assert found and calls == 0
    watched.sh(f"nft add rule {TABLE} forward tcp dport 22 accept")
    assert watched.plan() == (["local/firewall/listed"], [f"-j list table {TABLE}"])
    watched.up(text)
    assert watched.plan() == ([], [])


def test_whatever_is_changed_by_hand_is_read_as_nft_lists_it(watched: Watched) -> None:
    watched.up()
    wanted, calls = watched.read()
    assert calls == 0
    as_it_was = run(watched.host, "nft", "-s", "list", "table", *TABLE.split())
    for case, command in DRIFT.items():
        if case == "flowtable added" and not watched.has_flowtables():
            continue
        watched.sh(_NAMES + command)
        found, calls = watched.read()
        assert found != wanted, case
        assert calls == (found is not None), case
        # The same text again: other handles, other hashes, and the same table.
        done = watched.host.run(["nft", "-f", "-"], input=f"add table {TABLE}\ndelete table {TABLE}\n{as_it_was}")
        assert done.returncode == 0, done.stderr
        assert watched.read() == (wanted, 0), case
    # The same rule and the same element again, with another handle.
    again = 'oifname @networks drop comment \\"from elsewhere only what is published\\"'
    watched.sh(f"{_NAMES} nft delete rule {TABLE} forward handle $forward; nft add rule {TABLE} forward {again}")
    assert watched.read() == (wanted, 0)


def test_a_table_that_is_switched_off_is_another_one(watched: Watched) -> None:
    watched.up()
    wanted, _ = watched.read()
    watched.sh(f"nft 'add table {TABLE} {{ flags dormant; }}'")
    found, calls = watched.read()
    assert calls == 1 and found == {**(wanted if len(found) > 1 else {}), "flags": ["set"]}
    watched.sh(f"nft 'add table {TABLE} {{ }}'")
    assert watched.read() == (wanted, 0)


def test_what_others_do_to_their_tables_is_nothing_to_ours(watched: Watched) -> None:
    watched.up()
    for family, name in (("inet", "netcompose-listed-2"), ("inet", "a"), ("ip", "netcompose-listed")):
        table = f"{family} {name}"
        watched.sh(
            f"nft 'add table {table}; add chain {table} forward {{ type filter hook forward priority 3; }}; "
            f"add set {table} networks {{ type ifname; elements = {{ eth9 }}; }}; add counter {table} c; "
            f"add rule {table} forward iifname @networks counter accept'"
        )
        if watched.has_flowtables():
            watched.sh(f"nft 'add flowtable {table} {FLOWTABLE}'")
        assert watched.plan() == ([], []), table
        watched.sh(f"nft delete table {table}")


def test_many_elements_have_the_same_digest_in_whatever_order(watched: Watched) -> None:
    """A hash table that grows lists its elements in another order each time, and maybe twice."""
    watched.up(NETWORKS)
    wanted, calls = watched.read()
    assert calls == 0
    many = [f"e{number}" for number in range(3000)]
    for add in (many, many[::-1]):
        watched.sh(f"nft 'add element {TABLE} networks {{ {', '.join(add)} }}'")
        found, calls = watched.read()
        assert found is not None and wanted is not None and calls == 1
        assert len(found["set networks"]) == len(wanted["set networks"]) + len(many)
        watched.sh(f"nft 'delete element {TABLE} networks {{ {', '.join(many)} }}'")
        assert watched.read() == (wanted, 0)


_READ_MANY = """
import json, sys, time
from netcompose.agent import listing
end, found, count = time.monotonic() + 3, set(), 0
while time.monotonic() < end or (count < 50 and time.monotonic() < end + 30):
    table = listing.read("listed")
    found.add(("dport" in table["chain forward"][-1], len(table["set routed"])))
    count += 1
print(json.dumps([count, sorted(found)]))
"""


def test_a_table_that_changes_meanwhile_is_read_as_it_was_at_one_moment(watched: Watched) -> None:
    """A rule and an element come and go together: no reading has one without the other."""
    watched.up()
    wanted, _ = watched.read()
    assert wanted is not None
    change = (
        "while :; do "
        f"nft 'add rule {TABLE} forward tcp dport 22 accept comment \"mine\"; add element {TABLE} routed {{ eth9 }}'; "
        f"h=$(nft -a list chain {TABLE} forward | sed -n 's/.*mine.*handle //p'); "
        f'nft "delete rule {TABLE} forward handle $h; delete element {TABLE} routed {{ eth9 }}"; done'
    )
    process = watched.host.popen(["sh", "-c", change], start_new_session=True)
    try:
        said = watched.python(_READ_MANY)
    finally:
        os.killpg(process.pid, 9)
        process.wait(10)
    routed = len(wanted["set routed"])
    count, found = json.loads(said)
    assert found == [[False, routed], [True, routed + 1]], f"{count} readings"


_CHANGES_WHILE_KEPT = f"""
import subprocess
from netcompose.agent import listing
read = listing.nft.read
def read_and_change(name):
    found = read(name)
    subprocess.run(["nft", "add rule {TABLE} forward tcp dport 22 accept"], check=True)
    return found
listing.nft.read = read_and_change
listing.keep("listed")
"""


def test_what_changes_while_it_is_kept_is_not_kept(watched: Watched) -> None:
    watched.up()
    watched.sh(f"rm {KEPT}")
    watched.python(_CHANGES_WHILE_KEPT)
    assert run(watched.host, "find", "/run/netcompose", "-name", "listing*") == ""
    watched.cli("up")
    assert watched.read()[1] == 0


def test_what_is_kept_may_be_damaged_and_the_next_up_keeps_it_anew(watched: Watched) -> None:
    watched.up()
    wanted, _ = watched.read()
    for case, command in DAMAGE.items():
        watched.sh(command)
        assert watched.plan() == ([], [f"-j list table {TABLE}"]), case
        assert watched.read() == (wanted, 1), case
        watched.cli("up")
        assert watched.plan() == ([], []), case
    watched.sh("rm /run/elsewhere")


@pytest.mark.parametrize(
    "earlier",
    ["listing._FORMAT = 0", 'listing.__version__ = "0.0.1"', 'listing.programs.which = lambda name: "/bin/sh"'],
)
def test_what_another_version_has_kept_is_not_used(watched: Watched, earlier: str) -> None:
    watched.up()
    code = f"from netcompose.agent import listing; {earlier}; listing.keep('listed')"
    before = run(watched.host, "cat", KEPT)
    watched.python(code)
    after = run(watched.host, "cat", KEPT)
    assert after != before and after.splitlines()[1:] == before.splitlines()[1:]
    assert watched.plan() == ([], [f"-j list table {TABLE}"])


def test_a_plan_writes_nothing(watched: Watched) -> None:
    watched.up()
    for command in ("true", f"rm {KEPT}", f"nft flush chain {TABLE} input", f"nft delete table {TABLE}"):
        watched.sh(command)
        # A change's time may be told in hundredths of a second.
        time.sleep(0.02)
        before = watched.files()
        watched.plan()
        assert watched.files() == before, command


def test_nothing_is_kept_where_there_is_no_room(watched: Watched) -> None:
    watched.up()
    watched.sh(f"rm {KEPT}; mkdir {KEPT}.new")
    watched.cli("up")
    assert watched.plan() == ([], [f"-j list table {TABLE}"])
    assert run(watched.host, "ls", "-A", "/run/netcompose/listed").count("listing") == 1
    watched.sh(f"rmdir {KEPT}.new")


@pytest.mark.parametrize("gone", [f"nft delete table {TABLE}", "true"])
def test_down_leaves_nothing_of_it(host: Sandbox, tmp_path: Path, gone: str) -> None:
    before = snapshot(host)
    watched = Watched(host, tmp_path)
    watched.up("name: listed\nnetworks: {lan: {subnets: [10.9.0.0/24]}}\n")
    assert run(host, "stat", "-c", "%a %U", KEPT) == "600 root\n"
    watched.sh(gone)
    watched.cli("down")
    assert_same(host, before)


def test_what_a_killed_run_has_left_of_it_goes_with_the_next_down(host: Sandbox, tmp_path: Path) -> None:
    before = snapshot(host)
    watched = Watched(host, tmp_path)
    watched.up("name: listed\nnetworks: {lan: {subnets: [10.9.0.0/24]}}\n")
    kept = run(host, "cat", KEPT)
    watched.cli("down")
    run(host, "sh", "-c", f'mkdir -p {os.path.dirname(KEPT)}; printf %s "$1" > {KEPT}; touch {KEPT}.new', "sh", kept)
    watched.cli("down")
    assert_same(host, before)


def test_a_run_that_fails_leaves_what_was_kept(watched: Watched) -> None:
    """Also when it had mended something, which is put back with the rest."""
    watched.up()
    kept = run(watched.host, "cat", KEPT)
    watched.sh(f"nft 'add element {TABLE} networks {{ eth7 }}'")
    changed = TOPOLOGY.replace("v1: {networks: [vault]}", 'v1: {networks: [vault], exec: [["false"]]}')
    watched.file.write_text(changed.replace(", isolated: false", ""))
    done = cli(watched.host, "up", file=watched.file, env=watched.env, status=None)
    assert done.returncode != 0 and "put back" in done.stderr
    assert run(watched.host, "cat", KEPT) == kept
    watched.file.write_text(TOPOLOGY)
    assert watched.plan() == (["local/firewall/listed"], [f"-j list table {TABLE}"])
    watched.sh(f"nft 'delete element {TABLE} networks {{ eth7 }}'")
    assert watched.plan() == ([], [])
