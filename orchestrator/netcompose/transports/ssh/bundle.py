"""The agent as one piece: what is sent to a host; and Docker's SDK as another, for the hosts that need it. Pure but for
reading the installed packages.

A bundle is JSON, path -> source text, sorted; its name is the SHA-256 of that, and so the same source has the same name
whoever packs it, with whatever zlib. On the wire it is compressed.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import threading
import zlib
from dataclasses import dataclass

from netcompose.errors import HostLacks
from netcompose.transports.ssh import front

#: What a host needs: importable on Python 3.9, with the standard library alone (tests/unit/test_architecture.py).
_SHIPPED = ("__init__.py", "errors.py", "agent", "planner", "resources")


@dataclass(frozen=True)
class Bundle:
    """``name`` is the SHA-256 of ``data`` in hexadecimal; ``packed`` is what is sent, compressed."""

    name: str
    data: bytes

    @functools.cached_property
    def packed(self) -> bytes:
        """The data as it is sent."""
        return zlib.compress(self.data, 9)


def pack(sources: dict[str, str]) -> Bundle:
    """A bundle of source files by their path (``netcompose/errors.py``)."""
    data = json.dumps(sources, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode("ascii")
    return Bundle(hashlib.sha256(data).hexdigest(), data)


#: What all hosts need at the same moment is packed once, while the others wait.
_packing = threading.Lock()


def installed() -> Bundle:
    """The bundle of the package that runs here."""
    with _packing:
        return _installed()


@functools.cache
def _installed() -> Bundle:
    import netcompose

    root = os.path.dirname(os.path.abspath(netcompose.__file__))
    sources = {f"netcompose/{path}": text for path, text in _sources(root).items()}
    # So that what it is compiled to can be kept as well.
    return pack({**sources, front.STAGE: _text(os.path.join(root, "transports", "ssh", "stage.py"))})


def library() -> Bundle | None:
    """The bundle of Docker's SDK and what it imports, for the hosts that speak to an engine; None if it is not
    installed here."""
    with _packing:
        return _library()


@functools.cache
def _library() -> Bundle | None:
    from netcompose.agent import library as docker_sdk

    try:
        return pack(docker_sdk.sources())
    except HostLacks:
        return None


def _sources(root: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in _SHIPPED:
        path = os.path.join(root, part)
        if os.path.isdir(path):
            for folder, _, names in os.walk(path):
                inside = os.path.relpath(folder, root).replace(os.sep, "/")
                found.update((f"{inside}/{name}", _text(f"{folder}/{name}")) for name in names if name.endswith(".py"))
        else:
            found[part] = _text(path)
    return found


def _text(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read()
