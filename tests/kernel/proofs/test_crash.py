"""Killed with SIGKILL after any single operation: the next ``up`` converges, and ``down`` leaves nothing."""

from __future__ import annotations

from typing import Any

import pytest
from everywhere import killed_everywhere
from proof_host import ProofHost

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


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_a_killed_up_is_repaired_by_up_or_removed_by_down(host: ProofHost, chunk: int) -> None:
    # A run that is over soon would prove little: there are two namespaces, a bridge, three cables and four files.
    killed_everywhere(host, FIRST, chunk=chunk, chunks=CHUNKS, least=60)


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_a_killed_change_is_finished_by_up_or_removed_by_down(host: ProofHost, chunk: int) -> None:
    killed_everywhere(host, SECOND, start=FIRST, chunk=chunk, chunks=CHUNKS, least=60)
