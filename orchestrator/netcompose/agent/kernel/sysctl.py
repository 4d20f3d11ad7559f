"""Kernel parameters below /proc/sys, by their dotted keys (sysctl(8))."""

from __future__ import annotations

import os


def _path(key: str) -> str:
    # As in sysctl(8): a slash in a key stands for a dot inside one of its parts (eth0/10).
    return "/proc/sys/" + key.translate({ord("."): "/", ord("/"): "."})


def read(key: str) -> str:
    """The value, fields separated by one blank; ``OSError`` if there is no such key."""
    with open(_path(key)) as file:
        return " ".join(file.read().split())


def write(key: str, value: str) -> None:
    """Set a value; ``OSError`` as the kernel refuses it."""
    fd = os.open(_path(key), os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, value.encode() + b"\n")
    finally:
        os.close(fd)
