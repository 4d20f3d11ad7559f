"""The tests of tests/kernel/test_firewall_listing.py again, on a host with a running Docker Engine."""

from __future__ import annotations

import pytest
import test_firewall_listing
from test_firewall_listing import *  # noqa: F403


@pytest.fixture(autouse=True)
def spared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Docker's rules, which only Docker can make again."""
    monkeypatch.delitem(test_firewall_listing.DRIFT, "all flushed")
