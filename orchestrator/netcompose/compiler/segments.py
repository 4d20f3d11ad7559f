"""On which segments interfaces are, and who hears whom on them: what reachability.py knows of layer 2.

A segment that several hosts share has one name: an overlay's bridges with tunnels between them, the ends of a cable
between hosts, and the parents of one network, which are taken to be on one physical segment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from netcompose.resources import Bridge, End, Ipvlan, Macvlan, Resource, Stacked, Veth, Vxlan

Resources = Mapping[str, Resource]


def cut(hosts: Sequence[Resources]) -> frozenset[str]:
    """The ids of interfaces and cables that lose everything in a direction. What one direction loses is not answered in
    the other, so nobody is reached by them."""
    return frozenset(
        id
        for resources in hosts
        for id, item in resources.items()
        if any(end.impairment is not None and end.impairment.loss == "100%" for end in _ends(item))
    )


def _ends(item: Resource) -> tuple[End, ...]:
    if isinstance(item, Veth):
        return (item.end, item.peer)
    return (item.end,) if isinstance(item, (Stacked, Vxlan)) else ()


def of_bridges(host: str, resources: Resources) -> dict[str, str]:
    """Bridge id -> segment; one without a tunnel is its host's alone."""
    tunnels = {item.end.master for item in resources.values() if isinstance(item, Vxlan)}
    return {id: id if id in tunnels else f"{host}/{id}" for id, item in resources.items() if isinstance(item, Bridge)}


def of_parents(hosts: Sequence[Resources]) -> dict[tuple[int, str], str]:
    """(number of the host, parent) -> segment. What stands on one parent is on one segment, of whatever network, and so
    is what stands on the parents of one network on different hosts. A parent that is a segment by itself is its host's
    alone."""
    joined: dict[tuple[int, str], tuple[int, str]] = {}

    def first(key: tuple[int, str]) -> tuple[int, str]:
        while joined[key] != key:
            key = joined[key]
        return key

    of_network: dict[str, tuple[int, str]] = {}
    for number, resources in enumerate(hosts):
        for item in resources.values():
            if isinstance(item, Stacked):
                key = (number, item.parent)
                joined.setdefault(key, key)
                if not item.parent.startswith("segment/"):
                    joined[first(key)] = first(of_network.setdefault(item.network, key))
    return {key: "@{}/on {}".format(*first(key)) for key in joined}


class Standing(NamedTuple):
    """An interface that stands on a parent of the host with this number."""

    host: int
    resource: Stacked


def exchange(one: Standing, other: Standing) -> bool:
    """Whether two interfaces on one segment hear each other. The parent itself, and with it the host, is not heard
    there (macvlan_queue_xmit(), ipvlan_queue_xmit() of the kernel)."""
    if one.host == other.host:
        return _hears_others(one.resource) and _hears_others(other.resource)
    return _takes(one.resource, other.resource) and _takes(other.resource, one.resource)


def _hears_others(resource: Stacked) -> bool:
    """Whether frames pass inside the kernel between it and the others on its parent. In mode vepa a switch outside has
    to send them back, which is not promised."""
    if isinstance(resource, Macvlan):
        return resource.mode == "bridge"
    return isinstance(resource, Ipvlan) and resource.flag == "bridge"


def _takes(resource: Stacked, sender: Stacked) -> bool:
    """Whether what comes from another host's arrives. In layer 3 an ipvlan asks for nobody's address."""
    if isinstance(resource, Ipvlan):
        return resource.mode == "l2"
    return not isinstance(resource, Macvlan) or resource.mode != "source" or sender.end.mac in resource.sources
