"""A file -> :class:`Topology`, or every problem that the file alone can show."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from netcompose.errors import TopologyError, UsageError
from netcompose.topology.model import Topology
from netcompose.topology.source import Problem
from netcompose.topology.sourcetext import SourceText, decode, read_file
from netcompose.topology.yamltree import Document

_LONGEST_NAME = 31
_NOTHING: Mapping[str, str] = {}


def load(
    path: str,
    *,
    variables: Mapping[str, str] = _NOTHING,
    vars_files: Sequence[str] = (),
    name: str = "",
    hosts_file: str = "",
) -> Topology:
    """The topology in a file.

    ``variables`` are ``--var`` (values are YAML scalars, lists or mappings as text), ``vars_files`` are YAML files.
    ``name`` wins over the file's ``name``; without both it is the name of the file's folder. ``hosts_file`` has more
    hosts, or other keys for those of the topology (see inventory.py). Raises TopologyError with
    all problems in file order, UsageError for a file that cannot be read or a variable that nothing uses.
    """
    return _load(read_file(path), variables, vars_files, name, otherwise=default_name(path), hosts_file=hosts_file)


def load_text(
    text: str,
    file: str = "<text>",
    *,
    variables: Mapping[str, str] = _NOTHING,
    vars_files: Sequence[str] = (),
    name: str = "",
) -> Topology:
    """The same for a text at hand; the default name is ``topology``."""
    source = decode(file, text.encode("utf-8", "surrogatepass"))
    return _load(source, variables, vars_files, name, otherwise="topology")


def default_name(path: str) -> str:
    """The name of the file's folder in the form that a topology's name has."""
    import os

    folder = os.path.basename(os.path.dirname(os.path.realpath(path)))
    valid = re.sub("[^a-z0-9]+", "-", folder.lower()).strip("-")[:_LONGEST_NAME].rstrip("-")
    return valid or "topology"


def _load(
    source: SourceText,
    variables: Mapping[str, str],
    vars_files: Sequence[str],
    name: str,
    *,
    otherwise: str,
    hosts_file: str = "",
) -> Topology:
    if name and not re.fullmatch("[a-z0-9][a-z0-9-]{0,30}", name):
        hint = "lower-case letters, digits and '-', at most 31"
        raise UsageError(f"'{name}' cannot be a topology's name", hint=hint)
    if variables or vars_files or "{{" in source.text or "{%" in source.text or "{#" in source.text:
        from netcompose.topology.template import fill

        source = fill(source, variables=variables, vars_files=vars_files)
    import gc

    # A large file makes a million objects and no garbage: collecting meanwhile takes a third of the time.
    collecting = gc.isenabled()
    gc.disable()
    try:
        document = Document(source)
        if document.value is None:
            hint = "`netcompose init` writes a starter file"
            raise TopologyError([source.problem("the file is empty", hint=hint)])
        return from_document(document, name=name, otherwise=otherwise, hosts_file=hosts_file)
    finally:
        if collecting:
            gc.enable()


def from_document(document: Document, *, name: str = "", otherwise: str = "topology", hosts_file: str = "") -> Topology:
    """The topology of a parsed document; ``otherwise`` is the name of one that gives none."""
    from netcompose.topology.schema import check

    value: Any = document.value
    problems = check(value, document.source)
    if problems:
        from netcompose.topology.salvage import more_problems

        raise TopologyError(in_file_order([*problems, *more_problems(value, document.source, problems)]))
    from netcompose.topology.build import build
    from netcompose.topology.checks import check_all

    if hosts_file:
        from netcompose.topology import inventory

        value = inventory.merged(value, inventory.read(hosts_file))
    topology, problems = build(value, document.source, name or value.get("name", otherwise))
    problems += check_all(topology)
    if any("env_file" in container.engine for container in topology.containers.values()):
        from netcompose.topology import envfile

        topology, unread = envfile.filled(topology)
        problems += unread
    if problems:
        raise TopologyError(in_file_order(problems))
    return topology


def in_file_order(problems: Sequence[Problem]) -> list[Problem]:
    """Problems by line and column, each told once."""

    def place(problem: Problem) -> tuple[int, int]:
        return (problem.position.line, problem.position.column) if problem.position else (0, 0)

    once = {(problem.position, problem.message): problem for problem in problems}
    return sorted(once.values(), key=place)
