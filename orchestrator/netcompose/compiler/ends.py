"""The end of an interface that is in a container, the same for cables and for every driver of networks."""

from __future__ import annotations

from netcompose.compiler.shapes import Interface
from netcompose.resources import End, Impairment, Route
from netcompose.resources.names import mark


def in_container(
    topology: str, interface: Interface, mtu: int, routes: tuple[Route, ...], impairment: Impairment | None
) -> End:
    """The end with the interface's addresses and these routes; ``impairment`` is of what the container sends.

    Routes that the file gives make an end the file's, one that is otherwise left to the program in the container.
    """
    return End(
        namespace=interface.container,
        name=interface.name,
        mac=interface.mac,
        mtu=mtu,
        alias=mark(topology, interface.id),
        addresses=tuple(sorted([f"{address.text}/{address.prefix}" for address in interface.addresses])),
        routes=routes,
        impairment=impairment,
        self_addressed=interface.self_addressed and not routes,
    )
