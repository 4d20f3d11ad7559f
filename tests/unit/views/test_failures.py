"""What is wrong with many hosts is said once where it is the same."""

from __future__ import annotations

from netcompose.errors import HostKeyRefused, HostLacks, HostsFailed, HostUnreachable, NetcomposeError
from netcompose.executor.fanout import refuse
from netcompose.views.failures import alike, collected
from netcompose.views.problems import error_text


def refused(number: int) -> HostUnreachable:
    return HostUnreachable(
        f"host server{number}: nothing listens on 10.0.{number}.7 port 22 (connection refused)",
        hint="is sshd running there, and is `port:` right?",
    )


def unknown(number: int) -> HostKeyRefused:
    return HostKeyRefused(
        f"host server{number}: web{number}.example.org port 22 shows a host key that is not known: ssh-ed25519"
        f" SHA256:{number:x}+abc/{number}",
        hint="compare it",
    )


def failed(failures: dict[str, NetcomposeError]) -> HostsFailed:
    try:
        refuse(failures, 200)
    except HostsFailed as error:
        return error
    raise AssertionError


def test_a_failure_of_a_hundred_hosts_is_a_line():
    failures: dict[str, NetcomposeError] = {f"server{number}": refused(number) for number in range(100)}
    failures["router"] = HostLacks("host router: there is no python3", hint="install Python")
    error = failed(failures)
    assert error_text(error) == (
        "error: 101 hosts cannot be worked on; nothing was changed\n"
        "  router: there is no python3\n"
        "  100 hosts (server0, server1, server10 and 97 more; --verbose names all): nothing listens on 10.0.0.7 port 22"
        " (connection refused)\n"
        "hint: install Python\n"
        "      is sshd running there, and is `port:` right?\n"
    )
    told = error_text(error, verbose=True)
    assert told.count("\n") == 104 and all(f"\n  {host}: " in told for host in failures)


def test_what_differs_in_more_than_the_host_is_told_apart():
    other = HostUnreachable("host server7: nothing listens on 10.0.7.7 port 2222 (connection refused)")
    failures = [(f"server{number}", refused(number)) for number in range(6)] + [("server7", other)]
    assert [len(group) for group in alike(failures)] == [6, 1]
    keys = [(f"server{number}", unknown(number)) for number in range(5)]
    assert [len(group) for group in alike([*failures, *keys])] == [6, 1, 5]
    # The same words of another sort of error are not the same failure.
    assert len(alike([("a", HostLacks("host a: x")), ("b", HostUnreachable("host b: x"))])) == 2
    # A host called as a word of the sentence: its own name is what differs, nothing else.
    assert len(alike([("port", refused(1)), ("server2", refused(2))])) == 2


def test_a_few_hosts_are_told_one_by_one():
    failures: dict[str, NetcomposeError] = {f"server{number}": refused(number) for number in range(3)}
    assert error_text(failed(failures)) == error_text(failed(failures), verbose=True)
    assert collected(list(failures.items())) == list(failures.values())
    failures["server9"] = refused(9)
    (together,) = collected(list(failures.items()))
    assert error_text(together).startswith(
        "error: 4 hosts cannot be asked\n  4 hosts (server0, server1, server2 and 1 more; --verbose names all): nothing"
    )
