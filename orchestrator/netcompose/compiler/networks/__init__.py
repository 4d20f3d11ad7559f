"""The network drivers. A new one is a module here with the two functions of :class:`Driver`, and a word below."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from netcompose.compiler.shapes import Interface, Place, PooledNetwork
    from netcompose.resources import Resource, Route


class Driver(Protocol):
    """What a network of one kind is made of."""

    def shared(self, topology: str, pooled: PooledNetwork, place: Place) -> Iterable[Resource]:
        """What the network itself needs on a host where it is used, whoever joins it."""
        ...

    def attached(
        self, topology: str, pooled: PooledNetwork, interface: Interface, routes: tuple[Route, ...], place: Place
    ) -> Iterable[Resource]:
        """What one container's interface on the network needs."""
        ...


class _Drivers(Mapping[str, Driver]):
    """Modules by name, imported when a network asks for one: ``validate`` only wants to know which there are."""

    def __init__(self, *names: str) -> None:
        self._names = names
        self._found: dict[str, Driver] = {}

    def __getitem__(self, name: str) -> Driver:
        if name not in self._names:
            raise KeyError(name)
        if name not in self._found:
            self._found[name] = cast(Driver, importlib.import_module(f"{__name__}.{name}"))
        return self._found[name]

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


DRIVERS = _Drivers("bridge", "external", "ipvlan", "macvlan", "overlay", "routed")
#: Those whose hosts are the gateways: they have its addresses, filter and publish for it.
HOST_IS_GATEWAY = ("bridge", "routed")
