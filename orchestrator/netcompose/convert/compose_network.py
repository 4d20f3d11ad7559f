"""``networks:`` of a Compose file -> networks and parents."""

from __future__ import annotations

import re
from typing import Any

from netcompose.convert import names
from netcompose.convert.tree import Reader
from netcompose.topology.scalars import as_text
from netcompose.topology.source import Path

_DRIVERS = ("bridge", "macvlan", "ipvlan", "overlay")
_ICC = "com.docker.network.bridge.enable_icc"
_MASQUERADE = "com.docker.network.bridge.enable_ip_masquerade"
_MTU = ("com.docker.network.driver.mtu", "com.docker.network.mtu")

_WHY = {
    "attachable": "every container of the topology may join",
    "labels": "networks have no labels here; their marks are netcompose's own",
    "enable_ipv4": "the subnets say which families there are",
}


def network(key: str, value: Any, path: Path, reader: Reader, parents: dict[str, Any]) -> dict[Any, Any]:
    """One network; interfaces of the host that it stands on are added to ``parents``."""
    spec = reader.mapping(value, path)
    if spec.get("external"):
        return _external(key, spec, path, reader)
    return _Network(spec, path, reader, parents).network()


def _external(key: str, spec: dict[str, Any], path: Path, reader: Reader) -> dict[Any, Any]:
    external = spec["external"]
    inner = external.get("name") if isinstance(external, dict) else None
    real = as_text(inner or spec.get("name") or key)
    made: dict[Any, Any] = {"external": True if real == key else {"name": real}}
    for word in spec:
        if word not in ("external", "name"):
            made[reader.left_out((*path, word), word, "an external network is used as it is found")] = None
    return made


class _Network:
    def __init__(self, spec: dict[str, Any], path: Path, reader: Reader, parents: dict[str, Any]) -> None:
        self._spec, self._path, self._reader, self._parents = spec, path, reader, parents
        self._driver = as_text(spec.get("driver") or "bridge")
        self._made: dict[Any, Any] = {}

    def _leave(self, path: Path, what: str, why: str) -> None:
        self._made[self._reader.left_out(path, what, why)] = None

    def network(self) -> dict[Any, Any]:
        for word, item in self._spec.items():
            at: Path = (*self._path, word)
            if word == "driver":
                self._choose(at)
            elif word == "driver_opts":
                self._options(self._reader.mapping(item, at), at)
            elif word == "ipam":
                self._ipam(self._reader.mapping(item, at), at)
            elif word == "internal":
                if item is True:
                    self._made["internal"] = True
            elif word == "name":
                self._leave(at, "name", "a network has no second name on the host")
            elif word == "enable_ipv6":
                if item is True and not any(":" in subnet for subnet in self._subnets()):
                    self._leave(at, "enable_ipv6", "name an IPv6 subnet: subnets: [..., 'fd00:1::/64']")
            elif word.startswith("x-"):
                self._made[word] = item
            elif word != "external":
                self._leave(at, word, _WHY.get(word, "there is no such key here"))
        return self._made

    def _choose(self, path: Path) -> None:
        if self._driver not in _DRIVERS:
            self._leave(path, f"driver {self._driver}", "written as a bridge, which is what is known here")
        elif self._driver != "bridge":
            self._made["driver"] = self._driver
        if self._driver == "overlay":
            note = self._reader.changed(path, "overlay", "it joins the hosts under 'hosts:'")
            self._made[note] = None

    def _subnets(self) -> list[str]:
        ipam = self._spec.get("ipam")
        config = ipam.get("config") if isinstance(ipam, dict) else None
        return [as_text(item.get("subnet", "")) for item in config or [] if isinstance(item, dict)]

    def _options(self, options: dict[str, Any], path: Path) -> None:
        for word, item in options.items():
            text = as_text(item)
            if word in _MTU and text.isdigit():
                self._made["mtu"] = int(text)
            elif word in (_ICC, _MASQUERADE):
                if text.lower() in ("false", "0"):
                    self._made["icc" if word == _ICC else "masquerade"] = False
            elif word == "parent" and self._driver in ("macvlan", "ipvlan"):
                self._made["parent"] = _parent(text, self._parents)
            elif word in ("macvlan_mode", "ipvlan_mode"):
                self._made["mode"] = text
            elif word == "ipvlan_flag":
                self._made["flag"] = text
            else:
                self._leave((*path, word), f"driver_opts {word}", "there is no such option here")

    def _ipam(self, ipam: dict[str, Any], path: Path) -> None:
        for word, item in ipam.items():
            at: Path = (*path, word)
            if word == "driver":
                if item not in ("default", None):
                    self._leave(at, f"ipam driver {as_text(item)}", "addresses are given by netcompose")
            elif word == "config":
                entries = enumerate(self._reader.listed(item, at))
                found = [self._subnet(self._reader.mapping(entry, (*at, i)), (*at, i)) for i, entry in entries]
                if any(found):
                    self._made["subnets"] = [subnet for subnet in found if subnet]
            else:
                self._leave(at, f"ipam {word}", "there is no such option here")

    def _subnet(self, entry: dict[str, Any], path: Path) -> Any:
        if not entry.get("subnet"):
            if entry:
                self._leave(path, "ipam config", "it has no subnet")
            return None
        made: dict[str, Any] = {"subnet": as_text(entry["subnet"])}
        for word, item in entry.items():
            if word == "gateway":
                made[word] = as_text(item).partition("/")[0]
            elif word == "ip_range":
                made[word] = as_text(item)
            elif word == "aux_addresses":
                addresses = self._reader.mapping(item, (*path, word))
                made[word] = {names.name(key): as_text(text) for key, text in addresses.items()}
            elif word != "subnet":
                self._leave((*path, word), f"ipam config {word}", "there is no such option here")
        return made if len(made) > 1 else made["subnet"]


def _parent(interface: str, parents: dict[str, Any]) -> str:
    """The parent for an interface; Docker makes ``eth0.10`` where it is missing, which is VLAN 10 of ``eth0``."""
    known = names.name(interface)
    vlan = re.fullmatch(r"(.+)\.([0-9]{1,4})", interface)
    parents[known] = {"interface": vlan[1], "vlan": int(vlan[2])} if vlan else {"interface": interface}
    return known
