"""The ports in use are the same whether the kernel is asked or /proc/net is read."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from netcompose.agent.kernel import listeners


@pytest.fixture
def ports() -> Iterator[set[tuple[str, str, int]]]:
    """Sockets of every sort; those that hold a port."""
    with ExitStack() as stack:
        held = set()
        for family, address in (
            (socket.AF_INET, "127.0.0.1"),
            (socket.AF_INET, "0.0.0.0"),
            (socket.AF_INET6, "::1"),
            (socket.AF_INET6, "::"),
        ):
            for kind, protocol in ((socket.SOCK_STREAM, "tcp"), (socket.SOCK_DGRAM, "udp")):
                found = stack.enter_context(socket.socket(family, kind))
                found.bind((address, 0))
                if kind == socket.SOCK_STREAM:
                    found.listen()
                held.add((protocol, address, found.getsockname()[1]))
        # Bound and not listening, and connected: neither holds a port against others here.
        bound = stack.enter_context(socket.socket())
        bound.bind(("127.0.0.1", 0))
        client = stack.enter_context(socket.socket())
        client.connect(("127.0.0.1", next(port for what, where, port in held if (what, where) == ("tcp", "127.0.0.1"))))
        yield held


def test_both_ways_tell_the_same(ports: set[tuple[str, str, int]], monkeypatch: pytest.MonkeyPatch) -> None:
    if listeners._listening() is None:
        pytest.skip("this kernel would have to load a module")
    asked = listeners.read()
    monkeypatch.setattr(listeners, "_listening", lambda: None)
    read = listeners.read()
    mine = {(item.protocol, item.address, item.port) for item in asked} & ports
    assert mine == ports
    ours = {port for _, _, port in ports}
    assert [item for item in asked if item.port in ours] == [item for item in read if item.port in ours]


def test_no_module_is_loaded_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.path.isdir", lambda path: path.startswith("/lib/modules/"))
    assert listeners._listening() is None
