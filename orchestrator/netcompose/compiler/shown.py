"""What commands and views say of the containers and networks of a topology."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from netcompose.compiler.numbers import show
from netcompose.compiler.parents import is_shim
from netcompose.compiler.shapes import Address, Interface, PooledNetwork
from netcompose.resources.names import netns_name
from netcompose.topology.model import Container, Port

View = TypeVar("View")


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


class Views(Mapping[str, View]):
    """Views by name, each made when it is first asked for: a plan asks for none."""

    def __init__(self, names: Collection[str], make: Callable[[str], View]) -> None:
        self._names = names
        self._make = make
        self._made: dict[str, View] = {}

    def __getitem__(self, name: str) -> View:
        view = self._made.get(name)
        if view is None:
            if name not in self._names:
                raise KeyError(name)
            view = self._made[name] = self._make(name)
        return view

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __repr__(self) -> str:
        return repr(dict(self))


def container_view(topology: str, container: Container, owner: str, interfaces: Sequence[Interface]) -> ContainerView:
    """A container whose network stack is ``owner``'s, with these interfaces."""
    own = [(item, _texts(item.addresses)) for item in interfaces]
    return ContainerView(
        name=container.name,
        host=container.host,
        hostname=container.hostname or container.name,
        namespace=owner,
        netns=netns_name(topology, container.name) if owner else "",
        networks={item.network: texts for item, texts in own if item.network},
        interfaces={item.name: texts for item, texts in own},
        ports=container.ports,
    )


def network_view(pooled: PooledNetwork, given: Mapping[str, tuple[Address, ...]]) -> NetworkView:
    """A network on which containers, and hosts that have access to it, have been given these addresses."""
    network = pooled.network
    return NetworkView(
        name=network.name,
        driver=network.driver,
        subnets=tuple(f"{show(pool.family, pool.network)}/{pool.prefix}" for pool in pooled.pools),
        gateways=() if network.internal else tuple(pool.gateway for pool in pooled.pools if pool.gateway),
        internal=network.internal,
        mtu=pooled.mtu,
        members={name: _texts(addresses) for name, addresses in given.items() if not is_shim(name)},
    )


def _texts(addresses: tuple[Address, ...]) -> tuple[str, ...]:
    return tuple(address.text for address in addresses)
