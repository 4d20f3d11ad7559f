"""The wire: frames, noise, peers that are silent, broken or gone."""

import os
import threading

import pytest
from stand_in import channels

from netcompose.agent import protocol
from netcompose.agent.protocol import Stream, StreamEnded
from netcompose.errors import HostUnreachable, ProtocolError
from netcompose.transports.remote import RemoteAgent


def test_what_a_login_shell_prints_is_skipped():
    controller, agent = channels()
    agent.stream.send(b"Welcome to Debian\nnetcompose-agent 1\n\0netcompose")
    agent.stream.send(b" or so\n\x00\xff")
    agent.announce()
    agent.send({"id": 1})
    assert controller.await_marker(1).startswith(b"Welcome")
    assert controller.receive(1) == {"id": 1}


def test_another_version_is_refused():
    controller, agent = channels()
    agent.stream.send(protocol.MARKER.replace(b" 1", b" 99"))
    with pytest.raises(ProtocolError, match="protocol 99"):
        controller.await_marker(1)


def test_endless_noise_is_refused(monkeypatch):
    monkeypatch.setattr(protocol, "NOISE_LIMIT", 1000)
    controller, agent = channels()
    agent.stream.send(b"y\n" * 4000)
    with pytest.raises(ProtocolError, match="something else"):
        controller.await_marker(1)


def test_a_peer_that_only_complains_is_quoted():
    there, back = os.pipe(), os.pipe()
    os.write(back[1], b"sudo: a password is required\n")
    os.close(back[1])
    with pytest.raises(HostUnreachable, match="password is required"):
        RemoteAgent("h", Stream(back[0], there[1]))


def test_a_silent_peer_is_given_up(monkeypatch):
    there, back = os.pipe(), os.pipe()
    with pytest.raises(HostUnreachable, match=r"within 0\.05 s"):
        RemoteAgent("h", Stream(back[0], there[1]), start_timeout=0.05)


def test_a_peer_that_stops_answering_is_given_up(monkeypatch):
    monkeypatch.setattr("netcompose.transports.remote.ANSWER_TIMEOUT", 0.05)
    there, back = os.pipe(), os.pipe()
    os.write(back[1], protocol.MARKER + b"\0\0\0\x10{")
    remote = RemoteAgent("h", Stream(back[0], there[1]))
    with pytest.raises(HostUnreachable, match="no answer to hello"):
        remote._call("hello", {}, timeout=0.05)
    with pytest.raises(HostUnreachable, match="closed"):
        remote.hello()


def test_a_peer_that_dies_is_named():
    there, back = os.pipe(), os.pipe()
    os.write(back[1], protocol.MARKER)
    remote = RemoteAgent("h", Stream(back[0], there[1]))
    os.close(back[1])
    with pytest.raises(HostUnreachable, match="lost during hello"):
        remote.hello()


@pytest.mark.parametrize(
    "frame", [b"\xff\xff\xff\xff", b"\0\0\0\x02[]", b"\0\0\0\x02{x", b'\0\0\0\x09{"id": 9}'], ids=repr
)
def test_a_broken_stream_is_said_to_be_broken(frame):
    there, back = os.pipe(), os.pipe()
    os.write(back[1], protocol.MARKER + frame)
    remote = RemoteAgent("h", Stream(back[0], there[1]))
    with pytest.raises(ProtocolError, match="broken"):
        remote.hello()


def test_a_large_message_crosses_in_pieces():
    controller, agent = channels()
    message = {"id": 1, "text": "ä" * 3_000_000}
    sender = threading.Thread(target=agent.send, args=(message, 5.0))
    sender.start()
    assert controller.receive(10) == message
    sender.join()


def test_sending_to_a_peer_that_does_not_read_ends():
    controller, _ = channels()
    with pytest.raises(TimeoutError):
        controller.send({"text": "x" * 1_000_000}, 0.05)


def test_end_of_stream_is_an_exception_with_what_came():
    controller, agent = channels()
    agent.stream.send(b"\0\0\0\x08{}")
    agent.stream.close()
    with pytest.raises(StreamEnded) as ended:
        controller.receive(1)
    assert ended.value.partial == b"{}"
