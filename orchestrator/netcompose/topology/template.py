"""Templates: variables from the file, ``--vars-file`` and ``--var`` are filled in before the text is read as YAML.

Jinja2 is loaded only for a text that has a template in it, and then in a process of its own
(:mod:`netcompose.topology.rendering`): a template that never ends or eats all memory ends that process, not ours.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from netcompose.errors import TopologyError, UsageError
from netcompose.topology.scalars import plain_scalar
from netcompose.topology.source import Position, Problem
from netcompose.topology.sourcetext import MAX_BYTES, SourceText, read_file
from netcompose.topology.yamltree import Document

#: Seconds that rendering may take; a large fabric takes well under one.
TIMEOUT = 10.0
#: Address space of the rendering process.
MEMORY = 512 * 1024 * 1024

_STARTS = ("{{", "{%", "{#")
_NAME = r"[a-zA-Z_][a-zA-Z0-9_]*"
_VARS = re.compile(r"""^(?:vars|"vars"|'vars')[ ]*:(?=\s|$)""", re.MULTILINE)


def is_template(text: str) -> bool:
    """Whether there is anything to fill in."""
    return any(start in text for start in _STARTS)


def fill(
    source: SourceText,
    *,
    variables: Mapping[str, str],
    vars_files: Sequence[str] = (),
    timeout: float = TIMEOUT,
) -> SourceText:
    """The text with its template filled in; without a template, the text itself.

    ``variables`` (``--var``) wins over ``vars_files``, later files over earlier ones, and those over the file's own
    ``vars``. Raises TopologyError for what the template does wrong, UsageError for a variable that nothing uses.
    """
    text = source.text
    templated = is_template(text)
    if not templated and not variables and not vars_files:
        return source
    values = own_variables(source)
    known = set(values)
    for path in vars_files:
        values.update(_variables_of_file(path))
    for name, written in variables.items():
        values[name] = _value(name, written)
    used: set[str] = set()
    result = source
    if templated:
        answer = _render(source, values, timeout)
        used = set(answer["used"])
        result = SourceText(source.file, answer["text"], original=text, lines=answer["lines"])
    for name in variables:
        if name not in known and name not in used:
            raise UsageError(
                f"--var {name}: the topology has no variable '{name}'",
                hint=_did_you_mean(name, known | used) or "give it a default under 'vars:', or use it in the template",
            )
    return result


def own_variables(source: SourceText) -> dict[str, Any]:
    """The file's own ``vars``, read from the raw text because the rest is not YAML before it is rendered."""
    match = _VARS.search(source.text)
    if match is None:
        return {}
    end = _end_of_block(source.text, match.end())
    block = source.text[match.start() : end]
    first = source.text.count("\n", 0, match.start())
    for start in _STARTS:
        found = block.find(start)
        if found >= 0:
            line = block.count("\n", 0, found)
            column = found - (block.rfind("\n", 0, found) + 1)
            hint = "'vars' are what templates are filled with; write plain values here"
            raise TopologyError([source.problem("there is a template in 'vars'", first + line, column, hint=hint)])
    # Parsed with the lines before it blank, so that every position is the file's.
    document = Document(SourceText(source.file, "\n" * first + block, original=source.text, lines=_Identity()))
    values = document.value["vars"]
    if values is None:
        return {}
    return _checked(values, document, ("vars",))


class _Identity(Sequence[int]):
    """Rendered line -> source line where nothing moved."""

    def __len__(self) -> int:
        return MAX_BYTES

    def __getitem__(self, index: Any) -> Any:
        return index + 1


def _end_of_block(text: str, start: int) -> int:
    """Where the value of a top-level key ends: before the next line that begins with a key, a marker or a template."""
    position = text.find("\n", start)
    while position >= 0:
        following = text[position + 1 : position + 2]
        if (following and following not in " \t\r\n#]}") or text.startswith(_STARTS, position + 1):
            return position + 1
        position = text.find("\n", position + 1)
    return len(text)


