"""A Compose file -> a topology. Source: the Compose specification (compose-spec), and the formats 2 and 3 before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from netcompose.convert import names
from netcompose.convert.compose_network import network
from netcompose.convert.compose_parts import NO_FILE
from netcompose.convert.compose_service import Project, service
from netcompose.convert.tree import Reader, Tree
from netcompose.convert.variables import Variables
from netcompose.topology.scalars import as_text
from netcompose.topology.source import Path, Source

_WHY = {
    "include": "convert the other file as well, and put the two together",
    "models": "no models are run",
}


def convert(value: Any, source: Source, known: Mapping[str, str], profiles: Sequence[str], folder: str) -> Tree:
    """The topology of a parsed Compose file.

    ``known`` are values of variables, ``profiles`` those that are enabled, ``folder`` leads from the new file to the
    source. Raises TopologyError for what is no Compose file.
    """
    reader = Reader(source)
    root = reader.mapping(value, ())
    variables = Variables(known, reader)
    filled = variables.fill({k: v for k, v in root.items() if not k.startswith("x-")}, ())
    services = {
        key: reader.mapping(spec, ("services", key))
        for key, spec in reader.mapping(filled.get("services"), ("services",)).items()
        if not key.startswith("x-")
    }
    if not services:
        raise reader.wrong("the file has no services", ())
    project = Project(
        name=names.topology_name(as_text(filled.get("name") or "")) or _folder_name(source.file),
        services=services,
        networks={key: names.name(key) for key in reader.mapping(filled.get("networks"), ("networks",))},
        volumes=reader.mapping(filled.get("volumes"), ("volumes",)),
        files={word: reader.mapping(filled.get(word), (word,)) for word in ("secrets", "configs")},
        profiles=frozenset(profiles),
        folder=folder,
        reader=reader,
    )
    made: dict[Any, Any] = dict(variables.notes)
    parents: dict[str, Any] = {}
    networks: dict[Any, Any] = {}
    containers: dict[Any, Any] = {}
    origins: dict[str, str] = {}
    for word, item in filled.items():
        if word == "name":
            made["name"] = project.name
        elif word == "services":
            made["containers"] = containers
            for key, spec in services.items():
                for made_name, container in service(project, key, spec):
                    containers[made_name] = container
                    origins[made_name] = key
        elif word == "networks":
            made["networks"] = networks
            for key, spec in reader.mapping(item, (word,)).items():
                networks[project.networks[key]] = network(key, spec, (word, key), reader, parents)
        elif word == "volumes":
            for note in project.volume_notes():
                made[note] = None
        elif word in project.files:
            for key, spec in project.files[word].items():
                if not reader.mapping(spec, (word, key)).get("file"):
                    made[reader.left_out((word, key), f"{word.rstrip('s')} {key}", NO_FILE)] = None
        elif word != "version":
            made[reader.left_out((word,), word, _WHY.get(word, "there is no such section here"))] = None
    # What Compose has without being asked.
    for extra in project.implied:
        networks.setdefault(extra, {})
    if networks and "networks" not in made:
        made = _before(made, "containers", "networks", networks)
    if parents:
        made = _before(made, "networks", "parents", parents)
    back = {new: old for old, new in project.networks.items()}

    def origin(path: Path) -> Path:
        section, rest = path[:1], path[1:]
        if section == ("containers",) and rest:
            return ("services", origins.get(str(rest[0]), ""), *rest[1:])
        if section == ("networks",) and rest:
            return ("networks", back.get(str(rest[0]), ""), *rest[1:])
        return path

    return Tree(made, origin, reader.findings)


def _before(made: dict[Any, Any], key: str, new: str, value: dict[Any, Any]) -> dict[Any, Any]:
    changed: dict[Any, Any] = {}
    for word, item in made.items():
        if word == key:
            changed[new] = value
        changed[word] = item
    return changed


def _folder_name(file: str) -> str:
    """What Compose calls a project that has no name."""
    import os

    return names.topology_name(os.path.basename(os.path.dirname(os.path.abspath(file)))) or "project"
