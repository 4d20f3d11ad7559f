"""The tests of tests/kernel/test_ports.py again, on a host with a running Docker Engine."""

from __future__ import annotations

from test_ports import *  # noqa: F403
