"""``driver: overlay``: one network over several hosts. On each a bridge without addresses, a veth pair per container,
and where there are other hosts a VXLAN as one more port (see compiler/tunnels.py).

The hosts themselves are not on it, and it has no way out: a container reaches the outside by another network, or by a
container that its subnet names as the gateway.
"""

from __future__ import annotations

from collections.abc import Iterator

from netcompose.compiler import names
from netcompose.compiler.networks.bridge import attached
from netcompose.compiler.shapes import Place, PooledNetwork
from netcompose.resources import Bridge, Resource
from netcompose.resources.names import host_interface_name, mark

__all__ = ["attached", "shared"]


def shared(topology: str, pooled: PooledNetwork, place: Place) -> Iterator[Resource]:
    """The bridge."""
    network = pooled.network
    id = names.bridge_id(network.name)
    yield Bridge(
        id=id,
        network=network.name,
        name=host_interface_name(topology, id),
        mac=names.mac(topology, network.name, "bridge"),
        mtu=pooled.mtu,
        alias=mark(topology, id),
    )
