"""One container's entry in the document -> :class:`Container`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from netcompose.topology import values
from netcompose.topology.findings import Findings
from netcompose.topology.model import Attachment, Container, Impairment, NameLink, Port, RouteSpec
from netcompose.topology.scalars import as_text
from netcompose.topology.source import Path
from netcompose.topology.values import BadValue
from netcompose.topology.words import quoted

_NO_PORTS: Iterable[values.PortTuple] = ()
_NO_WORDS: tuple[str, ...] = ("",)
_DEFAULT_ROUTE = {4: "0.0.0.0/0", 6: "::/0"}


def build_container(name: str, spec: Mapping[str, Any], host: str, findings: Findings) -> Container:
    """A container on a host, which is for the caller to find."""
    path: Path = ("containers", name)
    fields: dict[str, Any] = {}
    for key, value in spec.items():
        reader = _READERS.get(key)
        if reader is not None:
            field, function = reader
            fields[field] = function(value, (*path, key), findings)
        elif key in _ENGINE:
            normal = _ENGINE[key]
            read = findings.read(normal, value, (*path, key), None) if normal is not None else value
            fields.setdefault("engine", {})[key] = read
    if "network_mode" in spec:
        fields["network_mode"], _, fields["joins"] = spec["network_mode"].partition(":")
    fields.setdefault("hostname", name)
    return Container(name=name, path=path, host=host, **fields)


def impairment(spec: Any, side: int, path: Path) -> Impairment | None:
    """What ``impairment`` says of one side of a list of two, or of every side; None for nothing."""
    if isinstance(spec, list):
        spec, path = spec[side], (*path, side)
    return Impairment(path, **spec) if spec else None


def _networks(value: Any, path: Path, findings: Findings) -> tuple[Attachment, ...]:
    if isinstance(value, dict):
        return tuple(_attachment(name, spec or {}, (*path, name), findings) for name, spec in value.items())
    found: dict[str, Attachment] = {}
    for index, name in enumerate(value):
        if name in found:
            findings.add(f"the network {quoted(name)} is listed twice", (*path, index), hint="remove one of them")
        else:
            found[name] = Attachment(name, (*path, index))
    return tuple(found.values())


def _attachment(name: str, spec: Mapping[str, Any], path: Path, findings: Findings) -> Attachment:
    if not spec:
        return Attachment(name, path)
    fields: dict[str, Any] = {}
    for key, version in (("ipv4_address", 4), ("ipv6_address", 6)):
        if key in spec:
            fields[key] = findings.read(_of_version(version), spec[key], (*path, key), "")
    if "mac_address" in spec:
        fields["mac_address"] = findings.read(values.mac, spec["mac_address"], (*path, "mac_address"), "")
    impaired, both = spec.get("impairment"), isinstance(spec.get("impairment"), list)
    return Attachment(
        network=name,
        path=path,
        aliases=tuple(spec.get("aliases", ())),
        interface_name=spec.get("interface_name", ""),
        gw_priority=spec.get("gw_priority", 0),
        impairment=impairment(impaired, 0, (*path, "impairment")),
        ingress=impairment(impaired, 1, (*path, "impairment")) if both else None,
        **fields,
    )


def _of_version(version: int) -> Callable[[str], str]:
    def read(text: str) -> str:
        try:
            return values.address(text, version)
        except BadValue as error:
            if "wanted here" in error.message:
                raise BadValue(error.message, f"use ipv{10 - version}_address for it") from None
            raise

    return read


def _ports(value: Any, path: Path, findings: Findings) -> tuple[Port, ...]:
    found = []
    for index, entry in enumerate(value):
        at: Path = (*path, index)
        if findings.ports_left <= 0:
            findings.add("the topology publishes too many ports", at, hint="publish fewer or smaller ranges")
            break
        for inside, host_port, host_address, protocol in findings.read(values.ports, entry, at, _NO_PORTS):
            findings.ports_left -= 1
            found.append(Port(at, inside, host_port, host_address, protocol))
    return tuple(found)


def _links(value: Any, path: Path, findings: Findings) -> tuple[NameLink, ...]:
    found = []
    for index, text in enumerate(value):
        container, _, alias = text.partition(":")
        if not container or ":" in alias:
            findings.add(f"{quoted(text)} is not a link", (*path, index), hint="a link is CONTAINER or CONTAINER:NAME")
        else:
            found.append(NameLink((*path, index), container, alias or container))
    return tuple(found)


def _dns(value: Any, path: Path, findings: Findings) -> tuple[str, ...]:
    listed = isinstance(value, list)
    found = [
        findings.read(values.address, text, (*path, index) if listed else path, "")
        for index, text in enumerate(values.texts(value))
    ]
    return tuple(text for text in found if text)


def _extra_hosts(value: Any, path: Path, findings: Findings) -> tuple[tuple[str, str], ...]:
    pairs: list[tuple[str, str, Path]] = []
    if isinstance(value, dict):
        for name, addresses in value.items():
            for index, text in enumerate(values.texts(addresses)):
                pairs.append((name, text, (*path, name, index) if isinstance(addresses, list) else (*path, name)))
    else:
        for index, text in enumerate(value):
            name, sign, address = text.partition("=" if "=" in text else ":")
            if not (name and sign and address):
                findings.add(
                    f"{quoted(text)} is not NAME:ADDRESS", (*path, index), hint="for example printer:172.18.10.5"
                )
            else:
                pairs.append((name, address.removeprefix("[").removesuffix("]"), (*path, index)))
    found = [(name, findings.read(_extra_address, text, at, "")) for name, text, at in pairs]
    return tuple((name, address) for name, address in found if address)


def _extra_address(text: str) -> str:
    """An address; ``host-gateway`` stands for the gateway of the default route, as in Compose."""
    return text if text == "host-gateway" else values.address(text)


def _routes(value: Any, path: Path, findings: Findings) -> tuple[RouteSpec, ...]:
    found = []
    for index, spec in enumerate(value):
        at: Path = (*path, index)
        written = spec.get("via", "")
        via = findings.read(values.address, written, (*at, "via"), "") if written else ""
        interface = spec.get("interface", "")
        if not written and not interface:
            findings.add("the route has neither 'via' nor 'interface'", at, hint="write the next hop: via: 10.1.0.1")
        if spec["to"] == "default":
            to = _DEFAULT_ROUTE[6 if ":" in via else 4]
        else:
            to = findings.read(values.prefix, spec["to"], (*at, "to"), "")
        if to and (via or (interface and not written)):
            found.append(RouteSpec(at, to, via, interface, spec.get("metric", 0)))
    return tuple(found)


def _exec(value: Any, path: Path, findings: Findings) -> tuple[tuple[str, ...], ...]:
    found = []
    for index, command in enumerate(value):
        words = findings.read(values.words, command, (*path, index), _NO_WORDS)
        if words:
            found.append(words)
        else:
            findings.add("the command is empty", (*path, index), hint="remove it")
    return tuple(found)


def _read(function: Callable[[Any], Any], otherwise: Any) -> Callable[[Any, Path, Findings], Any]:
    return lambda value, path, findings: findings.read(function, value, path, otherwise)


def _as_is(value: Any, path: Path, findings: Findings) -> Any:
    return value


#: Key -> (the model's field, how it is read).
_READERS: Mapping[str, tuple[str, Callable[[Any, Path, Findings], Any]]] = {
    "hostname": ("hostname", _as_is),
    "image": ("image", _as_is),
    "command": ("command", _read(values.words, ())),
    "networks": ("networks", _networks),
    "ports": ("ports", _ports),
    "links": ("links", _links),
    "dns": ("dns", _dns),
    "dns_search": ("dns_search", _read(values.texts, ())),
    "dns_opt": ("dns_options", _read(tuple, ())),
    "extra_hosts": ("extra_hosts", _extra_hosts),
    "sysctls": ("sysctls", _read(values.key_values, {})),
    "environment": ("environment", _read(values.key_values, {})),
    "working_dir": ("working_dir", _as_is),
    "user": ("user", _read(as_text, "")),
    "restart": ("restart", _as_is),
    "stop_signal": ("stop_signal", _read(values.stop_signal, "SIGTERM")),
    "stop_grace_period": ("stop_grace_period", _read(values.duration, 10.0)),
    "routes": ("routes", _routes),
    "exec": ("exec", _exec),
}


def _depends_on(value: Any) -> dict[str, str]:
    if isinstance(value, list):
        return dict.fromkeys(value, "service_started")
    return {name: (spec or {}).get("condition", "service_started") for name, spec in value.items()}


#: Keys for the engine, as written; those with a short form in their long form (lists of words, mappings).
_ENGINE: Mapping[str, Callable[[Any], Any] | None] = {
    "entrypoint": values.words,
    "env_file": values.texts,
    "tmpfs": values.texts,
    "depends_on": _depends_on,
    "labels": values.key_values,
    **dict.fromkeys(
        ("volumes", "domainname", "cap_add", "cap_drop", "privileged", "devices", "ulimits", "mem_limit", "cpus",
         "healthcheck", "tty", "init", "read_only", "pull_policy", "runtime")
    ),
}  # fmt: skip
