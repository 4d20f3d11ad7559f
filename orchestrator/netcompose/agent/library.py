"""Docker's SDK for Python where an agent runs: as it is installed there, or as the controller brings it.

A host needs nothing but Python, and most hosts never speak to a container engine. So the SDK and what it imports are no
part of the agent. When a host's agent first asks an engine (:func:`need`), it asks the controller in turn for a second
bundle (``bring`` in transports/ssh/stage.py), which stays in the host's cache. An agent beside the controller uses what
is installed there.

What is taken are the Python sources of ``PARTS`` as they are installed beside netcompose; charset_normalizer's compiled
modules have the same in Python beside them. One file is another one: ``requests.certs``, which is where its packager
says where certificates are. The engine is spoken to over a socket of the host, for which there are none, and certifi
would have to be a file.
"""

from __future__ import annotations

import contextlib
import os
import sys
from _thread import allocate_lock
from typing import Any, Callable, Iterator, Optional

from netcompose.errors import HostLacks

#: The SDK and everything that it imports, by the name of the package.
PARTS = ("docker", "requests", "urllib3", "idna", "charset_normalizer")
_FIRST = PARTS[0]
_CERTIFICATES = '''\
"""Where certificates would be: see netcompose.agent.library."""


def where():
    return "/etc/ssl/certs/ca-certificates.crt"
'''
#: Files that are not as they are installed.
_REPLACED = {"requests/certs.py": _CERTIFICATES}
_ADVICE = "install it beside netcompose: pip install 'docker>=7.1'"

#: Asks the controller: for the bundle's name, if called with nothing, else for the bundle of that name, compressed.
Source = Callable[[str], bytes]

_lock = allocate_lock()
#: The process that may ask, and how. A fork of it has the same descriptors, and may not.
_source: tuple[int, Optional[Source]] = (0, None)


@contextlib.contextmanager
def brought_by(source: Source) -> Iterator[None]:
    """Have the controller asked for what is missing, as long as one of its requests is worked on."""
    global _source
    _source = (os.getpid(), source)
    try:
        yield
    finally:
        _source = (0, None)


def need() -> None:
    """Have ``import docker`` work. Raises ``HostLacks`` if it cannot."""
    with _lock:
        if _folder(_FIRST) is None and _FIRST not in sys.modules:
            _bring()


def _bring() -> None:
    process, source = _source
    # What this agent itself was loaded by can load one more bundle, if it came as one.
    bring: Any = getattr(_own_loader(), "bring", None)
    if bring is None:
        raise HostLacks("Docker's SDK for Python is not installed, and an engine is to be asked", hint=_ADVICE)
    if source is None or process != os.getpid():
        raise HostLacks("Docker's SDK for Python is not on this host, and nobody is there to bring it")
    name = source("").decode("ascii")
    if not name:
        raise HostLacks("the controller has no Docker SDK for Python to bring", hint=_ADVICE)
    try:
        whole = bring(name, lambda: source(name))
    except SyntaxError as error:
        raise unusable(error) from error
    if not whole:
        raise HostLacks("Docker's SDK for Python did not arrive as it was sent", hint="try again")


def unusable(error: BaseException) -> HostLacks:
    """Why the SDK cannot be imported although it is there, in words."""
    words = str(error)
    if isinstance(error, SyntaxError):
        words = "{}, line {}: {}".format(error.filename, error.lineno, error.msg)
    return HostLacks(
        "Docker's SDK for Python cannot be loaded by Python {}.{}: {}".format(*sys.version_info[:2], words),
        hint="on a host: its Python is too old for what is installed beside netcompose; on this one: " + _ADVICE,
    )


def sources() -> dict[str, str]:
    """The text of every file by its path, as it is installed here. Raises ``HostLacks`` if it is not."""
    return {path: _text(path, file) for path, file in _files()}


def modules() -> Iterator[tuple[str, Any]]:
    """Path and compiled code of every file, from wherever it is: installed, or in a bundle."""
    codes = getattr(getattr(sys.modules.get(_FIRST), "__loader__", None), "codes", None)
    if codes is not None:
        yield from codes.items()
        return
    from importlib.machinery import SourceFileLoader

    for path, file in _files():
        if path in _REPLACED:
            yield path, compile(_REPLACED[path], path, "exec", dont_inherit=True)
        else:
            # From Python's own cache where there is one.
            yield path, SourceFileLoader(path, file).get_code(path)


def _files() -> Iterator[tuple[str, str]]:
    """Path in the bundle and in the file system of each."""
    for part in PARTS:
        root = _folder(part)
        if root is None:
            raise HostLacks("the Python package {} is not installed".format(part), hint=_ADVICE)
        for folder, _, names in os.walk(root):
            inside = os.path.normpath(os.path.join(part, os.path.relpath(folder, root)))
            for name in names:
                if name.endswith(".py"):
                    yield "{}/{}".format(inside, name), os.path.join(folder, name)


def _folder(part: str) -> Optional[str]:
    """Where a package is installed; None if it is not. A folder of that name without code is none (PEP 420)."""
    from importlib.util import find_spec

    spec = find_spec(part)
    return os.path.dirname(spec.origin) if spec is not None and spec.origin else None


def _text(path: str, file: str) -> str:
    if path in _REPLACED:
        return _REPLACED[path]
    with open(file, encoding="utf-8") as opened:
        return opened.read()


def _own_loader() -> Any:
    import netcompose

    return netcompose.__spec__.loader if netcompose.__spec__ else None
