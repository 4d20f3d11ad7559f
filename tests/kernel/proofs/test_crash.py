"""Killed with SIGKILL after any single operation: the next ``up`` converges, and ``down`` leaves nothing.

Each test takes every CHUNKS-th point of the run. At the even ones ``up`` repairs what is half-made, at the odd ones
``down`` removes it directly. The points of a run are counted by killing until the run comes to its end.
"""

from __future__ import annotations

from typing import Any

import pytest
from proof_host import KILLED, ProofHost

CHUNKS = 8

FIRST: dict[str, Any] = {
    "name": "crash",
    "networks": {"lan": {"subnets": ["10.9.0.0/24", "fd00:9::/64"]}},
    "containers": {
        "a": {
            "command": ["sleep", "1001"],
            "networks": {"lan": {"aliases": ["www"]}},
            "sysctls": {"net.ipv4.ip_forward": "1"},
            "exec": [["ip", "link", "set", "lo", "mtu", "60000"]],
        },
        "b": {"networks": ["lan"]},
    },
    "links": [{"endpoints": ["a:eth9", "b:eth9"], "addresses": ["10.1.0.1/30", "10.1.0.2/30"]}],
}

#: Another of everything: changed in place, replaced, removed, new.
SECOND: dict[str, Any] = {
    "name": "crash",
    "networks": {
        "lan": {"subnets": ["10.9.0.0/24", "fd00:9::/64"], "mtu": 1400},
        "new": {"subnets": ["10.8.0.0/24"]},
    },
    "containers": {
        "a": {
            "command": ["sleep", "1002"],
            "networks": {"lan": {"aliases": ["other"]}, "new": {}},
            "sysctls": {"net.ipv4.ip_forward": "0", "net.ipv4.conf.all.arp_ignore": "1"},
            "exec": [["ip", "link", "set", "lo", "mtu", "50000"]],
        },
        "c": {"networks": ["lan"]},
    },
    "links": [{"endpoints": ["a:eth9", "c:eth9"], "addresses": ["10.1.0.1/30", "10.1.0.2/30"]}],
}


def killed(host: ProofHost, topology: dict[str, Any], point: int) -> bool:
    """Bring it up, killed after that many operations; False if the run was over before."""
    done = host.cli("up", "-f", host.write(topology), fault={"mode": "kill", "at": point})
    assert done.status in (0, KILLED), done
    return done.status == KILLED


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_a_killed_up_is_repaired_by_up_or_removed_by_down(host: ProofHost, chunk: int) -> None:
    untouched = host.snapshot()
    point = chunk + 1
    while killed(host, FIRST, point):
        if (point // CHUNKS) % 2 == 0:
            host.converge(FIRST)
        host.down(FIRST)
        host.assert_same(untouched)
        point += CHUNKS
    # A run that is over soon would prove little: there are two namespaces, a bridge, three cables and four files.
    assert point > 60
    host.down(FIRST)


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_a_killed_change_is_finished_by_up_or_removed_by_down(host: ProofHost, chunk: int) -> None:
    untouched = host.snapshot()
    host.up(FIRST)
    point = chunk + 1
    while killed(host, SECOND, point):
        if (point // CHUNKS) % 2 == 0:
            host.converge(SECOND)
        else:
            host.down(SECOND)
            host.assert_same(untouched)
        host.up(FIRST)
        point += CHUNKS
    assert point > 60
    host.down(FIRST)
    host.assert_same(untouched)
