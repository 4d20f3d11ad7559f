"""A served agent."""

import os
import threading

import pytest
from stand_in import StandIn

from netcompose.agent.protocol import Stream
from netcompose.agent.server import serve
from netcompose.transports.remote import RemoteAgent


@pytest.fixture
def served():
    """A stand-in served by a thread, and the controller's end of its connection."""
    agent = StandIn()
    to_agent, to_controller = os.pipe(), os.pipe()
    thread = threading.Thread(target=serve, args=(agent, to_agent[0], to_controller[1]))
    thread.start()
    remote = RemoteAgent("h", Stream(to_controller[0], to_agent[1]))
    yield agent, remote
    agent.go_on.set()
    remote.close()
    thread.join(5)
    assert not thread.is_alive()
    os.close(to_agent[0])
    os.close(to_controller[1])
