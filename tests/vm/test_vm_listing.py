"""Tests of tests/kernel/test_firewall_listing.py again, on a distribution's kernel: its dumps, and what it has besides."""

from __future__ import annotations

import pytest
import test_firewall_listing
from support import run
from test_firewall_listing import Watched, watched  # noqa: F401
from virtual.machine import Machine

#: A few, and what only this kernel has: all is slow here.
DRIFT = (
    "rule added",
    "counter in a rule",
    "element of a map leads elsewhere",
    "element with a timeout",
    "flowtable added",
)


def test_what_is_changed_by_hand_is_read_as_nft_lists_it(
    watched: Watched,  # noqa: F811
    host: Machine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run(host, "modprobe", "-a", "nf_flow_table", "nf_flow_table_inet")
    assert watched.has_flowtables()
    monkeypatch.setattr(test_firewall_listing, "DRIFT", {case: test_firewall_listing.DRIFT[case] for case in DRIFT})
    test_firewall_listing.test_whatever_is_changed_by_hand_is_read_as_nft_lists_it(watched)
    run(host, "modprobe", "-r", "nf_flow_table_inet", "nf_flow_table")
