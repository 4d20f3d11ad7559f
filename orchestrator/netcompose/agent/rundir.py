"""``/run/netcompose``: what a host remembers of runs, in memory like the kernel state that it describes.

lock                         who works on this host now
promiscuous.json             which interfaces of the host were promiscuous, and which topologies ask for it
sysctls.json                 values that the host's sysctls had, and which topologies need them
host.json                    what was made for the host as a whole, to be taken back with the last topology
<topology>/listing           what nft lists of the topology's table (see listing.py)
<topology>/known/<c>         containers that netcompose has begun to make
<topology>/containers/...    processes and their logs (see runtimes/)
<topology>/sysctls/<c>.json  values that sysctls had before netcompose set them
<topology>/exec/<c>.json     commands that ran once
"""

from __future__ import annotations

import contextlib
import json
import os
from typing import Any, Iterator

ROOT = "/run/netcompose"
#: How files end that a crash left half-written.
_HALF_WRITTEN = (".json.new", "listing.new")


def topology_dir(topology: str, *parts: str) -> str:
    """The path of a topology's folder, or of something in it."""
    return os.path.join(ROOT, topology, *parts)


def container_dir(topology: str, container: str) -> str:
    """The folder of a container's process: what records.py writes, and its output."""
    return topology_dir(topology, "containers", container)


def read_json(path: str) -> Any:
    """The content of a JSON file, or None if it is not there or was cut off by a crash."""
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None


def write_json(path: str, data: Any) -> None:
    """Write a JSON file as a whole or not at all; private to the user."""
    write_whole(path, json.dumps(data).encode())


def write_whole(path: str, data: bytes) -> None:
    """Write a file as a whole or not at all; private to the user."""
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    temporary = path + ".new"
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(fd, "wb") as file:
        file.write(data)
    os.replace(temporary, path)


def write_through(fd: int, data: bytes) -> None:
    """Write into a file that others read meanwhile, mounted or open: one write, then the cut, so that they never find
    it empty. Closes it."""
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]
        os.ftruncate(fd, len(data))
    finally:
        os.close(fd)


def remove(path: str) -> None:
    """Remove a file if it is there."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def records(topology: str, what: str) -> Iterator[tuple[str, Any]]:
    """``(container, content)`` of the records of one sort, by name."""
    folder = topology_dir(topology, what)
    try:
        names = sorted(os.listdir(folder))
    except FileNotFoundError:
        return
    for name in names:
        container, extension = os.path.splitext(name)
        if extension == ".json":
            content = read_json(os.path.join(folder, name))
            if content is not None:
                yield container, content


def remember_container(topology: str, container: str) -> None:
    """Note that things named after this container are being made by netcompose."""
    path = topology_dir(topology, "known", container)
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))


def forget_container(topology: str, container: str) -> None:
    """Take back :func:`remember_container`."""
    remove(topology_dir(topology, "known", container))


def known_containers(topology: str) -> frozenset[str]:
    """The containers that netcompose has begun to make."""
    try:
        return frozenset(os.listdir(topology_dir(topology, "known")))
    except FileNotFoundError:
        return frozenset()


def topologies() -> list[str]:
    """The topologies that have something here."""
    try:
        return sorted(entry.name for entry in os.scandir(ROOT) if entry.is_dir())
    except FileNotFoundError:
        return []


def prune(topology: str) -> None:
    """Remove the folders of a topology that are empty, and files that a crash left half-written."""
    for name in ("host.json.new", "promiscuous.json.new", "sysctls.json.new"):
        remove(os.path.join(ROOT, name))
    for folder, _, names in os.walk(topology_dir(topology), topdown=False):
        for name in names:
            if name.endswith(_HALF_WRITTEN):
                remove(os.path.join(folder, name))
        with contextlib.suppress(OSError):
            os.rmdir(folder)
