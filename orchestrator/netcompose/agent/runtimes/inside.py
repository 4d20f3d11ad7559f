"""How a process gets into a container: its namespaces, its view of the file system, and becoming the command.

Runs in the helper interpreter only (helper.py), which has one thread and nothing to lose. A step that fails raises
:class:`StepFailed`, which crosses to the agent as data. Standard library only: shipped as source.
"""

from __future__ import annotations

import contextlib
import os
import signal
import warnings  # noqa: F401 (os.execvpe does, when it may be another user who cannot read it)

from netcompose.agent.kernel import syscalls

if False:  # for the type checker; to the helper interpreter it would be a fifth of its start
    from typing import Any, Iterator, Mapping, NoReturn, Optional

NETNS_DIR = "/run/netns"
ETC_NETNS = "/etc/netns"
#: Namespaces of a running container in the order of joining: the mount namespace changes what paths mean, so
#: every file is opened before the first one is joined.
_JOINED = ("net", "ipc", "uts", "pid", "mnt")


class StepFailed(Exception):
    """One step on the way into a container failed: which one, the kernel's error, and the path if one was meant."""

    def __init__(self, step: str, error: OSError) -> None:
        super().__init__(step, error)
        self.step = step
        self.error = error

    def to_data(self) -> dict[str, Any]:
        """As JSON for the agent, short enough to be written in one piece."""
        path = self.error.filename if isinstance(self.error.filename, str) else ""
        return {"step": self.step, "errno": self.error.errno or 0, "path": path[:1024], "text": str(self.error)[:1024]}


@contextlib.contextmanager
def step(name: str) -> Iterator[None]:
    """Name what is being done, for the error."""
    try:
        yield
    except OSError as error:
        raise StepFailed(name, error) from error


def open_netns(name: str) -> int:
    """A descriptor of a named network namespace, -1 for the host's (the empty name)."""
    if not name:
        return -1
    with step("netns"):
        return os.open(os.path.join(NETNS_DIR, name), os.O_RDONLY | os.O_CLOEXEC)


def leave_host_mounts() -> None:
    """Take a mount namespace of one's own that still hears of the host's mounts, without the named namespaces.

    A copied mount of ``/run/netns/x`` would keep a deleted namespace alive for as long as the process runs.
    """
    with step("mounts"):
        syscalls.unshare(syscalls.CLONE_NEWNS)
        syscalls.mount(None, "/", None, syscalls.MS_REC | syscalls.MS_SLAVE)
    pinned = []
    with step("mounts"), open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            point = line.split(" ", 5)[4]
            if point == NETNS_DIR or point.startswith(NETNS_DIR + "/"):
                pinned.append(point)
    # Detaching the directory's own mount takes everything below along; what is left then is not there any more.
    for point in sorted(pinned, key=len):
        with contextlib.suppress(OSError):
            syscalls.umount(point, syscalls.MNT_DETACH | syscalls.UMOUNT_NOFOLLOW)


def enter_netns(fd: int) -> None:
    """Join the network namespace and show it in ``/sys`` where that is permitted (sysfs(5) belongs to one)."""
    if fd < 0:
        return
    with step("netns"):
        syscalls.setns(fd, syscalls.CLONE_NEWNET)
    with contextlib.suppress(OSError):
        syscalls.mount("sysfs", "/sys", "sysfs", syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC)


def bind_etc(netns: str) -> list[str]:
    """Mount the files of ``/etc/netns/NAME`` over those of ``/etc``, as ip-netns(8) does.

    Returns the names that could not be, because the host has no file to mount over.
    """
    missing: list[str] = []
    folder = os.path.join(ETC_NETNS, netns)
    try:
        names = sorted(os.listdir(folder)) if netns else []
    except (FileNotFoundError, NotADirectoryError):
        return missing
    for name in names:
        target = os.path.join("/etc", name)
        if not os.path.exists(target):
            missing.append(target)
            continue
        with step("etc"):
            # Both paths are followed through symlinks by the kernel: /etc/resolv.conf often is one.
            syscalls.mount(os.path.join(folder, name), target, "none", syscalls.MS_BIND)
    return missing


