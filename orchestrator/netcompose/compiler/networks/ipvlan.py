"""``driver: ipvlan``: each container has an interface on its parent's segment that shares the parent's MAC address."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from netcompose.compiler.networks import stacked
from netcompose.compiler.shapes import Interface, Place, PooledNetwork
from netcompose.resources import End, Ipvlan, Resource, Route


def shared(topology: str, pooled: PooledNetwork, place: Place) -> Iterator[Resource]:
    """The host's own interface with ``host_access``."""
    if place.shim:
        end = replace(stacked.shim(topology, pooled, place), mac="")
        yield _interface(pooled, place, end, f"shim/{pooled.network.name}")


def attached(
    topology: str, pooled: PooledNetwork, interface: Interface, routes: tuple[Route, ...], place: Place
) -> Iterator[Resource]:
    """The interface, in the container."""
    end = replace(stacked.end(topology, pooled, interface, routes, place), mac="")
    yield _interface(pooled, place, end, interface.id)


def _interface(pooled: PooledNetwork, place: Place, end: End, id: str) -> Ipvlan:
    network = pooled.network
    return Ipvlan(
        id=id,
        network=network.name,
        parent=place.parent,
        end=end,
        mode=network.mode or "l2",
        flag=network.flag or "bridge",
    )
