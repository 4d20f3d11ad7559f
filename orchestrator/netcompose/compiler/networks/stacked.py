"""What macvlan and ipvlan networks share: the ends of their interfaces, in containers and on the host."""

from __future__ import annotations

from collections.abc import Iterator

from netcompose.compiler import names
from netcompose.compiler.ends import in_container
from netcompose.compiler.impairments import impairments
from netcompose.compiler.numbers import show
from netcompose.compiler.parents import segment_id, shim_id
from netcompose.compiler.shapes import Interface, Place, PooledNetwork
from netcompose.resources import Bridge, End, Resource, Route
from netcompose.resources.names import host_interface_name, mark

_WHOLE = {4: 32, 6: 128}


def segment(topology: str, pooled: PooledNetwork, place: Place) -> Iterator[Resource]:
    """A network without a parent is a segment by itself: a bridge that has no port and no address."""
    id = segment_id(pooled.network.name)
    if place.parent == id:
        yield Bridge(
            id=id,
            network=pooled.network.name,
            name=host_interface_name(topology, id),
            mac="",
            mtu=place.mtu,
            alias=mark(topology, id),
        )


def end(topology: str, pooled: PooledNetwork, interface: Interface, routes: tuple[Route, ...], place: Place) -> End:
    """A container's interface with its own MAC address. What it receives has no queue of its own to be impaired in."""
    mtu = pooled.network.mtu or place.mtu
    leaving, _ = impairments(interface, mtu)
    return in_container(topology, interface, mtu, routes, leaving)


def shim(topology: str, pooled: PooledNetwork, place: Place) -> End:
    """The host's own interface: what goes to its containers goes through it, one by one; everything else on the subnet
    is reached as before."""
    id = shim_id(pooled.network.name)
    return End(
        namespace="",
        name=host_interface_name(topology, id),
        mac=names.mac(topology, place.host, id),
        mtu=pooled.network.mtu or place.mtu,
        alias=mark(topology, id),
        addresses=tuple(sorted(f"{address.text}/{_WHOLE[address.family]}" for address in place.shim)),
        routes=tuple(
            sorted(Route(f"{show(address.family, address.value)}/{_WHOLE[address.family]}") for address in place.beside)
        ),
    )
