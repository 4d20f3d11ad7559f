"""What commands and views say of the containers and networks of a topology."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from netcompose.topology.model import Port


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
