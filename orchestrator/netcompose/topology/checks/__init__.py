"""What is wrong with a topology although its shape is right: everything that the file alone can show.

One module per concern; each check is a pure function from a topology to problems. A new check is a new function and its
line in ``CHECKS``. Checks are linear in the size of the topology, and leave alone what another check has told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from netcompose.topology.checks import (
    addresses,
    cables,
    containers,
    drivers,
    impairments,
    interfaces,
    links,
    modes,
    ports,
    references,
    routes,
    stacked,
    subnets,
)
from netcompose.topology.model import Topology
from netcompose.topology.source import Problem

Check = Callable[[Topology], Iterator[Problem]]

CHECKS: tuple[Check, ...] = (
    references.check_references,
    references.check_hosts,
    references.check_joins,
    modes.check_modes,
    modes.check_engine_keys,
    drivers.check_drivers,
    drivers.check_parents,
    drivers.check_spans,
    stacked.check_stacked,
    stacked.check_on_stacked,
    subnets.check_subnets,
    subnets.check_overlaps,
    addresses.check_addresses,
    addresses.check_room,
    addresses.check_macs,
    cables.check_cables,
    cables.check_cable_addresses,
    interfaces.check_interfaces,
    links.check_links,
    containers.check_names,
    impairments.check_impairments,
    ports.check_ports,
    routes.check_routes,
)


def check_all(topology: Topology) -> list[Problem]:
    """The problems that all checks find, in no particular order."""
    return [problem for check in CHECKS for problem in check(topology)]
