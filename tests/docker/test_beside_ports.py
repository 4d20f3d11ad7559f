"""The tests of tests/kernel/test_ports.py again, on a host with a running Docker Engine."""

from __future__ import annotations

import pytest
from test_ports import *  # noqa: F403

from netcompose.transports.sandbox import Sandbox


@pytest.fixture
def host(host_with_a_neighbour: Sandbox) -> Sandbox:
    """A host with a neighbour and a Docker Engine."""
    return host_with_a_neighbour
