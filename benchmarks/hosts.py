"""Many hosts: throw-away ones with an sshd each, beside what people use instead; and a thousand of them in memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from testbed.sites import Site, make_keys

from benchmarks import peers
from benchmarks.measure import ROOT, Failed, netcompose, ratio, settle
from benchmarks.report import Report
from benchmarks.shape import on_hosts

#: Hosts of the figures about `plan`, containers on each, and rounds.
HOSTS, EACH, ROUNDS = 20, 20, 7
QUICK_HOSTS, QUICK_EACH, QUICK_ROUNDS = 4, 5, 3
#: Hosts and containers of the comparison with others.
COMPARED, QUICK_COMPARED = (10, 20), (2, 3)
#: Hosts and containers in memory, and how many neighbours share an overlay.
MANY, QUICK_MANY = (1000, 20), (100, 20)
#: Hosts of one overlay that has all of them, to see what that costs.
WHOLE, QUICK_WHOLE = 100, 20
#: Seconds that a byte is held back in one direction, to count how often somebody waits for one.
HELD_BACK = 0.2
#: Seconds that hosts may take to become quiet between two measurements.
_MOMENT = 3.0
_MAC = "02:11:22:33:44:55"

Say = Callable[[str], None]


def measure(quick: bool, folder: Path, env: dict[str, str], report: Report, say: Say) -> None:
    """In memory, then over SSH, then beside others."""
    _in_memory(quick, env, report, say)
    if os.geteuid() != 0:
        report.skipped.append("hosts over SSH: throw-away hosts with an sshd each need root")
        return
    sites = _Sites(folder, env, QUICK_HOSTS if quick else HOSTS)
    _over_ssh(quick, sites, report, say)
    _beside_others(quick, sites, report, say)


def _in_memory(quick: bool, env: dict[str, str], report: Report, say: Say) -> None:
    hosts, each = QUICK_MANY if quick else MANY
    title = f"{hosts} hosts, {hosts * each} containers in memory"
    say(title)
    found = _simulated(env, hosts, each)
    for what in ("load", "compile", "plan, pure", "plan", "up", "converged plan", "one attribute"):
        report.sample(f"{title}: {what}", [found["seconds"][what]])
    report.add(f"{title}: plan, with the file's loading", found["seconds"]["load"] + found["seconds"]["plan"], "s", 60)
    report.add(f"{title}: peak memory of plan", found["peak_mb"]["plan"], "MB", 1000)
    report.add(f"{title}: peak memory of up, the hosts' own included", found["peak_mb"]["up"], "MB", 1000)
    whole = QUICK_WHOLE if quick else WHOLE
    say(f"{whole} hosts on one overlay network")
    apart, together = (_simulated(env, whole, each, "--overlay", str(size)) for size in (5, whole))
    for what in ("plan", "up"):
        report.add(
            f"{whole} hosts: memory of {what}, one overlay of all / one of 5 hosts each",
            together["peak_mb"][what] / apart["peak_mb"][what],
            "x",
        )


def _simulated(env: dict[str, str], *arguments: object) -> dict[str, dict[str, float]]:
    argv = [sys.executable, "-m", "benchmarks.many_hosts", *map(str, arguments)]
    done = subprocess.run(argv, capture_output=True, text=True, env=env, cwd=ROOT)
    if done.returncode != 0:
        raise Failed(f"{' '.join(argv)}: {done.stderr[-600:]}")
    found: dict[str, dict[str, float]] = json.loads(done.stdout)
    return found


class _Sites:
    """Makes sites in a folder, one after the other, with the same keys."""

    def __init__(self, folder: Path, env: dict[str, str], most: int) -> None:
        self.folder = folder
        self._env = env
        self._keys = folder / "keys"
        self._keys.mkdir()
        make_keys(self._keys, most)

    @contextmanager
    def fresh(self, name: str, hosts: int) -> Iterator[_Timed]:
        """A site of its own, on which the agent is cached already."""
        settle()
        place = self.folder / name
        place.mkdir()
        # Who logs in has to reach what belongs to the host.
        for path in (self.folder, place):
            path.chmod(0o755)
        with Site(place, hosts, self._keys) as site:
            timed = _Timed(site, self._env)
            timed.run(*netcompose("hosts", "-f", timed.file("warm", "name: warm\n", hosts)))
            yield timed


class _Timed:
    """A site whose controller runs programs against the clock."""

    def __init__(self, site: Site, env: dict[str, str]) -> None:
        self.site = site
        self._env = env

    def file(self, name: str, text: str, hosts: int) -> str:
        """A topology on the first hosts of the site."""
        path = self.site.folder / f"{name}.yaml"
        path.write_text(text + self.site.document(list(self.site.hosts)[:hosts]))
        return str(path)

    def run(self, *argv: str) -> float:
        """Seconds of a program."""
        env = {"PYTHONPYCACHEPREFIX": self._env["PYTHONPYCACHEPREFIX"], "PYTHONDONTWRITEBYTECODE": ""}
        start = time.perf_counter()
        done = self.site.run(*argv, status=None, env=env, timeout=1800)
        seconds = time.perf_counter() - start
        if done.returncode != 0:
            raise Failed(f"{' '.join(argv)} ended with {done.returncode}: {(done.stderr or done.stdout)[-600:]}")
        return seconds


def _over_ssh(quick: bool, sites: _Sites, report: Report, say: Say) -> None:
    hosts, each, rounds = (QUICK_HOSTS, QUICK_EACH, QUICK_ROUNDS) if quick else (HOSTS, EACH, ROUNDS)
    times: dict[str, list[float]] = defaultdict(list)
    with sites.fresh("site", hosts) as timed:
        one = timed.file("one", on_hosts(1, each), 1)
        all_, changed = (
            timed.file(name, on_hosts(hosts, each, mac_of_first=mac), hosts)
            for name, mac in (("all", ""), ("changed", _MAC))
        )
        timed.run(*netcompose("up", "-f", all_))
        for number in range(rounds):
            say(f"{hosts} hosts over SSH, round {number + 1} of {rounds}")
            # What is planned is what was changed before, and the next round changes back.
            there, to = (changed, all_) if number % 2 else (all_, changed)
            for what, arguments in (
                ("contact with one host", ("hosts", "-f", one, "--output", "json")),
                ("plan over one host", ("plan", "-f", one)),
                ("plan", ("plan", "-f", there)),
                ("one attribute", ("up", "-f", to)),
            ):
                # Agents and sessions of the one before end after it does.
                settle(_MOMENT)
                times[what].append(timed.run(*netcompose(*arguments)))
            settle(_MOMENT)
            times["ssh true, one after the other"].append(_one_after_the_other(timed))
        _round_trips(timed, report, say)
    title = f"{hosts} hosts over SSH"
    for what, seconds in times.items():
        report.sample(f"{title}: {what}", seconds)
    for what, near, other, target in (
        ("plan / plan over one of them", "plan", "plan over one host", 3.0),
        ("one attribute on one (up) / plan", "one attribute", "plan", 1.5),
        ("plan / `ssh host true` on one after the other", "plan", "ssh true, one after the other", None),
    ):
        report.add(f"{title}: {what}", ratio(times[near], times[other]), "x", None if quick else target)


def _one_after_the_other(timed: _Timed) -> float:
    return sum(
        timed.run("ssh", "-o", "BatchMode=yes", f"root@{host.address}", "true") for host in timed.site.hosts.values()
    )


def _round_trips(timed: _Timed, report: Report, say: Say) -> None:
    """How often a program waits for the host: by how much longer it takes when each byte is held back."""
    say("round trips")
    host = next(iter(timed.site.hosts.values()))
    key = (host.folder / "hostkey.pub").read_text()
    ports = {2201: 0.0, 2202: HELD_BACK}
    with open(timed.site.known_hosts, "a") as known:
        known.writelines(f"[127.0.0.1]:{port} {key}" for port in ports)
    timed.site.run("ip", "link", "set", "lo", "up")
    relays = [
        timed.site.controller.popen(
            [sys.executable, "-m", "benchmarks.delay", str(port), host.address, "22", str(seconds)],
            env={"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])},
            stdout=subprocess.PIPE,
            text=True,
        )
        for port, seconds in ports.items()
    ]
    try:
        for relay in relays:
            if relay.stdout.readline() != "listening\n":
                raise Failed("the relay did not start")
        counts = {}
        for what in ("a plan of one host", "`ssh host true`"):
            seconds = []
            for port in ports:
                if what.startswith("a plan"):
                    path = timed.site.folder / f"relay{port}.yaml"
                    path.write_text(f"name: bare\nhosts: {{h: {{address: 127.0.0.1, port: {port}, user: root}}}}\n")
                    argv: Sequence[str] = netcompose("plan", "-f", str(path))
                else:
                    argv = ["ssh", "-o", "BatchMode=yes", "-p", str(port), "root@127.0.0.1", "true"]
                seconds.append(min(timed.run(*argv) for _ in range(3)))
            counts[what] = (seconds[1] - seconds[0]) / (2 * HELD_BACK)
    finally:
        for relay in relays:
            relay.kill()
            relay.wait()
            relay.stdout.close()
    # Version, key exchange, service, login, session: that is to connect. Then the agent's start, and the observation.
    report.add("round trips: a plan of one warm host", counts["a plan of one host"], "round trips", 7.5)
    report.add("round trips: `ssh host true`", counts["`ssh host true`"], "round trips")


def _beside_others(quick: bool, sites: _Sites, report: Report, say: Say) -> None:
    hosts, each = QUICK_COMPARED if quick else COMPARED
    title = f"up of {hosts} hosts x {each} containers"
    times: dict[str, float] = {}
    with sites.fresh("ours", hosts) as timed:
        say(f"{title}: netcompose")
        times["netcompose"] = timed.run(*netcompose("up", "-f", timed.file("up", on_hosts(hosts, each), hosts)))
        peers.demand(timed.site, each)
    if peers.ansible():
        with sites.fresh("ansible", hosts) as timed:
            say(f"{title}: Ansible")
            work = sites.folder / "playbook"
            work.mkdir()
            times["Ansible"] = timed.run(*peers.write_playbook(timed.site, each, work))
            peers.demand(timed.site, each)
    else:
        report.skipped.append("the comparison with Ansible: pip install 'netcompose[bench]'")
    with sites.fresh("ssh", hosts) as timed:
        say(f"{title}: ssh")
        start = time.perf_counter()
        peers.by_ssh(timed.site, each)
        times["one ssh per command"] = time.perf_counter() - start
        peers.demand(timed.site, each)
    for who, seconds in times.items():
        report.sample(f"{title}: {who}", [seconds])
    for who in [name for name in times if name != "netcompose"]:
        target = 20.0 if who == "Ansible" and not quick else None
        report.add(f"{title}: {who} / netcompose", times[who] / times["netcompose"], "x", target, at_least=True)
