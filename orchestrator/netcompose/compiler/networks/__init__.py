"""The network drivers. A new one is a module here with the two functions of :class:`Driver`, and a line below."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from netcompose.compiler.networks import bridge
from netcompose.compiler.shapes import Interface, PooledNetwork
from netcompose.resources import Resource, Route


class Driver(Protocol):
    """What a network of one kind is made of."""

    def shared(self, topology: str, pooled: PooledNetwork) -> Iterable[Resource]:
        """What the network itself needs on a host where it is used, whoever joins it."""
        ...

    def attached(
        self, topology: str, pooled: PooledNetwork, interface: Interface, routes: tuple[Route, ...]
    ) -> Iterable[Resource]:
        """What one container's interface on the network needs."""
        ...


DRIVERS: Mapping[str, Driver] = {
    "bridge": bridge,
}
