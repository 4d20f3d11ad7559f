"""Networks of a container engine that containers of a topology are to join. Only read: they are somebody else's."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any, Iterator, Mapping, Sequence

from netcompose.agent.runtimes import imagestock
from netcompose.agent.runtimes.engine import Engine
from netcompose.errors import EngineRefused
from netcompose.resources import EngineNetwork

_BRIDGE = "com.docker.network.bridge.name"
_MTU = "com.docker.network.driver.mtu"


def read(names: Sequence[str]) -> Mapping[str, EngineNetwork]:
    """The networks of this host's engine by name, with what is in the way of joining one. Raises HostLacks without an
    engine."""
    return imagestock.ask(lambda engine: {name: _network(engine, name) for name in names})


def _network(engine: Engine, name: str) -> EngineNetwork:
    try:
        found: dict[str, Any] = engine.api.network(name)
    except EngineRefused as error:
        if error.status == 404:
            return EngineNetwork(lacks="{} has no network {}".format(engine.runtime, name))
        raise
    if found.get("Name") != name:
        # The engine also takes the beginning of an id.
        return EngineNetwork(lacks="{} has no network {}".format(engine.runtime, name))
    driver = found.get("Driver")
    if driver != "bridge":
        return EngineNetwork(lacks="the network {} is {}, and only a bridge can be joined".format(name, driver))
    options = found.get("Options") or {}
    mtu = str(options.get(_MTU, ""))
    return EngineNetwork(
        bridge=options.get(_BRIDGE) or found.get("network_interface") or "br-" + str(found["Id"])[:12],
        subnets=tuple(_subnets(found)),
        taken=tuple(sorted(_taken(found))),
        mtu=int(mtu) if mtu.isdigit() else 0,
    )


def _subnets(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The gateway of an internal network is an address of the host, and no way out."""
    for entry in (found.get("IPAM") or {}).get("Config") or ():
        if entry.get("Subnet"):
            gateway = "" if found.get("Internal") else str(entry.get("Gateway") or "").partition("/")[0]
            # Docker does not tell that of its default network, which is the first address.
            if not gateway and not found.get("Internal") and ":" not in entry["Subnet"]:
                gateway = str(next(ip_network(entry["Subnet"]).hosts()))
            yield str(entry["Subnet"]), gateway


def _taken(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for item in (found.get("Containers") or {}).values():
        for key in ("IPv4Address", "IPv6Address"):
            address = str(item.get(key) or "").partition("/")[0]
            if address:
                yield address, str(item.get("Name") or "")
    for entry in (found.get("IPAM") or {}).get("Config") or ():
        for name, address in (entry.get("AuxiliaryAddresses") or {}).items():
            yield str(address), str(name)
