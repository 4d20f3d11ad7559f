"""Topologies by hand and a host that has exactly what was compiled, for the compiler's tests."""

from __future__ import annotations

from dataclasses import replace

from netcompose.compiler.compile import Desired, compile_topology
from netcompose.resources import HostFacts, Observation, Veth
from netcompose.topology.model import (
    Attachment,
    Container,
    Host,
    Link,
    LinkEnd,
    NameLink,
    Network,
    RouteSpec,
    Subnet,
    Topology,
)
from netcompose.topology.source import Position, Source

HOST = "local"


def network(name, *subnets, **keys):
    """A network; a subnet is a string or a mapping of :class:`Subnet` fields."""
    path = ("networks", name)
    made = []
    for index, subnet in enumerate(subnets):
        given = {"subnet": subnet} if isinstance(subnet, str) else subnet
        made.append(Subnet(name="", path=(*path, "subnets", index), **given))
    return Network(name=name, path=path, subnets=tuple(made), **keys)


def container(name, *networks, **keys):
    """A container; a network is a name, or a pair of a name and :class:`Attachment` fields."""
    path = ("containers", name)
    attachments = []
    for item in networks:
        other, given = (item, {}) if isinstance(item, str) else item
        attachments.append(Attachment(network=other, path=(*path, "networks", other), **given))
    keys.setdefault("hostname", name)
    keys.setdefault("host", HOST)
    routes = []
    for index, route in enumerate(keys.pop("routes", ())):
        routes.append(RouteSpec(path=(*path, "routes", index), **route))
    links = []
    for index, (target, alias) in enumerate(keys.pop("links", ())):
        links.append(NameLink(path=(*path, "links", index), container=target, alias=alias))
    return Container(
        name=name, path=path, networks=tuple(attachments), routes=tuple(routes), links=tuple(links), **keys
    )


def link(a, b, *, addresses=((), ()), macs=("", ""), index=0, **keys):
    """A cable between ``"r1:eth1"`` and ``"r2:eth1"``."""
    ends = []
    for number, (text, own) in enumerate(zip((a, b), addresses, strict=True)):
        name, interface = text.split(":")
        given = (own,) if isinstance(own, str) else tuple(own)
        path = ("links", index, number)
        ends.append(LinkEnd(path, container=name, interface=interface, addresses=given, mac_address=macs[number]))
    return Link(path=("links", index), a=ends[0], b=ends[1], **keys)


def topology(*things, name="campus", hosts=None):
    """A topology of networks, containers and links."""
    source = Source(file="topology.yaml", locate_value=lambda path, key: Position("topology.yaml", 1, 1, str(path)))
    return Topology(
        name=name,
        hosts=hosts or {HOST: Host(name=HOST, path=())},
        parents={},
        subnets={},
        networks={item.name: item for item in things if isinstance(item, Network)},
        containers={item.name: item for item in things if isinstance(item, Container)},
        links=tuple(item for item in things if isinstance(item, Link)),
        source=source,
    )


def up(desired: Desired, **facts) -> dict[str, Observation]:
    """The host after a successful ``up``."""
    return {host: Observation(resources=found, facts=HostFacts(**facts)) for host, found in desired.resources.items()}


def fresh(**facts) -> dict[str, Observation]:
    """A host without anything of ours."""
    return {HOST: Observation(facts=HostFacts(**facts))}


def compiled(*things, live=None, **keys) -> Desired:
    """Compile without problems."""
    desired = compile_topology(topology(*things, **keys), live or {})
    assert [problem.message for problem in desired.problems] == []
    return desired


def problems(*things, live=None, **keys) -> list[tuple[str, tuple]]:
    """(message, path) of every problem."""
    return [(p.message, p.path) for p in compile_topology(topology(*things, **keys), live or {}).problems]


def resource(desired: Desired, id: str):
    return desired.resources[HOST][id]


def addresses(desired: Desired, network: str) -> dict[str, tuple[str, ...]]:
    return dict(desired.networks[network].members)


def change(live, id, **ends):
    """The observation with an end of a veth pair changed by hand: ``end={...}``, ``peer={...}``."""
    found = dict(live[HOST].resources)
    veth = found[id]
    assert isinstance(veth, Veth)
    found[id] = replace(veth, **{side: replace(getattr(veth, side), **values) for side, values in ends.items()})
    return {HOST: replace(live[HOST], resources=found)}
