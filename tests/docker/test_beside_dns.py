"""The tests of tests/kernel/test_dns.py again, on a host with a running Docker Engine."""

from __future__ import annotations

from test_dns import *  # noqa: F403
