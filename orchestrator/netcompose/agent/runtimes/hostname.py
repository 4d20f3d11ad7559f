"""The hostname of a running container."""

from __future__ import annotations

import os
import threading

from netcompose.agent.kernel import syscalls
from netcompose.errors import KernelRefused


def rename(pid: int, hostname: str, where: str) -> None:
    """Set the hostname of a process's UTS namespace, from a thread that ends in there."""
    failed: list[OSError] = []

    def visit() -> None:
        try:
            fd = os.open("/proc/{}/ns/uts".format(pid), os.O_RDONLY | os.O_CLOEXEC)
            try:
                # A thread of its own leaves the agent's other threads where they are.
                syscalls.setns(fd, syscalls.CLONE_NEWUTS)
            finally:
                os.close(fd)
            syscalls.sethostname(hostname)
        except OSError as error:
            failed.append(error)

    thread = threading.Thread(target=visit)
    thread.start()
    thread.join()
    if failed:
        reason = failed[0].strerror or str(failed[0])
        raise KernelRefused("{}cannot set its hostname: {}".format(where, reason), errno=failed[0].errno or 0)
