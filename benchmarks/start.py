"""The figures that need no kernel: how soon a command starts, and how compiling and planning grow."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable

from benchmarks.measure import ROOT, Failed, netcompose, ratio, time_here
from benchmarks.report import Report

RUNS = 20
PURE_RUNS = 9


def measure_start(env: dict[str, str], report: Report) -> None:
    """`--help` and `validate` beside a Python that imports argparse and json."""
    contenders = {
        "python -c 'import argparse, json'": [sys.executable, "-c", "import argparse, json"],
        "--help": netcompose("--help"),
        "validate quickstart": netcompose("validate", "-f", str(ROOT / "examples/quickstart/topology.yaml")),
    }
    times: dict[str, list[float]] = defaultdict(list)
    for run in range(RUNS + 1):
        for what, argv in contenders.items():
            seconds = time_here(argv, env)
            if run:  # The first fills the cache of byte code.
                times[what].append(seconds)
    base, *others = contenders
    for what in contenders:
        report.sample(what, times[what])
    for what in others:
        report.add(f"{what} / bare Python", ratio(times[what], times[base]), "x", 4.0)


def measure_growth(env: dict[str, str], report: Report, say: Callable[[str], None]) -> None:
    """Compile and plan of 1,000 and of 10,000 containers."""
    times: dict[int, list[float]] = defaultdict(list)
    peaks = []
    for run in range(PURE_RUNS):
        say(f"compile and plan, round {run + 1} of {PURE_RUNS}")
        for containers in (1000, 10000):
            argv = [sys.executable, "-m", "benchmarks.pure", str(containers)]
            done = subprocess.run(argv, capture_output=True, text=True, env=env, cwd=ROOT)
            if done.returncode != 0:
                raise Failed(f"{' '.join(argv)}: {done.stderr[-600:]}")
            found = json.loads(done.stdout)
            times[containers].append(found["seconds"]["compile"] + found["seconds"]["plan"])
            if containers == 10000:
                peaks.append(found["peak_mb"])
    for containers, seconds in times.items():
        report.sample(f"compile + plan of {containers}", seconds)
    report.add("compile + plan, 10000 / 1000", ratio(times[10000], times[1000]), "x", 12.0)
    report.add("peak memory with 10000, load included", statistics.median(peaks), "MB", 400.0)
