"""``env_file``: variables of a container from files beside the topology's, in Compose's form.

A line is ``NAME=VALUE``, maybe after ``export``; ``#`` begins a comment at the start of a line or after a blank. What
is in single quotes is as it stands, in double quotes it may have the usual escapes. Later files win over earlier ones,
``environment`` over all of them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace

from netcompose.topology.model import Container, Topology
from netcompose.topology.source import Problem
from netcompose.topology.words import quoted

KEY = "env_file"
_NAME = re.compile("[A-Za-z_][A-Za-z0-9_.-]*")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "\\": "\\", "$": "$"}


def filled(topology: Topology) -> tuple[Topology, list[Problem]]:
    """The topology with the files' variables in its containers, and what is wrong with the files."""
    problems: list[Problem] = []
    containers = dict(topology.containers)
    for name, container in topology.containers.items():
        if KEY in container.engine and container.image:
            variables, wrong = _read(topology, container)
            problems += wrong
            engine = {key: value for key, value in container.engine.items() if key != KEY}
            containers[name] = replace(container, environment={**variables, **container.environment}, engine=engine)
    return replace(topology, containers=containers), problems


def _read(topology: Topology, container: Container) -> tuple[dict[str, str], list[Problem]]:
    variables: dict[str, str] = {}
    problems = []
    folder = os.path.dirname(os.path.abspath(topology.source.file))
    files = container.engine[KEY]
    for index, file in enumerate(files if isinstance(files, (list, tuple)) else ()):
        path = (*container.path, KEY, index)
        try:
            with open(os.path.join(folder, os.path.expanduser(file)), encoding="utf-8") as opened:
                variables.update(_lines(opened.read()))
        except OSError as error:
            message = f"{quoted(file)} cannot be read: {error.strerror}"
            problems.append(topology.source.problem(message, path, hint="its path is seen from the topology file"))
        except ValueError as error:
            message = f"{quoted(file)}: {error}"
            problems.append(topology.source.problem(message, path, hint="a line is NAME=VALUE"))
    return variables, problems


def _lines(text: str) -> Iterator[tuple[str, str]]:
    for number, written in enumerate(text.splitlines(), 1):
        line = written.strip()
        if not line or line.startswith("#"):
            continue
        name, sign, value = line.removeprefix("export ").partition("=")
        name = name.strip()
        if not sign or not _NAME.fullmatch(name):
            raise ValueError(f"line {number} is not NAME=VALUE")
        yield name, _value(value.strip(), number)


def _value(text: str, number: int) -> str:
    if text[:1] not in ("'", '"'):
        return re.split(r"\s#", text, maxsplit=1)[0].rstrip()
    quote = text[0]
    body = r"(?:[^\\\"]|\\.)*" if quote == '"' else "[^']*"
    found = re.fullmatch(rf"{quote}({body}){quote}(\s+#.*|\s*)", text)
    if found is None:
        raise ValueError(f"a quote in line {number} is not closed")
    if quote == "'":
        return found[1]
    return re.sub(r"\\(.)", lambda match: _ESCAPES.get(match[1], match[0]), found[1])
