"""The few Linux system calls that Python's standard library does not offer.

Python 3.12 has ``os.unshare`` and ``os.setns``; netcompose runs from 3.9 on, and ``mount`` and
``umount2`` are in no version, so all of them go through the C library here.

Every function raises ``OSError`` with ``errno`` set, and with the path as ``filename`` where the call
has one.  The C library is loaded at the first call, because loading ctypes costs several milliseconds
that ``netcompose validate`` has no use for.

Sources: unshare(2), setns(2), mount(2), umount2(2), prctl(2), pivot_root(2); the numbers are from
``<linux/sched.h>``, ``<linux/mount.h>`` and ``<linux/prctl.h>`` and are part of the kernel's ABI.
"""

from __future__ import annotations

import functools
import os

if False:  # for the type checker; to the helper interpreter it would be a fifth of its start
    from typing import Any, Callable

# Namespace kinds, for unshare() and setns().
CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

# Flags of mount().
MS_RDONLY = 0x1
MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_NOEXEC = 0x8
MS_REMOUNT = 0x20
MS_NOATIME = 0x400
MS_NODIRATIME = 0x800
MS_BIND = 0x1000
MS_REC = 0x4000
MS_PRIVATE = 0x40000
MS_SLAVE = 0x80000
MS_SHARED = 0x100000
MS_RELATIME = 0x200000

# Flags of umount().
MNT_DETACH = 0x2
UMOUNT_NOFOLLOW = 0x8

# An operation of prctl().
PR_SET_PDEATHSIG = 1


@functools.lru_cache(maxsize=1)
def _library() -> Any:
    """The C library of this process, loaded once."""
    import ctypes

    library = ctypes.CDLL(None, use_errno=True)
    library.unshare.argtypes = (ctypes.c_int,)
    library.setns.argtypes = (ctypes.c_int, ctypes.c_int)
    library.mount.argtypes = (
        ctypes.c_char_p,
        ctypes.c_char_p,
        ctypes.c_char_p,
        ctypes.c_ulong,
        ctypes.c_char_p,
    )
    library.umount2.argtypes = (ctypes.c_char_p, ctypes.c_int)
    library.sethostname.argtypes = (ctypes.c_char_p, ctypes.c_size_t)
    library.prctl.argtypes = (ctypes.c_int,) + (ctypes.c_ulong,) * 4
    return library


def _fail(filename: str | None = None) -> OSError:
    """The OSError for the C library's errno."""
    import ctypes

    number = ctypes.get_errno()
    if filename is None:
        return OSError(number, os.strerror(number))
    return OSError(number, os.strerror(number), filename)


def unshare(flags: int) -> None:
    """Give this process new namespaces of the given kinds (``CLONE_NEW*``).

    ``CLONE_NEWPID`` counts for the children only. ``CLONE_NEWUSER`` is refused (EINVAL) in a process
    with threads; the others change the calling thread alone.
    """
    if _library().unshare(flags) != 0:
        raise _fail()


def setns(fd: int, flags: int = 0) -> None:
    """Move this thread into the namespace that `fd` stands for.

    `fd` is an open ``/proc/PID/ns/*`` or ``/run/netns/*`` file, with `flags` 0 or the one kind that is
    expected; or (Linux 5.8) a pidfd, with `flags` naming the kinds to join.
    """
    # The thread is where it was after a failure: asked once more, the library says why.
    if _join()(fd, flags) != 0 and _library().setns(fd, flags) != 0:
        raise _fail()


@functools.lru_cache(maxsize=1)
def _join() -> Callable[[int, int], int]:
    """setns(2), which every reading of namespaces needs, by the C part of ctypes: the rest takes a millisecond to
    import, and a host pays for that with every contact."""
    try:
        import _ctypes

        address = _ctypes.dlsym(_ctypes.dlopen(None, 0), "setns")  # type: ignore[arg-type]
        call = _ctypes.call_cdeclfunction
    except (ImportError, AttributeError, OSError):
        return lambda fd, flags: -1
    return lambda fd, flags: int(call(address, (fd, flags)))


def mount(
    source: str | None,
    target: str,
    fstype: str | None = None,
    flags: int = 0,
    data: str | None = None,
) -> None:
    """Mount, bind, move or change a mount at `target`, as `flags` (``MS_*``) say."""
    result = _library().mount(
        os.fsencode(source) if source is not None else None,
        os.fsencode(target),
        os.fsencode(fstype) if fstype is not None else None,
        flags,
        os.fsencode(data) if data is not None else None,
    )
    if result != 0:
        raise _fail(target)


def umount(target: str, flags: int = 0) -> None:
    """Take the topmost mount away from `target`; ``MNT_DETACH`` does so even when it is in use."""
    if _library().umount2(os.fsencode(target), flags) != 0:
        raise _fail(target)


def sethostname(name: str) -> None:
    """Set the hostname of this process's UTS namespace.

    ``socket.sethostname`` does the same; importing socket costs more than this call.
    """
    raw = os.fsencode(name)
    if _library().sethostname(raw, len(raw)) != 0:
        raise _fail()


def prctl(option: int, argument: int = 0) -> None:
    """Change an attribute of this process (``PR_SET_*`` with one number)."""
    if _library().prctl(option, argument, 0, 0, 0) != 0:
        raise _fail()


def die_with_parent(signal: int) -> None:
    """Ask the kernel to send `signal` to this process when the thread that created it ends.

    The setting does not survive a fork.  A parent that is already gone sends nothing: compare
    ``os.getppid()`` after the call.
    """
    prctl(PR_SET_PDEATHSIG, signal)
