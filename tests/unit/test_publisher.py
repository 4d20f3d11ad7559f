"""The publisher's list of ports: all of a new one counts, or nothing. The oracle is bind(2) from outside."""

from __future__ import annotations

import errno
import socket

import pytest

from netcompose.agent.runtimes.publisher import Publisher
from netcompose.agent.runtimes.relay import Loop

TARGET = "127.0.0.1:9@c"


@pytest.fixture
def free() -> list[int]:
    """Ports of the loopback that nobody has."""
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def line(port: int, address: str = "127.0.0.1", protocol: str = "tcp") -> str:
    return f"{address}:{port}/{protocol}={TARGET}"


def taken(port: int, kind: int = socket.SOCK_STREAM) -> bool:
    with socket.socket(socket.AF_INET, kind) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            assert error.errno == errno.EADDRINUSE
            return True
    return False


@pytest.mark.parametrize(("protocol", "kind"), [("tcp", socket.SOCK_STREAM), ("udp", socket.SOCK_DGRAM)])
def test_a_new_list_takes_and_gives_back(free, protocol, kind):
    one, two, three = free
    publisher = Publisher(Loop())
    assert publisher.hold([line(one, protocol=protocol), line(two, protocol=protocol)]) == ""
    assert publisher.hold([line(two, protocol=protocol), line(three, protocol=protocol)]) == ""
    assert [taken(port, kind) for port in free] == [False, True, True]
    assert publisher.hold([]) == ""
    assert not any(taken(port, kind) for port in free)


def test_if_one_port_cannot_be_had_everything_is_as_before(free):
    one, two, three = free
    publisher = Publisher(Loop())
    assert publisher.hold([line(one)]) == ""
    with socket.create_server(("127.0.0.1", three)):
        said = publisher.hold([line(two), line(three)])
        assert said == f"cannot publish 127.0.0.1:{three}/tcp: Address already in use"
        assert taken(one)
        assert not taken(two)
    assert publisher.hold([line(two), line(three)]) == ""


def test_a_port_moves_from_all_addresses_to_one_and_back(free):
    publisher = Publisher(Loop())
    for address in ("0.0.0.0", "127.0.0.1", "0.0.0.0"):
        assert publisher.hold([line(free[0], address)]) == ""
        assert taken(free[0])
