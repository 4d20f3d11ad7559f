"""``driver: routed``: one network over several hosts without tunnels. Each host has a bridge with a slice of the
subnet, and routes to the slices of the others (see compiler/slices.py).
"""

from __future__ import annotations

from collections.abc import Iterator

from netcompose.compiler.networks import bridge
from netcompose.compiler.networks.bridge import shared
from netcompose.compiler.shapes import Interface, Place, PooledNetwork
from netcompose.resources import Resource, Route

__all__ = ["attached", "shared"]


def attached(
    topology: str, pooled: PooledNetwork, interface: Interface, routes: tuple[Route, ...], place: Place
) -> Iterator[Resource]:
    """As with a bridge, and the whole subnet is behind the host, whichever way the rest goes."""
    whole = {
        Route(to=subnet.subnet, via=pool.gateway)
        for subnet, pool in zip(pooled.network.subnets, pooled.pools, strict=True)
        if any(address.family == pool.family for address in interface.addresses)
    }
    yield from bridge.attached(topology, pooled, interface, tuple(sorted({*routes, *whole})), place)
