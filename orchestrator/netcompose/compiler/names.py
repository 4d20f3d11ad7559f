"""The ids of resources, the names of interfaces, and MAC addresses."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from netcompose.resources.names import digest
from netcompose.topology.model import Attachment, Link, LinkEnd


def bridge_id(network: str) -> str:
    """``bridge/mynet1``."""
    return f"bridge/{network}"


def namespace_id(container: str) -> str:
    """``namespace/web1``."""
    return f"namespace/{container}"


def interface_id(container: str, name: str) -> str:
    """``interface/web1.eth0``."""
    return f"interface/{container}.{name}"


def interface_name(id: str, container: str) -> str:
    """The inverse of :func:`interface_id`: the name under which the interface was made, whatever it is called now;
    empty if the id is not one of this container's interfaces."""
    start = f"interface/{container}."
    return id[len(start) :] if id.startswith(start) else ""


def file_id(container: str, name: str) -> str:
    """``file/web1/hosts``."""
    return f"file/{container}/{name}"


def ordered_ends(link: Link) -> tuple[LinkEnd, LinkEnd]:
    """A link's ends in an order that does not depend on how the file lists them."""
    a, b = link.a, link.b
    return (b, a) if (b.container, b.interface) < (a.container, a.interface) else (a, b)


def link_id(link: Link) -> str:
    """``link/r1.eth1-r2.eth1``, the same whichever end the file names first."""
    a, b = ordered_ends(link)
    return f"link/{a.container}.{a.interface}-{b.container}.{b.interface}"


def mac(topology: str, *identity: str) -> str:
    """A locally administered unicast MAC address that only depends on names.

    A container's interface is identified by its network rather than by its own name, so that renaming the
    interface leaves the address alone.
    """
    return "02:" + digest("mac", topology, *identity)[:5].hex(":")


def choose_interface_names(
    attachments: Iterable[Attachment], cables: Collection[str], live: Mapping[str, str]
) -> dict[str, str]:
    """The interface name of each of one container's networks.

    ``cables`` are the names of its link ends; ``live`` maps a network to the name that serves
    it so far. An
    explicit name wins, then the live one, then the first free of ``eth0``, ``eth1``, ... in the order of the
    networks.
    """
    chosen = {item.network: item.interface_name for item in attachments if item.interface_name}
    taken = {*chosen.values(), *cables, "lo"}
    waiting = []
    for item in attachments:
        if item.network in chosen:
            continue
        kept = live.get(item.network, "")
        if kept and kept not in taken:
            chosen[item.network] = kept
            taken.add(kept)
        else:
            waiting.append(item.network)
    number = 0
    for network in waiting:
        while f"eth{number}" in taken:
            number += 1
        chosen[network] = f"eth{number}"
        taken.add(chosen[network])
    return chosen
