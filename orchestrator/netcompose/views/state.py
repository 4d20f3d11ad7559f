"""What the live resources of a host say about containers and networks, for ``ps`` and ``inspect``. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from netcompose.resources import End, Resource, Stacked, Veth, Vxlan
from netcompose.views.terminal import natural_key


@dataclass(frozen=True)
class Plugged:
    """A container's interface and what is at its other end.

    ``label`` is the network's name; ``link:eth1`` for an end of a point-to-point link; ``unplugged:eth0`` for an
    interface whose port was taken out of its bridge. No network can have a name with a colon. ``parent`` is what a
    macvlan or ipvlan interface stands on; it has no other end.
    """

    container: str
    label: str
    end: End
    peer: End
    resource: str
    parent: str = ""


_NOTHING = End(namespace="", name="", mac="")


def plugged(live: Mapping[str, Resource]) -> Iterator[Plugged]:
    """Every interface in a container, by container and then by interface name."""
    found = []
    for resource in live.values():
        if isinstance(resource, Veth):
            for end, peer in ((resource.end, resource.peer), (resource.peer, resource.end)):
                if end.namespace:
                    found.append(Plugged(end.namespace, _label(end, peer), end, peer, resource.id))
        elif isinstance(resource, Stacked) and resource.end.namespace:
            end, label = resource.end, resource.network or f"unplugged:{resource.end.name}"
            found.append(Plugged(end.namespace, label, end, _NOTHING, resource.id, resource.parent))
        elif isinstance(resource, Vxlan) and resource.end.namespace:
            # The other end is on another host; what is known of it here is where that is.
            far = End(namespace="", name=resource.remote, mac="")
            found.append(Plugged(resource.end.namespace, f"link:{resource.end.name}", resource.end, far, resource.id))
    yield from sorted(found, key=lambda item: (natural_key(item.container), natural_key(item.end.name)))


def _label(end: End, peer: End) -> str:
    if peer.namespace:
        return f"link:{end.name}"
    if peer.master:
        return peer.master.removeprefix("bridge/")
    return f"unplugged:{end.name}"
