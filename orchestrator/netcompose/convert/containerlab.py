"""A containerlab file -> a topology. Source: containerlab's manual (topology definition, nodes, kinds, links)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from netcompose.convert import names
from netcompose.convert.containerlab_commands import take_over
from netcompose.convert.containerlab_link import Links, Made
from netcompose.convert.containerlab_node import BRIDGES, Nodes
from netcompose.convert.tree import Note, Reader, Tree
from netcompose.convert.variables import Variables
from netcompose.topology.scalars import as_text
from netcompose.topology.source import Path, Source

#: Subnets of the management network where the file has none.
_SUBNETS = {"ipv4-subnet": "172.20.20.0/24", "ipv6-subnet": "3fff:172:20:20::/64"}
_MGMT_WHY = {
    "bridge": "the bridge's name is netcompose's own",
    "driver-opts": "there are no such options here",
    "external-access": "published ports alone are reachable from outside",
}
_WHY = {
    "prefix": "a container's name is the node's; its namespace is <topology>-<node>",
    "settings": "no certificates are made",
    "debug": "there is no such key here",
}


def convert(value: Any, source: Source, known: Mapping[str, str], folder: str) -> Tree:
    """The topology of a parsed containerlab file; arguments as for a Compose file."""
    reader = Reader(source)
    root = reader.mapping(value, ())
    variables = Variables(known, reader)
    filled = variables.fill(root, ())
    inner = reader.mapping(filled.get("topology"), ("topology",))
    nodes = Nodes(inner, folder, as_text(filled.get("name") or ""), reader)
    if not nodes.names:
        raise reader.wrong("the file has no nodes", ("topology",))
    made: dict[Any, Any] = dict(variables.notes)
    sections = Made()
    networks, containers = sections.networks, sections.containers
    mgmt = reader.mapping(filled.get("mgmt"), ("mgmt",))
    management = names.name(as_text(mgmt.get("network") or "mgmt"))
    for word in filled:
        if word == "name":
            text = names.topology_name(as_text(filled[word]))
            if text:
                made["name"] = text
            if text != as_text(filled[word]):
                made[reader.changed((word,), f"the name {as_text(filled[word])}", "letters, digits and '-' here")] = (
                    None
                )
        elif word not in ("topology", "mgmt"):
            made[reader.left_out((word,), word, _WHY.get(word, "there is no such section here"))] = None
    for name in nodes.names:
        spec, path = nodes.spec(name), nodes.path(name)
        if spec["kind"] in BRIDGES:
            networks[nodes.name(name)] = nodes.bridge(name)
        elif spec["kind"] == "ext-container":
            containers[reader.left_out(path, f"node {name}", "a container that is there already is not joined")] = None
        elif spec["kind"] != "host":
            containers[nodes.name(name)] = nodes.container(name, management)
    if any(_attached(item, management) for item in containers.values()):
        sections.networks = networks = {management: _management(mgmt, reader), **networks}
    links = Links(nodes, sections, reader)
    cables = links.convert(reader.listed(inner.get("links"), ("topology", "links")))
    paths = {nodes.name(name): nodes.path(name, "exec") for name in nodes.names}
    take_over(containers, cables, paths, reader)
    if sections.parents:
        made["parents"] = sections.parents
    if networks:
        made["networks"] = networks
    made["containers"] = containers
    if cables:
        made["links"] = cables

    def origin(path: Path) -> Path:
        if path[:1] == ("containers",) and path[1:]:
            return ("topology", "nodes", nodes.original(str(path[1])), *path[2:])
        if path[:1] == ("links",) and path[1:]:
            return ("topology", "links", links.origins[int(path[1])])
        if path[:1] == ("networks",):
            return ("mgmt",) if path[1:2] == (management,) else ("topology", "links")
        return path

    return Tree(made, origin, reader.findings)


def _attached(container: Any, network: str) -> bool:
    return isinstance(container, dict) and network in container.get("networks", ())


def _management(mgmt: dict[str, Any], reader: Reader) -> dict[Any, Any]:
    """The network that every node is on as eth0."""
    # Older files have an underscore in these words.
    spelled = {word.replace("_", "-"): word for word in mgmt}
    mgmt = {word.replace("_", "-"): item for word, item in mgmt.items()}
    made: dict[Any, Any] = {}
    subnets: list[Any] = []
    notes: list[Note] = []
    for version in ("ipv4", "ipv6"):
        subnet = as_text(mgmt.get(f"{version}-subnet") or "")
        if not subnet and any(mgmt.get(f"{other}-subnet") for other in ("ipv4", "ipv6")) and version == "ipv6":
            continue
        if subnet == "auto":
            notes.append(
                reader.changed(("mgmt", spelled[f"{version}-subnet"]), f"{version}-subnet auto", "the default is used")
            )
            subnet = ""
        entry = {"subnet": subnet or _SUBNETS[f"{version}-subnet"]}
        for word, key in ((f"{version}-gw", "gateway"), (f"{version}-range", "ip_range")):
            if mgmt.get(word):
                entry[key] = as_text(mgmt[word])
        subnets.append(entry if len(entry) > 1 else entry["subnet"])
    made["subnets"] = subnets
    for word, item in mgmt.items():
        path: Path = ("mgmt", spelled[word])
        if word == "mtu" and as_text(item).isdigit():
            made["mtu"] = int(as_text(item))
        elif word in _MGMT_WHY:
            notes.append(reader.left_out(path, f"mgmt {word}", _MGMT_WHY[word]))
        elif word != "network" and not word.startswith(("ipv4-", "ipv6-")):
            notes.append(reader.left_out(path, f"mgmt {spelled[word]}", "there is no such key here"))
    for note in notes:
        made[note] = None
    return made
