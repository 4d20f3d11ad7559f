"""``driver: macvlan``: each container has an interface with a MAC address of its own on its parent's segment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from netcompose.compiler.networks import stacked
from netcompose.compiler.shapes import Interface, Place, PooledNetwork
from netcompose.resources import End, Macvlan, Resource, Route


def shared(topology: str, pooled: PooledNetwork, place: Place) -> Iterator[Resource]:
    """A bridge of its own if it has no parent, and the host's own interface with ``host_access``."""
    yield from stacked.segment(topology, pooled, place)
    if place.shim:
        yield _interface(pooled, place, stacked.shim(topology, pooled, place), f"shim/{pooled.network.name}")


def attached(
    topology: str, pooled: PooledNetwork, interface: Interface, routes: tuple[Route, ...], place: Place
) -> Iterator[Resource]:
    """The interface, in the container. In mode passthru it has the parent's MAC address."""
    end = stacked.end(topology, pooled, interface, routes, place)
    if pooled.network.mode == "passthru":
        end = replace(end, mac="")
    yield _interface(pooled, place, end, interface.id)


def _interface(pooled: PooledNetwork, place: Place, end: End, id: str) -> Macvlan:
    mode = pooled.network.mode or "bridge"
    return Macvlan(
        id=id,
        network=pooled.network.name,
        parent=place.parent,
        end=end,
        mode=mode,
        passthru=mode == "passthru",
        sources=tuple(sorted(set(pooled.network.sources))),
    )
