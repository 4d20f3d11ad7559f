"""``external: true``: a network of a container engine, joined by a port on its bridge. Only the port is ours.

The name of the bridge and the subnets are facts of the host, filled in before (executor/externals.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from netcompose.compiler.networks import bridge
from netcompose.compiler.shapes import Interface, Place, PooledNetwork
from netcompose.resources import Resource, Route, Veth


def shared(topology: str, pooled: PooledNetwork, place: Place) -> Iterator[Resource]:
    """Nothing: it is there."""
    return iter(())


def attached(
    topology: str, pooled: PooledNetwork, interface: Interface, routes: tuple[Route, ...], place: Place
) -> Iterator[Resource]:
    """The veth pair of a bridge, with its port on somebody else's."""
    for resource in bridge.attached(topology, pooled, interface, routes, place):
        if isinstance(resource, Veth):
            yield replace(resource, peer=replace(resource.peer, master=f"foreign:{place.parent}"))
