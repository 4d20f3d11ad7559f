"""Many hosts in memory: what a run asks of each, and that nothing is done for one host that looks at all of them."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from benchmarks.many_hosts import facts, measure
from benchmarks.shape import many_hosts
from benchmarks.simulated import SimulatedHost

from netcompose.compiler.compile import compile_topology
from netcompose.errors import Locked
from netcompose.executor.fanout import POOL
from netcompose.executor.run import Executor
from netcompose.planner.planner import make_plan
from netcompose.resources import HostFacts, Observation
from netcompose.topology.load import load_text


def test_a_change_of_one_host_asks_the_others_for_what_they_are_and_no_more() -> None:
    # It fails by itself if the plan after `up` is not empty, or another host is changed.
    found = measure(hosts=6, each=4, overlay=3, delay=0)
    assert found["changes"] > 6 * 4
    asked = {method: count for method, count in found["requests"].items() if count}
    on_one = {"arm": 1, "apply": 1, "settle": 2}
    assert asked == {"lock": 6, "observe": 6 + 1, "confirm": 6, "unlock": 6, **on_one}


def test_hosts_are_asked_side_by_side_by_a_bounded_number_of_threads() -> None:
    sites = {f"h{number}": SimulatedHost(f"h{number}", HostFacts(), delay=0.05) for number in range(2 * POOL)}
    executor = Executor({name: site.connect() for name, site in sites.items()}, lambda name: sites[name].connect())
    before, most, end = threading.active_count(), 0, threading.Event()

    def watch() -> None:
        nonlocal most
        while not end.wait(0.005):
            most = max(most, threading.active_count() - before - 1)

    watcher = threading.Thread(target=watch)
    watcher.start()
    start = time.monotonic()
    with executor.locked("lab", "a test"):
        executor.observe("lab")
    took = time.monotonic() - start
    end.set()
    watcher.join()
    # The first lock, then twice the pool three times: 7 waits instead of 192.
    assert POOL <= most <= POOL + 1 and took < 192 * 0.05 / 2, (most, took)


def test_of_two_runs_over_the_same_hosts_one_goes_on() -> None:
    sites = {name: SimulatedHost(name, HostFacts()) for name in ("a", "b", "c")}

    def executor(*names: str) -> Executor:
        return Executor({name: sites[name].connect() for name in names})

    with executor("a", "b", "c").locked("lab", "the first"):
        # It stops at the first host, and leaves what others hold alone.
        with pytest.raises(Locked, match="a is locked by the first"), executor("a", "b").locked("lab", "x"):
            pass
        assert sites["b"].asked["lock"] == 1
        with pytest.raises(Locked, match="c is locked by the first"), executor("c").locked("lab", "x"):
            pass
    # A later host is locked: what was taken before is given back.
    with executor("b").locked("lab", "the first"):
        with pytest.raises(Locked, match="b is locked"), executor("a", "b", "c").locked("lab", "x"):
            pass
        with executor("a", "c").locked("lab", "y"):
            pass
    with executor("a", "b", "c").locked("lab", "z"):
        pass


def lines(work: Callable[[], object]) -> int:
    """How many lines a piece of work runs, each turn of a loop or comprehension being one: a cost that no other
    program has a part in."""
    count = 0

    def trace(frame: Any, event: str, argument: object) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(None)
    return count


def test_compiling_and_planning_cost_per_host() -> None:
    costs = []
    for hosts in (20, 80):
        topology = load_text(many_hosts(hosts, 4, 5))
        live = {name: Observation(facts=facts(number)) for number, name in enumerate(topology.hosts)}
        desired = compile_topology(topology, live)
        assert not desired.problems
        costs.append(
            (
                lines(lambda: compile_topology(topology, live)),  # noqa: B023
                lines(lambda: make_plan(topology.name, desired.resources, live)),  # noqa: B023
            )
        )
    for few, many in zip(*costs, strict=True):
        assert many < 4.3 * few, costs
