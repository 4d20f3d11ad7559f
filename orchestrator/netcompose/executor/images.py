"""The images of a topology on its hosts: what is there, what has to be brought before a run, what cannot be had.

A plan changes nothing, so it only says what `up` will bring. Bringing comes before the plan that is carried out: an
image that is pulled may be a new one, and then its containers are replaced.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from netcompose.compiler.images import pull_policies
from netcompose.errors import NetcomposeError, PlanRefused
from netcompose.planner.plan import PlanProblem
from netcompose.resources import Container

if TYPE_CHECKING:
    from netcompose.executor.run import Executor
    from netcompose.planner.plan import Plan
    from netcompose.resources import Observation
    from netcompose.topology.model import Topology
    from netcompose.topology.source import Problem
    from netcompose.transports.images import ImageSource

#: Called with (host, bytes done, bytes in all or 0, what is being done).
Progress = Callable[[str, int, int, str], None]
#: The first version of Docker Engine that reads layers compressed with zstd.
_READS_ZSTD = 23


@dataclass(frozen=True)
class Wanted:
    """An image that a run brings to a host."""

    host: str
    source: ImageSource
    policy: str
    action: str
    machine: str
    zstd: bool

    def __str__(self) -> str:
        words = {"load": "is loaded on", "tag": "is named on", "pull": "is pulled on"}
        return f"the image {self.source.ref} {words[self.action]} {self.host} first"


@dataclass(frozen=True)
class Found:
    """``live`` with what the compiler has to know; ``wanted`` are to be brought, ``problems`` are in the way."""

    live: Mapping[str, Observation]
    wanted: tuple[Wanted, ...] = ()
    problems: tuple[Problem, ...] = ()


def find(executor: Executor, topology: Topology, live: Mapping[str, Observation], *, pulled: bool = False) -> Found:
    """Look for every image on its hosts. ``pulled``: the run has done it already, ``always`` asks for no more."""
    policies = pull_policies(topology)
    if not policies:
        return Found(live)
    from netcompose.transports import images

    changed, wanted, problems = dict(live), [], []
    for host, by_image in policies.items():
        engine = live[host].facts.engine if host in live else None
        if engine is None or engine.lacks or not engine.runtime:
            continue
        major = engine.version.partition(".")[0]
        zstd = engine.runtime == "podman" or (major.isdigit() and int(major) >= _READS_ZSTD)
        known, names, coming = dict(engine.images), {}, []
        for ref, policy in by_image.items():
            try:
                source = images.source(ref, os.path.dirname(topology.source.file), engine.machine)
                if source.path:
                    finding = images.find(executor.connection(host), source, topology.name, policy)
                else:
                    finding = images.judge(ref, known.get(ref, ""), policy)
                if finding.action == "pull" and pulled and finding.id:
                    finding = replace(finding, action="")
                if finding.action == "load":
                    images.usable(source, engine.machine, zstd=zstd)
                elif finding.action == "pull":
                    _refuse_unreachable(executor, host, ref, known.get(ref, ""))
            except NetcomposeError as error:
                problems += _problems(topology, host, ref, error.message, error.hint)
                coming.append(ref)
                continue
            if finding.problem:
                problems += _problems(topology, host, ref, finding.problem, finding.hint)
                coming.append(ref)
            if source.path:
                names[ref], known[ref] = images.name(source, topology.name), finding.id
            if finding.action:
                coming.append(ref)
                wanted.append(Wanted(host, source, policy, finding.action, engine.machine, zstd))
        told = replace(engine, images=known, names=names, coming=tuple(coming))
        changed[host] = replace(live[host], facts=replace(live[host].facts, engine=told))
    return Found(changed, tuple(wanted), tuple(problems))


def _refuse_unreachable(executor: Executor, host: str, ref: str, known: str) -> None:
    why = executor.connection(host).unreachable_images([ref])[ref]
    if why:
        has = f"has {ref}, but its policy is to pull it, and it" if known else f"has no image {ref}, and it"
        raise NetcomposeError(
            f"the engine {has} cannot be pulled: {why}",
            hint=f"does `docker pull {ref}` work there, as root (after `docker login`, if its registry wants that)? "
            "A file does without: "
            f"docker save {ref} -o image.tar where it is, then image: ./image.tar",
        )


def _problems(topology: Topology, host: str, ref: str, message: str, hint: str) -> list[Problem]:
    """One for each container that asks for it."""
    return [
        topology.source.problem(f"host {host!r}: {message}", (*container.path, "image"), hint=hint)
        for container in topology.containers.values()
        if container.image == ref and container.host == host
    ]


def refuse_missing(executor: Executor, plan: Plan) -> None:
    """Raise ``PlanRefused`` for a saved plan whose containers need images that are not there any more, or not yet."""
    problems = []
    for change in plan.changes:
        if isinstance(change.after, Container):
            name = change.after.image_id or change.after.image
            if not executor.connection(change.host).images([name])[name]:
                message = f"the engine of {change.host} has no image {name}"
                problems.append(PlanProblem(change.address, message, "netcompose up brings it"))
    if problems:
        raise PlanRefused(problems)


def bring(executor: Executor, topology: str, wanted: tuple[Wanted, ...], progress: Progress | None = None) -> None:
    """Load and pull on all hosts side by side, one image after the other on each. Raises what a host has to say."""
    from netcompose.transports import images

    by_host: dict[str, list[Wanted]] = {}
    for item in wanted:
        by_host.setdefault(item.host, []).append(item)

    def on_host(host: str) -> None:
        def told(done: int, total: int, text: str) -> None:
            if progress is not None:
                progress(host, done, total, text)

        connection = executor.connection(host)
        for item in by_host[host]:
            images.bring(
                connection,
                item.source,
                topology,
                policy=item.policy,
                machine=item.machine,
                zstd=item.zstd,
                progress=told,
            )

    executor.each(by_host, on_host)
