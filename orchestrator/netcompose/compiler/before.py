"""What the live state says about choices that were made before: which interface serves which network, and with
which addresses. Automatic choices keep to it, so that a change of one container never touches another."""

from __future__ import annotations

from collections.abc import Mapping

from netcompose.compiler.names import interface_id, interface_name
from netcompose.resources import Bridge, Observation, Stacked, Veth

_PORT_OF = "bridge/"


class Before:
    """An index over the observations of all hosts."""

    def __init__(self, live: Mapping[str, Observation]) -> None:
        self._ports: dict[tuple[str, str], Veth | Stacked] = {}
        self._loose: dict[str, Veth | Stacked] = {}
        self._shims: dict[tuple[str, str], Stacked] = {}
        self._bridges: dict[str, list[str]] = {}
        for host in sorted(live):
            kinds = (Veth, Stacked, Bridge)
            for id, found in sorted((id, item) for id, item in live[host].resources.items() if isinstance(item, kinds)):
                if isinstance(found, Veth) and id.startswith("interface/"):
                    if found.peer.master.startswith(_PORT_OF):
                        network = found.peer.master[len(_PORT_OF) :]
                        self._ports.setdefault((found.end.namespace, network), found)
                    else:
                        self._loose.setdefault(id, found)
                elif isinstance(found, Stacked):
                    if not found.end.namespace:
                        self._shims[host, found.network] = found
                    elif found.network:
                        self._ports.setdefault((found.end.namespace, found.network), found)
                    else:
                        self._loose.setdefault(id, found)
                elif isinstance(found, Bridge):
                    self._bridges.setdefault(found.network, []).extend(found.addresses)

    def name(self, container: str, network: str) -> str:
        """The name of the container's interface on a network, empty if there is none. It is the name that the
        interface was made with: one that was renamed by hand has drifted and is put back."""
        found = self._ports.get((container, network))
        return interface_name(found.id, container) if found is not None else ""

    def addresses(self, container: str, network: str, name: str) -> tuple[str, ...]:
        """``address/prefix`` strings of the container's interface on a network. An interface that lost its bridge
        is still known by its ``name``."""
        found = self._ports.get((container, network)) or self._loose.get(interface_id(container, name))
        return found.end.addresses if found is not None else ()

    def shim_addresses(self, network: str, host: str) -> tuple[str, ...]:
        """``address/prefix`` strings of a host's own interface on a network."""
        found = self._shims.get((host, network))
        return found.end.addresses if found is not None else ()

    def bridge_addresses(self, network: str) -> tuple[str, ...]:
        """``address/prefix`` strings of the network's bridge, on all hosts."""
        return tuple(self._bridges.get(network, ()))

    def member_addresses(self) -> Mapping[str, list[str]]:
        """Network -> the ``address/prefix`` strings of everything that is on it."""
        members: dict[str, list[str]] = {}
        for (_, network), found in self._ports.items():
            members.setdefault(network, []).extend(found.end.addresses)
        return members
