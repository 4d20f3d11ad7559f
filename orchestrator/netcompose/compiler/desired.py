"""What the compiler gives: desired resources, and what commands and views say of containers and networks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from netcompose.compiler.shapes import Asker
from netcompose.compiler.shown import ContainerView, NetworkView
from netcompose.resources import Resource
from netcompose.topology.source import Problem


@dataclass(frozen=True)
class Desired:
    """What a topology becomes.

    ``resources`` are by host, then by id, in no order that means anything; every host of the topology is there.
    ``moved`` maps, per host, the new id of an interface that is to be renamed to its old one. ``problems`` are in file
    order; with any of them, ``resources`` is as much as could be made sense of and must not be applied. ``contested``
    are, per host, the inodes of others' sockets on ports that the topology publishes: who has them is worth asking
    before a problem is told. ``needs`` are, per host, the features that what is to be made there needs, with who asks
    for each first: they are to be tried, and :func:`hostchecks.unmet` tells what is missing. ``notes`` are sentences
    on what a host lacks and the topology can do without.
    """

    topology: str
    resources: Mapping[str, Mapping[str, Resource]]
    problems: tuple[Problem, ...] = ()
    moved: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    containers: Mapping[str, ContainerView] = field(default_factory=dict)
    networks: Mapping[str, NetworkView] = field(default_factory=dict)
    contested: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    needs: Mapping[str, Mapping[str, Asker]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def needs_by_host(self) -> dict[str, tuple[str, ...]]:
        """The names of the features to be asked for, by host."""
        return {host: tuple(sorted(asked)) for host, asked in self.needs.items()}
