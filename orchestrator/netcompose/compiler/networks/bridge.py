"""``driver: bridge``: a Linux bridge on the host, a veth pair per container, the gateway on the bridge itself."""

from __future__ import annotations

from collections.abc import Iterator

from netcompose.compiler import names
from netcompose.compiler.ends import in_container
from netcompose.compiler.impairments import impairments
from netcompose.compiler.shapes import Interface, Place, PooledNetwork
from netcompose.resources import Bridge, End, Resource, Route, Veth
from netcompose.resources.names import host_interface_name, mark


def shared(topology: str, pooled: PooledNetwork, place: Place) -> Iterator[Resource]:
    """The bridge, with the gateways' addresses. An internal network's is no way out: no route leads to it, and the
    packet filter lets nothing but questions for names through to it."""
    network = pooled.network
    id = names.bridge_id(network.name)
    gateways = tuple(sorted(f"{pool.gateway}/{pool.prefix}" for pool in pooled.pools))
    yield Bridge(
        id=id,
        network=network.name,
        name=host_interface_name(topology, id),
        mac=names.mac(topology, id),
        mtu=pooled.mtu,
        alias=mark(topology, id),
        addresses=gateways,
    )


def attached(
    topology: str, pooled: PooledNetwork, interface: Interface, routes: tuple[Route, ...], place: Place
) -> Iterator[Resource]:
    """The veth pair: one end in the container, the other a port of the bridge."""
    mtu = pooled.mtu
    leaving, arriving = impairments(interface, mtu)
    yield Veth(
        id=interface.id,
        end=in_container(topology, interface, mtu, routes, leaving),
        peer=End(
            namespace="",
            name=host_interface_name(topology, interface.id),
            mac=names.mac(topology, interface.container, interface.network, "port"),
            mtu=mtu,
            master=names.bridge_id(pooled.network.name),
            isolated=not pooled.network.icc,
            alias=mark(topology, interface.id),
            # What the port sends is what the container receives.
            impairment=arriving,
        ),
    )
