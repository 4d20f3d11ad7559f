"""Load, plan, bring up and change a topology of many hosts in memory, in a process of its own.

``python -m benchmarks.many_hosts HOSTS EACH [--delay SECONDS] [--overlay HOSTS]`` prints JSON: the seconds of each
part, the peak memory in MB after each, and how many requests all hosts got. ``--overlay`` is how many neighbouring
hosts share an overlay network. The requests are those of the last part.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Callable
from typing import Any

from benchmarks.shape import many_hosts
from benchmarks.simulated import SimulatedHost

Timed = Callable[[str, Callable[[], Any]], Any]


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("hosts", type=int)
    parser.add_argument("each", type=int)
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("--overlay", type=int, default=5)
    args = parser.parse_args()
    print(json.dumps(measure(args.hosts, args.each, args.overlay, args.delay)))


def measure(hosts: int, each: int, overlay: int, delay: float) -> dict[str, Any]:
    """Everything once, from the file to the change of one attribute."""
    from netcompose.cli.main import without_collector

    with without_collector():  # As the commands do.
        run = _Run(hosts, each, overlay)
        run.pure()
        run.fan_out(delay)
    return {
        "changes": run.changes,
        "seconds": run.seconds,
        "controller": run.controller,
        "peak_mb": run.peaks,
        "requests": run.requests,
    }


class _Run:
    """One topology and its hosts. ``seconds`` are of the clock; ``controller`` are of the processor, without those that
    the hosts' own ends took."""

    def __init__(self, hosts: int, each: int, overlay: int) -> None:
        self._shape = (hosts, each, overlay)
        self._sites: dict[str, SimulatedHost] = {}
        self.changes = 0
        self.seconds: dict[str, float] = {}
        self.controller: dict[str, float] = {}
        self.peaks: dict[str, float] = {}
        self.requests: dict[str, int] = {}

    def _timed(self, what: str, call: Callable[[], Any]) -> Any:
        there = self._there()
        start, busy = time.perf_counter(), time.process_time()
        found = call()
        self.seconds[what] = time.perf_counter() - start
        self.controller[what] = time.process_time() - busy - (self._there() - there)
        self.peaks[what] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        return found

    def _there(self) -> float:
        return sum(site.seconds for site in self._sites.values())

    def _asked(self) -> dict[str, int]:
        total: dict[str, int] = {}
        for site in self._sites.values():
            for method, count in site.asked.items():
                total[method] = total.get(method, 0) + count
        return total

    def pure(self) -> None:
        """Load, compile and plan, for hosts that have nothing yet."""
        from netcompose.compiler.compile import compile_topology
        from netcompose.planner.planner import make_plan
        from netcompose.resources import Observation
        from netcompose.topology.load import load_text

        text = many_hosts(*self._shape)
        self._topology = self._timed("load", lambda: load_text(text))
        live = {name: Observation(facts=facts(number)) for number, name in enumerate(self._topology.hosts)}
        desired = self._timed("compile", lambda: compile_topology(self._topology, live))
        if desired.problems:
            raise SystemExit(f"{len(desired.problems)} problems: {desired.problems[0].message}")
        plan = self._timed("plan, pure", lambda: make_plan(self._topology.name, desired.resources, live, desired.moved))
        self.changes = len(plan.changes)
        if self.changes < self._shape[0] * self._shape[1]:
            raise SystemExit("the topology was not compiled as a whole")

    def fan_out(self, delay: float) -> None:
        """The same over the executor, and what follows."""
        from netcompose.executor.planning import make
        from netcompose.executor.run import Executor
        from netcompose.topology.load import load_text

        topology = self._topology
        for number, name in enumerate(topology.hosts):
            self._sites[name] = SimulatedHost(name, facts(number), delay)
        connections = {name: site.connect() for name, site in self._sites.items()}
        executor = Executor(connections, lambda name: self._sites[name].connect())

        def up(topology: Any) -> Any:
            with executor.locked(topology.name, "the benchmark"):
                made = make(executor, topology)
                executor.apply(made.plan, desired=made.desired.resources)
            return made.plan.changes

        self._timed("plan", lambda: make(executor, topology))
        if len(self._timed("up", lambda: up(topology))) != self.changes:
            raise SystemExit("the plan of `up` is another one")
        if not self._timed("converged plan", lambda: make(executor, topology)).plan.empty:
            raise SystemExit("the plan after `up` is not empty")
        changed = load_text(many_hosts(*self._shape, first_masquerades=False))
        before = self._asked()
        found = {change.host for change in self._timed("one attribute", lambda: up(changed))}
        self.requests = {method: count - before.get(method, 0) for method, count in sorted(self._asked().items())}
        if found != {next(iter(topology.hosts))}:
            raise SystemExit(f"one host was to change, not {sorted(found)[:5]}")


def facts(number: int) -> Any:
    """A host with an address on a segment of its own for tunnels, and with a name server."""
    from netcompose.resources import HostFacts

    address = f"172.16.{number // 250}.{number % 250 + 1}"
    return HostFacts(
        hostname=f"h{number}",
        kernel="6.1.0",
        is_root=True,
        nameservers=("192.0.2.53",),
        interfaces=("lo", "eth0"),
        addresses=(address,),
        routes=(("172.16.0.0/16", "eth0"),),
        name_server="/usr/sbin/unbound",
        forwarders=("192.0.2.53",),
        interface_addresses={"eth0": (f"{address}/16",)},
        mtus={"eth0": 1500},
    )


if __name__ == "__main__":
    main()
