"""Call many hosts side by side: a bounded pool, every failure told, one that is enough to stop the others."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, NoReturn, TypeVar

from netcompose.errors import HostsFailed, Interrupted, NetcomposeError

if TYPE_CHECKING:
    from netcompose.transports.base import Connection

#: Hosts that are worked on at the same time; each costs a thread.
POOL = 32

Answer = TypeVar("Answer")


def side_by_side(
    calls: Mapping[str, Callable[[], Answer]],
    stop: Callable[[str], None] | None = None,
    meanwhile: Callable[[], object] = lambda: None,
) -> dict[str, Answer]:
    """The answer of every call, by host; a single one is made in this thread. ``meanwhile`` is called while this thread
    has nothing to do but wait for others.

    All are waited for. With ``stop`` the first failure, Ctrl-C included, asks the others to end early, and those that
    have not begun do not. Failures are raised when all are done: one as it is, several as ``HostsFailed``.
    """
    if len(calls) <= 1 and stop is None:
        return {host: call() for host, call in calls.items()}
    from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait

    with ThreadPoolExecutor(max_workers=min(POOL, max(1, len(calls)))) as pool:
        futures: dict[str, Future[Answer]] = {host: pool.submit(call) for host, call in calls.items()}
        try:
            meanwhile()
            wait(futures.values(), return_when=FIRST_EXCEPTION if stop else "ALL_COMPLETED")
        finally:
            if stop is not None:
                for host, future in futures.items():
                    if not future.cancel() and not future.done():
                        stop(host)
    failures = {host: future.exception() for host, future in futures.items() if not future.cancelled()}
    raise_failures({host: error for host, error in failures.items() if error is not None})
    return {host: future.result() for host, future in futures.items()}


def raise_failures(failures: Mapping[str, BaseException]) -> None:
    """Raise what went wrong, if anything did. A host that was stopped because another one failed is no reason."""
    reasons = {host: error for host, error in failures.items() if not isinstance(error, Interrupted)} or failures
    for error in reasons.values():
        if len(reasons) == 1 or not isinstance(error, NetcomposeError):
            raise error
    if reasons:
        _raise_all({host: error for host, error in sorted(reasons.items()) if isinstance(error, NetcomposeError)}, "")


def refuse(failures: Mapping[str, NetcomposeError], hosts: int) -> None:
    """Raise why a run on so many hosts cannot begin, if anything is in its way: all hosts' reasons at once."""
    if hosts == 1:
        raise_failures(failures)
    elif failures:
        _raise_all(dict(sorted(failures.items())), "; nothing was changed")


def _raise_all(failures: Mapping[str, NetcomposeError], end: str) -> NoReturn:
    number = f"{len(failures)} hosts" if len(failures) > 1 else "a host"
    lines = [told(host, error) for host, error in failures.items()]
    hints = dict.fromkeys(error.hint for error in failures.values() if error.hint)
    message = "\n".join([f"{number} cannot be worked on{end}", *lines])
    raise HostsFailed(message, tuple(failures.items()), hint="\n".join(hints)) from next(iter(failures.values()))


def told(host: str, error: NetcomposeError) -> str:
    """``server4: ...``, without saying the host twice."""
    first, *rest = error.message.removeprefix(f"host {host}: ").split("\n")
    return "\n".join([f"{host}: {first}", *(f"  {line}" for line in rest)])


@contextlib.contextmanager
def heartbeat(connections: Mapping[str, Connection], seconds: float) -> Iterator[None]:
    """While the block runs, let every armed host know every so many seconds that somebody is there: one that has done
    its part waits for the others, and would take that for the end."""
    import threading
    from concurrent.futures import ThreadPoolExecutor

    pings = [ping for connection in connections.values() if (ping := getattr(connection, "ping", None)) is not None]
    end = threading.Event()

    def beat() -> None:
        with ThreadPoolExecutor(max_workers=min(POOL, max(1, len(pings)))) as pool:
            while not end.wait(seconds):
                for future in [pool.submit(ping, seconds) for ping in pings]:
                    # A host that is lost is found out by the next real call.
                    with contextlib.suppress(NetcomposeError):
                        future.result()

    thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()
