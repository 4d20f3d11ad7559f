"""What the YAML parser says, in words that tell what to do. Imported only when there is something to say."""

from __future__ import annotations

import re
from typing import Any

import yaml

from netcompose.topology.source import Problem
from netcompose.topology.sourcetext import SourceText

_QUOTE = "text that contains ': ' or starts with a special character needs quotes"
_INDENT = "check the indentation of this line and the ones above"

#: (part of the parser's message, our message, hint); the first that fits is taken.
_WORDS = (
    ("mapping values are not allowed", "a ':' cannot stand here", f"{_INDENT}; {_QUOTE}"),
    ("did not find expected key", "a key was expected here", f"{_INDENT}; text in quotes must end with the same quote"),
    ("did not find expected '-' indicator", "a '- ' was expected here", "items of a list start in one column"),
    ("block sequence entries are not allowed", "a list item cannot start here", f"{_INDENT}"),
    ("could not find expected ':'", "a ':' is missing", "a key is followed by ': '"),
    ("did not find expected ',' or ']'", "a ',' or ']' is missing", "the list that starts with '[' is not closed"),
    ("did not find expected ',' or '}'", "a ',' or '}' is missing", "the mapping that starts with '{' is not closed"),
    ("while scanning a quoted scalar", "the quoted text does not end", "close it with the same quote"),
    ("found unknown escape", "this escape is not known in double quotes", "use single quotes, or \\\\ for a backslash"),
    ("found undefined alias", "", "an anchor (&name) comes before its alias (*name)"),
    ("found duplicate anchor", "this anchor's name is taken", "every anchor (&name) needs a name of its own"),
    ("but found another document", "there is a second document in the file", "a topology is one; remove '---'"),
    ("did not find expected node content", "a value was expected here", "is a '[' or '{' not closed?"),
    ("incompatible YAML document", "this YAML version is not known", "remove the line that starts with '%'"),
    ("found undefined tag handle", "tags ('!...') are not known here", "text that starts with '!' needs quotes"),
    ("tag", "tags ('!...') are not known here", "text that starts with '!' needs quotes"),
)  # fmt: skip


def explain(error: yaml.YAMLError, text: SourceText) -> Problem:
    """One problem for what made the parser stop."""
    if isinstance(error, yaml.reader.ReaderError):
        return _bad_character(error, text)
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    line, column = (mark.line, mark.column) if mark else (0, 0)
    said = str(getattr(error, "problem", "") or error)
    context = str(getattr(error, "context", "") or "")
    lines = text.text.split("\n")
    here = lines[line][column:] if line < len(lines) else ""
    if "cannot start any token" in said:
        return _odd_start(here, text, line, column)
    if "\t" in (lines[line][: column + 1] if line < len(lines) else "") and not lines[line][:column].strip():
        return _odd_start("\t", text, line, lines[line].index("\t"))
    start: Any = getattr(error, "context_mark", None)
    never_ends = "while scanning a quoted scalar" in context and "escape" not in said
    never_closed = "while parsing a flow" in context and start is not None and start.line != line
    if start is not None and (never_ends or never_closed):  # where it begins says more than where the parser gave up
        line, column = start.line, start.column
    both = f"{context}: {said}"
    for part, message, hint in _WORDS:
        if part in both:
            return text.problem(message or said.removeprefix("found "), line, column, hint=hint)
    return text.problem(f"this is not YAML: {said}", line, column, hint=_INDENT)


def _odd_start(here: str, text: SourceText, line: int, column: int) -> Problem:
    if here.startswith("\t"):
        return text.problem("there is a tab in the indentation", line, column, hint="YAML indents with spaces only")
    if here.startswith("%") and column == 0:
        return text.problem("a line cannot start with '%'", line, column, hint="YAML directives are not known here")
    return text.problem(f"text cannot start with '{here[:1]}'", line, column, hint="put it in quotes")


def _bad_character(error: Any, text: SourceText) -> Problem:
    match = re.search("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", text.text)
    before = text.text[: match.start()] if match else ""
    start = before.rfind("\n") + 1
    found = f" (U+{ord(match.group()):04X})" if match else ""
    message = f"there is a control character{found} in the file"
    hint = "remove it; in double quotes it can be written as \\x.."
    return text.problem(message, before.count("\n"), len(before) - start, hint=hint)
