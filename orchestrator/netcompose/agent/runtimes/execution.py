"""One more command inside a container, beside its process or in its bare namespace: ``exec``."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from typing import TYPE_CHECKING, Any, Iterator, Optional, Sequence

from netcompose.agent.rundir import container_dir
from netcompose.agent.runtimes import gate, records
from netcompose.agent.runtimes.helper import Helper, command_of, explain
from netcompose.errors import NetcomposeError
from netcompose.resources import ExecTarget

if TYPE_CHECKING:
    import subprocess

#: Bytes of stdout, and of stderr, that are kept of a captured command; the rest is read and dropped.
CAPTURE_LIMIT = 16 << 20
_CUT = b"\n[netcompose: the output was cut here]\n"


def run_captured(
    topology: str, target: ExecTarget, argv: Sequence[str], timeout: Optional[float] = None
) -> tuple[int, bytes, bytes]:
    """Run a command with its output captured and stdin from ``/dev/null``; ``(exit status, stdout, stderr)``.

    A command that a signal ended has 128 plus its number, as in a shell. Raises ``HostLacks`` and the like when it
    cannot run at all, and ``NetcomposeError`` when it takes longer than ``timeout`` seconds; it is killed then.
    """
    if target.engine:
        from netcompose.agent.runtimes import engineexec

        with engineexec.engine() as engine:
            return engineexec.run_captured(engine, target, argv, timeout)
    import subprocess

    helper, command = spawn(
        topology,
        target,
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    process = helper.process
    try:
        failure = helper.failure()
        if failure is not None:
            raise explain(target.container, command, failure)
        out, err = _collect(process, None if timeout is None else time.monotonic() + timeout)
        return process.wait(), out, err
    except TimeoutError:
        raise NetcomposeError(
            "container {}: {} did not end within {:g} s and was killed".format(target.container, argv[0], timeout or 0)
        ) from None
    finally:
        if process.poll() is None:
            # The helper leads a process group in which the command is, wherever its PID namespace.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()


def attach(topology: str, target: ExecTarget, argv: Sequence[str]) -> int:
    """Run a command on the caller's own stdin, stdout and stderr, a terminal or not; its exit status as above."""
    if target.engine:
        from netcompose.agent.runtimes import engineexec

        with engineexec.engine() as engine, _keys_ignored():
            return engineexec.attach(engine, target, argv)
    helper, command = spawn(topology, target, argv)
    with _keys_ignored():
        failure = helper.failure()
        status = helper.process.wait()
    if failure is not None:
        raise explain(target.container, command, failure)
    return status


def logs(
    topology: str,
    container: str,
    *,
    tail: Optional[int] = None,
    follow: bool = False,
    since: float = 0.0,
    timestamps: bool = False,
) -> Iterator[bytes]:
    """The output of a container's command, whoever runs it; see :func:`namespace.logs`."""
    if not container.startswith("@") and gate.used(topology):
        from netcompose.agent.runtimes import engineshow

        if engineshow.has(topology, container):
            return engineshow.logs(topology, container, tail=tail, since=since, timestamps=timestamps, follow=follow)
    from netcompose.agent.runtimes import namespace

    return namespace.logs(topology, container, tail=tail, follow=follow, since=since, timestamps=timestamps)


def spawn(
    topology: str, target: ExecTarget, argv: Sequence[str], *, terminal: str = "", **popen: Any
) -> tuple[Helper, dict[str, Any]]:
    """Start a helper that becomes a command in a container, and the command as the helper was told it. With
    ``terminal`` ($TERM) the command leads a session whose terminal is its stdin."""
    command = command_of(
        argv,
        target.environment,
        working_dir=target.working_dir,
        user=target.user,
        hostname=target.hostname,
        where="container {}: ".format(target.container),
        term=terminal or os.environ.get("TERM", "dumb"),
    )
    recorded = records.read(container_dir(topology, target.container), records.PROCESS)
    running = recorded is not None and records.alive(recorded)
    request = {
        "mode": "exec",
        "join": {"pid": recorded["pid"], "start": recorded["start"]} if running else None,
        "netns": target.netns,
        "etc": target.netns,
        "hostname": target.hostname,
        "command": command,
        "terminal": bool(terminal),
    }
    return Helper(request, label="netcompose-exec", **popen), command


def _collect(process: subprocess.Popen[bytes], end: Optional[float]) -> tuple[bytes, bytes]:
    """Both outputs, read side by side so that neither fills its pipe; ``TimeoutError`` at the deadline.

    What a command left in the background may hold the pipes open for ever: once the command has ended and nothing
    more is there to read, that was it.
    """
    import selectors

    kept: dict[Any, bytearray] = {process.stdout: bytearray(), process.stderr: bytearray()}
    with selectors.DefaultSelector() as selector:
        for stream in kept:
            selector.register(stream, selectors.EVENT_READ)
        while selector.get_map():
            left = None if end is None else end - time.monotonic()
            if left is not None and left <= 0:
                raise TimeoutError
            ended = process.poll() is not None
            ready = selector.select(0.02 if left is None else min(left, 0.02))
            if ended and not ready:
                break
            for key, _ in ready:
                data = os.read(key.fd, 1 << 16)
                if not data:
                    selector.unregister(key.fileobj)
                elif len(kept[key.fileobj]) <= CAPTURE_LIMIT:
                    kept[key.fileobj] += data
    out, err = (
        bytes(text[:CAPTURE_LIMIT]) + _CUT if len(text) > CAPTURE_LIMIT else bytes(text) for text in kept.values()
    )
    return out, err


@contextlib.contextmanager
def _keys_ignored() -> Iterator[None]:
    """Ctrl-C and Ctrl-\\ are for the command at the terminal, not for this process (as system(3) does)."""
    import threading

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGQUIT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
