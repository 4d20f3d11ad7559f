"""Documents for tests, made from the schema's own examples."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from netcompose.topology.schemafile import schema_text

SCHEMA: dict[str, Any] = json.loads(schema_text())
DEFINITIONS: dict[str, Any] = SCHEMA["$defs"]

#: Where an object of a definition stands in an otherwise empty document: value -> document.
PLACES: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "host": lambda v: {"hosts": {"h": v}},
    "parent": lambda v: {"parents": {"p": {"interface": "eth0", **v}}},
    "subnet": lambda v: {"subnets": {"s": {"subnet": "172.18.0.0/15", **v}}},
    "network": lambda v: {"networks": {"n": v}},
    "attachment": lambda v: {"networks": {"n": {}}, "containers": {"c": {"networks": {"n": v}}}},
    "impairment": lambda v: {"containers": {"c": {"networks": {"n": {"impairment": {"delay": "1s", **v}}}}}},
    "route": lambda v: {"containers": {"c": {"routes": [{"to": "10.0.0.0/7", "via": "10.0.0.1", **v}]}}},
    "port": lambda v: {"containers": {"c": {"ports": [{"target": 1, **v}]}}},
    "container": lambda v: {"containers": {"c": v}},
    "healthcheck": lambda v: {"containers": {"c": {"healthcheck": v}}},
    "link": lambda v: {"links": [{"endpoints": ["a:x", "b:x"], **v}]},
    "root": lambda v: v,
}

#: Values for properties without an example that differs from the default.
_OTHER: dict[tuple[str, str], Any] = {
    ("host", "agent"): False,
    ("host", "port"): 2222,
    ("host", "connect_timeout"): "5s",
    ("host", "command_timeout"): "5s",
    ("host", "keepalive"): "5s",
    ("parent", "interface"): {"h": "eth9"},
    ("network", "driver"): "overlay",
    ("network", "subnets"): ["172.18.0.0/16", "fd00::/64"],
    ("container", "restart"): "always",
    ("container", "stop_signal"): "SIGINT",
    ("container", "stop_grace_period"): "3s",
    ("container", "network_mode"): "host",
    ("route", "interface"): "eth5",
}


def properties(definition: str) -> dict[str, Any]:
    """The properties of a definition, ``root`` for the document, ``port`` for the long form."""
    if definition == "root":
        return SCHEMA["properties"]
    schema = DEFINITIONS[definition]
    if definition == "port":
        schema = next(branch for branch in schema["anyOf"] if "properties" in branch)
    return schema["properties"]


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    """A property's schema, its reference followed; what stands beside the reference wins."""
    reference = schema.get("$ref")
    if reference is None:
        return schema
    return {**resolved(DEFINITIONS[reference.rpartition("/")[2]]), **schema}


def example(definition: str, name: str) -> Any:
    """A valid value of a property that is not its default."""
    if (definition, name) in _OTHER:
        return _OTHER[definition, name]
    schema = resolved(properties(definition)[name])
    if schema.get("examples"):
        return schema["examples"][0]
    if schema.get("type") == "boolean":
        return not schema.get("default", False)
    if "enum" in schema:
        return schema["enum"][-1]
    if "properties" in schema and definition != "impairment":
        inner = schema["$ref"].rpartition("/")[2]
        return {key: example(inner, key) for key in list(schema["properties"])[:2]}
    raise AssertionError(f"{definition}.{name} has no example")


def all_properties() -> Iterator[tuple[str, str]]:
    """Every (definition, property) of the language."""
    for definition in PLACES:
        for name in properties(definition):
            yield definition, name


def everything() -> dict[str, Any]:
    """A document with every property of the language in it; of the right shape, not of sense."""
    full = {name: {key: example(name, key) for key in properties(name)} for name in PLACES if name != "root"}
    full["network"]["subnets"] = ["172.18.0.0/16", full["subnet"]]
    container = {**full["container"], "networks": {"n": full["attachment"]}}
    container["ports"] = [*container["ports"], 80, full["port"]]
    container["routes"] = [full["route"]]
    container["healthcheck"] = full["healthcheck"]
    return {
        **{name: example("root", name) for name in ("version", "name", "vars", "default_host")},
        "x-any": [1],
        "hosts": {"h": full["host"], "local": None},
        "parents": {"p": full["parent"]},
        "subnets": {"s": full["subnet"], "t": "10.0.0.0/24"},
        "networks": {"n": {**full["network"], "x-more": 1}, "m": None},
        "containers": {"c": {**container, "x-more": 1}, "d": {"networks": ["n"]}, "e": None},
        "links": [full["link"], {**full["link"], "impairment": [full["impairment"], None]}],
    }
