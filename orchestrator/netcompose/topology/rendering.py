"""The process that fills templates in: a question as JSON on stdin, the answer as JSON on stdout.

Jinja2 in its sandbox, with undefined variables refused, no loader (so no ``include`` or ``import``), ``range`` limited
by the sandbox, and the output limited in size. Besides Jinja2's own filters and functions there are, for addresses:

``subnet(prefix, bits, index)``
    Subnet number ``index`` of ``prefix`` with ``bits`` more bits: ``{{ "10.0.0.0/16" | subnet(8, 3) }}`` is
    ``10.0.3.0/24``.
``host(prefix, n)``
    Address number ``n`` of a prefix; a negative one counts from the end: ``{{ "10.0.3.0/24" | host(1) }}`` is
    ``10.0.3.1``.
``prefixlen(prefix)``
    Its length: ``{{ "10.0.3.0/24" | prefixlen }}`` is ``24``.

All three are functions too: ``{{ host("10.0.3.0/24", 1) }}``.

Rendering moves lines. Every piece of text that the template copies is therefore preceded by a marker with its source
line, and behind every newline in it comes one more; the markers are taken out of the result and give the line map.
"""

from __future__ import annotations

import ipaddress
import json
import re
import sys
import traceback
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError, UndefinedError, meta, nodes
from jinja2.exceptions import SecurityError
from jinja2.ext import Extension
from jinja2.lexer import Token
from jinja2.sandbox import SandboxedEnvironment

MAX_OUTPUT = 8 * 1024 * 1024

_MARKER = re.compile("\x00([0-9]{1,9})\x00")
#: Blocks whose text the template itself works with; a marker in it would change what it sees.
_CAPTURES = {"macro": "endmacro", "call": "endcall", "filter": "endfilter", "set": "endset"}


class _Refused(Exception):
    """A limit of ours."""


def _mark(line: int) -> str:
    return f"\x00{line}\x00"


class _Lines(Extension):
    """Puts the markers into the template's token stream."""

    def filter_stream(self, stream: Iterable[Token]) -> Iterator[Token]:
        depth = 0
        statement: list[Token] | None = None
        for token in stream:
            if token.type == "block_begin":
                statement = []
            elif statement is not None:
                statement.append(token)
                if token.type == "block_end":
                    depth += _change(statement)
                    statement = None
            if depth == 0 and token.type == "variable_begin":
                yield Token(token.lineno, "data", _mark(token.lineno))
            if depth == 0 and token.type == "data":
                first, *rest = token.value.split("\n")
                line = token.lineno
                text = _mark(line) + first + "".join(f"\n{_mark(line + n)}{part}" for n, part in enumerate(rest, 1))
                yield Token(line, "data", text)
            else:
                yield token


def _change(statement: list[Token]) -> int:
    """+1 when the statement opens a capturing block, -1 when it closes one."""
    word = statement[0].value if statement else ""
    if word in _CAPTURES.values():
        return -1
    if word not in _CAPTURES:
        return 0
    if word == "set":
        open_brackets = 0
        for token in statement:
            open_brackets += {"lparen": 1, "rparen": -1}.get(token.type, 0)
            if token.type == "assign" and not open_brackets:
                return 0
    return 1


def subnet(prefix: str, bits: int, index: int) -> str:
    """Subnet number ``index`` of ``prefix`` with ``bits`` more bits."""
    network = ipaddress.ip_network(prefix)
    length = network.prefixlen + bits
    if not (bits >= 0 and length <= network.max_prefixlen and 0 <= index < 1 << bits):
        raise _Refused(f"{prefix} has no subnet number {index} with {bits} more bits")
    base = int(network.network_address) + (index << (network.max_prefixlen - length))
    return f"{type(network.network_address)(base)}/{length}"


def host(prefix: str, n: int) -> str:
    """Address number ``n`` of a prefix."""
    network = ipaddress.ip_network(prefix, strict=False)
    if not -network.num_addresses <= n < network.num_addresses:
        raise _Refused(f"{prefix} has no address number {n}")
    return str(network[n])


def prefixlen(prefix: str) -> int:
    """The length of a prefix."""
    return ipaddress.ip_network(prefix, strict=False).prefixlen


