"""Text files that serve a container, marked by their first line."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Iterator, MutableMapping

from netcompose.agent import rundir
from netcompose.agent.operations import Call, Deferred, Operation
from netcompose.agent.snapshot import Snapshot
from netcompose.resources import File, Resource
from netcompose.resources.names import mark, netns_name, owner_of

if TYPE_CHECKING:
    from netcompose.agent.context import Context

NETNS_FILES = "/etc/netns"
#: Bytes that are read at once: less than that is the end of a file.
_PIECE = 1 << 16
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC


class FileKind:
    """See :class:`netcompose.resources.File`."""

    kind = File.kind

    def observe(
        self, snapshot: Snapshot, found: MutableMapping[str, Resource], foreign: MutableMapping[str, str]
    ) -> None:
        """Files below /etc/netns/<topology>-*, by the mark in their first line."""
        prefix = netns_name(snapshot.topology, "")
        try:
            folders = sorted(name for name in os.listdir(NETNS_FILES) if name.startswith(prefix))
        except FileNotFoundError:
            return
        for folder in folders:
            for name in _names(os.path.join(NETNS_FILES, folder)):
                path = os.path.join(NETNS_FILES, folder, name)
                first, content = _read(path)
                owner = owner_of(first[2:]) if first.startswith("# ") else None
                if owner is not None and owner[0] == snapshot.topology:
                    container = owner[1].split("/")[1]
                    found[owner[1]] = File(id=owner[1], container=container, path=path, content=content)
                elif not first and not content and folder[len(prefix) :] in snapshot.known:
                    # Cut off by a crash between making the file and writing its mark.
                    id = "file/{}/{}".format(folder[len(prefix) :], name)
                    found[id] = File(id=id, container=folder[len(prefix) :], path=path, content="")
                else:
                    whose = "of topology {}".format(owner[0]) if owner else "that netcompose did not write"
                    foreign["path:" + path] = "a file " + whose

    def create(self, context: Context, resource: File) -> Iterator[Operation]:
        """Write it, and the folders above it."""
        yield Deferred(lambda: self._write(context, resource))

    @staticmethod
    def _write(context: Context, resource: File) -> None:
        context.remember_container(resource.container)
        text = "# {}\n{}".format(mark(context.topology, resource.id), resource.content).encode()
        # In place, not by renaming: running processes have this very file mounted over theirs.
        try:
            fd = os.open(resource.path, _WRITE, 0o644)
        except FileNotFoundError:
            _make_folder(context, os.path.dirname(resource.path))
            fd = os.open(resource.path, _WRITE, 0o644)
        rundir.write_through(fd, text)

    def update(self, context: Context, live: File, desired: File, paths: frozenset[str]) -> Iterator[Operation]:
        """Write the new content into the same file."""
        yield Deferred(lambda: self._write(context, desired))

    def delete(self, context: Context, resource: File) -> Iterator[Operation]:
        """Remove it, and its folder if that is empty then."""
        yield Call(lambda: self._remove(resource.path))

    @staticmethod
    def _remove(path: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        folder = os.path.dirname(path)
        with contextlib.suppress(OSError):
            while folder != NETNS_FILES:
                os.rmdir(folder)
                folder = os.path.dirname(folder)


def _make_folder(context: Context, folder: str) -> None:
    try:
        # Nearly always all that is missing.
        os.mkdir(folder)
    except OSError:
        if not os.path.isdir(NETNS_FILES):
            # Noted first: a crash in between must not leave a folder that nobody takes back.
            context.remember(files_folder=True)
        os.makedirs(folder, exist_ok=True)


def _names(folder: str) -> list[str]:
    """The files of a container's folder and of the folders in it."""
    names: list[str] = []
    for entry in os.scandir(folder):
        if entry.is_dir(follow_symlinks=False):
            names += ("{}/{}".format(entry.name, below) for below in os.listdir(entry.path))
        else:
            names.append(entry.name)
    return sorted(names)


def _read(path: str) -> tuple[str, str]:
    """The first line and the rest; empty if it cannot be read as text."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            data = os.read(fd, _PIECE)
            while len(data) % _PIECE == 0 and (more := os.read(fd, _PIECE)):
                data += more
        finally:
            os.close(fd)
        first, _, content = data.decode().partition("\n")
    except (OSError, UnicodeDecodeError):
        return "unreadable", ""
    return first, content
