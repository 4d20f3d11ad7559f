"""Single values of the language, normalised: addresses, prefixes, MACs, times, command lines, ports.

Each function takes a value as it stands in the document (of the schema's type), gives its normal form, and raises
:class:`BadValue` for what the schema cannot tell.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import AddressValueError, IPv4Address, IPv6Address, ip_network
from typing import Any

from netcompose.topology.scalars import as_text
from netcompose.topology.words import quoted


class BadValue(Exception):
    """A value that has the right type and cannot be meant."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def address(text: str, version: int = 0) -> str:
    """An IP address in canonical form; ``version`` 4 or 6 allows only that."""
    try:
        found = IPv6Address(text) if ":" in text else IPv4Address(text)
    except AddressValueError:
        hint = "write the address without prefix length" if "/" in text else "an address is like 10.0.0.5 or fd00::5"
        raise BadValue(f"{quoted(text)} is not an IP address", hint) from None
    if version and found.version != version:
        raise BadValue(f"{quoted(text)} is an IPv{found.version} address, IPv{version} is wanted here")
    if "%" in text:
        raise BadValue(f"{quoted(text)} has a zone", "write the address without '%'")
    return str(found)


def prefix(text: str) -> str:
    """A network prefix in canonical form, host bits zero."""
    if "/" not in text:
        raise BadValue(f"{quoted(text)} has no prefix length", f"write for example {text}/{64 if ':' in text else 24}")
    _refuse_odd_prefix(text)
    try:
        return str(ip_network(text))
    except ValueError:
        pass
    try:
        near = ip_network(text, strict=False)
    except ValueError:
        raise BadValue(f"{quoted(text)} is not a prefix", "a prefix is like 10.0.0.0/24 or fd00:1::/64") from None
    raise BadValue(f"{quoted(text)} has bits set behind its prefix length", f"did you mean '{near}'?")


def address_with_length(text: str) -> str:
    """``10.1.0.1/30`` in canonical form."""
    found, slash, length = text.partition("/")
    if not slash:
        raise BadValue(f"{quoted(text)} has no prefix length", f"write for example {text}/{64 if ':' in text else 24}")
    _refuse_odd_prefix(text)
    canonical = address(found)
    if int(length) > (128 if ":" in canonical else 32):
        raise BadValue(f"{quoted(text)} has no valid prefix length", "IPv4 goes to /32, IPv6 to /128")
    return f"{canonical}/{int(length)}"


def _refuse_odd_prefix(text: str) -> None:
    length = text.rpartition("/")[2]
    if not (length.isascii() and length.isdigit() and len(length) <= 3):
        raise BadValue(f"{quoted(text)} has no valid prefix length", "write it as a number, like /24")
    if "%" in text:
        raise BadValue(f"{quoted(text)} has a zone", "write the address without '%'")


def mac(text: str) -> str:
    """A MAC address, lower case."""
    if not re.fullmatch("[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}", text):
        raise BadValue(
            f"{quoted(text)} is not a MAC address", "six pairs of hexadecimal digits, like 02:42:ac:12:00:0a"
        )
    return text.lower()


_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def duration(value: Any) -> float:
    """Seconds of ``1m30s`` or a number (Compose's durations)."""
    if not isinstance(value, str):
        return float(value)
    parts = re.findall("([0-9]+(?:\\.[0-9]+)?)(us|ms|s|m|h)", value)
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def words(value: Any) -> tuple[str, ...]:
    """A command as words; one text is split as a shell does, without running one."""
    if not isinstance(value, str):
        return tuple(as_text(word) for word in value)
    if not any(special in value for special in "'\"\\"):
        return tuple(value.split())
    from shlex import split

    try:
        return tuple(split(value))
    except ValueError as error:
        reason = "a quote is not closed" if "quot" in str(error) else "nothing follows the last backslash"
        raise BadValue(f"the command cannot be split: {reason}", "or write it as a list of words") from None


