"""Measure who reaches whom on hosts that are up, beside what the topology promises."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence

from netcompose.compiler.desired import Desired
from netcompose.compiler.reachability import Promise, promised
from netcompose.errors import CommandFailed
from netcompose.resources import ExecTarget
from netcompose.resources.way import Way
from netcompose.transports.base import Connection


def measure(connections: Mapping[str, Connection], desired: Desired) -> list[Way]:
    """Every ordered pair of the hosts' containers, by address and by name, both families."""
    promises: dict[str, list[Promise]] = {}
    for promise in promised(*(desired.resources[host] for host in connections)):
        promises.setdefault(promise.source, []).append(promise)
    at: dict[str, list[str]] = {host: [] for host in connections}
    for source in promises:
        at[desired.containers[source].host].append(source)

    def ask(host: str) -> list[Way]:
        return _ask(connections[host], desired, {source: promises[source] for source in at[host]})

    # One after the other: who asks waits for answers, and who is asked is to have time for them.
    ways = [way for host in connections for way in ask(host)]
    order = {source: number for number, source in enumerate(promises)}
    return sorted(ways, key=lambda way: order[way.source])


def _ask(connection: Connection, desired: Desired, promises: Mapping[str, Sequence[Promise]]) -> list[Way]:
    """Have the containers of one host measure what they are promised."""
    answers = connection.run_many(
        desired.topology,
        [
            (ExecTarget(container=source, netns=desired.containers[source].netns, hostname=source), _argv(own))
            for source, own in promises.items()
        ],
    )
    ways: list[Way] = []
    for (source, own), (status, out, error) in zip(promises.items(), answers, strict=True):
        if status != 0:
            words = error.decode(errors="replace").strip().splitlines()
            raise CommandFailed(f"container {source} could not be measured: {words[-1] if words else status}")
        ways += _ways(own, json.loads(out))
    return ways


def _argv(own: Sequence[Promise]) -> list[str]:
    job = {
        "addresses": sorted({promise.address for promise in own}),
        "expected": sorted({promise.address for promise in own if promise.reaches}),
        "names": sorted({promise.name or promise.target for promise in own}),
    }
    return [sys.executable, "-I", "-S", "-c", _program(), json.dumps(job)]


def _program() -> str:
    from importlib.resources import files

    return files("netcompose.executor").joinpath("probe.py").read_text(encoding="utf-8")


def _ways(own: Sequence[Promise], answer: Mapping[str, object]) -> list[Way]:
    reached = set(answer["reached"])  # type: ignore[call-overload]
    names: Mapping[str, list[str]] = answer["names"]  # type: ignore[assignment]
    groups: dict[tuple[str, str, int], list[Promise]] = {}
    for promise in own:
        groups.setdefault((promise.source, promise.target, promise.family), []).append(promise)
    ways = []
    for (source, target, family), members in groups.items():
        by_address = [(p.reaches, p.address in reached) for p in members]
        by_name = [
            (p.reaches and bool(p.name), p.address in names.get(p.name or p.target, ()) and p.address in reached)
            for p in members
        ]
        for how, pairs in (("address", by_address), ("name", by_name)):
            expected = any(promise for promise, _ in pairs)
            as_promised = all(promise == measured for promise, measured in pairs)
            ways.append(Way(source, target, how, family, expected, expected if as_promised else not expected))
    return ways
