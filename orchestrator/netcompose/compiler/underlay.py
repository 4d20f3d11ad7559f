"""The network under the tunnels: which address of each host the others reach it by, and how much fits through."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from typing import NamedTuple

from netcompose.resources import HostFacts, Observation
from netcompose.topology.model import Host, Topology
from netcompose.topology.source import Problem

#: Bytes that a VXLAN packet has around the frame inside: Ethernet (of the frame), VXLAN, UDP, IP (RFC 7348, section 5).
OVERHEAD = {4: 14 + 8 + 8 + 20, 6: 14 + 8 + 8 + 40}
#: What is taken for the underlay's where no host has been asked.
USUAL_MTU = 1500


class Underlay(NamedTuple):
    """A host's end: its address, the ``address/prefix`` strings of the interface that has it, and that one's name and
    MTU (0 where the host was not asked)."""

    address: str
    interface: str = ""
    mtu: int = 0
    subnets: tuple[str, ...] = ()

    @property
    def family(self) -> int:
        """4 or 6."""
        return 6 if ":" in self.address else 4


class Underlays:
    """The underlay addresses of hosts, found when they are asked for; what is wrong with one is told once."""

    def __init__(self, topology: Topology, live: Mapping[str, Observation]) -> None:
        self._topology = topology
        self._live = live
        self._found: dict[str, Underlay | None] = {}
        self.problems: list[Problem] = []

    def of(self, name: str) -> Underlay | None:
        """A host's, or None if there is none: then a problem says why."""
        if name not in self._found:
            host = self._topology.hosts[name]
            observed = self._live.get(name)
            found = _of(host, observed.facts) if observed is not None else _written(host)
            if isinstance(found, str):
                message, _, hint = found.partition("\n")
                path = (*host.path, "underlay") if host.underlay else host.path
                self.problems.append(self._topology.source.problem(message, path, hint=hint, key=not host.underlay))
                self._found[name] = None
            else:
                self._found[name] = found
        return self._found[name]

    def room(self, hosts: Iterable[str]) -> int:
        """The MTU that fits into tunnels between all of these hosts."""
        found = [underlay for host in hosts if (underlay := self.of(host)) is not None]
        return min(
            ((underlay.mtu or USUAL_MTU) - OVERHEAD[underlay.family] for underlay in found),
            default=USUAL_MTU - OVERHEAD[4],
        )


def _of(host: Host, facts: HostFacts) -> Underlay | str:
    """The one that is written, else the one that the host is known by, else its only one."""
    by_address = {
        text.partition("/")[0]: (name, texts) for name, texts in facts.interface_addresses.items() for text in texts
    }
    has = ", ".join(f"{name} {' '.join(texts)}" for name, texts in facts.interface_addresses.items()) or "none"
    if host.underlay:
        if _is_address(host.underlay):
            address = str(ip_address(host.underlay))
            if address not in by_address:
                return f"host {host.name!r} has no address {address} for tunnels to the others\nit has: {has}"
        elif host.underlay in facts.interface_addresses:
            # IPv4 first: it leaves more room for what is inside.
            address = min(facts.interface_addresses[host.underlay], key=lambda text: ":" in text).partition("/")[0]
        else:
            return f"host {host.name!r} has no interface {host.underlay} that is up with an address\nit has: {has}"
    else:
        known = [host.address, facts.session.get("address", "")]
        found = next((text for text in known if text in by_address), "")
        if not found and len(by_address) == 1:
            found = next(iter(by_address))
        if not found:
            return (
                f"it is not known by which address the other hosts reach {host.name!r}\n"
                f"write underlay: INTERFACE or ADDRESS for the host; it has: {has}"
            )
        address = found
    interface, subnets = by_address[address]
    return Underlay(address, interface, facts.mtus.get(interface, 0), subnets)


def _written(host: Host) -> Underlay | str:
    """What the file alone says, of a host that is left alone in this run."""
    for text in (host.underlay, host.address):
        if text and _is_address(text):
            return Underlay(str(ip_address(text)))
    return (
        f"host {host.name!r} is not asked in this run, and its underlay address is not in the file\n"
        "write underlay: ADDRESS for the host, or leave --host out"
    )


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def spans(topology: Topology, driver: str) -> dict[str, list[str]]:
    """The networks of a driver, and for each the hosts that have containers on it, in the order of the file."""
    found: dict[str, list[str]] = {name: [] for name, net in topology.networks.items() if net.driver == driver}
    if found:
        for container in topology.containers.values():
            for attachment in container.networks:
                hosts = found.get(attachment.network)
                if hosts is not None and container.host not in hosts:
                    hosts.append(container.host)
    return found
