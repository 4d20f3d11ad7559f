"""``inspect``: everything that is live of a container, a network or a link, with the words of ``docker inspect`` where
they fit. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from netcompose.errors import UsageError
from netcompose.resources import (
    Bridge,
    ContainerState,
    End,
    Exec,
    File,
    Ipvlan,
    Namespace,
    Process,
    Resource,
    Stacked,
    Veth,
    Vxlan,
    to_data,
)
from netcompose.views.jsontext import json_text
from netcompose.views.secrets import masked
from netcompose.views.state import plugged
from netcompose.views.terminal import Paint, natural_key, printable


def inspect_objects(
    host: str, live: Mapping[str, Resource], states: Sequence[ContainerState] = ()
) -> list[dict[str, Any]]:
    """The objects of one host as plain data: containers, networks, links, each sorted by name.

    Every object has ``type``, ``name``, ``host`` and ``resources`` (ids in a plan). Secrets are masked.
    """
    shown = {id: masked(resource) for id, resource in live.items()}
    return [*_containers(host, shown, states), *_networks(host, shown), *_links(host, shown)]


def select(objects: Sequence[dict[str, Any]], names: Sequence[str]) -> list[dict[str, Any]]:
    """The objects of these names, in the order asked for (all if none is named); :class:`UsageError` for a name that
    nothing has."""
    if not names:
        return list(objects)
    chosen: list[dict[str, Any]] = []
    for name in names:
        found = [item for item in objects if item["name"] == name]
        if not found:
            import difflib

            near = difflib.get_close_matches(name, sorted({item["name"] for item in objects}), n=1)
            hint = f"did you mean {near[0]!r}?" if near else "netcompose ps lists what is there"
            raise UsageError(f"nothing that is live is named {name!r}", hint=hint)
        chosen += found
    return chosen


def inspect_text(objects: Sequence[dict[str, Any]], *, colour: bool = False) -> str:
    """Indented ``key: value`` lines, a blank line between objects."""
    paint = Paint(colour)
    blocks = []
    for item in objects:
        rest = {key: value for key, value in item.items() if key not in ("type", "name")}
        title = paint(f"{item['type']} {printable(item['name'])}", "bold")
        blocks.append("\n".join([title, *_tree(rest, "  ")]))
    return "\n\n".join(blocks) + "\n" if blocks else "Nothing is live.\n"


def inspect_json(objects: Sequence[dict[str, Any]]) -> str:
    """The objects as a JSON list."""
    return json_text(list(objects))


def _containers(host: str, live: Mapping[str, Resource], states: Sequence[ContainerState]) -> list[dict[str, Any]]:
    by_name: dict[str, dict[str, Any]] = {}

    def entry(name: str) -> dict[str, Any]:
        empty: dict[str, Any] = {"type": "container", "name": name, "host": host, "status": "wired", "resources": []}
        return by_name.setdefault(name, empty)

    for id in sorted(live, key=natural_key):
        resource = live[id]
        if isinstance(resource, Namespace):
            item = entry(resource.container)
            item["namespace"] = f"/run/netns/{resource.netns}"
            if resource.joins:
                item["joins"] = resource.joins
            if resource.sysctls:
                item["sysctls"] = dict(resource.sysctls)
        elif isinstance(resource, Process):
            item = entry(resource.container)
            left_out = ("id", "container", "namespace", "netns", "after")
            item["process"] = {k: v for k, v in to_data(resource).items() if k not in left_out and v not in ("", {})}
        elif isinstance(resource, File):
            entry(resource.container).setdefault("files", []).append(resource.path)
        elif isinstance(resource, Exec):
            entry(resource.container)["exec"] = to_data(resource.commands)
        else:
            continue
        item = entry(resource.container)
        item["resources"].append(id)
    for port in plugged(live):
        item = entry(port.container)
        detail = _end(port.end)
        if port.label.startswith("link:"):
            # Of a cable to another host only that is known here.
            detail["peer"] = f"{port.peer.namespace}:{port.peer.name}".removeprefix(":")
        elif port.parent:
            detail["parent"] = _shown_parent(port.parent)
        else:
            detail.update({"port": port.peer.name, **_impairment("ingress", port.peer)})
        item.setdefault("networks", {})[port.label] = detail
        item["resources"].append(port.resource)
    for state in states:
        item = entry(state.container)
        data = {k: v for k, v in to_data(state).items() if k not in ("container", "status")}
        if state.status != "exited":
            data.pop("exit_code")
        item["status"] = state.status
        item["state"] = {k: v for k, v in data.items() if v or k == "exit_code"}
        if not item["state"]:
            del item["state"]
    return [by_name[name] for name in sorted(by_name, key=natural_key)]


def _networks(host: str, live: Mapping[str, Resource]) -> list[dict[str, Any]]:
    members: dict[str, dict[str, Any]] = {}
    for port in plugged(live):
        entry = {"interface": port.end.name, "mac": port.end.mac, "addresses": list(port.end.addresses)}
        members.setdefault(port.label, {})[port.container] = entry
    bridges = [resource for resource in live.values() if isinstance(resource, Bridge)]
    stacked = {r.network: r for _, r in sorted(live.items()) if isinstance(r, Stacked) and r.network}
    tunnels = {resource.end.master: resource for resource in live.values() if isinstance(resource, Vxlan)}
    return [
        {
            "type": "network",
            "name": bridge.network,
            "host": host,
            "driver": "overlay" if bridge.id in tunnels else "bridge",
            "interface": bridge.name,
            "gateways": list(bridge.addresses),
            "mac": bridge.mac,
            "mtu": bridge.mtu,
            "up": bridge.up,
            "containers": members.get(bridge.network, {}),
            **_tunnel(tunnels.get(bridge.id)),
            "resources": [bridge.id, *([tunnels[bridge.id].id] if bridge.id in tunnels else [])],
        }
        for bridge in sorted(bridges, key=lambda b: natural_key(b.network))
        if bridge.network not in stacked
    ] + [_stacked(host, live, stacked[name], members.get(name, {})) for name in sorted(stacked, key=natural_key)]


def _stacked(host: str, live: Mapping[str, Resource], first: Stacked, members: dict[str, Any]) -> dict[str, Any]:
    """A macvlan or ipvlan network, as one of its interfaces shows it."""
    detail: dict[str, Any] = {"type": "network", "name": first.network, "host": host, "driver": first.kind}
    detail["parent"] = _shown_parent(first.parent)
    detail["mode"] = getattr(first, "mode", "")
    if isinstance(first, Ipvlan):
        detail["flag"] = first.flag
    shim = live.get(f"shim/{first.network}")
    if isinstance(shim, Stacked):
        detail["host_access"] = {"interface": shim.end.name, "addresses": list(shim.end.addresses)}
    beside = (f"bridge/{first.network}", f"shim/{first.network}", *([first.parent] if "/" in first.parent else ()))
    detail["containers"] = members
    detail["resources"] = [id for id in dict.fromkeys(beside) if id in live]
    return detail


def _shown_parent(parent: str) -> str:
    """The name of the interface on the host; a bridge of netcompose's own is named as a resource."""
    return parent.removeprefix("vlan/")


