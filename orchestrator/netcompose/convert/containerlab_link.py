"""Links of a containerlab file -> cables between containers, places on networks, networks on interfaces of the host."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from netcompose.convert import names
from netcompose.convert.containerlab_node import BRIDGES, Nodes
from netcompose.convert.tree import Note, Reader
from netcompose.topology.scalars import as_text
from netcompose.topology.source import Path

#: What a link has without ``mtu`` (containerlab's DefaultLinkMTU), so that tunnels of the nodes fit in.
_MTU = 9500
#: The longest name that Linux gives an interface.
_LONGEST = 15
_SPECIAL = ("host", "mgmt-net", "macvlan", "dummy", "vxlan", "vxlan-stitch")
_WHY = {
    "host": "no cable ends on the host; publish a port, or use a network with a gateway",
    "mgmt-net": "a container is on a network once, and every node is on this one as eth0",
    "dummy": "an interface without a peer is not made; add it with exec: [[ip, link, add, ..., type, dummy]]",
    "vxlan": "tunnels are between the hosts under 'hosts:'",
    "vxlan-stitch": "tunnels are between the hosts under 'hosts:'",
}


@dataclass
class Made:
    """The sections of the new topology that links add to."""

    networks: dict[Any, Any] = field(default_factory=dict)
    parents: dict[str, Any] = field(default_factory=dict)
    containers: dict[Any, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class _End:
    node: str
    interface: str
    mac: str = ""
    addresses: tuple[str, ...] = ()


class Links:
    """All links; networks, parents and containers in ``made`` are added to as links need it. ``origins`` are the
    indexes in the source of the cables that were made."""

    def __init__(self, nodes: Nodes, made: Made, reader: Reader) -> None:
        self._nodes, self._reader = nodes, reader
        self._networks, self._parents, self._containers = made.networks, made.parents, made.containers
        self.origins: list[int] = []

    def convert(self, links: list[Any]) -> list[Any]:
        """The cables, with notes."""
        made: list[Any] = []
        for index, value in enumerate(links):
            path: Path = ("topology", "links", index)
            spec = self._reader.mapping(value, path)
            for item in self._link(spec, path):
                made.append(item)
                if not isinstance(item, Note):
                    self.origins.append(index)
        return made

    def _link(self, spec: dict[str, Any], path: Path) -> list[Any]:
        kind = as_text(spec.get("type") or "veth").lower()
        ends = self._ends(spec, path)
        for end in ends:
            if kind == "veth" and end.node in _SPECIAL:
                kind = end.node
        if kind == "macvlan":
            return self._macvlan(spec, ends, path)
        shown = " - ".join(f"{end.node}:{end.interface}" for end in ends) or kind
        if kind not in ("veth", "brief"):
            return [self._reader.left_out(path, f"link {shown}", _WHY.get(kind, f"there is no link of type {kind}"))]
        if len(ends) != 2:
            raise self._reader.wrong(f"the link has {len(ends)} ends", path, 'endpoints: ["r1:eth1", "r2:eth1"]')
        for end in ends:
            if end.node not in self._nodes.names:
                raise self._reader.wrong(f"the link ends at {end.node!r}, which is no node", path)
        kinds = [self._nodes.kind(end.node) for end in ends]
        if "host" in kinds or "ext-container" in kinds:
            why = _WHY["host"] if "host" in kinds else "a container that is there already is not joined"
            return [self._reader.left_out(path, f"link {shown}", why)]
        bridges = [kind in BRIDGES for kind in kinds]
        if all(bridges):
            return [self._reader.left_out(path, f"link {shown}", "two networks are not joined by a cable")]
        if any(bridges):
            return self._plug(spec, ends[bridges.index(False)], ends[bridges.index(True)], path, shown)
        return self._cable(spec, ends, path)

    def _ends(self, spec: dict[str, Any], path: Path) -> list[_End]:
        single = spec.get("endpoint")
        listed = [single] if single is not None else self._reader.listed(spec.get("endpoints"), (*path, "endpoints"))
        return [self._end(value) for value in listed]

    def _end(self, value: Any) -> _End:
        if not isinstance(value, dict):
            node, _, interface = as_text(value).partition(":")
            return _End(node, interface)
        addresses = tuple(as_text(value[word]) for word in ("ipv4", "ipv6") if value.get(word))
        node, interface = as_text(value.get("node") or ""), as_text(value.get("interface") or "")
        return _End(node, interface, as_text(value.get("mac") or ""), addresses)

    def _interface(self, end: _End, path: Path, notes: list[Any]) -> str:
        """The name of an interface in the container; what a node's own words for it are, Linux cannot have."""
        name = end.interface
        if self._nodes.kind(end.node) in ("srl", "nokia_srlinux") and name.startswith("ethernet-"):
            name = "e" + name.removeprefix("ethernet-")
        name = name.replace("/", "-").replace(":", "-")
        if len(name.encode()) > _LONGEST:
            name = name[-_LONGEST:].lstrip("-.")
        if name != end.interface:
            why = "the name that Linux can have; look up which one the node expects"
            notes.append(self._reader.changed(path, f"interface {end.interface} is {name}", why))
        return name

    def _cable(self, spec: dict[str, Any], ends: list[_End], path: Path) -> list[Any]:
        notes = self._extra(spec, path)
        made: dict[str, Any] = {
            "endpoints": [f"{self._nodes.name(end.node)}:{self._interface(end, path, notes)}" for end in ends]
        }
        # Newer files have them on the link, in the order of its ends.
        listed: list[Any] = [spec.get(word) if isinstance(spec.get(word), list) else [] for word in ("ipv4", "ipv6")]
        addresses = [
            [*end.addresses, *(as_text(items[side]) for items in listed if items and len(items) > side and items[side])]
            for side, end in enumerate(ends)
        ]
        if all(addresses):
            both = {":" in text for text in addresses[0]} & {":" in text for text in addresses[1]}
            for side, own in enumerate(addresses):
                for text in [text for text in own if (":" in text) not in both]:
                    what = f"address {text} of {ends[side].node}"
                    notes.append(self._reader.left_out(path, what, "the other end has none of its family"))
                    own.remove(text)
        if any(addresses):
            made["addresses"] = [own[0] if len(own) == 1 else (own or None) for own in addresses]
        if any(end.mac for end in ends):
            made["mac_addresses"] = [end.mac or None for end in ends]
        made["mtu"] = self._mtu(spec)
        return [*notes, made]

    @staticmethod
    def _mtu(spec: dict[str, Any]) -> int:
        text = as_text(spec.get("mtu") or "")
        return int(text) if text.isdigit() and int(text) else _MTU

    def _extra(self, spec: dict[str, Any], path: Path) -> list[Any]:
        known = ("type", "endpoints", "endpoint", "mtu", "ipv4", "ipv6", "host-interface", "mode")
        return [
            self._reader.left_out((*path, word), f"link {word}", "it is for templates and pictures")
            for word in spec
            if word not in known
        ]

    def _plug(self, spec: dict[str, Any], end: _End, bridge: _End, path: Path, shown: str) -> list[Any]:
        """A container's place on the network that a bridge became."""
        notes = self._extra(spec, path)
        network = self._nodes.name(bridge.node)
        container = self._containers.get(self._nodes.name(end.node))
        if not isinstance(container, dict) or container.get("network_mode", "none") != "none":
            return [*notes, self._reader.left_out(path, f"link {shown}", "the node has no network of its own")]
        if network in container.get("networks", {}):
            return [*notes, self._reader.left_out(path, f"link {shown}", "a container is on a network once")]
        container.pop("network_mode", None)
        place: dict[str, Any] = {"interface_name": self._interface(end, path, notes)}
        if end.mac:
            place["mac_address"] = end.mac
        container.setdefault("networks", {})[network] = place
        return notes

    def _macvlan(self, spec: dict[str, Any], ends: list[_End], path: Path) -> list[Any]:
        """An interface on one of the host's: a network of that driver, without addresses of its own."""
        notes = self._extra(spec, path)
        inner = [end for end in ends if end.node != "macvlan"]
        host = as_text(spec.get("host-interface") or next((e.interface for e in ends if e.node == "macvlan"), ""))
        if len(inner) != 1 or not host:
            return [*notes, self._reader.left_out(path, "macvlan link", "it names no interface of the host")]
        container = self._containers.get(self._nodes.name(inner[0].node))
        shown = f"link {inner[0].node}:{inner[0].interface} - macvlan:{host}"
        if not isinstance(container, dict) or container.get("network_mode", "none") != "none":
            return [*notes, self._reader.left_out(path, shown, "the node has no network of its own")]
        parent = names.name(host)
        network = names.name(f"macvlan-{host}")
        mode = as_text(spec.get("mode") or "")
        made: dict[Any, Any] = {"driver": "macvlan", "parent": parent, **({"mode": mode} if mode else {})}
        told = self._reader.changed(path, shown, "written as a network; give it the segment's subnet")
        if network in self._networks and network in container.get("networks", {}):
            return [*notes, self._reader.left_out(path, shown, "a container is on a network once")]
        self._networks.setdefault(network, {told: None, **made})
        self._parents.setdefault(parent, {"interface": host})
        container.pop("network_mode", None)
        place: dict[str, Any] = {"interface_name": self._interface(inner[0], path, notes)}
        if inner[0].mac:
            place["mac_address"] = inner[0].mac
        container.setdefault("networks", {})[network] = place
        return notes
