"""What the compiler gives: desired resources, and what commands and views say of containers and networks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from netcompose.resources import Resource
from netcompose.topology.model import Port
from netcompose.topology.source import Problem


@dataclass(frozen=True)
class ContainerView:
    """What commands and views say of a container.

    ``namespace`` is the container whose network stack it has (itself, or the one that it joins), empty for the
    host's; ``netns`` is its own name under ``/run/netns``, empty with the host's stack. ``networks`` maps a network,
    and ``interfaces`` an interface, to addresses without a prefix length; a joined container shows those it shares.
    """

    name: str
    host: str
    hostname: str
    namespace: str
    netns: str
    networks: Mapping[str, tuple[str, ...]]
    interfaces: Mapping[str, tuple[str, ...]]
    ports: tuple[Port, ...]
    has_process: bool


@dataclass(frozen=True)
class NetworkView:
    """What commands and views say of a network; ``members`` maps a container to its addresses."""

    name: str
    driver: str
    subnets: tuple[str, ...]
    gateways: tuple[str, ...]
    internal: bool
    mtu: int
    members: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Desired:
    """What a topology becomes.

    ``resources`` are by host, then by id, sorted; every host of the topology is there. ``moved`` maps, per host, the
    new id of an interface that is to be renamed to its old one. ``problems`` are in file order; with any of them,
    ``resources`` is as much as could be made sense of and must not be applied. ``contested`` are, per host, the inodes
    of others' sockets on ports that the topology publishes: who has them is worth asking before a problem is told.
    ``notes`` are sentences on what a host lacks and the topology can do without.
    """

    topology: str
    resources: Mapping[str, Mapping[str, Resource]]
    problems: tuple[Problem, ...] = ()
    moved: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    containers: Mapping[str, ContainerView] = field(default_factory=dict)
    networks: Mapping[str, NetworkView] = field(default_factory=dict)
    contested: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