def _links(host: str, live: Mapping[str, Resource]) -> list[dict[str, Any]]:
    links: list[Veth | Vxlan] = []
    for resource in live.values():
        near = isinstance(resource, Veth) and resource.end.namespace and resource.peer.namespace
        if near or (isinstance(resource, Vxlan) and resource.end.namespace):
            links.append(resource)  # type: ignore[arg-type]
    return [
        {
            "type": "link",
            "name": link.id.partition("/")[2],
            "host": host,
            "ends": {f"{end.namespace}:{end.name}": _end(end) for end in _ends(link)},
            **(_tunnel(link) if isinstance(link, Vxlan) else {}),
            "resources": [link.id],
        }
        for link in sorted(links, key=lambda found: natural_key(found.id))
    ]


def _ends(link: Veth | Vxlan) -> tuple[End, ...]:
    """The ends on this host."""
    return (link.end,) if isinstance(link, Vxlan) else (link.end, link.peer)


def _tunnel(tunnel: Vxlan | None) -> dict[str, Any]:
    """What leads to other hosts, and which MAC addresses are there."""
    if tunnel is None:
        return {}
    stations = {mac: list(where) for mac, where in tunnel.stations.items()}
    found = {"vni": tunnel.vni, "port": tunnel.port, "local": tunnel.local, "remote": tunnel.remote}
    return {"tunnel": {**found, "stations": stations}}


def _end(end: End) -> dict[str, Any]:
    return {
        "interface": end.name,
        "addresses": list(end.addresses),
        "mac": end.mac,
        "mtu": end.mtu,
        "up": end.up,
        "routes": [
            f"{route.to}"
            + (f" via {route.via}" if route.via else "")
            + (f" metric {route.metric}" if route.metric else "")
            for route in end.routes
        ],
        **_impairment("impairment", end),
    }


def _impairment(key: str, end: End) -> dict[str, Any]:
    """What an end does to the packets that it sends, under a key that is left out when there is nothing."""
    found = to_data(end.impairment) or {}
    return {key: {name: value for name, value in found.items() if value}} if found else {}


def _tree(value: Any, indent: str) -> list[str]:
    lines: list[str] = []
    if isinstance(value, Mapping):
        for key, inner in value.items():
            name = printable(str(key))
            if isinstance(inner, Mapping) and inner:
                lines += [f"{indent}{name}:", *_tree(inner, indent + "  ")]
            elif isinstance(inner, list) and any(isinstance(item, (list, Mapping)) for item in inner):
                lines += [f"{indent}{name}:", *(f"{indent}  - {_scalar(item)}" for item in inner)]
            elif key == "command" and isinstance(inner, list):
                import shlex

                lines.append(f"{indent}{name}: {printable(shlex.join(inner))}")
            else:
                lines.append(f"{indent}{name}: {_scalar(inner)}")
    return lines


def _scalar(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(_scalar, value)) if value else "-"
    if isinstance(value, Mapping):
        return ", ".join(f"{printable(str(key))}={_scalar(item)}" for key, item in value.items()) or "-"
    return printable(str(value)) if value != "" else "-"
