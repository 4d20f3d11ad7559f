"""Facts about addresses that checks and compiler share. Addresses are ``(version, integer)`` where speed matters."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import NamedTuple

from netcompose.topology.model import Network, Subnet

#: Drivers whose subnets have a gateway of ours, unless the network is internal.
_WITH_GATEWAY = ("bridge", "routed")


class Block(NamedTuple):
    """A prefix as integers; ``first`` and ``last`` are both in it."""

    version: int
    first: int
    last: int
    length: int

    def holds(self, version: int, address: int) -> bool:
        """Whether an address is in it."""
        return version == self.version and self.first <= address <= self.last

    def overlaps(self, other: Block) -> bool:
        """Whether two prefixes share an address."""
        return self.version == other.version and self.first <= other.last and other.first <= self.last

    def __str__(self) -> str:
        return f"{text(self.version, self.first)}/{self.length}"

    @property
    def network_address(self) -> int | None:
        """The address that no host can have: IPv4's network address, IPv6's subnet-router anycast (RFC 4291, 2.6.1).

        None for point-to-point prefixes (RFC 3021, RFC 6164) and single addresses."""
        return self.first if self.last - self.first > 1 else None

    @property
    def broadcast_address(self) -> int | None:
        """IPv4's broadcast address; None for IPv6 and for /31 and /32."""
        return self.last if self.version == 4 and self.last - self.first > 1 else None

    @property
    def first_host(self) -> int:
        """The lowest address that a host can have."""
        return self.first if self.network_address is None else self.first + 1


@lru_cache(maxsize=65536)
def block(prefix: str) -> Block:
    """A canonical prefix as integers."""
    network = ip_network(prefix, strict=False)
    return Block(network.version, int(network.network_address), int(network.broadcast_address), network.prefixlen)


@lru_cache(maxsize=65536)
def number(address: str) -> tuple[int, int]:
    """``(version, integer)`` of a canonical address."""
    return (6, int(IPv6Address(address))) if ":" in address else (4, int(IPv4Address(address)))


def text(version: int, address: int) -> str:
    """The canonical form of an address."""
    return str(IPv6Address(address) if version == 6 else IPv4Address(address))


def gateway(network: Network, subnet: Subnet) -> str:
    """The gateway's address in a subnet: the one that is written, else the first, else empty where there is none
    (internal and external networks, and drivers that make no gateway)."""
    if subnet.gateway:
        return subnet.gateway
    if not subnet.subnet or network.internal or network.external or network.driver not in _WITH_GATEWAY:
        return ""
    known = block(subnet.subnet)
    return text(known.version, known.first_host)
