"""What packets cost: throughput beside a path built by hand, and small packets with many networks beside few.

Hosts stand side by side and take turns, so that what slows the machine slows all. iperf3 measures; every process
shares the same few cores, so a rate is the cost of the whole path: sender, veth, rules, receiver.

A measured rate can only be too low, by what else the machine does, so the best of all rounds is compared. What is
compared with is there twice: by how much two hosts that are alike differ, is what the machine can tell apart.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from benchmarks import byhand
from benchmarks.measure import Failed, Host, fresh_host, netcompose, ratio
from benchmarks.report import Report
from benchmarks.shape import FIRST_PUBLISHED, INSIDE, many_networks

#: Many short rounds rather than few long ones: a busy machine leaves somebody alone for a second, not for ten.
ROUNDS, QUICK_ROUNDS = 10, 3
SECONDS = 1
FEW, MANY, QUICK_MANY = 2, 200, 20
#: However noisy the machine is: a packet's rules may cost no more than this part.
MOST_NOISE = 0.1
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
    """TCP on one bridge, and through a published port from outside: with netcompose, by hand, and by hand on another
    host once more."""
    rates: dict[tuple[str, str], list[float]] = defaultdict(list)
    with (
        _host(env, folder, FEW, each=2) as ours,
        _host(env, folder, 0) as theirs,
        _host(env, folder, 0) as again,
    ):
        contenders = {"netcompose": ours, "by hand": theirs, "by hand again": again}
        for who in _turns("throughput", contenders, QUICK_ROUNDS if quick else ROUNDS, say):
            host = contenders[who]
            rates["bridge", who].append(_tcp(host, _inside(1), f"{byhand.NET}.2", INSIDE))
            rates["published port", who].append(_tcp(host, _OUTSIDE, byhand.HOST, FIRST_PUBLISHED))
    for path in ("bridge", "published port"):
        title = f"throughput, {path}"
        for who in contenders:
            report.rates(f"{title}: {who}", rates[path, who], "Gbit/s")
        found, *control = (rates[path, who] for who in contenders)
        _compare(report, f"{title}: netcompose / by hand", found, control, least=None if quick else 0.97, noise=0.03)


def _rules(quick: bool, folder: Path, env: dict[str, str], report: Report, say: Say) -> None:
    """64 bytes of UDP through the published port of the last network: with many networks, with few, and with few on
    another host once more."""
    many = QUICK_MANY if quick else MANY
    rates: dict[str, list[float]] = defaultdict(list)
    with (
        _host(env, folder, many, server=many - 1) as full,
        _host(env, folder, FEW, server=FEW - 1) as few,
        _host(env, folder, FEW, server=FEW - 1) as again,
    ):
        contenders = {
            f"{many} networks": (full, many),
            f"{FEW} networks": (few, FEW),
            f"{FEW} networks again": (again, FEW),
        }
        for who in _turns("small packets", contenders, QUICK_ROUNDS if quick else ROUNDS, say):
            host, networks = contenders[who]
            rates[who].append(_small_packets(host, FIRST_PUBLISHED + networks - 1))
    title = "64-byte packets"
    for who in contenders:
        report.rates(f"{title}: {who}", rates[who], "packets/s")
    found, *control = (rates[who] for who in contenders)
    spread = max(abs(a / b - 1) for a, b in zip(*control, strict=True))
    report.add(f"{title}: spread of rounds, {FEW} against {FEW} networks", spread * 100, "%")
    least = None if quick else round(1 - min(spread, MOST_NOISE), 3)
    _compare(report, f"{title}: {many} / {FEW} networks", found, control, least=least, noise=MOST_NOISE)


def _turns(what: str, contenders: Iterable[str], rounds: int, say: Say) -> Iterator[str]:
    """Whose turn it is. The order changes, because who comes second finds a warmer machine."""
    for number in range(rounds):
        say(f"{what}, round {number + 1} of {rounds}")
        yield from list(contenders)[:: 1 if number % 2 else -1]


def _compare(
    report: Report, what: str, found: list[float], control: list[list[float]], *, least: float | None, noise: float
) -> None:
    """The best rate beside the best of the other, which was measured on two hosts alike. When these two differ by more
    than ``noise``, the machine is too busy to judge, and that is what is said."""
    one, other = map(max, control)
    if least is not None and abs(one / other - 1) > noise:
        differ = f"two hosts that are alike differ by {abs(one / other - 1):.0%}"
        report.skipped.append(f"the verdict on {what}, which is to be at least {least:g}: {differ}")
        least = None
    report.add(f"{what}, best of each", 2 * max(found) / (one + other), "x", least, at_least=True)
    report.add(f"{what}, median of the rounds", ratio(found, control[0]), "x")


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


def _tcp(host: Host, where: tuple[str, ...], address: str, port: int) -> float:
    """Gbit/s that arrive."""
    return float(_iperf3(host, where, address, port)["sum_received"]["bits_per_second"]) / 1e9


def _small_packets(host: Host, port: int) -> float:
    """Packets per second that a neighbour gets rid of: sending one takes it all the way to the receiver's socket."""
    found = _iperf3(host, _OUTSIDE, byhand.HOST, port, "-u", "-l", "64", "-b", "0")["sum"]
    return float(found["packets"]) / float(found["seconds"])


def _iperf3(host: Host, where: tuple[str, ...], address: str, port: int, *options: str) -> dict[str, Any]:
    argv = [*where, "iperf3", "-c", address, "-p", str(port), "-t", str(SECONDS), "-J", *options]
    found: dict[str, Any] = json.loads(host.output(*argv))["end"]
    return found
