"""Commands of a node that set up its end of a cable -> addresses and routes, which is what they are here.

Lab files address hosts with ``exec: [ip addr add 10.0.0.2/24 dev eth1]``. A cable's addresses are part of the topology,
and one that is added by hand is a difference that the next run would take away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from netcompose.convert.tree import Reader
from netcompose.topology.source import Path
from netcompose.topology.values import BadValue, address, address_with_length, prefix
from netcompose.topology.values import mac as canonical_mac

_ADDRESS, _ROUTE, _LINK = ("address", "addr", "a"), ("route", "ro", "r"), ("link", "l")
_ADD = ("add", "a", "replace")


@dataclass(frozen=True)
class _Said:
    """What a command does: an ``address`` for an ``interface``, its ``mtu`` or ``mac``, a ``route``, or that the
    interface is up."""

    interface: str = ""
    address: str = ""
    mtu: int = 0
    mac: str = ""
    route: dict[str, Any] | None = None


def take_over(containers: dict[Any, Any], cables: Sequence[Any], paths: dict[str, Path], reader: Reader) -> None:
    """Move what commands say of ends of cables into the cables and their containers; ``paths`` are where a container's
    commands are written."""
    ends = {
        tuple(text.split(":", 1)): (cable, side)
        for cable in cables
        if isinstance(cable, dict)
        for side, text in enumerate(cable["endpoints"])
    }
    for name, container in containers.items():
        if not isinstance(container, dict) or not container.get("exec"):
            continue
        left: list[Any] = []
        for command in container["exec"]:
            said = _read(command) if isinstance(command, list) else None
            place = ends.get((name, said.interface)) if said is not None else None
            if said is None:
                left.append(command)
            elif said.route is not None:
                container.setdefault("routes", []).append(said.route)
            elif place is not None:
                _give(*place, said.address)
                _give_link(*place, said, paths.get(name, ()), reader)
            elif said.interface not in _of_networks(container):
                # One that the commands themselves make, or loopback, which is up by itself.
                if said != _Said("lo"):
                    left.append(command)
            elif said != _Said(said.interface):
                what = f"exec {' '.join(command)}"
                given = "an address" if said.address else "its MTU" if said.mtu else "its MAC address"
                left.append(reader.left_out(paths.get(name, ()), what, f"the network gives its interface {given}"))
            # An interface of ours is up by itself.
        container["exec"] = left
        if not left:
            del container["exec"]
    for cable in cables:
        if isinstance(cable, dict) and "addresses" in cable:
            _one_family_each(cable, paths, reader)


def _of_networks(container: dict[Any, Any]) -> set[str]:
    """The names of a container's interfaces on networks."""
    places = container.get("networks") or {}
    return {
        place["interface_name"] for place in places.values() if isinstance(place, dict) and "interface_name" in place
    }


def _give(cable: dict[str, Any], side: int, text: str) -> None:
    if not text:
        return
    both = cable.get("addresses") or [None, None]
    own = both[side]
    known = [] if own is None else [own] if isinstance(own, str) else list(own)
    if text not in known:
        known.append(text)
    both[side] = known[0] if len(known) == 1 else known
    if "addresses" not in cable:
        # In its usual place, before the MTU.
        rest = {key: cable.pop(key) for key in [key for key in cable if key != "endpoints"]}
        cable["addresses"] = both
        cable.update(rest)


def _give_link(cable: dict[Any, Any], side: int, said: _Said, path: Path, reader: Reader) -> None:
    """The MTU, which both ends of a cable have, and the MAC address of one of them."""
    if said.mtu:
        if cable.get("mtu") != said.mtu:
            why = "the MTU is the cable's, both its ends have it"
            cable[reader.changed(path, f"mtu {said.mtu} of {cable['endpoints'][side]}", why)] = None
        cable["mtu"] = said.mtu
    if said.mac:
        both = cable.get("mac_addresses") or [None, None]
        both[side] = said.mac
        cable["mac_addresses"] = both


def _one_family_each(cable: dict[Any, Any], paths: dict[str, Path], reader: Reader) -> None:
    """Addresses of a family that one end alone has can stand only if the other end has none at all."""
    ends = [[own] if isinstance(own, str) else list(own or ()) for own in cable["addresses"]]
    if not all(ends):
        return
    both = {":" in text for text in ends[0]} & {":" in text for text in ends[1]} or {":" in ends[0][0]}
    kept = [[text for text in own if (":" in text) in both] for own in ends]
    cable["addresses"] = [own[0] if len(own) == 1 else (own or None) for own in kept]
    for side, own in enumerate(ends):
        name = cable["endpoints"][side].partition(":")[0]
        for text in own:
            if text not in kept[side]:
                why = "the other end has none of its family"
                cable[reader.left_out(paths.get(name, ()), f"address {text} of {name}", why)] = None


def _read(command: Sequence[str]) -> _Said | None:
    """What an ``ip`` command says, None for any other and for what has more to it."""
    words = [word for word in command if word not in ("-4", "-6")]
    if words[:1] not in (["ip"], ["/sbin/ip"], ["/usr/sbin/ip"]) or len(words) < 4:
        return None
    try:
        if words[1] in _LINK and words[2] == "set":
            return _link([word for word in words[3:] if word != "dev"])
        if words[2] not in _ADD:
            return None
        first, options = words[3], _options(words[4:])
        if first == "dev" and words[1] in _ADDRESS and len(words) == 6:
            first, options = words[5], {"dev": words[4]}
        if words[1] in _ADDRESS and options is not None and set(options) == {"dev"}:
            return _Said(options["dev"], address_with_length(first))
        if words[1] in _ROUTE and options is not None and set(options) <= {"dev", "via", "metric"} and "via" in options:
            return _Said(route=_route(first, options))
    except (BadValue, ValueError):
        return None
    return None


def _link(words: Sequence[str]) -> _Said | None:
    """``eth1 mtu 1400 address 02:00:00:00:00:01 up``, in any order."""
    options = list(words[1:])
    mtu, mac = 0, ""
    while options:
        word = options.pop(0)
        if word == "mtu" and options:
            mtu = int(options.pop(0))
        elif word == "address" and options:
            mac = canonical_mac(options.pop(0))
        elif word != "up":
            return None
    return _Said(words[0], mtu=mtu, mac=mac) if words and (mtu or mac or words[1:] == ["up"]) else None


def _route(to: str, options: dict[str, str]) -> dict[str, Any]:
    made: dict[str, Any] = {"to": to if to == "default" else prefix(to), "via": address(options["via"])}
    if "dev" in options:
        made["interface"] = options["dev"]
    if "metric" in options:
        made["metric"] = int(options["metric"])
    return made


def _options(words: Sequence[str]) -> dict[str, str] | None:
    """``dev eth1 via 10.0.0.1`` in pairs; a broadcast address is the usual one."""
    if len(words) % 2:
        return None
    pairs = dict(zip(words[::2], words[1::2], strict=True))
    pairs.pop("brd", None)
    pairs.pop("broadcast", None)
    return pairs
