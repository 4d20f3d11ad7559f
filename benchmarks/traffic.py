"""What packets cost: throughput beside a path built by hand, and small packets with many networks beside few.

Two hosts stand side by side and take turns, so that what slows the machine slows both. iperf3 measures; every process
shares the same few cores, so a rate is the cost of the whole path: sender, veth, rules, receiver.

A measured rate can only be too low, by what else the machine does, so the best of all rounds is compared.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks import byhand
from benchmarks.measure import Failed, Host, fresh_host, netcompose
from benchmarks.report import Report
from benchmarks.shape import FIRST_PUBLISHED, INSIDE, many_networks

ROUNDS, QUICK_ROUNDS = 6, 2
SECONDS, QUICK_SECONDS = 2, 1
FEW, MANY, QUICK_MANY = 2, 200, 20
#: What is refused however noisy the machine is: a packet's rules may cost no more than this part.
_MOST_NOISE = 0.1
#: Seconds that iperf3 may take to listen.
_PATIENCE = 10.0
_OUTSIDE = ("ip", "netns", "exec", "outside")

Say = Callable[[str], None]


def measure(quick: bool, folder: Path, env: dict[str, str], report: Report, say: Say) -> None:
    """Throughput, then small packets."""
    _throughput(quick, folder, env, report, say)
    _rules(quick, folder, env, report, say)
    report.notes.append(
        "rates are the best of their rounds, taken in turn; the spread of all rounds is in the JSON's samples"
    )


def _throughput(quick: bool, folder: Path, env: dict[str, str], report: Report, say: Say) -> None:
    """TCP on one bridge, and through a published port from outside, with netcompose and by hand."""
    rounds, seconds = (QUICK_ROUNDS, QUICK_SECONDS) if quick else (ROUNDS, SECONDS)
    rates: dict[tuple[str, str], list[float]] = defaultdict(list)
    with _host(env, folder, FEW, each=2) as ours, _host(env, folder, 0) as theirs:
        contenders = {"netcompose": ours, "by hand": theirs}
        for number in range(rounds):
            say(f"throughput, round {number + 1} of {rounds}")
            # The order changes: who comes second finds a warmer machine.
            for who in list(contenders)[:: 1 if number % 2 else -1]:
                host = contenders[who]
                rates["bridge", who].append(_tcp(host, _inside(1), f"{byhand.NET}.2", INSIDE, seconds))
                rates["published port", who].append(_tcp(host, _OUTSIDE, byhand.HOST, FIRST_PUBLISHED, seconds))
    for path in ("bridge", "published port"):
        for who in contenders:
            report.rates(f"throughput, {path}: {who}", rates[path, who], "Gbit/s")
        best = max(rates[path, "netcompose"]) / max(rates[path, "by hand"])
        report.add(f"throughput, {path}: netcompose / by hand", best, "x", None if quick else 0.97, at_least=True)


def _rules(quick: bool, folder: Path, env: dict[str, str], report: Report, say: Say) -> None:
    """64 bytes of UDP through the published port of the last network: with few networks, with many, and with few once
    more on a host of its own. What the two hosts with few differ by is noise."""
    rounds, seconds = (QUICK_ROUNDS, QUICK_SECONDS) if quick else (ROUNDS, SECONDS)
    many = QUICK_MANY if quick else MANY
    rates: dict[str, list[float]] = defaultdict(list)
    with (
        _host(env, folder, FEW, server=FEW - 1) as few,
        _host(env, folder, many, server=many - 1) as full,
        _host(env, folder, FEW, server=FEW - 1) as again,
    ):
        contenders = {f"{FEW} networks": (few, FEW), f"{many} networks": (full, many), "again": (again, FEW)}
        for number in range(rounds):
            say(f"small packets, round {number + 1} of {rounds}")
            for who in list(contenders)[:: 1 if number % 2 else -1]:
                host, networks = contenders[who]
                rates[who].append(_small_packets(host, FIRST_PUBLISHED + networks - 1, seconds))
    one, other, control = (rates[who] for who in contenders)
    for who, found in zip(
        (f"{FEW} networks", f"{many} networks", f"{FEW} networks again"), (one, other, control), strict=True
    ):
        report.rates(f"64-byte packets: {who}", found, "packets/s")
    noise = max(abs(a / b - 1) for a, b in zip(one, control, strict=True))
    report.add(f"64-byte packets: noise, {FEW} against {FEW} networks", noise * 100, "%")
    least = 1 - min(noise, _MOST_NOISE)
    found = max(other) / max(*one, *control)
    report.add(
        f"64-byte packets: {many} / {FEW} networks", found, "x", None if quick else round(least, 3), at_least=True
    )


def _inside(container: int) -> tuple[str, ...]:
    return ("ip", "netns", "exec", f"bench-c{container}")


@contextlib.contextmanager
def _host(env: dict[str, str], folder: Path, networks: int, *, each: int = 1, server: int = 0) -> Iterator[Host]:
    """A host with a neighbour and so many networks of netcompose's, or none: then it is built by hand. iperf3 serves
    in a container; every port is published for TCP, which it is told over what to do, and for UDP."""
    with fresh_host(env) as host:
        host.output("sh", "-ec", byhand.NEIGHBOUR)
        if networks:
            file = folder / f"traffic-{networks}-{each}.yaml"
            file.write_text(many_networks(networks, each=each, protocols=("tcp", "udp")), encoding="utf-8")
            host.output(*netcompose("up", "-f", str(file)))
        else:
            script = folder / "by-hand.sh"
            script.write_text(byhand.script(FIRST_PUBLISHED, INSIDE), encoding="utf-8")
            host.output("sh", str(script))
        with host.running(*_inside(server), "iperf3", "-s", "-p", str(INSIDE)):
            deadline = time.monotonic() + _PATIENCE
            while not host.output(*_inside(server), "ss", "-Htln", f"sport = :{INSIDE}"):
                if time.monotonic() > deadline:
                    raise Failed(f"iperf3 did not listen within {_PATIENCE:g} s")
                time.sleep(0.05)
            yield host


def _tcp(host: Host, where: tuple[str, ...], address: str, port: int, seconds: int) -> float:
    """Gbit/s that arrive."""
    return float(_iperf3(host, where, address, port, seconds)["sum_received"]["bits_per_second"]) / 1e9


def _small_packets(host: Host, port: int, seconds: int) -> float:
    """Packets per second that a neighbour gets rid of: sending one takes it all the way to the receiver's socket."""
    found = _iperf3(host, _OUTSIDE, byhand.HOST, port, seconds, "-u", "-l", "64", "-b", "0")["sum"]
    return float(found["packets"]) / float(found["seconds"])


def _iperf3(host: Host, where: tuple[str, ...], address: str, port: int, seconds: int, *options: str) -> dict[str, Any]:
    argv = [*where, "iperf3", "-c", address, "-p", str(port), "-t", str(seconds), "-J", *options]
    found: dict[str, Any] = json.loads(host.output(*argv))["end"]
    return found
