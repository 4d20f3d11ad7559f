"""Which routes a container has: the default ones, chosen as Docker Engine chooses them, and those of ``routes:``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from netcompose.compiler.numbers import mask, parse, parse_prefix, show
from netcompose.compiler.shapes import Interface
from netcompose.resources import Route
from netcompose.topology.model import Container, RouteSpec, Topology
from netcompose.topology.source import Problem

_ANYWHERE = {4: "0.0.0.0/0", 6: "::/0"}
#: The metric that the kernel gives an IPv6 route without one (IP6_RT_PRIO_USER).
_DEFAULT_METRIC = {4: 0, 6: 1024}


class Routes(NamedTuple):
    """A container's routes by interface name, sorted; ``default`` maps a family to the network of the interface
    that has the default route, for what a network's gateway is asked for (``host-gateway``)."""

    by_interface: dict[str, tuple[Route, ...]]
    default: dict[int, str]


def container_routes(
    topology: Topology, container: Container, interfaces: Sequence[Interface]
) -> tuple[Routes, list[Problem]]:
    """Routes and problems of a container that has a stack of its own."""
    if not container.routes:
        # The common case, ten thousand times.
        return _with_defaults(interfaces, {}, set()), []
    problems: list[Problem] = []
    found: dict[str, list[Route]] = {}
    own_default: set[int] = set()
    seen: dict[tuple[str, int], RouteSpec] = {}
    reach = _Reach(container, interfaces)
    for spec in container.routes:
        family, network, prefix = parse_prefix(_destination(spec))
        to = f"{show(family, network)}/{prefix}"
        metric = 0 if spec.metric == _DEFAULT_METRIC[family] else spec.metric
        through = reach.interface_for(spec, family)
        if isinstance(through, str):
            message, _, hint = through.partition("\n")
            problems.append(topology.source.problem(message, spec.path, hint=hint))
            continue
        if family == 4 and not metric and (network, prefix) in reach.connected:
            message = f"container {container.name!r} is in {to} itself, and the kernel has that route already"
            problems.append(topology.source.problem(message, spec.path, hint="remove the route, or give it a metric"))
            continue
        if (to, metric) in seen:
            message = f"container {container.name!r} has two routes to {to} with metric {metric}"
            problems.append(topology.source.problem(message, spec.path, hint="give one of them another metric"))
            continue
        seen[to, metric] = spec
        if prefix == 0:
            own_default.add(family)
        found.setdefault(through.name, []).append(Route(to=to, via=spec.via, metric=metric))
    return _with_defaults(interfaces, found, own_default), problems


def _destination(spec: RouteSpec) -> str:
    if spec.to != "default":
        return spec.to
    return _ANYWHERE[6 if ":" in spec.via else 4]


def _with_defaults(interfaces: Sequence[Interface], found: dict[str, list[Route]], own_default: set[int]) -> Routes:
    default = {}
    for family, interface, gateway in _default_interfaces(interfaces):
        default[family] = interface.network
        if family not in own_default:
            found.setdefault(interface.name, []).append(Route(to=_ANYWHERE[family], via=gateway))
    return Routes({name: tuple(sorted(routes)) for name, routes in found.items()}, default)


def _default_interfaces(interfaces: Sequence[Interface]) -> list[tuple[int, Interface, str]]:
    """By family, the interface of the default route and its gateway, in Docker Engine's order (libnetwork,
    ``Endpoint.Less``): highest ``gw_priority``, then networks with both families, then the network's name; internal
    networks never. Each family has its own choice."""
    best: dict[int, tuple[tuple[int, bool, str], Interface, str]] = {}
    for interface in interfaces:
        gateways = {
            address.family: address.gateway
            for address in interface.addresses
            if address.gateway and address.gateway != address.text
        }
        if interface.routed_by_host:
            gateways = dict.fromkeys((address.family for address in interface.addresses), "")
        if gateways:
            rank = (-interface.gw_priority, len(gateways) < 2, interface.network)
            for family, gateway in gateways.items():
                if family not in best or rank < best[family][0]:
                    best[family] = (rank, interface, gateway)
    return [(family, interface, gateway) for family, (_, interface, gateway) in best.items()]


