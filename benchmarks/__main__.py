"""``python -m benchmarks``: measure netcompose, a raw netlink program and `ip -batch` side by side; ratios and JSON.

    --quick            10 and 100 containers, 20 networks, and few rounds
    --only PART ...    some of: start, growth, kernel, networks, hosts, images
    --out FILE         where the JSON goes (default: benchmarks/results.json)

Contenders take turns, so that what slows the machine for a while slows all of them, and a ratio is the median over
the rounds. Each builds in a throw-away host of its own; the machine itself is not touched. The exit status is 1 when
a target was missed.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "orchestrator"))

from benchmarks import hosts, images, kernel, networks, start, traffic  # noqa: E402 (the path comes first)
from benchmarks.measure import Failed, environment  # noqa: E402
from benchmarks.report import Report  # noqa: E402
from benchmarks.shape import one_line_summary  # noqa: E402

PARTS = ("start", "growth", "kernel", "networks", "hosts", "images")


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure netcompose beside its bounds.")
    parser.add_argument("--quick", action="store_true", help="small sizes and few rounds")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="measure these parts only")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks/results.json", help="where the JSON goes")
    args = parser.parse_args()
    report = Report()
    with tempfile.TemporaryDirectory(prefix="netcompose-bench-") as temporary:
        folder = Path(temporary)
        env = environment(folder / "bytecode")
        try:
            if "start" in args.only:
                start.measure_start(env, report)
            if "growth" in args.only:
                start.measure_growth(env, report, _say)
            if "kernel" in args.only:
                _kernel(args.quick, folder, env, report)
            if "networks" in args.only:
                _networks(args.quick, folder, env, report)
            if "hosts" in args.only:
                hosts.measure(args.quick, folder, env, report, _say)
            if "images" in args.only:
                images.measure(args.quick, folder, env, report, _say)
        except Failed as error:
            _say("")
            sys.stderr.write(f"error: {error}\n")
            return 1
    _say("")
    busy, cores = os.getloadavg()[2], os.cpu_count() or 1
    if busy > cores:
        report.notes.append(f"others were busy too: a load of {busy:.1f} on {cores} cores over the last 15 minutes")
    sys.stdout.write(f"{one_line_summary()}\n\n{report.table()}")
    report.write(args.out)
    return 1 if report.missed else 0


def _kernel(quick: bool, folder: Path, env: dict[str, str], report: Report) -> None:
    if os.geteuid() != 0:
        report.skipped.append("up, plan, change and down: throw-away hosts of a thousand namespaces need root")
        return
    sizes = [size for size in kernel.SIZES if size <= 100 or not quick]
    if quick:
        report.skipped.append("500 and 1000 containers, which the targets are about (--quick)")
    for size in sizes:
        kernel.measure(size, folder, env, report, _say)


def _networks(quick: bool, folder: Path, env: dict[str, str], report: Report) -> None:
    if os.geteuid() != 0:
        report.skipped.append("many networks and their traffic: throw-away hosts of a thousand namespaces need root")
        return
    networks.measure(quick, folder, env, report, _say)
    traffic.measure(quick, folder, env, report, _say)


def _say(what: str) -> None:
    """What is being measured, on a terminal only."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\033[K{what}")
        sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
