"""Hosts of the runtime's tests."""

import pytest
from runtime_host import SETUP, Host, needs_root

from netcompose.transports.sandbox import Sandbox


@pytest.fixture(params=[pytest.param(False, marks=needs_root, id="root"), pytest.param(True, id="user-namespace")])
def host(request):
    with Sandbox("server4", user_namespace=request.param) as sandbox:
        host = Host(sandbox)
        host("sh", "-ec", SETUP)
        yield host


@pytest.fixture
def any_host():
    with Sandbox("server4") as sandbox:
        host = Host(sandbox)
        host("sh", "-ec", SETUP)
        yield host
