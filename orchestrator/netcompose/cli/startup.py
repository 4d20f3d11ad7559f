"""What makes a short command short: Python's own start-up work that can be kept, or left.

The methods of dataclasses are text that Python compiles anew each time, which is a third of importing netcompose. Their
code is kept beside Python's own bytecode, as what that is: named after the interpreter, rewritten when it lacks
something, done without where it cannot be written or read.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import marshal
import os
import sys
import zlib
from collections.abc import Iterator
from types import CodeType
from typing import Any

#: Of a file of this form, by a Python of this bytecode.
_MAGIC = importlib.util.MAGIC_NUMBER + b"nc1\0"


@contextlib.contextmanager
def kept_methods(path: str = "") -> Iterator[None]:
    """Within the block dataclasses take the code of their methods from ``path``; at its end what was missing is
    added. The default is a file in the ``__pycache__`` of this package."""
    path = path or importlib.util.cache_from_source(
        os.path.join(os.path.dirname(os.path.abspath(__file__)), "methods.py")
    )
    kept = _read(path)
    known = len(kept)

    def run(text: str, names: dict[str, Any], local: dict[str, Any]) -> None:
        code = kept.get(text)
        if code is None:
            code = kept[text] = compile(text, "<string>", "exec")
        exec(code, names, local)  # noqa: S102

    # The name that the module finds before the builtin one.
    dataclasses.exec = run  # type: ignore[attr-defined]
    try:
        yield
    finally:
        del dataclasses.exec  # type: ignore[attr-defined]
        if len(kept) > known and not sys.dont_write_bytecode:
            with contextlib.suppress(OSError):
                _write(path, kept)


def _read(path: str) -> dict[str, CodeType]:
    """What is kept; nothing if that is damaged (marshal would crash) or of another Python."""
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError:
        return {}
    head, body = data[: len(_MAGIC)], data[len(_MAGIC) + 4 :]
    if head != _MAGIC or data[len(_MAGIC) : len(_MAGIC) + 4] != zlib.crc32(body).to_bytes(4, "big"):
        return {}
    kept: dict[str, CodeType] = marshal.loads(body)  # noqa: S302 - as trusted as the bytecode beside it
    return kept


def _write(path: str, kept: dict[str, CodeType]) -> None:
    """Whole or not at all."""
    body = marshal.dumps(kept)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    temporary = f"{path}.{os.getpid()}"
    with open(temporary, "xb") as file:
        file.write(_MAGIC + zlib.crc32(body).to_bytes(4, "big") + body)
    os.replace(temporary, path)