def key_values(value: Any) -> dict[str, str]:
    """A mapping, or a list of ``KEY=VALUE`` (a later one wins); values as text, as written."""
    if isinstance(value, dict):
        return {key: as_text(item) for key, item in value.items()}
    pairs = (item.partition("=") for item in value)
    return {key: item for key, _, item in pairs}


def texts(value: Any) -> tuple[str, ...]:
    """One text or a list of them."""
    return (value,) if isinstance(value, str) else tuple(value)


def stop_signal(text: str) -> str:
    """``TERM``, ``15`` and ``SIGTERM`` are ``SIGTERM``."""
    import signal

    name = text.upper()
    if name.isdigit():
        known = {str(int(item)): item.name for item in signal.Signals}
        if name in known:
            return known[name]
    if not name.startswith("SIG"):
        name = "SIG" + name
    if name in signal.Signals.__members__ or re.fullmatch("SIGRTM(IN\\+|AX-)[0-9]{1,2}", name):
        return name
    raise BadValue(f"{quoted(text)} is not a signal", "signals are like SIGTERM or SIGINT (signal(7))")


#: (container port, host port or 0, host address or empty, protocol)
PortTuple = tuple[int, int, str, str]
_PROTOCOLS = ("tcp", "udp", "sctp")
_PORT_HINT = "a port is [[ADDRESS:]HOST_PORT:]CONTAINER_PORT[/PROTOCOL], like 8080:80 or 127.0.0.1:53:53/udp"


def ports(value: Any) -> Iterable[PortTuple]:
    """The single ports that one entry of ``ports`` means; ranges are expanded."""
    if isinstance(value, dict):
        host = as_text(value["published"]) if "published" in value else ""
        where = address(value["host_ip"].strip("[]")) if "host_ip" in value else ""
        return _pair(as_text(value["target"]), host, where, value.get("protocol", "tcp"), as_text(value.get("target")))
    written = as_text(value)
    text, slash, protocol = written.partition("/")
    if slash and protocol.lower() not in _PROTOCOLS:
        raise BadValue(f"{quoted(written)} has an unknown protocol", "one of: " + ", ".join(_PROTOCOLS))
    if text.startswith(":"):
        raise BadValue(f"{quoted(written)} is not a port", _PORT_HINT)
    front, _, inside = text.rpartition(":")
    where, colon, host = front.rpartition(":") if front.count(":") != 0 or front.startswith("[") else ("", "", front)
    if front and not colon and ("." in front or front.startswith("[")):
        raise BadValue(
            f"{quoted(written)} has an address and one port", f"for a free host port write {front}::{inside}"
        )
    where = address(where[1:-1] if where.startswith("[") and where.endswith("]") else where) if where else ""
    if colon and not where:
        raise BadValue(f"{quoted(written)} is not a port", _PORT_HINT)
    return _pair(inside, host, where, protocol.lower() or "tcp", written)


def _pair(inside: str, host: str, where: str, protocol: str, written: str) -> list[PortTuple]:
    targets = _range(inside, written)
    if not host:
        return [(port, 0, where, protocol) for port in targets]
    published = _range(host, written)
    if len(published) != len(targets):
        message = f"{quoted(written)} publishes {len(published)} host ports for {len(targets)} of the container"
        raise BadValue(message, "both ranges have the same length")
    return [(port, other, where, protocol) for port, other in zip(targets, published, strict=True)]


def _range(text: str, written: str) -> range:
    first, dash, last = text.partition("-")
    ends = (first, last) if dash else (first, first)
    if not all(end.isascii() and end.isdigit() and len(end) <= 5 for end in ends):
        raise BadValue(f"{quoted(written)} is not a port", _PORT_HINT)
    low, high = int(ends[0]), int(ends[1])
    if not (1 <= low <= 65535 and 1 <= high <= 65535):
        raise BadValue(f"{quoted(written)} has a port outside 1 to 65535", _PORT_HINT)
    if high < low:
        raise BadValue(f"{quoted(written)} has a range that ends before it starts", f"write {high}-{low}")
    return range(low, high + 1)
