"""The figures that need a kernel: up, plan, a change and down, beside the floor and `ip -batch`."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from benchmarks import ipbatch
from benchmarks.measure import Failed, Host, fresh_host, netcompose, ratio
from benchmarks.report import Report
from benchmarks.shape import topology

FLOOR = str(Path(__file__).resolve().with_name("floor.py"))
SIZES = (10, 100, 500, 1000)
#: Times that each size is built by each contender; plan and dump are repeated within each.
ROUNDS = {10: 7, 100: 5, 500: 3, 1000: 5}
PLANS = 3
_MAC = "02:11:22:33:44:55"
#: The size that the targets are about.
JUDGED = 1000


def measure(containers: int, folder: Path, env: dict[str, str], report: Report, say: Callable[[str], None]) -> None:
    """All contenders in turn, round after round."""
    file, changed = folder / f"{containers}.yaml", folder / f"{containers}-changed.yaml"
    file.write_text(topology(containers), encoding="utf-8")
    changed.write_text(topology(containers, mac_of_first=_MAC), encoding="utf-8")
    script = ipbatch.write(containers, folder / f"{containers}-ip")
    times: dict[str, list[float]] = defaultdict(list)
    rounds = ROUNDS[containers]
    for number in range(rounds):
        say(f"{containers} containers, round {number + 1} of {rounds}")
        with fresh_host(env) as host:
            _netcompose(host, file, changed, times)
        with fresh_host(env) as host:
            times["floor up"].append(host.time(sys.executable, FLOOR, "build", str(containers)))
            _demand_wired(host, containers)
        with fresh_host(env) as host:
            times["ip -batch up"].append(host.time("sh", str(script)))
            _demand_wired(host, containers)
    _report(containers, times, report)


def _netcompose(host: Host, file: Path, changed: Path, times: dict[str, list[float]]) -> None:
    at, at_changed = ("-f", str(file)), ("-f", str(changed))
    times["up"].append(host.time(*netcompose("up", *at)))
    for _ in range(PLANS):
        times["plan"].append(host.time(*netcompose("plan", *at)))
        times["floor dump"].append(host.time(sys.executable, FLOOR, "dump"))
    if "No changes" not in host.output(*netcompose("plan", *at)):
        raise Failed("the plan after `up` is not empty")
    for target in (at_changed, at):
        times["plan beside a change"].append(
            host.time(*netcompose("plan", *(at if target is at_changed else at_changed)))
        )
        times["one attribute"].append(host.time(*netcompose("up", *target)))
    times["down"].append(host.time(*netcompose("down", *at)))


def _demand_wired(host: Host, containers: int) -> None:
    """A contender that did not do the work has no time: the last container reaches its gateway and its neighbour."""
    last = containers - 1
    for address in (_gateway(last), _neighbour(last)):
        host.output("ip", "netns", "exec", f"bench-c{last}", "ping", "-c1", "-W5", address)


def _gateway(container: int) -> str:
    from benchmarks.shape import PER_BRIDGE, prefix

    return prefix(container // PER_BRIDGE) + ".1"


def _neighbour(container: int) -> str:
    from benchmarks.shape import cable

    return cable(container // 2)[1 - container % 2]


def _report(containers: int, times: dict[str, list[float]], report: Report) -> None:
    judged = containers == JUDGED
    for what in ("up", "floor up", "ip -batch up", "plan", "floor dump", "one attribute", "down"):
        report.sample(f"{containers}: {what}", times[what])
    for what, one, other, target in (
        ("up / floor", "up", "floor up", 1.5),
        ("up / ip -batch", "up", "ip -batch up", 0.5),
        ("plan / undecoded dump", "plan", "floor dump", 8.0),
        ("one attribute (up) / plan", "one attribute", "plan beside a change", 2.5),
    ):
        report.add(f"{containers}: {what}", ratio(times[one], times[other]), "x", target if judged else None)
