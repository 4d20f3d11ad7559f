"""Image containers on one network: netcompose beside Docker Compose, for the same file, and beside the engine alone.

Each in a fresh throw-away host with a Docker Engine of its own that has the image already; what is compared is what
both bring up from one Compose file, which `netcompose convert` makes a topology of.
"""

from __future__ import annotations

import statistics
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from testbed.engine import SOCKET, Engine, lacking

from benchmarks.measure import Failed, Host, netcompose, ratio, settle
from benchmarks.report import Report
from netcompose.transports.sandbox import Sandbox

ENGINE_ALONE = str(Path(__file__).resolve().with_name("engine_alone.py"))
IMAGE = "bench-image"
CONTAINERS, QUICK_CONTAINERS = 30, 5
FEW = 2
ROUNDS, QUICK_ROUNDS = 5, 2
#: Runs that change nothing, in each round.
CONVERGED = 3
_SUBNET = "10.77.0"

Say = Callable[[str], None]


def compose_file(containers: int) -> str:
    """The file: containers of one image on one network, each with its address."""
    services = "".join(
        f"  c{number}:\n    image: {IMAGE}\n    stop_grace_period: 0s\n"
        f"    networks: {{bench: {{ipv4_address: {_address(number)}}}}}\n"
        for number in range(containers)
    )
    network = f"networks:\n  bench:\n    ipam:\n      config:\n        - subnet: {_SUBNET}.0/24\n"
    return f'version: "2.4"\nservices:\n{services}{network}'


def _address(number: int) -> str:
    return f"{_SUBNET}.{10 + number}"


def measure(quick: bool, folder: Path, env: dict[str, str], report: Report, say: Say) -> None:
    """The contenders in turn, round after round."""
    why = lacking()
    if why:
        report.skipped.append(f"containers from images: {why}")
        return
    containers, rounds = (QUICK_CONTAINERS, QUICK_ROUNDS) if quick else (CONTAINERS, ROUNDS)
    files = {size: folder / "images" / f"compose-{size}.yml" for size in (containers, FEW)}
    # The folder's name is the topology's.
    (folder / "images").mkdir()
    for size, path in files.items():
        path.write_text(compose_file(size), encoding="utf-8")
    file = files[containers]
    times: dict[str, list[float]] = defaultdict(list)
    for number in range(rounds):
        say(f"{containers} image containers, round {number + 1} of {rounds}")
        with _engine(env) as (host, engine):
            for path in files.values():
                if not path.with_suffix(".yaml").exists():
                    host.output(*netcompose("convert", str(path), "--out", str(path.with_suffix(".yaml"))))
            _netcompose(host, engine, file.with_suffix(".yaml"), containers, times)
            few = ("--file", str(files[FEW].with_suffix(".yaml")))
            times["up of few"].append(host.time(*netcompose("up", *few)))
        with _engine(env) as (host, engine):
            _compose(host, engine, file, containers, times)
        with _engine(env) as (host, _):
            for what, size in (("engine alone", containers), ("engine alone, few", FEW)):
                argv = [sys.executable, ENGINE_ALONE, SOCKET, IMAGE, str(size)]
                times[what].append(float(host.output(*argv)))
    _report(containers, times, report, quick)


def _netcompose(host: Host, engine: Engine, file: Path, containers: int, times: dict[str, list[float]]) -> None:
    at = ("--file", str(file))
    times["up"].append(host.time(*netcompose("up", *at)))
    _demand_wired(engine, containers, "images-c{}")
    for _ in range(CONVERGED):
        times["plan"].append(host.time(*netcompose("plan", *at)))
    if "No changes" not in host.output(*netcompose("plan", *at)):
        raise Failed("the plan after `up` is not empty")
    times["down"].append(host.time(*netcompose("down", *at)))


def _compose(host: Host, engine: Engine, file: Path, containers: int, times: dict[str, list[float]]) -> None:
    compose = ("docker-compose", "--project-name", "bench", "--file", str(file))
    times["docker-compose up"].append(host.time(*compose, "up", "--detach"))
    _demand_wired(engine, containers, "bench_c{}_1")
    for _ in range(CONVERGED):
        times["docker-compose up again"].append(host.time(*compose, "up", "--detach"))
    times["docker-compose down"].append(host.time(*compose, "down"))


def _demand_wired(engine: Engine, containers: int, name: str) -> None:
    """A contender that did not do the work has no time: the last container's program runs and reaches the first."""
    last = name.format(containers - 1)
    for target in (_address(0), "c0"):
        done = engine.docker("exec", last, "ping", "-c1", "-W5", target, check=False)
        if done.returncode != 0:
            raise Failed(f"{last} does not reach {target}: {done.stdout}{done.stderr}")


@contextmanager
def _engine(env: dict[str, str]) -> Iterator[tuple[Host, Engine]]:
    """A fresh host with an engine that has the image and has run a container before."""
    settle()
    with Sandbox("bench") as sandbox, Engine(sandbox) as engine:
        script = """
            set -e
            mkdir -p tree/bin tree/etc
            cp "$(command -v busybox)" tree/bin/busybox
            for name in sh sleep ping; do ln -s busybox tree/bin/$name; done
            tar -C tree -c . | docker --host "$1" import --change 'CMD ["sleep", "100000"]' - "$2"
            docker --host "$1" run --rm "$2" sleep 0
        """
        done = sandbox.run(["sh", "-c", script, "sh", SOCKET, IMAGE], cwd="/mnt", timeout=60)
        if done.returncode:
            raise Failed(f"the image could not be made: {done.stderr[-600:]}")
        yield Host(sandbox, {**env, "DOCKER_HOST": SOCKET}), engine


def _report(containers: int, times: dict[str, list[float]], report: Report, quick: bool) -> None:
    title = f"{containers} image containers"
    for what in ("up", "docker-compose up", "engine alone", "plan", "docker-compose up again", "down"):
        report.sample(f"{title}: {what}", times[what])
    if quick:
        report.skipped.append(f"{CONTAINERS} image containers, which the targets are about (--quick)")
    ratios = (
        ("up / docker-compose up -d", "up", "docker-compose up", 1.5),
        ("converged plan / docker-compose up -d again", "plan", "docker-compose up again", 0.7),
        ("down / docker-compose down", "down", "docker-compose down", None),
    )
    for what, one, other, target in ratios:
        report.add(f"{title}: {what}", ratio(times[one], times[other]), "x", None if quick else target)
    # What comes with each container, without what a run takes at all: the growth from few to all.
    ours, alone = ("up", "up of few"), ("engine alone", "engine alone, few")
    grown = [[big - few for big, few in zip(times[one], times[other], strict=True)] for one, other in (ours, alone)]
    costs = [(up - engine) / (containers - FEW) * 1000 for up, engine in zip(*grown, strict=True)]
    what = f"{title}: each one more, beyond the engine's create and start"
    report.add(what, statistics.median(costs), "ms", None if quick else 15)
