"""Hosts from a file of their own (``--hosts-file``), so that one topology serves several sites.

The file has the same ``hosts:`` mapping as a topology, checked by the same schema, and nothing else. Its hosts are
added to those of the topology; one of the same name is merged key by key, and the file's keys win.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from netcompose.errors import TopologyError
from netcompose.topology.model import Host
from netcompose.topology.source import Problem
from netcompose.topology.sourcetext import read_file
from netcompose.topology.yamltree import Document


def read(path: str) -> Mapping[str, Mapping[str, Any]]:
    """The hosts of a file as written. ``TopologyError`` has every problem; ``UsageError`` if it cannot be read."""
    document = Document(read_file(path))
    value: Any = document.value
    if not isinstance(value, dict) or set(value) != {"hosts"}:
        hint = "it has one key, 'hosts:', as in a topology: hosts: {server4: {address: 10.0.0.4}}"
        raise TopologyError([document.source.problem("this is no file of hosts", (), hint=hint)])
    from netcompose.topology.schema import check

    problems = [*check(value, document.source)] or _built(value, document)[1]
    if problems:
        raise TopologyError(problems)
    return {name: spec or {} for name, spec in value["hosts"].items()}


def hosts(path: str) -> Mapping[str, Host]:
    """The hosts of a file, when there is no topology."""
    document = Document(read_file(path))
    read(path)
    return _built(document.value, document)[0]


def merged(document: Mapping[str, Any], more: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """A topology's document with these hosts."""
    own = document.get("hosts") or {}
    together = {name: {**(own.get(name) or {}), **(more.get(name) or {})} for name in (*own, *more)}
    return {**document, "hosts": together}


def _built(value: Any, document: Document) -> tuple[Mapping[str, Host], list[Problem]]:
    from netcompose.topology.build import build

    topology, problems = build(value, document.source, "hosts")
    return topology.hosts, problems