class _Reach:
    """What a container reaches without a router, read once so that a route is found by look-ups: a router of a full
    mesh has as many interfaces as routes."""

    def __init__(self, container: Container, interfaces: Sequence[Interface]) -> None:
        self._container = container
        self._interfaces = interfaces
        self._by_name = {interface.name: interface for interface in interfaces}
        self._families = {address.family for interface in interfaces for address in interface.addresses}
        #: (family, prefix) -> network -> the first interface on it; longest prefixes are asked first.
        self._tables: dict[tuple[int, int], dict[int, Interface]] = {}
        self.connected: set[tuple[int, int]] = set()
        for interface in interfaces:
            for address in interface.addresses:
                self._add(address.family, address.network, address.prefix, interface)
                if address.family == 4:
                    self.connected.add((address.network, address.prefix))
        for spec in container.routes:
            if spec.interface in self._by_name and not spec.via:
                self._add(*parse_prefix(_destination(spec)), self._by_name[spec.interface])
        self._lengths = sorted(self._tables, key=lambda key: -key[1])

    def _add(self, family: int, network: int, prefix: int, interface: Interface) -> None:
        self._tables.setdefault((family, prefix), {}).setdefault(network, interface)

    def interface_for(self, spec: RouteSpec, family: int) -> Interface | str:
        """The interface of a route, or what is wrong and a hint, on two lines."""
        name = self._container.name
        if family not in self._families:
            return f"container {name!r} has no IPv{family} address, so it cannot have the route to {spec.to}"
        names = ", ".join(sorted(self._by_name))
        given = self._by_name.get(spec.interface)
        if spec.interface and given is None:
            message = f"container {name!r} has no interface {spec.interface!r} for the route to {spec.to}"
            return f"{message}\nits interfaces: {names}"
        if not spec.via:
            if given is None:
                return f"the route to {spec.to} says no way\nadd via: ADDRESS, or interface: NAME for an on-link route"
            return given
        via_family, via = parse(spec.via)
        if via_family != family:
            return f"the route to {spec.to} has a next hop of the other address family, {spec.via}"
        if family == 6 and via >> 118 == 0xFE80 >> 6:
            # Every interface has a link-local address.
            if given is None and len(self._interfaces) > 1:
                message = f"the next hop {spec.via} is link-local, and every interface has such"
                return f"{message}\nadd interface: one of {names}"
            return given or self._interfaces[0]
        found = self._on_link(family, via) if given is None else self._on(given, family, via)
        if found is not None:
            return found
        where = f"interface {spec.interface!r}" if given else f"any interface of container {name!r}"
        subnets = _subnets([given] if given else self._interfaces, family)
        return f"the next hop {spec.via} is in no subnet of {where}\nits subnets: {subnets or 'none'}"

    def _on_link(self, family: int, via: int) -> Interface | None:
        for key in self._lengths:
            if key[0] == family and (found := self._tables[key].get(via & mask(family, key[1]))):
                return found
        return None

    def _on(self, interface: Interface, family: int, via: int) -> Interface | None:
        """The interface if it reaches the next hop by itself, whatever other interfaces reach."""
        networks = [(a.network, a.prefix) for a in interface.addresses if a.family == family]
        for spec in self._container.routes:
            if spec.interface == interface.name and not spec.via:
                to_family, network, prefix = parse_prefix(_destination(spec))
                if to_family == family:
                    networks.append((network, prefix))
        return interface if any(via & mask(family, prefix) == network for network, prefix in networks) else None


def _subnets(interfaces: Sequence[Interface], family: int) -> str:
    return ", ".join(
        f"{show(family, address.network)}/{address.prefix} on {interface.name}"
        for interface in interfaces
        for address in interface.addresses
        if address.family == family
    )
