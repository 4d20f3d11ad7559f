"""What the language has and this version does not do yet, said with the line, so that no key is ever ignored.

It is a table that later work shortens: a feature that arrives takes its row away.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import MISSING, fields

from netcompose.compiler.networks import DRIVERS
from netcompose.topology.model import Container, Host, Network, Topology
from netcompose.topology.source import Path, Problem

#: Where, what, and a hint.
Finding = tuple[Path, str, str]


def problems(topology: Topology) -> list[Problem]:
    """One problem for each place of the topology that asks for more than this version can do."""
    found = dict.fromkeys(finding for check in _TABLE for finding in check(topology))
    return [
        topology.source.problem(f"{what} is not supported yet by this version", path, hint=hint, key=True)
        for path, what, hint in found
    ]


def _hosts(topology: Topology) -> Iterator[Finding]:
    for host in topology.hosts.values():
        if host.runtime == "namespace":
            yield (*host.path, "runtime"), "runtime: namespace of a host", "leave 'image' out of its containers instead"
        if host.address:
            continue
        for item in fields(Host):
            value = getattr(host, item.name)
            if item.default is not MISSING and value != item.default and item.name not in ("runtime", "underlay"):
                hint = f"leave it out: {host.name!r} without an address is this machine"
                yield (*host.path, item.name), f"{item.name!r} of this machine", hint


#: Keys of a network that no driver of this version honours, each with the value that asks for nothing.
_NETWORK_KEYS: dict[str, object] = {
    "encrypted": False,
}


def _networks(topology: Topology) -> Iterator[Finding]:
    for network in topology.networks.values():
        if network.driver not in DRIVERS:
            yield (*network.path, "driver"), f"driver {network.driver!r}", "use one of: " + ", ".join(sorted(DRIVERS))
            continue
        if network.driver == "routed":
            yield from _routed(network)
        if network.external:
            yield from _external(topology, network)
        keys = {**_NETWORK_KEYS, **(_OVERLAY_KEYS if network.driver == "overlay" else {})}
        for key, nothing in keys.items():
            if getattr(network, key) != nothing:
                yield (*network.path, key), _said(network, key), "leave it out"


def _external(topology: Topology, network: Network) -> Iterator[Finding]:
    """An engine's network is on one host."""
    members = [
        (container, attachment)
        for container in topology.containers.values()
        for attachment in container.networks
        if attachment.network == network.name
    ]
    for container, attachment in members:
        if container.host != members[0][0].host:
            hint = "name one network for each host"
            yield attachment.path, f"the external network {network.name!r} on a second host", hint


#: Keys that mean nothing on an overlay, which has no way out by itself.
_OVERLAY_KEYS: dict[str, object] = {"masquerade": True, "isolated": True}


def _routed(network: Network) -> Iterator[Finding]:
    """The hosts of a routed network divide its subnet among them."""
    if not network.subnets:
        yield (*network.path, "driver"), f"the routed network {network.name!r} without subnets", "give it one"
    for subnet in network.subnets:
        for key in ("gateway", "ip_range"):
            if getattr(subnet, key):
                what = f"{key!r} of a subnet of the routed network {network.name!r}"
                yield (*subnet.path, key), what, "leave it out: each host has a slice with its own gateway"


def _said(network: Network, key: str) -> str:
    value = getattr(network, key)
    shown = str(value).lower() if isinstance(value, bool) else str(value)
    return f"{key}: {shown} of network {network.name!r}"


def _containers(topology: Topology) -> Iterator[Finding]:
    for container in topology.containers.values():
        path = container.path
        if container.image:
            yield from _of_an_image(topology, container)
        for key in container.sysctls:
            if _of_one_interface(key):
                hint = "set it for all or default, or with exec: [[sysctl, -w, ...]]"
                yield (*path, "sysctls", key), f"the sysctl of one interface, {key},", hint
        if container.network_mode == "host":
            yield from _files_of_host_mode(container)


def _of_an_image(topology: Topology, container: Container) -> Iterator[Finding]:
    path = container.path
    if container.engine.get("pull_policy") == "build":
        yield (*path, "pull_policy"), "pull_policy: build", "build the image before: docker build"
    for other in container.engine.get("depends_on", {}):  # type: ignore[attr-defined]
        if other in topology.containers and topology.containers[other].host != container.host:
            # Hosts carry out their parts of a plan side by side, each by itself.
            hint = "leave it out, and let the program try again until it is answered: restart: on-failure"
            yield (*path, "depends_on"), f"'depends_on' with {other!r}, which is on another host,", hint
    joined = topology.containers.get(container.joins)
    if joined is not None and joined.network_mode in ("host", "container"):
        what = f"network_mode: container:{joined.name} of a container with an image, which has no network of its own,"
        yield (*path, "network_mode"), what, "join the container that has the network"


def _of_one_interface(key: str) -> bool:
    parts = key.split(".")
    return (
        len(parts) > 4
        and parts[:2] in (["net", "ipv4"], ["net", "ipv6"])
        and parts[2] in ("conf", "neigh")
        and parts[3] not in ("all", "default", "lo")
    )


def _files_of_host_mode(container: Container) -> Iterator[Finding]:
    hint = "leave it out: with network_mode host the container reads the host's own files"
    for key in ("dns", "dns_search", "dns_options", "extra_hosts", "links"):
        if getattr(container, key):
            yield (*container.path, key), f"{key!r} with network_mode host", hint


_TABLE: tuple[Callable[[Topology], Iterator[Finding]], ...] = (_hosts, _networks, _containers)
