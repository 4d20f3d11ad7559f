"""Load, compile and plan a topology of N containers for an empty host, in a process of its own.

``python -m benchmarks.pure N`` prints JSON: the seconds of each part and the process's peak memory in MB.
"""

from __future__ import annotations

import json
import resource
import sys
import time

from benchmarks.shape import topology


def main(containers: int) -> None:
    """Measure, print."""
    from netcompose.cli.main import without_collector
    from netcompose.compiler.compile import compile_topology
    from netcompose.planner.planner import make_plan
    from netcompose.resources import Observation
    from netcompose.topology.load import load_text

    text = topology(containers)
    clock = time.process_time  # Nothing here waits, so other programs need not count.
    with without_collector():  # As the commands do.
        start = clock()
        loaded = load_text(text)
        after_load = clock()
        live = {"local": Observation()}
        desired = compile_topology(loaded, live)
        after_compile = clock()
        plan = make_plan(loaded.name, desired.resources, live, desired.moved)
        end = clock()
    if desired.problems or len(plan.changes) < containers:
        raise SystemExit("the topology was not compiled as a whole")
    seconds = {"load": after_load - start, "compile": after_compile - after_load, "plan": end - after_compile}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "peak_mb": peak}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