def fresh_proc() -> None:
    """Show the processes of the caller's own PID namespace in ``/proc``."""
    with step("proc"):
        syscalls.mount("proc", "/proc", "proc", syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC)


def name_process(name: str) -> None:
    """The name that ps(1) and top(1) show for this process, cut to 15 bytes by the kernel."""
    with contextlib.suppress(OSError), open("/proc/self/comm", "w", encoding="utf-8") as file:
        file.write(name)


def set_hostname(name: str) -> None:
    """Name the UTS namespace; an empty name leaves the host's."""
    if name:
        with step("hostname"):
            syscalls.sethostname(name)


def join(pid: int, start: int) -> None:
    """Join every namespace of a running container; the PID namespace counts for the next child."""
    from netcompose.agent.runtimes import records

    with step("join"):
        fds = [os.open("/proc/{}/ns/{}".format(pid, kind), os.O_RDONLY | os.O_CLOEXEC) for kind in _JOINED]
        if records.start_time(pid) != start:
            raise ProcessLookupError(3, os.strerror(3))
        for fd in fds:
            syscalls.setns(fd)
            os.close(fd)


def default_signals() -> None:
    """Give every signal its default meaning and block none, as a program expects them."""
    for number in range(1, signal.NSIG):
        with contextlib.suppress(OSError, ValueError):
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def become(command: Mapping[str, Any]) -> NoReturn:
    """Turn this process into the command: its user, folder, environment. Raises :class:`StepFailed`, or ends.

    ``command`` has ``argv``, ``environment`` (complete), ``working_dir`` and ``user``: None for the caller's own, or
    ``[uid, gid, [groups]]``.
    """
    user = command["user"]
    if user is not None:
        with step("user"):
            uid, gid, groups = user
            os.setgroups(groups)
            os.setresgid(gid, gid, gid)
            os.setresuid(uid, uid, uid)
    with step("working_dir"):
        os.chdir(command["working_dir"])
    os.umask(0o022)
    with step("exec"):
        argv = command["argv"]
        try:
            os.execvpe(argv[0], argv, command["environment"])  # noqa: S606 (an argument vector is the point)
        except OSError as error:
            # execvpe names no file; the one that was asked for is the one to name.
            raise OSError(error.errno, error.strerror, argv[0]) from error
    raise AssertionError("unreachable")


def launch(command: Mapping[str, Any], output: Optional[int], new_session: bool) -> int:
    """Fork and become the command; returns its process id once it runs, or raises :class:`StepFailed`.

    ``output`` takes stdout and stderr, with stdin from ``/dev/null``; None passes all three through, to a session
    of its own with the terminal that they are if so asked.
    """
    import json

    receive, send = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(receive)
            if new_session:
                os.setsid()
                if output is None:
                    import fcntl
                    import termios

                    # The terminal on stdin is the session's own: keys become signals, and it has job control.
                    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
            if output is not None:
                null = os.open(os.devnull, os.O_RDONLY)
                os.dup2(null, 0)
                os.dup2(output, 1)
                os.dup2(output, 2)
            default_signals()
            become(command)
        except StepFailed as failure:
            os.write(send, json.dumps(failure.to_data()).encode())
        finally:
            os._exit(127)
    os.close(send)
    with open(receive, "rb") as pipe:
        # The end comes with the exec (the descriptor is close-on-exec) or with the report of a failure.
        report = pipe.read()
    if not report:
        return pid
    os.waitpid(pid, 0)
    data = json.loads(report)
    raise StepFailed(data["step"], OSError(data["errno"], os.strerror(data["errno"]), data["path"] or None))


def status_of(wait_status: int) -> int:
    """The exit code of a wait status; a signal's number is negative."""
    return os.WEXITSTATUS(wait_status) if os.WIFEXITED(wait_status) else -os.WTERMSIG(wait_status)
