"""What a host's interfaces do not allow as parents: found before any change, each with the line that asks for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from netcompose.compiler.numbers import parse_with_prefix, show
from netcompose.compiler.parents import carrier, facts_of, interface_of, mtu_of
from netcompose.compiler.shapes import STACKED, Address, PooledNetwork
from netcompose.resources import Child, Observation, ParentFacts, Resource
from netcompose.resources.names import SHARED
from netcompose.topology.model import Network, Parent, Topology
from netcompose.topology.source import Path, Problem

_MACVLAN = ("macvlan", "macvtap")
_IPVLAN = ("ipvlan", "ipvtap")
_KINDS = {"macvlan": _MACVLAN, "ipvlan": _IPVLAN}
Given = Mapping[str, Mapping[str, tuple[Address, ...]]]


class Site(NamedTuple):
    """One host: the topology, the observations of all hosts, and this one's desired resources."""

    topology: Topology
    host: str
    live: Mapping[str, Observation]
    desired: Mapping[str, Resource]


def problems(site: Site, networks: Iterable[PooledNetwork], given: Given) -> Iterator[Problem]:
    """Everything about the parents of a host's ``networks``; ``given`` are the addresses by network and container."""
    by_parent: dict[str, list[PooledNetwork]] = {}
    for pooled in networks:
        if pooled.network.driver in STACKED and pooled.network.parent in site.topology.parents:
            by_parent.setdefault(pooled.network.parent, []).append(pooled)
    for name, on in by_parent.items():
        parent = site.topology.parents[name]
        interface = interface_of(parent, site.host)
        if interface and interface in site.live[site.host].facts.parents:
            yield from _Checks(site, parent, on).run(given)


