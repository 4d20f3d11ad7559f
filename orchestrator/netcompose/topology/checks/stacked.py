"""macvlan and ipvlan: what their modes allow, and what containers on them cannot have."""

from __future__ import annotations

from collections.abc import Iterator

from netcompose.topology.checks.addresses import mac_problem
from netcompose.topology.checks.common import hosts_of, line_of, members
from netcompose.topology.model import Network, Topology
from netcompose.topology.source import Problem
from netcompose.topology.words import quoted

_DRIVERS = ("macvlan", "ipvlan")
#: Modes and flags in which an interface hears nothing from others on the same parent.
_APART = {
    "private": "keeps all interfaces of a host apart",
    "passthru": "is for one interface alone",
    "source": "takes in frames of its sources only",
}


def check_stacked(topology: Topology) -> Iterator[Problem]:
    """Keys that the network's mode makes impossible or meaningless."""
    for network in topology.networks.values():
        if network.driver in _DRIVERS:
            yield from _sources(topology, network)
            yield from _host_access(topology, network)
            yield from _gateways(topology, network)
    yield from _one_mode(topology)


def _sources(topology: Topology, network: Network) -> Iterator[Problem]:
    path = (*network.path, "sources")
    if network.mode == "source" and not network.sources:
        message = f"{network.name} is in mode source and names no 'sources', so it would take in nothing"
        yield topology.source.problem(
            message, (*network.path, "mode"), hint="add sources: [MAC, ...], or use mode bridge"
        )
    if network.sources and network.mode != "source" and network.driver == "macvlan":
        hint = "write mode: source, or remove 'sources'"
        yield topology.source.problem(f"{network.name} has 'sources' without mode source", path, hint=hint, key=True)
    for index, mac in enumerate(network.sources):
        message, hint = mac_problem(mac) if mac else ("", "")
        if message:
            yield topology.source.problem(message, (*path, index), hint=hint)


def _host_access(topology: Topology, network: Network) -> Iterator[Problem]:
    for key in ("mode", "flag"):
        reason = _APART.get(getattr(network, key))
        if network.host_access and reason:
            value = getattr(network, key)
            message = f"{network.name} cannot have host_access: {key} {value} {reason}"
            path = (*network.path, "host_access")
            yield topology.source.problem(message, path, hint=f"use another {key}, or remove host_access", key=True)


def _gateways(topology: Topology, network: Network) -> Iterator[Problem]:
    if network.mode in ("l3", "l3s"):
        for index, subnet in enumerate(network.subnets):
            if subnet.gateway:
                message = f"{network.name} is in mode {network.mode}, where the host routes and nobody asks a gateway"
                path = (*network.path, "subnets", index) if subnet.name else (*subnet.path, "gateway")
                hint = f"remove the gateway in {line_of(topology, (*subnet.path, 'gateway'))}"
                yield topology.source.problem(message, path, hint=hint)


def _one_mode(topology: Topology) -> Iterator[Problem]:
    """The kernel has one mode and one flag for all ipvlans on an interface."""
    on = members(topology)
    first: dict[tuple[str, str, int], Network] = {}
    for network in topology.networks.values():
        parent = topology.parents.get(network.parent)
        if network.driver != "ipvlan" or parent is None:
            continue
        for host in hosts_of(topology, on[network.name]):
            interface = parent.interface.get(host, parent.interface.get("", ""))
            beside = first.setdefault((host, interface, parent.vlan), network)
            for key, default in (("mode", "l2"), ("flag", "bridge")):
                one, other = (getattr(item, key) or default for item in (beside, network))
                if one != other:
                    message = f"{quoted(beside.name)} has {key} {one} on the same parent, this has {other}"
                    path = (*network.path, key) if getattr(network, key) else network.path
                    hint = f"an interface has one {key} for all ipvlans on it; see {line_of(topology, beside.path)}"
                    yield topology.source.problem(message, path, hint=hint, key=path == network.path)


def check_on_stacked(topology: Topology) -> Iterator[Problem]:
    """What containers cannot have on such networks."""
    for container in topology.containers.values():
        known = [
            (item, topology.networks[item.network]) for item in container.networks if item.network in topology.networks
        ]
        for attachment, network in known:
            if network.mode == "passthru" and attachment.mac_address:
                path = (*attachment.path, "mac_address")
                hint = "remove mac_address, or use mode bridge"
                yield topology.source.problem(
                    "in mode passthru an interface has its parent's MAC address", path, hint=hint
                )
        if container.ports and known and all(network.driver in _DRIVERS for _, network in known):
            message = f"{container.name} has no network through which the host could publish its ports"
            hint = "remove 'ports': it is reached at its own addresses; or join it to a bridge network as well"
            yield topology.source.problem(message, (*container.path, "ports"), hint=hint, key=True)
