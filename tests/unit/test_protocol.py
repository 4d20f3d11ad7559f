"""The wire: frames, noise, errors that stay what they are, and a server that ends cleanly."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from netcompose import errors
from netcompose.agent import protocol
from netcompose.agent.protocol import Channel, Stream, StreamEnded, error_from_data, error_to_data
from netcompose.agent.server import serve
from netcompose.errors import HostUnreachable, KernelRefused, Locked, NetcomposeError, ProtocolError
from netcompose.planner.plan import Change, Difference, Disturbance, PlanProblem
from netcompose.planner.serialise import change_from_data, change_to_data
from netcompose.resources import (
    Bridge,
    ContainerState,
    End,
    ExecTarget,
    HostFacts,
    Observation,
    Process,
    Route,
    Veth,
)
from netcompose.transports.remote import RemoteAgent

BRIDGE = Bridge("bridge/a", network="a", name="nca", mac="02:00:00:00:00:01", addresses=("10.0.0.1/24",), ifindex=7)
VETH = Veth(
    "interface/w.eth0",
    end=End(namespace="w", name="eth0", mac="02:00:00:00:00:02", routes=(Route("0.0.0.0/0", "10.0.0.1"),)),
    peer=End(namespace="", name="ncw", mac="02:00:00:00:00:03", master="bridge/a"),
)
PROCESS = Process("process/w", container="w", command=("sleep", "1"), environment={"A": "ü"}, stop_grace_period=1.5)
CHANGE = Change(
    address="local/bridge/a",
    host="local",
    id="bridge/a",
    kind="bridge",
    actions=("update",),
    reason_code="differs",
    reason="mtu differs",
    before=BRIDGE,
    after=Bridge("bridge/a", network="a", name="nca", mac="02:00:00:00:00:01", mtu=1400),
    differences=(Difference("mtu", 1500, 1400), Difference("addresses", ["10.0.0.1/24"], [], secret=True)),
    replace_paths=("name",),
    requires=("namespace/w",),
    disturbs=(Disturbance("w", "blip", "why"),),
    fingerprint="abc",
    stage=3,
)


class StandIn:
    """An agent that remembers what it was asked."""

    def __init__(self):
        self.asked = []
        self.closed = threading.Event()
        self.go_on = threading.Event()
        self.cancelled = None

    def known_as(self, host):
        self.host = host

    def hello(self):
        return {"version": "x", "pid": os.getpid()}

    def observe(self, topology):
        resources = {item.id: item for item in (BRIDGE, VETH, PROCESS)}
        facts = HostFacts(hostname="h", routes=(("10.0.0.0/8", "eth0"),), features={"nft": "missing"}, load=0.5)
        return Observation(resources, {"netdev:/br0": "somebody's"}, facts)

    def lock(self, topology, owner):
        raise Locked("locked by " + owner, hint="wait")

    def unlock(self):
        raise ZeroDivisionError("not ours")

    def at_work(self, busy):
        self.at_work_now = busy

    def arm(self, topology, changes, token, seconds):
        self.asked.append((topology, tuple(changes), token, seconds))

    def settle(self, token, what):
        return f"{what} {token}"

    def apply(self, topology, changes, progress):
        changes = () if changes is None else changes
        self.asked.append((topology, tuple(changes)))
        try:
            progress(1, 2, "one")
            if topology == "waits":
                self.go_on.wait(5)
            progress(2, 2, "two")
        except BaseException as error:
            self.cancelled = type(error).__name__
            raise

    def confirm(self):
        print("noise on stdout", flush=True)

    def rollback(self):
        raise KernelRefused("no", errno=16, object_id="bridge/a")

    def states(self, topology):
        return [ContainerState("w", "exited", exit_code=-9, started=1.5)]

    def features(self):
        return {"vlan": "the kernel says no", "veth": ""}

    def run_many(self, topology, jobs, timeout):
        self.asked.append((topology, *jobs[0], timeout))
        return [(3, b"\x00\xff", b"err") for _ in jobs]

    def logs(self, topology, container, tail, since, timestamps):
        return b"%d lines\xfe" % tail

    def close(self):
        self.closed.set()


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


def channels():
    there, back = os.pipe(), os.pipe()
    return Channel(Stream(back[0], there[1])), Channel(Stream(there[0], back[1]))


def test_everything_that_an_agent_answers_arrives_as_it_was(served):
    agent, remote = served
    assert remote.hello()["version"] == "x"
    assert remote.observe("t") == agent.observe("t")
    assert remote.observe("t").resources["bridge/a"].ifindex == 7
    assert remote.states("t") == agent.states("t")
    assert remote.logs("t", "w", 4) == b"4 lines\xfe"
    target = ExecTarget("w", "t-w", "w", {"A": "1"}, "/tmp", "nobody")
    assert remote.run("t", target, ["ping", "-c1"], 7.0) == (3, b"\x00\xff", b"err")
    assert agent.asked == [("t", target, ["ping", "-c1"], 7.0)]
    assert remote.run_many("t", [(target, ["a"]), (target, ["b"])]) == [(3, b"\x00\xff", b"err")] * 2
    assert remote.features() == {"vlan": "the kernel says no", "veth": ""}


def test_changes_and_progress(served):
    agent, remote = served
    steps = []
    remote.apply("t", [CHANGE], lambda *step: steps.append(step))
    assert agent.asked == [("t", (CHANGE,))]
    assert steps == [(1, 2, "one"), (2, 2, "two")]


def test_a_change_survives_json_with_every_field():
    import json

    back = change_from_data(json.loads(json.dumps(change_to_data(CHANGE))))
    assert back == CHANGE
    assert back.before.ifindex == 7  # observed attributes do not take part in the comparison
    with pytest.raises(ValueError, match="lacks"):
        change_from_data({})


def test_errors_keep_class_hint_and_attributes(served):
    _, remote = served
    with pytest.raises(Locked) as caught:
        remote.lock("t", "me")
    assert (caught.value.message, caught.value.hint, caught.value.exit_status) == ("locked by me", "wait", 6)
    with pytest.raises(KernelRefused) as refused:
        remote.rollback()
    assert (refused.value.errno, refused.value.object_id) == (16, "bridge/a")
    assert remote.hello()  # an error is an answer, not the end


def test_a_defect_of_the_agent_is_named_and_survived(served):
    _, remote = served
    with pytest.raises(ProtocolError, match="ZeroDivisionError: not ours") as caught:
        remote.unlock()
    assert "unlock" in caught.value.traceback
    assert remote.hello()


@pytest.mark.parametrize("name", [n for n, c in vars(errors).items() if isinstance(c, type)])
def test_every_error_class_crosses(name):
    cls = getattr(errors, name)
    if not issubclass(cls, NetcomposeError):
        return
    listed = issubclass(cls, (errors.TopologyError, errors.PlanRefused))
    problems = (PlanProblem("a/b", "taken", "rename"),)
    error = cls(problems) if listed else cls("what", hint="do")
    back = error_from_data(error_to_data(error))
    assert type(back) is cls
    assert (str(back), back.hint, back.exit_status) == (str(error), error.hint, error.exit_status)
    if listed:
        assert back.problems == problems


def test_an_unknown_error_class_keeps_its_words_and_exit_status():
    data = {"class": "FromTheFuture", "message": "m", "hint": "h", "exit_status": 5, "attributes": {}, "problems": []}
    back = error_from_data(data)
    assert type(back) is NetcomposeError and (back.message, back.exit_status) == ("m", 5)
    assert NetcomposeError.exit_status == 1
    assert type(error_from_data({**data, "class": "Any"})) is NetcomposeError  # a name of the page that is no error


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


def test_the_end_of_the_stream_closes_the_agent(served):
    agent, remote = served
    assert not agent.closed.is_set()
    remote.close()
    assert agent.closed.wait(5)


def test_a_controller_that_goes_away_cancels_what_is_going_on(served):
    agent, remote = served
    failure = []

    def controller():
        try:
            remote.apply("waits", [CHANGE], lambda *step: remote.close())
        except Exception as error:
            failure.append(error)

    thread = threading.Thread(target=controller)
    thread.start()
    thread.join(5)
    agent.go_on.set()
    assert agent.closed.wait(5)
    assert agent.cancelled == "Cancelled"
    assert len(failure) == 1


def test_a_half_closed_stream_cancels_too():
    """What a lost SSH channel looks like: nothing more comes, though what is written still goes somewhere."""
    agent = StandIn()
    to_agent, to_controller = os.pipe(), os.pipe()
    thread = threading.Thread(target=serve, args=(agent, to_agent[0], to_controller[1]))
    thread.start()
    channel = Channel(Stream(to_controller[0], to_agent[1]))
    channel.await_marker(5)
    params = {"topology": "waits", "changes": [change_to_data(CHANGE)]}
    channel.send({"id": 1, "method": "apply", "params": params})
    assert channel.receive(5)["progress"]["done"] == 1
    os.close(to_agent[1])
    agent.go_on.set()
    assert agent.closed.wait(5)
    thread.join(5)
    assert agent.cancelled == "Cancelled"


def test_after_an_interrupted_exchange_the_connection_is_of_no_use(served):
    _, remote = served

    def interrupt(*step):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        remote.apply("t", [CHANGE], interrupt)
    with pytest.raises(HostUnreachable, match="closed"):
        remote.hello()


def test_an_unknown_method_is_refused(served):
    _, remote = served
    with pytest.raises(ProtocolError, match="no method"):
        remote._call("explode", {})


PROGRAM = """
import sys, time
sys.path.insert(0, {tests!r})
import types
from netcompose.agent import __main__
import test_protocol
class Slow(test_protocol.StandIn):
    def rollback(self): time.sleep(30)
    def close(self): print("closed", file=sys.stderr, flush=True)
