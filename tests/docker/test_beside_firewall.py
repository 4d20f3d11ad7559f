"""The tests of tests/kernel/test_firewall.py again, on a host with a running Docker Engine."""

from __future__ import annotations

import pytest
import test_firewall
from test_firewall import *  # noqa: F403

# They are about a host that does not forward: with Docker it does already.
del test_s9_two_topologies_share_forwarding_and_the_last_puts_it_back  # noqa: F821
del test_s9_a_topology_without_a_way_out_does_not_make_the_host_forward  # noqa: F821


@pytest.fixture(autouse=True)
def spared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Docker's rules, which only Docker can make again."""
    monkeypatch.delitem(test_firewall.DRIFT, "all flushed")