def _checked(values: Any, document: Document, path: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(values, dict):
        raise TopologyError([document.source.problem("variables must be a mapping", path, hint="write name: value")])
    for name in values:
        if not re.fullmatch(_NAME, name):
            hint = "letters, digits and '_', not a digit first"
            message = f"'{name}' cannot be a variable's name"
            raise TopologyError([document.source.problem(message, (*path, name), hint=hint, key=True)])
    return dict(values)


def _variables_of_file(path: str) -> dict[str, Any]:
    document = Document(read_file(path, "variables"))
    return {} if document.value is None else _checked(document.value, document, ())


def _value(name: str, written: str) -> Any:
    """``--var k=v``: a scalar, or YAML in brackets or quotes."""
    if not re.fullmatch(_NAME, name):
        raise UsageError(f"--var {name}: this cannot be a variable's name", hint="write --var name=value")
    if len(written) > MAX_BYTES:
        raise UsageError(f"--var {name}: the value is too long", hint="use --vars-file")
    if not written.lstrip().startswith(("[", "{", '"', "'")):
        return plain_scalar(written)
    try:
        return Document(SourceText(f"--var {name}", written)).value
    except TopologyError as error:
        problem: Problem = error.problems[0]
        raise UsageError(
            f"--var {name}: {problem.message}", hint=problem.hint or "quote the value for the shell"
        ) from None


def _did_you_mean(name: str, known: set[str]) -> str:
    from netcompose.topology.words import did_you_mean

    return did_you_mean(name, known)


def _render(source: SourceText, values: Mapping[str, Any], timeout: float) -> dict[str, Any]:
    """Ask the rendering process; its answer is the text, the line map and the names that the template uses."""
    import json

    question = json.dumps({"text": source.text, "values": values, "memory": MEMORY, "seconds": int(timeout) + 1})
    try:
        said, complaint = _ask(question.encode(), timeout)
    except TimeoutError:
        raise _too_much(source, f"the template takes longer than {timeout:g} seconds") from None
    try:
        answer = json.loads(said)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        last = complaint.decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise _too_much(source, "the template could not be rendered" + (f": {last}" if last else ""))
    if "problem" in answer:
        raise TopologyError([_problem(source, answer["problem"], set(values))])
    return answer


def _ask(question: bytes, timeout: float) -> tuple[bytes, bytes]:
    """What the rendering process says (nothing if it failed), and what it complains of. Raises ``TimeoutError``."""
    import os
    import subprocess
    import sys

    # -P keeps the current folder off the path: it belongs to the user, and a json.py in it would be imported.
    command = [sys.executable, "-P", "-m", "netcompose.topology.rendering"]
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(entry for entry in sys.path if entry))
    try:
        done = subprocess.run(command, input=question, capture_output=True, timeout=timeout, env=environment)
    except subprocess.TimeoutExpired:
        raise TimeoutError from None
    return (done.stdout if done.returncode == 0 else b""), done.stderr


def _too_much(source: SourceText, message: str) -> TopologyError:
    return TopologyError([source.problem(message, hint="does a loop run too often?")])


def _problem(source: SourceText, told: Mapping[str, Any], known: set[str]) -> Problem:
    lines = source.text.split("\n")
    line = min(max(int(told["line"]), 1), len(lines))
    text = lines[line - 1].rstrip("\r")
    name = str(told["undefined"])
    column, hint = 0, str(told["hint"])
    if name:
        found = re.search(rf"(?<![\w.]){re.escape(name)}(?!\w)", text)
        column = found.start() if found else 0
        hint = _did_you_mean(name, known) or "define it under 'vars:', or give it with --var NAME=VALUE"
    if not column:
        starts = [text.find(start) for start in _STARTS if start in text]
        column = min(starts) if starts else len(text) - len(text.lstrip())
    return Problem(str(told["message"]), Position(source.file, line, column + 1, text), hint)
