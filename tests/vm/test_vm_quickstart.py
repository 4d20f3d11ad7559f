"""netcompose on a distribution's kernel, its Python and its tools. Oracles: ip, ping, curl, the snapshot."""

from __future__ import annotations

import json
from collections.abc import Callable

from support import Example, run


def test_the_quickstart_on_a_distribution_kernel(example: Callable[[str], Example]) -> None:
    """Up, empty plan; containers reach each other by name; down leaves no trace (the fixture's snapshots)."""
    shown = example("quickstart")
    shown.ping("web2", "web1")
    shown.ping("web1", "web2")
    assert shown.inside("web2", "curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "http://www/") == "200"
    names = {link["ifname"] for link in json.loads(run(shown.host, "ip", "-j", "link"))}
    assert {"lo", "eth0", "eth1"} < names
