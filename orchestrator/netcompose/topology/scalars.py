"""Plain scalars of YAML 1.2's core schema (https://yaml.org/spec/1.2.2/#103-core-schema).

PyYAML reads YAML 1.1, where ``22:22`` is a number in base 60 and ``on`` is true. Here only ``true`` and ``false``
are booleans, and everything with a colon stays text.
"""

from __future__ import annotations

import re

#: Numbers with more characters than this stay text: nobody means them, and converting them takes long.
_LONGEST_NUMBER = 40

_WORDS: dict[str, bool | None] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True,
    "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_NUMBER_STARTS = frozenset("0123456789+-.")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")


class WrittenInt(int):
    """A whole number whose text is not its usual form (``0755``, ``0x10``); ``written`` is that text."""

    written: str


class WrittenFloat(float):
    """A number whose text is not its usual form (``1.10``); ``written`` is that text."""

    written: str


def plain_scalar(text: str) -> str | int | float | bool | None:
    """The value of an unquoted scalar. Infinity and not-a-number stay text: no key takes them."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _NUMBER_STARTS or len(text) > _LONGEST_NUMBER or not text.isascii():
        return text
    digits = text[1:] if text[0] in "+-" else text
    if digits.isdigit():
        return _int(text, int(text))
    if text.startswith("0x") and re.fullmatch("0x[0-9a-fA-F]+", text):
        return _int(text, int(text, 16))
    if text.startswith("0o") and re.fullmatch("0o[0-7]+", text):
        return _int(text, int(text, 8))
    if _FLOAT.fullmatch(text):
        value = float(text)
        if value in (float("inf"), float("-inf")):
            return text
        if repr(value) == text:
            return value
        written = WrittenFloat(value)
        written.written = text
        return written
    return text


def _int(text: str, value: int) -> int:
    if str(value) == text:
        return value
    written = WrittenInt(value)
    written.written = text
    return written


def as_text(value: object) -> str:
    """A scalar as text, as it was written: ``1.10`` stays ``1.10``, true is ``true``."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, WrittenInt | WrittenFloat):
        return value.written
    return str(value)