class _Undefined(StrictUndefined):
    """Also refused where Python wants a whole number: ``range(nothing)``."""

    __slots__ = ()

    def __index__(self) -> int:
        return int(self._fail_with_undefined_error())


def render(text: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Fill the template in.

    Gives ``text``, ``lines`` (source line, from 1, of each rendered line) and ``used`` (names of variables); or
    ``problem`` with ``message``, ``line``, ``undefined`` (a name or empty) and ``hint``.
    """
    environment = SandboxedEnvironment(
        undefined=_Undefined,
        extensions=[_Lines],
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # the output is YAML, not HTML
    )
    for name in ("lipsum", "cycler", "joiner"):
        del environment.globals[name]
    for function in (subnet, host, prefixlen):
        environment.globals[function.__name__] = function
        environment.filters[function.__name__] = function
    try:
        tree = environment.parse(text)
        for kind in (nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends):
            for node in tree.find_all(kind):
                hint = "write it in this file; loops and macros work"
                return _problem("a topology cannot include or import other files", node.lineno, hint=hint)
        used = sorted(meta.find_undeclared_variables(tree))
        pieces, size = [], 0
        for piece in environment.from_string(tree).generate(values):
            pieces.append(piece)
            size += len(piece)
            if size > MAX_OUTPUT:
                raise _Refused(f"the template makes more than {MAX_OUTPUT // 1024 // 1024} MiB of text")
        rendered, lines = _take_markers("".join(pieces))
        return {"text": rendered, "lines": lines, "used": used}
    except TemplateSyntaxError as error:
        hint = "a '{{', '{%' or '{#' that is meant as text goes between {% raw %} and {% endraw %}"
        return _problem(f"the template is wrong here: {error.message}", error.lineno, hint=hint)
    except Exception as error:
        return _explain(error)


def _take_markers(rendered: str) -> tuple[str, list[int]]:
    """The text without markers, and each line's source line: the last marker before its first visible character."""
    texts, lines, current = [], [], 1
    for line in rendered.split("\n"):
        visible = False
        parts = _MARKER.split(line)
        for index, part in enumerate(parts):
            if index % 2:
                if not visible:
                    current = int(part)
            elif part.strip():
                visible = True
        lines.append(current)
        texts.append("".join(parts[::2]))
    return "\n".join(texts), lines


def _problem(message: str, line: int, *, undefined: str = "", hint: str = "") -> dict[str, Any]:
    return {"problem": {"message": message, "line": line, "undefined": undefined, "hint": hint}}


def _explain(error: Exception) -> dict[str, Any]:
    line = 1
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename == "<template>" and frame.lineno:
            line = frame.lineno
    if isinstance(error, UndefinedError):
        name = re.match("'(\\w+)' is undefined", str(error))
        if name:
            return _problem(f"the variable '{name[1]}' is not defined", line, undefined=name[1])
        return _problem(f"the template uses what is not there: {error}", line)
    if isinstance(error, SecurityError):
        return _problem(f"the template does what it may not: {error}", line, hint="templates run in a sandbox")
    if isinstance(error, _Refused):
        return _problem(str(error), line, hint="does a loop run too often?" if "MiB" in str(error) else "")
    if isinstance(error, MemoryError):
        return _problem("the template needs too much memory", line, hint="does a loop run too often?")
    if isinstance(error, RecursionError):
        return _problem("a macro of the template calls itself without end", line)
    if isinstance(error, OverflowError):
        return _problem(f"the template is wrong here: {error}", line, hint="loops are limited to 100,000 rounds")
    words = error.message if isinstance(error, TemplateError) else str(error)
    return _problem(f"the template is wrong here: {words or type(error).__name__}", line)


def main() -> int:
    """Read the question, limit this process, answer."""
    question = json.load(sys.stdin)
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (question["memory"], question["memory"]))
        resource.setrlimit(resource.RLIMIT_CPU, (question["seconds"], question["seconds"]))
    except (ImportError, ValueError, OSError):
        pass  # the parent's timeout still holds
    answer = render(question["text"], question["values"])
    json.dump(answer, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