sys.modules["netcompose.agent.agent"] = types.SimpleNamespace(Agent=Slow)
sys.exit(__main__.main())
"""


def _caught(function):
    try:
        return function()
    except NetcomposeError as error:
        return error


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_program_keeps_its_stream_clean_and_ends_by_signal(number):
    code = PROGRAM.format(tests=os.path.dirname(__file__))
    with subprocess.Popen([sys.executable, "-c", code], stdin=-1, stdout=-1, stderr=-1) as process:
        remote = RemoteAgent("h", Stream(os.dup(process.stdout.fileno()), os.dup(process.stdin.fileno())))
        remote.confirm()  # prints
        assert remote.hello()["pid"] == process.pid
        lost = []
        waiting = threading.Thread(target=lambda: lost.append(_caught(remote.rollback)))
        waiting.start()
        time.sleep(0.1)
        process.send_signal(number)
        assert process.wait(5) == 0
        waiting.join()
        assert [type(error) for error in lost] == [HostUnreachable]
        assert process.stderr.read() == b"noise on stdout\nclosed\n"


def test_end_of_stream_is_an_exception_with_what_came():
    controller, agent = channels()
    agent.stream.send(b"\0\0\0\x08{}")
    agent.stream.close()
    with pytest.raises(StreamEnded) as ended:
        controller.receive(1)
    assert ended.value.partial == b"{}"


def test_an_armed_run_crosses_and_is_applied_without_being_sent_again(served):
    agent, remote = served
    remote.arm("t", [CHANGE], "abc", 1.5)
    remote.apply("t", None)
    assert agent.asked == [("t", (CHANGE,), "abc", 1.5), ("t", ())]
    assert remote.settle("abc", "ready") == "ready abc"


def test_a_request_is_stopped_at_its_next_step_and_the_connection_is_of_use_afterwards(served):
    agent, remote = served
    caught = []

    def apply():
        try:
            remote.apply("waits", [])
        except errors.Interrupted as error:
            caught.append(error)

    working = threading.Thread(target=apply)
    working.start()
    end = time.monotonic() + 5
    while not agent.asked and time.monotonic() < end:
        time.sleep(0.01)
    assert agent.at_work_now
    remote.cancel()
    agent.go_on.set()
    working.join(5)
    assert caught and agent.cancelled == "Interrupted"
    # One that comes when all is done is not for the next request.
    remote._channel.send({"cancel": True})
    assert remote.hello()["version"] == "x"
    end = time.monotonic() + 5
    while agent.at_work_now:
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_ping_keeps_out_of_the_way_of_an_open_request(served):
    agent, remote = served
    working = threading.Thread(target=remote.apply, args=("waits", []))
    working.start()
    end = time.monotonic() + 5
    while not agent.asked and time.monotonic() < end:
        time.sleep(0.01)
    remote.ping(1.0)
    assert working.is_alive()
    agent.go_on.set()
    working.join(5)
    remote.ping(1.0)
