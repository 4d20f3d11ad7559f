"""An agent at the other end: errors that stay what they are, and a server that ends cleanly."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from stand_in import CHANGE, StandIn

from netcompose import errors
from netcompose.agent.protocol import Channel, Stream, error_from_data, error_to_data
from netcompose.agent.server import serve
from netcompose.errors import HostUnreachable, KernelRefused, Locked, NetcomposeError, ProtocolError
from netcompose.planner.plan import PlanProblem
from netcompose.planner.serialise import change_from_data, change_to_data
from netcompose.resources import ExecTarget
from netcompose.transports.remote import RemoteAgent


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


def test_an_unknown_method_is_refused(served):
    _, remote = served
    with pytest.raises(ProtocolError, match="no method"):
        remote._call("explode", {})


PROGRAM = """
import sys, time
sys.path.insert(0, {tests!r})
import types
from netcompose.agent import __main__
import stand_in
class Slow(stand_in.StandIn):
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
