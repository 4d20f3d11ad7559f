"""Kernel parameters below /proc/sys, by their dotted keys (sysctl(8))."""

from __future__ import annotations

import os

_LONGEST = 1 << 16


def _path(key: str) -> str:
    # As in sysctl(8): a slash in a key stands for a dot inside one of its parts (eth0/10).
    return "/proc/sys/" + key.translate({ord("."): "/", ord("/"): "."})


def read(key: str) -> str:
    """The value, fields separated by one blank; ``OSError`` if there is no such key."""
    fd = os.open(_path(key), os.O_RDONLY | os.O_CLOEXEC)
    try:
        # One read gives a whole value (proc(5)); open() would cost twice as much, and there are many of them.
        return " ".join(os.read(fd, _LONGEST).decode().split())
    finally:
        os.close(fd)


def opened(key: str) -> int:
    """A descriptor to read a value from again and again, always that of the namespace it was opened in."""
    return os.open(_path(key), os.O_RDONLY | os.O_CLOEXEC)


def write(key: str, value: str) -> None:
    """Set a value; ``OSError`` as the kernel refuses it."""
    fd = os.open(_path(key), os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, value.encode() + b"\n")
    finally:
        os.close(fd)
