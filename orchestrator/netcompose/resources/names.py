"""Names and marks on live objects, derived from the topology and the resource, the same on both sides.

Limits are the kernel's: an interface name has 15 bytes, an altname 127, an alias 255 (ip-link(8)).
"""

from __future__ import annotations

import hashlib
from typing import Iterable, Optional

MARK_PREFIX = "netcompose:"
#: Upper half of the 32-bit interface group that marks our interfaces from the create message on ("nc").
GROUP_PREFIX = 0x6E63 << 16
#: Route protocol number of the routes that netcompose writes (rtnetlink(7): above 4 is free for programs).
ROUTE_PROTOCOL = 110
#: Upper half of the metric of such routes on the host itself; the lower is the topology's, as with the group.
_METRIC_PREFIX = 0x6E63 << 16
#: The name of the process that holds published ports; no container can be called so.
PORTS_SERVICE = "@ports"
#: The first word of its command; the agent puts its own program in the place of it.
PUBLISHER = "netcompose-publisher"
#: Among what a live server reads: it was about to be told to read again.
NOT_READ = "not read yet"
#: The process that lets the programs of image containers run once they are wired, and its command's first word.
GATE_SERVICE = "@gate"
GATEKEEPER = "netcompose-gatekeeper"
#: The name server's process.
DNS_SERVICE = "@dns"


def digest(*parts: str) -> bytes:
    """A stable hash of names; the source of every automatic choice (addresses, MACs, interface names)."""
    return hashlib.sha256("\0".join(parts).encode()).digest()


#: Stands for all topologies in the mark of what they share; none can be called so.
SHARED = "*"


def users(altnames: Iterable[str], resource: str) -> tuple[str, ...]:
    """The topologies whose second name (:func:`altname`) an interface has that they share, sorted."""
    ending = altname("", resource)
    return tuple(sorted(name[: -len(ending)] for name in altnames if name.endswith(ending) and name != ending))


def netns_name(topology: str, container: str) -> str:
    """The name under ``/run/netns`` and ``/etc/netns`` of a native container."""
    return topology + "-" + container


def table_name(topology: str) -> str:
    """The name of the nft table (of family ``inet``) that is the topology's own."""
    return "netcompose-" + topology


def host_interface_name(topology: str, resource: str) -> str:
    """The name on the host of an interface: ``nc`` and 12 hexadecimal digits, 14 bytes."""
    return "nc" + digest("interface", topology, resource).hex()[:12]


def altname(topology: str, resource: str) -> str:
    """The readable second name on the host: ``campus-bridge-mynet1``; a long one is cut and made unique."""
    readable = "{}-{}".format(topology, resource.replace("/", "-").replace(":", "."))
    if len(readable.encode()) <= 127:
        return readable
    return "{}-{}".format(readable[:100], digest(readable).hex()[:12])


def group(topology: str) -> int:
    """The interface group of a topology: 0x6e63 in the upper half, a hash of the name in the lower."""
    return GROUP_PREFIX | int.from_bytes(digest("group", topology)[:2], "big")


def route_metric(topology: str) -> int:
    """The metric of a topology's routes on the host itself: it tells whose they are, and lets any other go first."""
    return _METRIC_PREFIX | int.from_bytes(digest("metric", topology)[:2], "big")


def doomed_group(topology: str) -> int:
    """The group that interfaces are moved to when they are about to be removed together."""
    return group(topology) ^ 0x10000


def mark(topology: str, resource: str) -> str:
    """The ownership mark that goes into ``ifalias`` and into the first line of files."""
    return MARK_PREFIX + topology + ":" + resource


def owner_of(alias: str) -> Optional[tuple[str, str]]:
    """``(topology, resource)`` that a mark names, or None if it is not one of ours."""
    if not alias.startswith(MARK_PREFIX):
        return None
    topology, separator, resource = alias[len(MARK_PREFIX) :].partition(":")
    return (topology, resource) if separator and topology and resource else None
