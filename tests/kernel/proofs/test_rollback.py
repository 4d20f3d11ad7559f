"""An operation in the middle fails: everything is put back, and the exit status and the message say so."""

from __future__ import annotations

import signal

import pytest
from everywhere import fails_everywhere
from proof_host import ProofHost, edited
from test_crash import FIRST, SECOND

CHUNKS = 8

CHANGES = {
    "an exec command that fails": (
        ("containers b exec", [["sh", "-c", "echo no such luck >&2; exit 3"]]),
        ("exec of container b", "exited with 3: no such luck"),
    ),
    "a sysctl that does not exist": (
        ("containers b sysctls", {"net.ipv4.no_such_key": "1"}),
        ("namespace/b", "net.ipv4.no_such_key", "No such file or directory"),
    ),
    "a sysctl's value that the kernel refuses": (
        ("containers b sysctls", {"net.ipv4.ip_forward": "many"}),
        ("namespace/b", "net.ipv4.ip_forward", "Invalid argument"),
    ),
    "a command that does not exist": (
        ("containers b command", ["/no/such/program"]),
        ("container b", "/no/such/program"),
    ),
    "a user that does not exist": (
        ("containers a user", "nobody-of-that-name"),
        ("container a", "nobody-of-that-name"),
    ),
}


@pytest.mark.parametrize("failure", CHANGES)
@pytest.mark.parametrize("start", ["fresh", "running"])
def test_a_real_failure_puts_everything_back_and_says_what_failed(host: ProofHost, failure: str, start: str) -> None:
    if start == "running":
        host.up(FIRST)
    before = host.snapshot()
    (path, value), words = CHANGES[failure]
    # More than the failing change, so that there is something to put back.
    topology = edited(edited(FIRST, "networks lan mtu", 1300), path, value)
    done = host.cli("up", "-f", host.write(topology))
    assert done.status == 4, done
    assert all(word in done.err for word in (*words, "everything was put back")), done.err
    host.assert_same(before)


def test_a_renamed_interface_gets_its_name_and_its_index_back(host: ProofHost) -> None:
    host.up(FIRST)
    before = host.snapshot()
    renamed = edited(FIRST, "containers b networks", {"lan": {"interface_name": "other0"}})
    done = host.cli("up", "-f", host.write(edited(renamed, "containers b exec", [["false"]])))
    assert done.status == 4 and "everything was put back" in done.err, done
    host.assert_same(before)


def test_a_name_that_is_taken_between_plan_and_apply_is_put_back(host: ProofHost) -> None:
    host.cli("plan", "-f", host.write(FIRST), "--out", str(host.folder / "plan.json"))
    name = next(change["after"]["name"] for change in host.plan(FIRST)["changes"] if change["id"] == "bridge/lan")
    host.run("ip", "link", "add", name, "type", "bridge")
    before = host.snapshot()
    done = host.cli("apply", "-f", host.write(FIRST), str(host.folder / "plan.json"))
    # Seen before the first change, since `apply` observes again.
    assert done.status == 1 and name in done.err, done
    host.assert_same(before)


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_any_failing_operation_of_an_up_leaves_the_host_as_it_was(host: ProofHost, chunk: int) -> None:
    fails_everywhere(host, FIRST, chunk=chunk, chunks=CHUNKS, least=40)


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_any_failing_operation_of_a_change_leaves_the_host_as_it_was(host: ProofHost, chunk: int) -> None:
    fails_everywhere(host, SECOND, start=FIRST, chunk=chunk, chunks=CHUNKS, least=40)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
@pytest.mark.parametrize("point", [1, 20, 45])
def test_an_interrupted_run_is_put_back(host: ProofHost, number: signal.Signals, point: int) -> None:
    host.up(FIRST)
    before = host.snapshot()
    done = host.cli("up", "-f", host.write(SECOND), fault={"mode": "signal", "at": point, "signal": int(number)})
    assert done.hit and done.status == 4, done
    assert "interrupted; everything was put back" in done.err, done.err
    host.assert_same(before)
