"""netcompose with a fault: the command line with nothing changed but what is asked for at one of its operations.

    faults.py '{"mode": "kill", "at": 7, "signal": 0, "note": "/a/file"}' up -f topology.yaml

``"mode": "kill"``    SIGKILL after the n-th operation, from taking the lock to giving it back
``"mode": "fail"``    the n-th operation of carrying the plan out fails with EIO; putting back is undisturbed
``"mode": "signal"``  the process sends itself ``signal`` before that operation

``"ahead": true``     host messages go to the kernel by the thread that is for long runs of them (agent/ahead.py), however few

An operation is what changes something outside the process: a netlink message, a system call on a file, a mount, a
namespace, a program that is started. Batches are of one message, so that there is a point between any two.
"""

from __future__ import annotations

import errno
import functools
import importlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

#: Every one is an operation when it is called: (module, name, whether this call changes anything).
_WRITING = os.O_CREAT | os.O_TRUNC
_OPERATIONS: tuple[tuple[str, str, Callable[..., bool]], ...] = (
    ("os", "mkdir", lambda *_: True),
    ("os", "open", lambda path, flags, *_, **__: bool(flags & _WRITING)),
    ("os", "write", lambda fd, data: True),
    ("os", "pwrite", lambda *_: True),
    ("os", "ftruncate", lambda *_: True),
    ("os", "replace", lambda *_, **__: True),
    ("os", "unlink", lambda *_, **__: True),
    ("os", "rmdir", lambda *_, **__: True),
    ("netcompose.agent.kernel.syscalls", "mount", lambda *_: True),
    ("netcompose.agent.kernel.syscalls", "umount", lambda *_: True),
    ("netcompose.agent.kernel.syscalls", "unshare", lambda *_: True),
    ("os", "posix_spawnp", lambda *_, **__: True),
    ("subprocess", "Popen", lambda *_, **__: True),
)


class Faults:
    """Counts the operations of this process and does what was asked for at one of them."""

    def __init__(self, mode: str, at: int, signal: int, *, ahead: bool = False) -> None:
        self._mode, self._at, self._signal, self._ahead = mode, at, signal, ahead
        self.active = mode == "kill"
        self.count = 0
        self.hit = ""

    def install(self) -> None:
        from netcompose.agent import agent, run
        from netcompose.agent.kernel import netlink

        netlink.BATCH = 1
        if self._ahead:
            run.WORTH = 1
        for module, name, changes in _OPERATIONS:
            where = importlib.import_module(module)
            if name == "Popen":
                subprocess.Popen.__init__ = self._wrapped(subprocess.Popen.__init__, name, changes)  # type: ignore[method-assign]
            else:
                setattr(where, name, self._wrapped(getattr(where, name), name, changes))
        send = netlink.Socket._send_batch

        def send_one(self_: Any, messages: Any, start: int) -> Any:
            return self._around(f"netlink {messages[0].type}", lambda: send(self_, messages, start), start)

        netlink.Socket._send_batch = send_one  # type: ignore[method-assign, assignment]
        carry_out = agent.carry_out

        def first_carry_out(*arguments: Any) -> None:
            # The second time is the way back, which has to work.
            first, agent.carry_out = self._mode != "kill", carry_out
            self.active = self.active or first
            try:
                carry_out(*arguments)
            finally:
                self.active = self._mode == "kill"

        agent.carry_out = first_carry_out

    def _wrapped(self, function: Any, name: str, changes: Callable[..., bool]) -> Any:
        @functools.wraps(function)
        def wrapped(*arguments: Any, **options: Any) -> Any:
            if not (self.active and changes(*arguments, **options)):
                return function(*arguments, **options)
            return self._around(name, lambda: function(*arguments, **options))

        return wrapped

    def _around(self, name: str, operation: Callable[[], Any], position: int = -1) -> Any:
        if not self.active:
            return operation()
        self.count += 1
        number = self.count
        if number == self._at:
            self.hit = name
            if self._mode == "fail":
                if position >= 0:
                    from netcompose.agent.kernel.netlink import Refusal

                    return [Refusal(position, errno.EIO, "injected by the test")]
                raise OSError(errno.EIO, "injected by the test")
            if self._mode == "signal":
                os.kill(os.getpid(), self._signal)
        try:
            return operation()
        finally:
            # Also after one that failed, as a mkdir of a folder that is there.
            if self._mode == "kill" and number == self._at:
                os.kill(os.getpid(), signal.SIGKILL)


def main(fault: str, *argv: str) -> int:
    """The command line with a fault (JSON), of which ``note`` is a file that tells what became of it."""
    from netcompose.cli.main import main as netcompose

    asked = json.loads(fault)
    note = asked.pop("note")
    faults = Faults(**asked)
    faults.install()
    try:
        status = netcompose(argv)
    finally:
        # Without the operations that are counted.
        faults.active = False
        with open(note, "w") as file:
            json.dump({"count": faults.count, "hit": faults.hit}, file)
    return status


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
