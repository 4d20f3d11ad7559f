"""The tests of tests/kernel/test_ports.py again, on a host with a running Docker Engine."""

from __future__ import annotations

import outside
import pytest
from engine import Engine
from test_ports import *  # noqa: F403

from netcompose.transports.sandbox import Sandbox


@pytest.fixture
def host(engine: Engine) -> Sandbox:
    """A host with a neighbour and a Docker Engine."""
    outside.attach(engine.host)
    return engine.host
