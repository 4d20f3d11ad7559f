"""Many networks: 200 networks of 5 containers with 200 published ports, beside the floor; then their traffic."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from benchmarks.kernel import FLOOR
from benchmarks.measure import Failed, Host, fresh_host, netcompose, ratio
from benchmarks.report import Report
from benchmarks.shape import FIRST_PUBLISHED, PER_NETWORK, many_networks, prefix

#: Networks that the targets are about, and the rounds.
JUDGED, ROUNDS = 200, 5
QUICK, QUICK_ROUNDS = 20, 3
PLANS = 3


def measure(quick: bool, folder: Path, env: dict[str, str], report: Report, say: Callable[[str], None]) -> None:
    """Both contenders in turn, round after round."""
    networks, rounds = (QUICK, QUICK_ROUNDS) if quick else (JUDGED, ROUNDS)
    if quick:
        report.skipped.append(f"{JUDGED} networks, which the targets are about (--quick)")
    file = folder / f"{networks}-networks.yaml"
    file.write_text(many_networks(networks), encoding="utf-8")
    times: dict[str, list[float]] = defaultdict(list)
    for number in range(rounds):
        say(f"{networks} networks, round {number + 1} of {rounds}")
        with fresh_host(env) as host:
            _netcompose(host, file, networks, times)
        with fresh_host(env) as host:
            floor = (sys.executable, "-m", "benchmarks.floor_networks", str(networks), str(PER_NETWORK))
            times["floor up"].append(host.time(*floor))
            _demand(host, networks)
    title = f"{networks} networks"
    for what in ("up", "floor up", "plan", "floor dump"):
        report.sample(f"{title}: {what}", times[what])
    for what, one, other, target in (
        ("up / floor", "up", "floor up", 1.6),
        ("plan / undecoded dump", "plan", "floor dump", 8.0),
    ):
        best = min(times[one]) / min(times[other])
        report.add(f"{title}: {what}, best of each", best, "x", None if quick else target)
        report.add(f"{title}: {what}, median of the rounds", ratio(times[one], times[other]), "x")
    report.notes.append(f"{title}: the best of each contender's rounds is judged; the machine has others to serve")


def _netcompose(host: Host, file: Path, networks: int, times: dict[str, list[float]]) -> None:
    at = ("-f", str(file))
    times["up"].append(host.time(*netcompose("up", *at)))
    _demand(host, networks)
    for _ in range(PLANS):
        times["plan"].append(host.time(*netcompose("plan", *at)))
        times["floor dump"].append(host.time(sys.executable, FLOOR, "dump"))
    if "No changes" not in host.output(*netcompose("plan", *at)):
        raise Failed("the plan after `up` is not empty")


def _demand(host: Host, networks: int) -> None:
    """A contender that did not do the work has no time: the last container reaches its gateway, the last port is held
    and leads to its container."""
    last = networks - 1
    host.output(
        "ip", "netns", "exec", f"bench-c{networks * PER_NETWORK - 1}", "ping", "-c1", "-W5", f"{prefix(last)}.1"
    )
    listening = host.output("ss", "-Htln", f"sport = :{FIRST_PUBLISHED + last}")
    published = host.output("nft", "list", "map", "inet", "netcompose-bench", "published4")
    if len(listening.splitlines()) != 2 or f"tcp . {FIRST_PUBLISHED + last} " not in published:
        raise Failed(f"the port {FIRST_PUBLISHED + last} is not published:\n{listening}")
