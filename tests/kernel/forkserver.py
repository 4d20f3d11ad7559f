"""Python in a throw-away host without the start of an interpreter, which costs more than most commands themselves.

A server is started once per test process and imports netcompose. For each program it forks; the fork goes into the
host's namespaces as nsenter(1) does and runs there what ``python`` would: ``-m module``, ``-c code`` or a file, with
nothing changed. So it is a process like any other: files, signals, exit status, ``/proc``. What is about the start itself
(modules that are not loaded, other interpreters, other users) needs a real start.

    forkserver.run(host, "-m", "netcompose", "plan").stdout
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import pkgutil
import runpy
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import traceback
import types
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

from netcompose.agent.kernel import syscalls
from netcompose.transports.sandbox import Sandbox, environment

#: The order of nsenter(1): in the user namespace come the rights to enter the others.
_KINDS = ("user", "net", "uts", "ipc", "pid", "mnt")
_LONGEST = 1 << 17


class Started:
    """A program that was started. ``pid`` leads its process group, outside of the host."""

    def __init__(self, reply: int) -> None:
        self._reply = reply
        self.pid = self._number(10)

    def wait(self, timeout: float | None = None) -> int:
        """Its exit status; 128 and the number of the signal that ended it."""
        try:
            return self._number(timeout)
        finally:
            os.close(self._reply)

    def kill(self) -> None:
        """End it and its children at once."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    def _number(self, timeout: float | None) -> int:
        poller = select.poll()
        poller.register(self._reply, select.POLLIN)
        if not poller.poll(None if timeout is None else timeout * 1000):
            self.kill()
            raise subprocess.TimeoutExpired("python", timeout or 0)
        data = os.read(self._reply, 4)
        # Who would have told it was killed along with it.
        return int(struct.unpack("i", data)[0]) if data else 128 + signal.SIGKILL


def start(
    host: Sandbox,
    *argv: str,
    stdin: int,
    stdout: int,
    stderr: int = 2,
    env: Mapping[str, str] | None = None,
    cwd: str | None = None,
) -> Started:
    """Start a program inside with these descriptors; ``env`` and ``cwd`` as ``host.popen`` has them."""
    reply, tell = os.pipe()
    place = {"pid": host.pid, "user": host.user_namespace, "cwd": cwd or os.getcwd()}
    request = {"argv": argv, "env": environment(env), **place}
    try:
        socket.send_fds(_server(), [json.dumps(request).encode()], [stdin, stdout, stderr, tell])
    finally:
        os.close(tell)
    return Started(reply)


def run(
    host: Sandbox,
    *argv: str,
    input: str | None = None,
    timeout: float | None = 60.0,
    env: Mapping[str, str] | None = None,
    cwd: str | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a program inside to its end, as ``host.run`` does; after ``timeout`` seconds it is killed."""
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(open(os.memfd_create(name), "w+b")) for name in ("stdin", "stdout", "stderr")]
        if input is not None:
            files[0].write(input.encode())
            files[0].seek(0)
        given, out, err = (file.fileno() for file in files)
        started = start(host, *argv, stdin=given, stdout=out, stderr=err, env=env, cwd=cwd)
        try:
            status = started.wait(timeout)
        except BaseException:
            started.kill()
            raise
        said = [file.read().decode(errors="replace") for file in files[1:] if file.seek(0) == 0]
    return subprocess.CompletedProcess([sys.executable, *argv], status, *said)


_running: socket.socket | None = None


def _server() -> socket.socket:
    """The way to the server of this process, started by the first use."""
    global _running
    if _running is None:
        ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with its:
            process = subprocess.Popen(
                [sys.executable, __file__, str(its.fileno())],
                pass_fds=(its.fileno(),),
                stdin=subprocess.DEVNULL,
                env=environment(None),
                start_new_session=True,
            )
        _running = ours

        def end() -> None:
            ours.close()
            process.wait(10)

        atexit.register(end)
    return _running


def serve(requests: socket.socket) -> None:
    """Fork for every request until nobody is left to ask."""
    for name in ("paramiko", "jsonschema", "readings", "faults", *_modules()):
        importlib.import_module(name)
    # Objects that are not looked at again by the collector stay in pages that all forks share.
    gc.collect()
    gc.freeze()
    # Nobody waits for what it starts.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        data, fds, _, _ = socket.recv_fds(requests, _LONGEST, 4)
        if not data:
            return
        if os.fork() == 0:
            requests.close()
            _attend(json.loads(data), fds)
        for fd in fds:
            os.close(fd)


def _modules() -> Iterator[str]:
    import netcompose

    for module in pkgutil.walk_packages(netcompose.__path__, "netcompose."):
        if not module.name.endswith("__main__"):
            yield module.name


def _attend(request: dict[str, Any], fds: list[int]) -> NoReturn:
    """Go into the host, start the program there, and tell how it ends."""
    *standard, reply = fds
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    _tell(reply, os.getpid())
    try:
        _enter(request["pid"], request["user"])
        child = os.fork()
        if child == 0:
            for number, fd in enumerate(standard):
                os.dup2(fd, number)
            os.closerange(3, max(fds) + 1)
            _become(request["argv"], request["env"], request["cwd"])
    except OSError:
        os.write(standard[2], traceback.format_exc().encode())
        child = 0
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) if child else 127
    _tell(reply, 128 - status if status < 0 else status)
    os._exit(0)


def _tell(reply: int, number: int) -> None:
    # Nobody listens any more after a timeout.
    with contextlib.suppress(BrokenPipeError):
        os.write(reply, struct.pack("i", number))


def _enter(pid: int, user: bool) -> None:
    namespaces = [os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY) for kind in _KINDS if user or kind != "user"]
    for namespace in namespaces:
        syscalls.setns(namespace)
        os.close(namespace)


def _become(argv: list[str], env: dict[str, str], cwd: str) -> NoReturn:
    """Python's own command line, in a process that has standard streams and nothing else."""
    status = 1
    try:
        os.chdir(cwd)
        os.environ.clear()
        os.environ.update(env)
        time.tzset()
        sys.stdin, sys.stdout, sys.stderr = (open(fd, mode, closefd=False) for fd, mode in enumerate("rww"))
        sys.stderr.reconfigure(line_buffering=True, errors="backslashreplace")
        gc.unfreeze()
        option, *rest = argv
        if option == "-m":
            sys.argv = rest
            runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
        elif option == "-c":
            sys.argv = [option, *rest[1:]]
            main = sys.modules["__main__"] = types.ModuleType("__main__")
            exec(compile(rest[0], "<string>", "exec"), main.__dict__)
        else:
            sys.argv = argv
            runpy.run_path(option, run_name="__main__")
        status = 0
    except SystemExit as end:
        if end.code is not None and not isinstance(end.code, int):
            print(end.code, file=sys.stderr)
        status = 0 if end.code is None else end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        try:
            # What the interpreter does at its end: threads, then streams.
            threading._shutdown()
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(status & 0xFF)


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as asked:
        serve(asked)