class _Checks:
    """One parent on one host."""

    def __init__(self, site: Site, parent: Parent, networks: list[PooledNetwork]) -> None:
        self._topology, self._host, self._live, self._desired = site
        self._parent = parent
        self._networks = networks
        self._interface = interface_of(parent, self._host)
        self._path: Path = (*parent.path, "interface", *([self._host] if self._host in parent.interface else []))

    def _problem(self, message: str, hint: str, path: Path | None = None) -> Problem:
        return self._topology.source.problem(message, path or self._path, hint=hint)

    def run(self, given: Given) -> Iterator[Problem]:
        """What is wrong with the interface itself; if nothing, what is wrong with what is to stand on it."""
        facts = facts_of(self._live, self._host, self._interface)
        if facts is None:
            there = ", ".join(self._live[self._host].facts.interfaces)
            message = f"host {self._host!r} has no interface {self._interface!r}"
            yield self._problem(message, f"a parent is never made; its interfaces are: {there}")
            return
        unfit = self._unfit(facts)
        if unfit:
            yield self._problem(f"{self._interface!r} of host {self._host!r} {unfit[0]}", unfit[1])
            return
        yield from self._mtu(facts)
        if self._parent.vlan:
            yield from self._vlan(facts)
        on = facts if not self._parent.vlan else facts_of(self._live, self._host, carrier(self._parent, self._host))
        if on is not None:
            yield from self._beside(on)
            yield from self._taken_addresses(on, given)

    def _unfit(self, facts: ParentFacts) -> tuple[str, str] | None:
        name = self._interface
        if facts.loopback:
            return "is loopback, on which nothing can stand", "name the interface of the segment"
        if facts.whose:
            return f"is an interface of {facts.whose}", "a parent is an interface that netcompose did not make"
        if facts.master:
            return (
                f"is {facts.master}, which takes its frames",
                f"name {facts.master.split()[-1]}, or another interface",
            )
        if facts.kind in (*_MACVLAN, *_IPVLAN):
            return f"is itself of kind {facts.kind}", "name the interface that it stands on"
        if not facts.up:
            return "is down", f"bring it up: ip link set {name} up"
        macvlans = [pooled.network for pooled in self._networks if pooled.network.driver == "macvlan"]
        if facts.wireless and macvlans:
            reason = "is wireless, where an access point takes frames of the interface's own MAC address only"
            return reason, "use driver: ipvlan, whose interfaces have their parent's MAC address"
        return None

    def _mtu(self, facts: ParentFacts) -> Iterator[Problem]:
        parent = self._parent
        if parent.vlan and parent.mtu > facts.mtu:
            message = (
                f"the MTU {parent.mtu} is larger than that of {self._interface} on host {self._host!r}, {facts.mtu}"
            )
            hint = f"make it smaller, or raise that one: ip link set {self._interface} mtu {parent.mtu}"
            yield self._problem(message, hint, (*parent.path, "mtu"))
            return
        limit = mtu_of(self._topology, parent, self._host, self._live)
        for pooled in self._networks:
            if pooled.network.mtu > limit:
                on = carrier(parent, self._host)
                message = f"the MTU {pooled.network.mtu} is larger than that of {on} on host {self._host!r}, {limit}"
                yield self._problem(message, "it cannot be larger than the parent's", (*pooled.network.path, "mtu"))

    def _vlan(self, facts: ParentFacts) -> Iterator[Problem]:
        parent, name = self._parent, carrier(self._parent, self._host)
        path = (*parent.path, "vlan")
        for child in facts.children:
            if child.kind != "vlan" or child.mode != str(parent.vlan):
                continue
            if child.topology != SHARED:
                message = f"VLAN {parent.vlan} of {self._interface} is there already as {child.name}, made by others"
                hint = f"use that one as it is: interface: {child.name}, without vlan"
                yield self._problem(message, hint, path)
            elif parent.mtu and parent.mtu != child.mtu and set(child.users) - {self._topology.name}:
                others = ", ".join(user for user in child.users if user != self._topology.name)
                message = f"{name} is shared with {others}, and has MTU {child.mtu} there"
                yield self._problem(message, "write the same mtu, or none", (*parent.path, "mtu"))
        for pooled in self._networks:
            for text in facts.addresses:
                family, value, _ = parse_with_prefix(text)
                for pool in pooled.pools:
                    if pool.family == family and pool.contains(value):
                        subnet = f"{show(pool.family, pool.network)}/{pool.prefix}"
                        message = (
                            f"{self._interface} of host {self._host!r} has {text}, which is in {subnet} of "
                            f"{pooled.network.name!r} on its VLAN {parent.vlan}"
                        )
                        hint = (
                            "the host would look for the containers on the wrong VLAN: take the address off "
                            f"{self._interface}, or choose another subnet"
                        )
                        yield self._problem(message, hint)

    def _beside(self, facts: ParentFacts) -> Iterator[Problem]:
        """What stands on the interface already and cannot be together with a network's interfaces."""
        for pooled in self._networks:
            for child in facts.children:
                own = child.topology == self._topology.name
                if (own and child.id in self._desired) or child.kind == "vlan":
                    continue
                reason = _clash(pooled.network, child)
                if reason:
                    what = f"{child.name} in {child.where}" if child.where else child.name
                    on = carrier(self._parent, self._host)
                    message = f"{on} of host {self._host!r} has {child.kind} {what} ({_whose(child)}) already: {reason}"
                    hint = "remove it first" if not own else "run up without this network first, which removes it"
                    yield self._problem(message, hint, (*pooled.network.path, "parent"))
                    break

    def _taken_addresses(self, facts: ParentFacts, given: Given) -> Iterator[Problem]:
        own = {parse_with_prefix(text)[:2]: text for text in facts.addresses}
        for pooled in self._networks:
            for name, addresses in given[pooled.network.name].items():
                for address in addresses:
                    if (address.family, address.value) in own:
                        whose = carrier(self._parent, self._host)
                        message = f"{address.text} is the address of {whose} itself on host {self._host!r}"
                        container = self._topology.containers.get(name)
                        path = pooled.network.path
                        for item in container.networks if container is not None else ():
                            if item.network == pooled.network.name:
                                path = item.path
                        yield self._problem(message, "every address on the segment is one's alone", path)


def _whose(child: Child) -> str:
    if child.topology:
        return f"{child.id} of topology {child.topology}"
    return "not made by netcompose"


def _clash(network: Network, child: Child) -> str:
    if child.kind not in _KINDS[network.driver]:
        return f"an interface carries {' or '.join(sorted(STACKED, reverse=True))}, not both"
    if network.mode == "passthru":
        return "mode passthru shares its parent with nobody"
    if child.mode == "passthru":
        return "it is in mode passthru, which shares its parent with nobody"
    if network.driver == "ipvlan":
        mode, flag = network.mode or "l2", network.flag or "bridge"
        if (child.mode, child.flag) != (mode, flag):
            return (
                f"the kernel has one mode for all ipvlans on an interface, and that is {child.mode} {child.flag} there"
            )
    return ""
