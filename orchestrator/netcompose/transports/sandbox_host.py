"""The inside of a sandbox: takes the namespaces, lays out the file system, and stays as its first process.

Started by sandbox.py as a program of its own, because the creator may have threads. The argument is JSON: ``name``,
``user_namespace``, and the descriptors ``life`` (its end of file is the end of the sandbox) and ``report`` (for one
JSON object: ``pid`` and ``notes``, or ``error``).
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import stat
import sys
from typing import Any, NoReturn

from netcompose.agent.kernel import syscalls
from netcompose.agent.kernel.syscalls import (
    MS_BIND,
    MS_NOATIME,
    MS_NODEV,
    MS_NODIRATIME,
    MS_NOEXEC,
    MS_NOSUID,
    MS_PRIVATE,
    MS_RDONLY,
    MS_REC,
    MS_RELATIME,
)
from netcompose.errors import HostLacks, NotPermitted

_ST_RELATIME = 0x1000  # statvfs(3); the other flags have the numbers of mount(2)
_SAFE = MS_NOSUID | MS_NODEV | MS_NOEXEC
#: Files of /etc that programs inside rewrite: plain copies, so that nothing is shared with the machine.
_COPIED = ("hosts", "hostname", "resolv.conf", "nsswitch.conf")
#: Where the layers of /etc are put together; gone when the sandbox is up.
_WORK = "/run/netcompose-sandbox"


def main(argument: str) -> int:
    """Make the sandbox and wait for its end."""
    options = json.loads(argument)
    report = options["report"]
    os.set_inheritable(report, False)
    os.set_inheritable(options["life"], False)
    ready, inform = os.pipe()
    try:
        _take_namespaces(options["user_namespace"])
        pid = os.fork()
        if pid == 0:
            os.close(report)
            os.close(ready)
            _first_process(options["name"], options["life"], inform)
        os.close(inform)
        with open(ready, "rb") as pipe:
            answer = json.loads(pipe.read() or b'{"problem": "its first process ended without a word"}')
        if "problem" in answer:
            raise HostLacks(f"sandbox {options['name']}: {answer['problem']}")
    except (HostLacks, NotPermitted) as error:
        from netcompose.agent.protocol import error_to_data

        _write(report, {"error": error_to_data(error)})
        return 1
    _write(report, {"pid": pid, "notes": answer["notes"]})
    os.close(options["life"])
    os.waitpid(pid, 0)
    return 0


def _write(fd: int, data: dict[str, Any]) -> None:
    with open(fd, "w", encoding="ascii") as pipe:
        json.dump(data, pipe)


def _take_namespaces(user_namespace: bool) -> None:
    uid, gid = os.geteuid(), os.getegid()
    step = "a user namespace"
    try:
        if user_namespace:
            syscalls.unshare(syscalls.CLONE_NEWUSER)
            # One id, mapped by its owner, needs no privileges (user_namespaces(7)); the groups have to be given up.
            for name, content in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
                with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
                    file.write(content)
        step = "network, mount, hostname and process namespaces"
        syscalls.unshare(
            syscalls.CLONE_NEWNET
            | syscalls.CLONE_NEWNS
            | syscalls.CLONE_NEWUTS
            | syscalls.CLONE_NEWIPC
            | syscalls.CLONE_NEWPID
        )
    except OSError as error:
        hint = "run as root"
        if user_namespace:
            hint += (
                ", or allow user namespaces: sysctl user.max_user_namespaces,"
                " kernel.unprivileged_userns_clone=1 (Debian), kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu)"
            )
        raise NotPermitted(f"this machine does not let you make {step}: {error.strerror}", hint=hint) from error


def _first_process(name: str, life: int, inform: int) -> NoReturn:
    """PID 1 inside. Ends with the last word of the creator, or at once with the process outside."""
    try:
        syscalls.die_with_parent(signal.SIGKILL)
        notes = _furnish(name)
        _write(inform, {"notes": notes})
    except OSError as error:
        _write(inform, {"problem": f"{error.filename or 'a system call'}: {error.strerror}"})
        os._exit(1)
    _wait(life)
    os._exit(0)


def _wait(life: int) -> None:
    """Reap whatever ends inside until the creator is gone."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    wake, wakeup = os.pipe()
    os.set_blocking(wake, False)
    os.set_blocking(wakeup, False)
    signal.set_wakeup_fd(wakeup, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    # Its standard error is a pipe to the creator, and only for what goes wrong at the start.
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    poller = select.poll()
    poller.register(life, select.POLLIN)
    poller.register(wake, select.POLLIN)
    while True:
        if any(fd == life for fd, _ in poller.poll()):
            return
        with contextlib.suppress(BlockingIOError):
            os.read(wake, 4096)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def _furnish(name: str) -> list[str]:
    """Lay out the host; what it could not have, in words."""
    notes = []
    syscalls.mount(None, "/", None, MS_REC | MS_PRIVATE)
    try:
        syscalls.mount("proc", "/proc", "proc", _SAFE)
    except OSError as error:
        notes.append(f"/proc shows the processes of the machine ({error.strerror})")
    note = _own_sysfs()
    if note:
        notes.append(note)
    etc = {file: _read(os.path.join("/etc", file)) for file in _COPIED}
    etc["hostname"] = name.encode() + b"\n"
    syscalls.mount("run", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755")
    os.mkdir("/run/lock", 0o1777)
    note = _own_etc(etc)
    if note:
        notes.append(note)
    syscalls.sethostname(name)
    _loopback_up()
    return notes


def _own_sysfs() -> str:
    """A sysfs that shows the sandbox's interfaces, with the control groups of the machine put back into it."""
    groups = -1
    with contextlib.suppress(OSError):
        groups = os.open("/sys/fs/cgroup", os.O_PATH | os.O_DIRECTORY)
    try:
        syscalls.mount("sysfs", "/sys", "sysfs", _SAFE)
        if groups >= 0:
            with contextlib.suppress(OSError):
                syscalls.mount(f"/proc/self/fd/{groups}", "/sys/fs/cgroup", None, MS_BIND | MS_REC)
    except OSError as error:
        return f"/sys shows the interfaces of the machine ({error.strerror})"
    finally:
        if groups >= 0:
            os.close(groups)
    return ""


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


def _own_etc(files: dict[str, bytes]) -> str:
    """A writable /etc over the machine's: an overlay, or where there is none, links to a read-only view."""
    os.mkdir(_WORK)
    syscalls.mount("etc", _WORK, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755")
    upper, work = _WORK + "/upper", _WORK + "/work"
    os.mkdir(upper, 0o755)
    os.mkdir(work)
    for name, content in files.items():
        if content or name != "nsswitch.conf":
            _create(os.path.join(upper, name), content)
    note = ""
    try:
        if os.path.isdir("/etc/netns"):
            # A whiteout: containers of the machine have no files here.
            os.mknod(upper + "/netns", stat.S_IFCHR | 0o000, os.makedev(0, 0))
        # The files are reached through the mount from now on, so the layers need no name any more.
        syscalls.mount("etc", "/etc", "overlay", 0, f"lowerdir=/etc,upperdir={upper},workdir={work}")
        os.mkdir("/etc/.writable")
        os.rmdir("/etc/.writable")
    except OSError as error:
        note = f"/etc is a folder of links, because there is no overlay ({error.strerror})"
        linked_etc(upper)
    syscalls.umount(_WORK, syscalls.MNT_DETACH)
    os.rmdir(_WORK)
    return note


def linked_etc(upper: str) -> None:
    """Put the folder ``upper`` in the place of /etc, with a link for everything else, to a read-only view of it."""
    machine = os.path.join(upper, ".machine")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(os.path.join(upper, "netns"))
    os.mkdir(machine)
    syscalls.mount("/etc", machine, None, MS_BIND | MS_REC)
    # Through a link a program would write to the machine's own file. The other flags have to stay as they are.
    flags = os.statvfs(machine).f_flag
    kept = flags & (MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME | MS_NODIRATIME)
    kept |= MS_RELATIME if flags & _ST_RELATIME else 0
    syscalls.mount(None, machine, None, syscalls.MS_REMOUNT | MS_BIND | MS_RDONLY | kept)
    for name in os.listdir(machine):
        if name != "netns" and not os.path.lexists(os.path.join(upper, name)):
            os.symlink(os.path.join(".machine", name), os.path.join(upper, name))
    syscalls.mount(upper, "/etc", None, MS_BIND | MS_REC)


def _create(path: str, content: bytes) -> None:
    with open(path, "wb") as file:
        file.write(content)


def _loopback_up() -> None:
    """Set IFF_UP on ``lo`` (netdevice(7))."""
    import fcntl
    import socket
    import struct

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, 0x8914, struct.pack("16sh", b"lo", 1))  # SIOCSIFFLAGS, IFF_UP


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
