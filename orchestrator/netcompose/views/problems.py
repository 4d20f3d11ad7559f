"""Findings and errors as text: where, what is wrong, the line in question, and what to do about it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from netcompose.errors import HostsFailed, NetcomposeError, PlanRefused, TopologyError
from netcompose.views.terminal import Paint, count, printable, width_of

if TYPE_CHECKING:
    from netcompose.planner.plan import PlanProblem
    from netcompose.topology.source import Position, Problem

#: A longer line of the file is cut around the column in question.
_LINE_WIDTH = 88


def problems_text(problems: Sequence[Problem], *, colour: bool = False) -> str:
    """Every problem as a block, the number of problems last::

    topology.yaml:12:7: unknown key 'adress'
      12 |       adress: 10.0.0.1
         |       ^^^^^^
      hint: did you mean 'address'?
    """
    if not problems:
        return ""
    paint = Paint(colour)
    blocks = ["\n".join(_problem_lines(problem, paint)) for problem in problems]
    files = sorted({problem.position.file for problem in problems if problem.position})
    total = count(len(problems), "problem") + (f" in {printable(files[0])}" if len(files) == 1 else "")
    return "\n\n".join([*blocks, paint(total, "bold")]) + "\n"


def problems_json(problems: Sequence[Problem]) -> str:
    """A JSON list of objects with ``message``, ``hint``, ``path`` and, where known, ``file``, ``line``, ``column``."""
    from netcompose.views.jsontext import json_text

    return json_text([_problem_data(problem) for problem in problems])


def plan_problems_text(problems: Iterable[PlanProblem], *, colour: bool = False) -> str:
    """Why a plan is refused: ``address: message`` and the hint, for each."""
    paint = Paint(colour)
    lines: list[str] = []
    for problem in problems:
        head = f"{printable(problem.address)}: " if problem.address else ""
        lines.append(paint(head, "bold") + printable(problem.message))
        lines += _hint_lines(problem.hint, paint, indent="  ")
    return "".join(line + "\n" for line in lines)


def error_text(error: NetcomposeError, *, colour: bool = False, verbose: bool = False) -> str:
    """Any error of :mod:`netcompose.errors` for standard error: findings first if it carries them, the sentence
    behind ``error:`` and its hint last, where the eye is. What many hosts have in common is said once, unless
    ``verbose``."""
    paint = Paint(colour)
    if isinstance(error, HostsFailed) and error.failures and not verbose:
        from netcompose.views.failures import condense

        error = condense(error)
    if isinstance(error, TopologyError):
        return problems_text(error.problems, colour=colour)
    text = plan_problems_text(error.problems, colour=colour) + "\n" if isinstance(error, PlanRefused) else ""
    first, *rest = error.message.split("\n")
    lines = [paint("error", "bold", "red") + ": " + printable(first), *("  " + printable(line) for line in rest)]
    return text + "\n".join([*lines, *_hint_lines(error.hint, paint, indent="")]) + "\n"


def _problem_lines(problem: Problem, paint: Paint) -> list[str]:
    where = f"{problem.position}: " if problem.position else ""
    first, *rest = problem.message.split("\n")
    lines = [paint(printable(where), "bold") + paint(printable(first), "red"), *("  " + printable(r) for r in rest)]
    if problem.position and problem.position.text.strip():
        lines += _snippet(problem.position, paint)
    return lines + _hint_lines(problem.hint, paint, indent="  ")


def _problem_data(problem: Problem) -> dict[str, object]:
    data: dict[str, object] = {"message": problem.message, "hint": problem.hint, "path": list(problem.path)}
    if problem.position:
        data.update(file=problem.position.file, line=problem.position.line, column=problem.position.column)
    return data


def _hint_lines(hint: str, paint: Paint, *, indent: str) -> list[str]:
    if not hint:
        return []
    first, *rest = hint.split("\n")
    head = indent + paint("hint", "bold", "cyan") + ": " + printable(first)
    return [head, *(indent + "      " + printable(line) for line in rest)]


def _snippet(position: Position, paint: Paint) -> list[str]:
    """The offending line and the carets below the value that begins at the column."""
    # One character stays one character, so that the column still points at the right one.
    text = "".join(c if c.isprintable() else " " if c == "\t" else "?" for c in position.text.rstrip("\r\n"))
    start = min(max(position.column - 1, 0), len(text))
    end = _token_end(text, start)
    if len(text) > _LINE_WIDTH:
        left = max(0, min(start - _LINE_WIDTH // 2, len(text) - _LINE_WIDTH))
        right = left + _LINE_WIDTH
        before, after = ("..." if left else ""), ("..." if right < len(text) else "")
        start, end = start - left + len(before), min(end, right) - left + len(before)
        text = before + text[left:right] + after
    number = str(position.line)
    blank = " " * len(number)
    carets = " " * width_of(text[:start]) + "^" * max(1, width_of(text[start:end]))
    bar = paint("|", "blue")
    return [f"  {paint(number, 'blue')} {bar} {text}", f"  {blank} {bar} {paint(carets, 'red')}"]


def _token_end(text: str, start: int) -> int:
    """Where the YAML scalar that begins at ``start`` ends, as far as one line shows it."""
    if start >= len(text):
        return start + 1
    if text[start] in "\"'":
        closing = text.find(text[start], start + 1)
        return closing + 1 if closing > 0 else len(text)
    end = start
    while end < len(text) and not (text[end] in " ,]}" or (text[end] == ":" and text[end + 1 : end + 2] in ("", " "))):
        end += 1
    return max(end, start + 1)
