"""For random topologies A and B, ``up A; up B`` is the same as ``up B`` on a fresh host, and ``down`` leaves nothing.

200 pairs run always; NETCOMPOSE_RANDOM_PAIRS=5000 runs as many. A failure names the seeds, with which it is repeated:
NETCOMPOSE_RANDOM_FIRST=1234 NETCOMPOSE_RANDOM_PAIRS=1.
"""

from __future__ import annotations

import os

import pytest
from proof_host import ProofHost, Snapshot, differences
from random_topologies import topology

PAIRS = int(os.environ.get("NETCOMPOSE_RANDOM_PAIRS", "200"))
FIRST = int(os.environ.get("NETCOMPOSE_RANDOM_FIRST", "1"))
#: One throw-away host serves a chain of topologies: each is the change of the one before it.
CHAIN = 10

#: What an object has by its history: indexes, the order in which names were given, when something was mounted.
HISTORY = {"ifindex", "link_index", "mounts"}


@pytest.mark.parametrize("first", range(FIRST, FIRST + PAIRS, CHAIN))
def test_a_change_ends_where_a_fresh_start_ends(host: ProofHost, first: int) -> None:
    seeds = list(range(first, min(first + CHAIN, FIRST + PAIRS) + 1))
    untouched = host.snapshot()
    fresh: dict[int, Snapshot] = {}
    for seed in seeds:
        host.up(topology(seed))
        fresh[seed] = host.snapshot()
        host.down(topology(seed))
    host.assert_same(untouched)
    for seed in seeds:
        host.up(topology(seed))
        different = differences(fresh[seed], host.snapshot(), HISTORY)
        assert not different, "\n".join([f"seeds {seed - 1} and {seed}:", *different])
        assert not host.plan(topology(seed))["changes"]
    host.down(topology(seeds[-1]))
    host.assert_same(untouched)
