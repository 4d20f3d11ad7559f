"""Addresses as integers and back. Strings are ``ipaddress``'s canonical form; IPv4 does without its objects, which
cost ten times as much and there may be ten thousand."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_network


def parse(text: str) -> tuple[int, int]:
    """``(family, value)`` of an address."""
    if ":" in text:
        return 6, int(IPv6Address(text))
    a, b, c, d = text.split(".")
    return 4, int(a) << 24 | int(b) << 16 | int(c) << 8 | int(d)


def show(family: int, value: int) -> str:
    """The canonical string of an address."""
    if family == 6:
        return str(IPv6Address(value))
    return f"{value >> 24}.{value >> 16 & 255}.{value >> 8 & 255}.{value & 255}"


def parse_with_prefix(text: str) -> tuple[int, int, int]:
    """``(family, value, prefix)`` of ``address/prefix``."""
    address, _, prefix = text.partition("/")
    family, value = parse(address)
    return family, value, int(prefix)


def parse_prefix(text: str) -> tuple[int, int, int]:
    """``(family, network, prefix)`` of a prefix; host bits and a missing length are forgiven."""
    if "/" in text and ":" not in text:
        family, value, prefix = parse_with_prefix(text)
        return family, value & mask(family, prefix), prefix
    network = ip_network(text, strict=False)
    return network.version, int(network.network_address), network.prefixlen


def mask(family: int, prefix: int) -> int:
    """The netmask as an integer."""
    bits = 32 if family == 4 else 128
    return ((1 << prefix) - 1) << (bits - prefix)
