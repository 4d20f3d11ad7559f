"""Connections that are begun early: used once when they succeed, given up in silence when they do not."""

from __future__ import annotations

import dataclasses
import socket
import time
from collections.abc import Iterator

import pytest

from netcompose.transports.ssh import approach, dial
from netcompose.transports.ssh.deadline import Deadline
from netcompose.transports.ssh.target import SshTarget


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)
        yield server


def target(port: int, **more) -> SshTarget:
    return SshTarget("lab1", more.pop("address", "127.0.0.1"), user="root", port=port, **more)


def taken(beginning: approach.Beginning, name: str) -> approach.Approach:
    """What was begun for a host, when its turn has come."""
    end = time.monotonic() + 10
    while name not in beginning._found:
        assert time.monotonic() < end
        time.sleep(0.001)
    found = beginning.take(name)
    assert found is not None
    return found


def begun(one: SshTarget) -> approach.Approach:
    return taken(approach.Beginning([one]), one.name)


def test_the_connection_is_there_once(listener):
    found = begun(target(listener.getsockname()[1]))
    assert [hop.hostname for hop in found.hops] == ["127.0.0.1"]
    # Before anybody asked for it.
    peer, _ = listener.accept()
    sock = found.arrived(Deadline(5))
    assert sock is not None and sock.gettimeout()
    assert found.arrived(Deadline(5)) is None
    peer.sendall(b"SSH-2.0-x\r\n" + bytes(range(200)) * 500)
    peer.close()
    found.close()
    # In pieces of any size, and to the end.
    pieces = [sock.recv(1), sock.recv(10), b""]
    while piece := sock.recv(777):
        pieces.append(piece)
    assert b"".join(pieces) == b"SSH-2.0-x\r\n" + bytes(range(200)) * 500
    assert max(len(piece) for piece in pieces) == 777
    sock.close()


def test_one_that_nobody_takes_is_closed(listener):
    found = begun(target(listener.getsockname()[1]))
    peer, _ = listener.accept()
    found.close()
    peer.settimeout(10)
    assert peer.recv(1) == b""
    peer.close()


def test_where_nobody_listens_there_is_none_and_no_error(listener):
    port = listener.getsockname()[1]
    listener.close()
    found = begun(target(port))
    assert found.hops and found.arrived(Deadline(5)) is None


def test_a_deadline_that_is_over_gives_it_up(listener):
    found = begun(target(listener.getsockname()[1]))
    assert found.arrived(Deadline(-1)) is None


@pytest.mark.parametrize("one", [{"address": "localhost"}, {"proxy_jump": "jump"}])
def test_nothing_is_begun_where_a_name_server_or_a_jump_host_comes_first(listener, one):
    port = listener.getsockname()[1]
    found = begun(target(port, **one))
    assert found.arrived(Deadline(5)) is None
    listener.settimeout(0.2)
    with pytest.raises(TimeoutError):
        listener.accept()


def test_a_host_whose_way_is_not_known_is_left_to_its_turn(listener):
    port = listener.getsockname()[1]
    beginning = approach.Beginning([SshTarget("lab2", "-x", user="root", port=port), target(port)])
    assert taken(beginning, "lab1").hops
    assert beginning.take("lab2") is None


def test_what_is_wanted_before_its_turn_is_not_begun_any_more(listener, monkeypatch):
    monkeypatch.setattr(approach, "_PAUSE", 0.2)
    port = listener.getsockname()[1]
    first, second = target(port), dataclasses.replace(target(port), name="lab2")
    beginning = approach.Beginning([first, second])
    taken(beginning, "lab1")
    assert beginning.take("lab2") is None
    time.sleep(0.5)
    assert beginning.take("lab2") is None


def test_what_nobody_takes_is_closed_and_nothing_is_begun_after_that(listener, monkeypatch):
    monkeypatch.setattr(approach, "_PAUSE", 0.2)
    port = listener.getsockname()[1]
    beginning = approach.Beginning([target(port), dataclasses.replace(target(port), name="lab2")])
    peer, _ = listener.accept()
    beginning.close()
    peer.settimeout(10)
    assert peer.recv(1) == b""
    peer.close()
    listener.settimeout(0.5)
    with pytest.raises(TimeoutError):
        listener.accept()


def test_a_socket_is_not_blocked_by_what_it_holds(listener):
    with dial.Socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.connect(listener.getsockname())
        peer, _ = listener.accept()
        peer.sendall(b"abc")
        assert sock.recv(2) == b"ab"
        sock.settimeout(0.1)
        assert sock.recv(5) == b"c"
        with pytest.raises(TimeoutError):
            sock.recv(5)
        peer.sendall(b"d")
        sock.settimeout(5)
        assert sock.recv(5) == b"d"
        peer.close()
