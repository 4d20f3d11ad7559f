"""Named network namespaces (ip-netns(8)): made, joined, read and removed without forking.

``unshare`` and ``setns`` act on the calling thread alone; every visit returns to the host's namespace before
the function ends, also by an exception. A netlink socket stays in the namespace in which it was opened, so one
visit is enough to work in a namespace from then on.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from typing import Callable, Iterator

from netcompose.agent.kernel import rtnl, syscalls, sysctl
from netcompose.agent.kernel.netlink import Socket

NETNS_DIR = "/run/netns"
_OWN = "/proc/thread-self/ns/net"
#: File system type of namespace files (statfs(2)), by which a plain file is told from a pinned namespace.
HOST = ""
_FORWARD = "net.ipv4.ip_forward"
_NO_IPV6 = "net.ipv6.conf.all.disable_ipv6"


class Namespaces:
    """The host's namespace (name ``""``) and the named ones, with one open netlink socket each."""

    def __init__(self) -> None:
        self._home = os.open(_OWN, os.O_RDONLY | os.O_CLOEXEC)
        self._device = os.fstat(self._home).st_dev
        self._sockets: dict[str, Socket] = {}
        self._fds: dict[str, int] = {}
        self._forward = -1

    def close(self) -> None:
        """Close every socket and descriptor."""
        for socket in self._sockets.values():
            socket.close()
        for fd in self._fds.values():
            os.close(fd)
        self._sockets, self._fds = {}, {}
        for fd in (self._home, self._forward):
            if fd >= 0:
                os.close(fd)
        self._home = self._forward = -1

    def names(self) -> list[str]:
        """Every name under ``/run/netns``, pinned or not, sorted."""
        try:
            return sorted(os.listdir(NETNS_DIR))
        except FileNotFoundError:
            return []

    def inode(self, name: str) -> int:
        """The identity of a namespace; 0 if the name is a plain file (made, but nothing pinned)."""
        try:
            found = os.stat(os.path.join(NETNS_DIR, name) if name else _OWN)
        except OSError:
            return 0
        return found.st_ino if found.st_dev == self._device else 0

    def fd(self, name: str) -> int:
        """An open descriptor of a named namespace, kept until :meth:`forget` or :meth:`close`."""
        if name == HOST:
            return self._home
        fd = self._fds.get(name, -1)
        if fd < 0:
            fd = self._fds[name] = os.open(os.path.join(NETNS_DIR, name), os.O_RDONLY | os.O_CLOEXEC)
        return fd

    @contextlib.contextmanager
    def inside(self, name: str) -> Iterator[None]:
        """The calling thread is in the namespace within the ``with`` block."""
        if name == HOST:
            yield
            return
        with self.returning():
            syscalls.setns(self.fd(name), syscalls.CLONE_NEWNET)
            yield

    @contextlib.contextmanager
    def returning(self) -> Iterator[None]:
        """The calling thread is back in the host's namespace after the ``with`` block, whatever happens in it."""
        try:
            yield
        finally:
            syscalls.setns(self._home, syscalls.CLONE_NEWNET)

    def socket(self, name: str) -> Socket:
        """The netlink socket of a namespace, opened by the first call."""
        socket = self._sockets.get(name)
        if socket is None:
            with self.inside(name):
                socket = self._sockets[name] = Socket()
        return socket

    def create(self, name: str, alias: str) -> None:
        """Make a namespace with ``lo`` up and marked, then pin it under its name.

        The mark comes before the name, so that a named namespace is never without its owner.
        """
        self.forget(name)
        # A new stack inherits the host's ip_forward (ip-sysctl), which would make every container on two networks a
        # router between them. Looked up on the host, where it costs a tenth.
        forwards = self._host_forwards()
        with self.returning():
            syscalls.unshare(syscalls.CLONE_NEWNET)
            socket = Socket()
            if forwards:
                sysctl.write(_FORWARD, "0")
            socket.request(rtnl.change_link(rtnl.link_attributes(alias=alias), index=1, up=True))
            self._pin(_OWN, name)
        self._sockets[name] = socket

    def _host_forwards(self) -> bool:
        """The host's ip_forward; the file shows the namespace that it was opened in."""
        if self._forward < 0:
            self._forward = sysctl.opened(_FORWARD)
        return os.pread(self._forward, 2, 0)[:1] != b"0"

    def adopt(self, name: str, pid: int, alias: str) -> None:
        """Pin the namespace of a process under a name, marked and set as one of our own making.

        Engines leave the host's forwarding and no IPv6 in the namespaces that they make.
        """
        self.delete(name)
        source = "/proc/{}/ns/net".format(pid)
        fd = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
        try:
            with self.returning():
                syscalls.setns(fd, syscalls.CLONE_NEWNET)
                socket = Socket()
                sysctl.write(_FORWARD, "0")
                with contextlib.suppress(OSError):
                    sysctl.write(_NO_IPV6, "0")
                socket.request(rtnl.change_link(rtnl.link_attributes(alias=alias), index=1, up=True))
        finally:
            os.close(fd)
        self._pin(source, name)
        self._sockets[name] = socket

    def bind(self, name: str, other: str) -> None:
        """Give the namespace ``other`` a second name."""
        self.forget(name)
        self._pin(os.path.join(NETNS_DIR, other), name)

    @staticmethod
    def _pin(source: str, name: str) -> None:
        target = os.path.join(NETNS_DIR, name)
        os.close(os.open(target, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o444))
        syscalls.mount(source, target, "none", syscalls.MS_BIND)

    def delete(self, name: str) -> None:
        """Unpin a namespace and remove its name; it ends when its last process does."""
        self.forget(name)
        target = os.path.join(NETNS_DIR, name)
        while self.inode(name):
            syscalls.umount(target, syscalls.MNT_DETACH)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(target)

    def forget(self, name: str) -> None:
        """Close what is open of a namespace."""
        socket = self._sockets.pop(name, None)
        if socket is not None:
            socket.close()
        fd = self._fds.pop(name, -1)
        if fd >= 0:
            os.close(fd)


def prepare_directory(note: Callable[[bool, bool], None]) -> None:
    """Make ``/run/netns`` as ip-netns(8) does: a shared mount of its own, so that names are seen everywhere.

    ``note`` is told (folder is made, mount is made) before anything is, so that a crash in between leaves nothing
    that :func:`restore_directory` would not take back.
    """
    try:
        syscalls.mount("", NETNS_DIR, "none", syscalls.MS_SHARED | syscalls.MS_REC)
        return
    except OSError as error:
        # No such folder, or one that is no mount.
        if error.errno not in (errno.ENOENT, errno.EINVAL):
            raise
    missing = not os.path.isdir(NETNS_DIR)
    note(missing, True)
    if missing:
        os.mkdir(NETNS_DIR, 0o755)
    syscalls.mount(NETNS_DIR, NETNS_DIR, "none", syscalls.MS_BIND | syscalls.MS_REC)
    syscalls.mount("", NETNS_DIR, "none", syscalls.MS_SHARED | syscalls.MS_REC)


def restore_directory(made_folder: bool, made_mount: bool) -> None:
    """Take back what :func:`prepare_directory` made, if nothing is in it."""
    try:
        if os.listdir(NETNS_DIR) or not stat.S_ISDIR(os.lstat(NETNS_DIR).st_mode):
            return
        if made_mount:
            try:
                syscalls.umount(NETNS_DIR, syscalls.MNT_DETACH)
            except OSError as error:
                # Noted, but the run ended before it was made.
                if error.errno != errno.EINVAL:
                    raise
        if made_folder:
            os.rmdir(NETNS_DIR)
    except FileNotFoundError:
        pass
