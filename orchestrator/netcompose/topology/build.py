"""A document of the right shape -> :class:`Topology`: short forms expanded, addresses canonical, references resolved.

What cannot be read (an address that is none) is a finding, and the value is left out, so that building and the checks
go on and one run tells all. A subnet that cannot be read stays as one with an empty prefix; checks leave it alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from netcompose.topology import values
from netcompose.topology.build_container import build_container
from netcompose.topology.build_container import impairment as build_impairment
from netcompose.topology.findings import Findings
from netcompose.topology.model import EXTERNAL, Host, Link, LinkEnd, Network, Parent, Subnet, Topology
from netcompose.topology.source import Path, Problem, Source
from netcompose.topology.words import choices, did_you_mean_or, quoted

#: The host of topologies that name none: this machine.
LOCAL = "local"


def build(document: Mapping[str, Any], source: Source, name: str) -> tuple[Topology, list[Problem]]:
    """The topology and what is wrong with single values. ``document`` has passed the schema; ``name`` is used as is."""
    findings = Findings(source)
    hosts = {key: _host(key, spec or {}, findings) for key, spec in document.get("hosts", {LOCAL: None}).items()}
    subnets = {key: _subnet(key, spec, ("subnets", key), findings) for key, spec in document.get("subnets", {}).items()}
    parents = {key: _parent(key, spec) for key, spec in document.get("parents", {}).items()}
    networks = {key: _network(key, spec or {}, subnets, findings) for key, spec in document.get("networks", {}).items()}
    default_host = document.get("default_host", next(iter(hosts)) if len(hosts) == 1 else "")
    if default_host and default_host not in hosts:
        hint = did_you_mean_or(default_host, hosts, f"the hosts are: {choices(hosts)}")
        findings.add(f"the host {quoted(default_host)} is not defined", ("default_host",), hint=hint)
    specs = {key: spec or {} for key, spec in document.get("containers", {}).items()}
    containers = {
        key: build_container(key, spec, _place(key, specs) or default_host, findings) for key, spec in specs.items()
    }
    links = tuple(_link(index, spec, findings) for index, spec in enumerate(document.get("links", ())))
    topology = Topology(name, hosts, parents, subnets, networks, containers, links, source)
    return topology, findings.problems


def _place(name: str, specs: Mapping[str, Mapping[str, Any]]) -> str:
    """The host that a container names, else that of the container whose network it shares; empty for the default."""
    seen: set[str] = set()
    while name in specs and name not in seen:
        host: str = specs[name].get("host", "")
        if host:
            return host
        seen.add(name)
        name = specs[name].get("network_mode", "").partition(":")[2]
    return ""


def _host(name: str, spec: Mapping[str, Any], findings: Findings) -> Host:
    seconds: dict[str, Any] = {key: values.duration(spec[key]) for key in _HOST_DURATIONS if key in spec}
    plain = {key: spec[key] for key in _HOST_KEYS if key in spec}
    plain.setdefault("address", "" if name == LOCAL else name)
    for key in ("connect_timeout", "command_timeout"):
        if seconds.get(key) == 0:
            findings.add(f"{key} is 0", ("hosts", name, key), hint="a time is like 10s")
    return Host(name=name, path=("hosts", name), **plain, **seconds)


_HOST_DURATIONS = ("connect_timeout", "command_timeout", "keepalive")
_HOST_KEYS = ("address", "user", "port", "identity_file", "agent", "proxy_jump", "become", "underlay", "runtime")


def _parent(name: str, spec: Mapping[str, Any]) -> Parent:
    interface = spec["interface"]
    return Parent(
        name=name,
        path=("parents", name),
        interface={"": interface} if isinstance(interface, str) else dict(interface),
        vlan=spec.get("vlan", 0),
        promiscuous=spec.get("promiscuous", False),
        mtu=spec.get("mtu", 0),
    )


def _subnet(name: str, spec: Any, path: Path, findings: Findings) -> Subnet:
    """A named or inline subnet; an inline one has no name."""
    if isinstance(spec, str):
        return Subnet(name, path, findings.read(values.prefix, spec, path, ""))
    aux = {}
    for key, text in spec.get("aux_addresses", {}).items():
        found = findings.read(values.address, text, (*path, "aux_addresses", key), "")
        if found:
            aux[key] = found
    gateway, ip_range = spec.get("gateway", ""), spec.get("ip_range", "")
    return Subnet(
        name=name,
        path=path,
        subnet=findings.read(values.prefix, spec["subnet"], (*path, "subnet"), ""),
        gateway=findings.read(values.address, gateway, (*path, "gateway"), "") if gateway else "",
        ip_range=findings.read(values.prefix, ip_range, (*path, "ip_range"), "") if ip_range else "",
        aux_addresses=aux,
    )


_NETWORK_KEYS = (
    "driver", "mtu", "internal", "parent", "mode", "flag", "host_access", "vni", "port", "encrypted", "icc",
    "masquerade", "isolated",
)  # fmt: skip


def _network(name: str, spec: Mapping[str, Any], subnets: Mapping[str, Subnet], findings: Findings) -> Network:
    path: Path = ("networks", name)
    found = []
    for index, entry in enumerate(spec.get("subnets", ())):
        at: Path = (*path, "subnets", index)
        if not isinstance(entry, str) or "/" in entry:
            found.append(_subnet("", entry, at, findings))
        elif entry in subnets:
            found.append(subnets[entry])
        else:
            looks_like_address = entry[:1].isdigit() or ":" in entry
            otherwise = f"a prefix has a length, like {entry}/24" if looks_like_address else _define(subnets)
            findings.add(
                f"the subnet {quoted(entry)} is not defined", at, hint=did_you_mean_or(entry, subnets, otherwise)
            )
            found.append(Subnet(entry, at, ""))
    external = spec.get("external", False)
    own = {key: spec[key] for key in _NETWORK_KEYS if key in spec}
    if external:
        for key in ("driver", "subnets", "mtu"):
            if key in spec:
                hint = "an external network is used as it is found"
                findings.add(f"{name} is external, so '{key}' cannot be set", (*path, key), hint=hint, key=True)
        own["driver"] = EXTERNAL
    return Network(
        name=name,
        path=path,
        subnets=tuple(found),
        sources=tuple(
            findings.read(values.mac, text, (*path, "sources", index), "")
            for index, text in enumerate(spec.get("sources", ()))
        ),
        external=bool(external),
        external_name=external["name"] if isinstance(external, dict) else "",
        **own,
    )


def _define(subnets: Mapping[str, Subnet]) -> str:
    if subnets:
        return f"the subnets are: {choices(subnets)}"
    return "define it under 'subnets:', or write a prefix like 10.0.0.0/24"


def _link(index: int, spec: Mapping[str, Any], findings: Findings) -> Link:
    path: Path = ("links", index)
    ends = []
    for side in (0, 1):
        container, _, interface = spec["endpoints"][side].partition(":")
        written = spec.get("addresses", (None, None))[side]
        at: Path = (*path, "addresses", side)
        listed = isinstance(written, list)
        addresses = []
        for number, text in enumerate(values.texts(written or ())):
            found = findings.read(values.address_with_length, text, (*at, number) if listed else at, "")
            if found:
                addresses.append(found)
        mac = spec.get("mac_addresses", (None, None))[side]
        ends.append(
            LinkEnd(
                path=(*path, "endpoints", side),
                container=container,
                interface=interface,
                addresses=tuple(addresses),
                mac_address=findings.read(values.mac, mac, (*path, "mac_addresses", side), "") if mac else "",
                impairment=build_impairment(spec.get("impairment"), side, (*path, "impairment")),
            )
        )
    return Link(path, ends[0], ends[1], spec.get("mtu", 0))
