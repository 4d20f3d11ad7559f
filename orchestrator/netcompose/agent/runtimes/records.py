"""What a container's run directory says of its process, and whether that process is still there.

    process.json   the Process as data, and the identity of its init: written before the command runs
    state.json     written by the init: running since, or ended how and when, and whether that is final
    log, log.1     the command's output (see output.py)

Both the agent and the container's own init read and write here; the init reaches the directory by a descriptor,
because in its mount namespace the path may mean something else. Standard library only: this module is shipped
to the init as source.
"""

from __future__ import annotations

import contextlib
import json
import os

if False:  # for the type checker; to the helper interpreter it would be a fifth of its start
    from typing import Any, Mapping

PROCESS = "process.json"
STATE = "state.json"


def read(directory: Any, name: str) -> Any:
    """The JSON content of a file in ``directory`` (a path or a descriptor); None if it is not there or cut off."""
    try:
        if isinstance(directory, int):
            fd = os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=directory)
        else:
            fd = os.open(os.path.join(directory, name), os.O_RDONLY | os.O_CLOEXEC)
        with open(fd, encoding="utf-8") as file:
            return json.load(file)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None


def write(directory: int, name: str, data: Any) -> None:
    """Write a file of the directory as a whole or not at all, readable by its owner only (it may hold secrets)."""
    temporary = "{}.{}.new".format(name, os.getpid())
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600, dir_fd=directory)
    try:
        with open(fd, "w", encoding="utf-8") as file:
            json.dump(data, file)
        os.replace(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(temporary, dir_fd=directory)
        raise


def boot_id() -> str:
    """The running kernel's identity, which no other boot has (random(4))."""
    with open("/proc/sys/kernel/random/boot_id", encoding="utf-8") as file:
        return file.read().strip()


def start_time(pid: int) -> int:
    """When a process started, in clock ticks since the boot; 0 if it is not there or has ended.

    Field 22 of ``/proc/PID/stat`` (proc(5)); the second field may hold spaces and brackets, so fields are
    counted from the last bracket. A zombie is as good as gone.
    """
    try:
        with open("/proc/{}/stat".format(pid), "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return 0 if fields[0] in (b"Z", b"X") else int(fields[19])


def identity(pid: int) -> dict[str, Any]:
    """What tells this process from every other one that ever gets the same number."""
    return {"pid": pid, "start": start_time(pid), "boot": boot_id()}


def alive(identified: Mapping[str, Any]) -> bool:
    """True if the very process that :func:`identity` described is still running."""
    start = identified.get("start", 0)
    return bool(start) and start_time(identified["pid"]) == start and identified["boot"] == boot_id()


def should_run(restart: str, exit_code: int, restarts: int, stopped: bool) -> bool:
    """Compose's restart policy: whether a command that ended is to be started again.

    ``restarts`` is how often it was already; ``stopped`` means that somebody asked it to end.
    """
    if restart == "always":
        return True
    if restart == "unless-stopped":
        return not stopped
    if restart.startswith("on-failure"):
        limit = restart.partition(":")[2]
        return exit_code != 0 and not stopped and (not limit or restarts < int(limit))
    return False
