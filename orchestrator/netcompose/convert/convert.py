"""A file of another tool -> the text of a topology file that is valid, and what could not be taken over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from netcompose.convert.tree import Note, Tree, plain, replace_by_note
from netcompose.convert.writer import write
from netcompose.errors import TopologyError
from netcompose.topology.load import from_document
from netcompose.topology.source import Problem, Source
from netcompose.topology.sourcetext import SourceText
from netcompose.topology.words import where
from netcompose.topology.yamltree import Document

#: Name of a format -> what people call it.
FORMATS = {"compose": "Compose", "containerlab": "containerlab"}
_NOTHING: Mapping[str, str] = {}
#: Most entries that are taken out because they are not valid here.
_MOST = 200


@dataclass(frozen=True)
class Converted:
    """A topology file's text. ``findings`` are what is left out or written differently, in the source's order."""

    text: str
    format: str
    findings: tuple[Problem, ...]


def convert(
    text: SourceText,
    *,
    format: str = "",
    variables: Mapping[str, str] = _NOTHING,
    profiles: Sequence[str] = (),
    folder: str = "",
) -> Converted:
    """Convert a file; ``format`` is one of FORMATS, found out from the content where it is empty.

    ``variables`` are for ``${NAME}``, ``profiles`` are Compose's, ``folder`` leads from the new file to the source's
    folder, for paths. Raises TopologyError if the file is of no known format, or so wrong that nothing can be made.
    """
    document = Document(text)
    format = format or detect(document.value, document.source)
    if format == "compose":
        from netcompose.convert import compose

        tree = compose.convert(document.value, document.source, variables, profiles, folder)
    else:
        from netcompose.convert import containerlab

        tree = containerlab.convert(document.value, document.source, variables, folder)
    written = _valid(tree, document.source, format)
    return Converted(written, format, tuple(_in_order(tree.findings)))


def detect(value: Any, source: Source) -> str:
    """The format by what the file has. Raises TopologyError for one that is not known."""
    keys = set(value) if isinstance(value, dict) else set()
    if "services" in keys:
        return "compose"
    inner = value.get("topology") if keys else None
    if isinstance(inner, dict) and "nodes" in inner:
        return "containerlab"
    if "containers" in keys:
        raise TopologyError([source.problem("this is a topology of netcompose already", ())])
    hint = "a Compose file has 'services:', a containerlab file has 'topology:' with 'nodes:'"
    raise TopologyError([source.problem("this is no file that can be converted", (), hint=hint)])


def _valid(tree: Tree, source: Source, format: str) -> str:
    """The text, after what the language does not allow (a wrong address, a network of one's own twice) is taken out."""
    for _ in range(_MOST):
        try:
            from_document(Document(SourceText("topology.yaml", write(_checked(tree), template=False))))
            return write(tree.value, _head(source, format, len(_in_order(tree.findings))))
        except TopologyError as error:
            problem = error.problems[0]
        place = tree.origin(problem.path)
        note = Note("")
        taken = replace_by_note(tree.value, problem.path, note)
        if not taken:
            raise TopologyError([source.problem(problem.message, (), hint=problem.hint)])
        what = where(taken[2:]) or str(taken[-1])
        said = source.problem(f"left out: {what}: {problem.message}", place, hint=problem.hint, key=True)
        line = f" (line {said.position.line})" if said.position else ""
        note.text = f"left out: {what}{line}: {problem.message}"
        tree.findings.append(said)
    raise TopologyError([source.problem("more is wrong with this file than can be left out", ())])


def _checked(tree: Tree) -> dict[str, Any]:
    """What can be checked without looking at other files: whether those are there is for `validate` to say."""
    made: dict[str, Any] = plain(tree.value)
    for container in made.get("containers", {}).values():
        if isinstance(container, dict):
            container.pop("env_file", None)
    return made


def _head(source: Source, format: str, findings: int) -> str:
    import os

    left = f"; {findings} thing{'' if findings == 1 else 's'} to look at, see the notes" if findings else ""
    return f"Converted by netcompose from {os.path.basename(source.file)} ({FORMATS[format]}){left}."


def _in_order(findings: Sequence[Problem]) -> list[Problem]:
    once = {(problem.position, problem.message): problem for problem in findings}
    return sorted(once.values(), key=lambda p: (p.position.line, p.position.column) if p.position else (0, 0))
