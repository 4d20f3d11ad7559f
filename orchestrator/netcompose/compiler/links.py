"""Point-to-point cables: one veth pair from container to container."""

from __future__ import annotations

from collections.abc import Mapping

from netcompose.compiler import names
from netcompose.compiler.ends import in_container
from netcompose.compiler.impairments import impairment
from netcompose.compiler.numbers import parse_with_prefix
from netcompose.compiler.shapes import Address, Asker, Interface
from netcompose.resources import End, Route, Veth
from netcompose.topology.model import Link, LinkEnd, Topology

Routes = Mapping[str, Mapping[str, tuple[Route, ...]]]


def interfaces(topology: Topology, link: Link) -> tuple[Interface, Interface]:
    """Both ends, in the order that does not depend on how the file lists them."""
    id = names.link_id(link)
    a, b = names.ordered_ends(link)
    return _interface(topology, id, a), _interface(topology, id, b)


def _interface(topology: Topology, id: str, end: LinkEnd) -> Interface:
    addresses = []
    for text in end.addresses:
        family, value, prefix = parse_with_prefix(text)
        addresses.append(Address(family, value, prefix, text.partition("/")[0]))
    mac = end.mac_address.lower() or names.mac(topology.name, id, f"{end.container}.{end.interface}")
    container = topology.containers.get(end.container)
    return Interface(
        id=id,
        container=end.container,
        name=end.interface,
        network="",
        mac=mac,
        addresses=tuple(addresses),
        # A router's system in an image addresses its cables by its own configuration.
        self_addressed=not addresses and container is not None and bool(container.image),
    )


def asker(link: Link) -> Asker:
    """The link as what asks a host for something."""
    return Asker(link.path, f"the link of {link.a.container!r} and {link.b.container!r}")


def cable(topology: str, link: Link, ends: tuple[Interface, Interface], routes: Routes) -> Veth:
    """The veth pair; ``routes`` are by container and interface name. Both ends have the same MTU."""
    first, second = (
        end(topology, interface, spec, link.mtu or 1500, routes)
        for interface, spec in zip(ends, names.ordered_ends(link), strict=True)
    )
    return Veth(id=ends[0].id, end=first, peer=second)


def end(topology: str, interface: Interface, spec: LinkEnd, mtu: int, routes: Routes) -> End:
    """One end of a cable in its container."""
    own = routes.get(interface.container, {}).get(interface.name, ())
    return in_container(topology, interface, mtu, own, impairment(spec.impairment, mtu))
