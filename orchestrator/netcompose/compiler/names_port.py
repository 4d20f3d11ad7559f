"""The port of a host that its name server listens on, behind the gateways' port 53.

It is nobody's to choose: derived from the topology's name, kept while it can be, and another one as soon as somebody
else has it.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from typing import NamedTuple

from netcompose.compiler import names
from netcompose.resources import File, Listener, Observation
from netcompose.resources.names import DNS_SERVICE, digest
from netcompose.topology.model import Container

PROCESS_ID = f"process/{DNS_SERVICE}"
#: Its folder below /etc, over which the one with its files is mounted, and the first of them.
FOLDER = "unbound"
MAIN = "unbound.conf"
MAIN_ID = names.file_id(DNS_SERVICE, f"{FOLDER}/{MAIN}")
#: Where the port comes from: below those that programs get which ask for none.
_FIRST, _COUNT = 20000, 10000


class Lost(NamedTuple):
    """A port that the name server had and that somebody took while it was not running."""

    port: int
    taken_by: Listener


def choose(topology: str, containers: Iterable[Container], live: Observation) -> int:
    """The one that it has, else the first after a position derived from the topology's name that nobody has or is to
    have. ``containers`` are those of the host."""
    before = _so_far(live)
    if before and lost(live) is None:
        return before
    taken = {listener.port for listener in live.facts.listeners}
    taken |= {port.host_port for container in containers for port in container.ports}
    start = int.from_bytes(digest("dns", topology)[:4], "big")
    candidates = (_FIRST + (start + step) % _COUNT for step in range(_COUNT))
    return next((port for port in candidates if port not in taken), _FIRST)


def lost(live: Observation) -> Lost | None:
    """The port that it cannot have back, if so."""
    port = _so_far(live)
    if not port or PROCESS_ID in live.resources:
        return None
    others = (item for item in live.facts.listeners if item.port == port and item.protocol in ("tcp", "udp"))
    return next((Lost(port, item) for item in others), None)


def _so_far(live: Observation) -> int:
    main = live.resources.get(MAIN_ID)
    return _port(main.content) if isinstance(main, File) else 0


@functools.lru_cache(maxsize=1024)  # It is asked several times for each host, and all hosts each time.
def _port(content: str) -> int:
    found = re.search(r"^ *port: ([0-9]+)$", content, re.MULTILINE)
    return int(found[1]) if found else 0
