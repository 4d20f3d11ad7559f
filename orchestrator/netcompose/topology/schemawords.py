"""What jsonschema finds, in words that tell what to write instead. Imported only when something is wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend

from netcompose.topology.scalars import as_text
from netcompose.topology.schemafile import schema_text
from netcompose.topology.source import Path, Problem, Source
from netcompose.topology.words import choices, did_you_mean, quoted, where

#: More findings than this help nobody, and each costs time.
MOST = 500

_TYPES = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "nothing",
}

#: Keys that other tools use for the same thing.
_ELSEWHERE = {
    "services": "containers", "nodes": "containers", "machines": "hosts", "servers": "hosts",
    "ip": "ipv4_address", "ipv4": "ipv4_address", "ipv6": "ipv6_address", "mac": "mac_address", "alias": "aliases",
    "ipam": "subnets", "cidr": "subnets", "type": "driver", "kind": "driver", "env": "environment", "cmd": "command",
    "dns_options": "dns_opt", "dns_opts": "dns_opt", "endpoint": "endpoints", "image_name": "image",
    "container_name": "hostname", "iface": "interface_name", "published_ports": "ports", "vxlan_id": "vni",
    "net": "network_mode", "network": "networks", "subnet": "subnets", "link": "links", "port": "ports",
}  # fmt: skip

#: What a pattern or a definition means, by its pattern.
_PATTERNS = {
    "^[a-z0-9][a-z0-9-]{0,30}$": "a topology's name has lower-case letters, digits and '-', at most 31",
    "^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}$": "a name has letters, digits, '_', '.', '-', at most 63",
    "^[a-zA-Z_][a-zA-Z0-9_]*$": "a variable's name has letters, digits and '_', and does not start with a digit",
    "^[^:]+:[^:]+$": "an endpoint is CONTAINER:INTERFACE, like 'r1:eth1'",
    "^[^=]+=": "write KEY=VALUE",
    "^(none|host|container:.+)$": "one of none, host, container:NAME; networks are listed under 'networks'",
    "^(no|always|unless-stopped|on-failure(:[0-9]+)?)$": "one of no, always, unless-stopped, on-failure, on-failure:N",
    "^/": "an absolute path starts with '/'",
    "^[0-9]+(\\.[0-9]+)?(us|ms|s)$": "a time is a number with us, ms or s, like '10ms'",
    "^[0-9]+(\\.[0-9]+)?%$": "a share is a number with %, like '0.1%'",
    "^[0-9]+(\\.[0-9]+)?[kmgt]?bit$": "a rate is a number with bit, kbit, mbit, gbit or tbit, like '100mbit'",
    "^[0-9]+(\\.[0-9]+)?(b|kb|mb)$": "a size is a number with b, kb or mb (of 1024 bytes), like '32kb'",
    "^([0-9]+(\\.[0-9]+)?(us|ms|s|m|h))+$": "a time is like '500ms', '10s' or '1m30s', or a number of seconds",
}


def _pattern(validator: Any, pattern: str, instance: Any, schema: Any) -> Iterator[ValidationError]:
    """As the fast lane matches: the end is the end, not the place before a last newline."""
    if isinstance(instance, str) and not re.search(pattern.replace("$", "\\Z"), instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


_Validator: Any = extend(  # type: ignore[no-untyped-call]
    Draft202012Validator, {"pattern": _pattern}
)


def explain(value: Any, source: Source) -> list[Problem]:
    """One problem for each place that is wrong, in no particular order."""
    found: dict[tuple[Path, bool], tuple[str, str]] = {}
    for error in _Validator(json.loads(schema_text())).iter_errors(value):
        for path, key, message, hint in _tell(error, tuple(error.absolute_path)):
            found.setdefault((path, key), (message, hint))
        if len(found) >= MOST:
            break
    problems = [source.problem(message, path, hint=hint, key=key) for (path, key), (message, hint) in found.items()]
    if not problems:  # the two lanes disagree: say so rather than let it pass
        problems = [source.problem("the document does not fit the schema", ())]
    return problems


_Told = tuple[Path, bool, str, str]


def _tell(error: ValidationError, path: Path) -> Iterator[_Told]:
    """(path, whether the key is meant, message, hint) for an error; several for what is behind an ``anyOf``."""
    kind: Any = error.validator
    schema: Any = error.schema
    wanted: Any = error.validator_value
    instance: Any = error.instance
    name = where(path) or "the file"
    if "propertyNames" in error.absolute_schema_path:
        yield (
            (*path, instance),
            True,
            f"{quoted(instance)} cannot be a name in {name}",
            _pattern_hint(str(wanted), schema),
        )
    elif kind == "anyOf":
        yield from _tell_any_of(error, path)
    elif kind == "type":
        types = [wanted] if isinstance(wanted, str) else list(wanted)
        yield (
            path,
            False,
            f"{name} must be {_types(types)}, not {_shown(instance)}",
            _type_hint(types, instance, schema),
        )
    elif kind == "additionalProperties":
        known = list(schema.get("properties", {}))
        for key in instance:
            if key not in schema["properties"] and not (key.startswith("x-") and "patternProperties" in schema):
                yield (*path, key), True, _unknown(key, path), _unknown_hint(key, known)
    elif kind == "required":
        for key in wanted:
            if key not in instance:
                yield path, True, f"{name} has no '{key}'", _example(schema["properties"][key], key)
    elif kind == "enum":
        hint = did_you_mean(as_text(instance), [str(choice) for choice in wanted if choice != ""])
        listed = choices(str(choice) for choice in wanted if choice != "")
        yield path, False, f"{name} cannot be {quoted(as_text(instance))}", hint or f"one of: {listed}"
    elif kind == "pattern":
        yield path, False, f"{name} cannot be {quoted(instance)}", _pattern_hint(wanted, schema)
    elif kind in ("minimum", "maximum"):
        yield path, False, f"{name} is {as_text(instance)}, but the {kind} is {wanted}", _description(schema)
    elif kind == "minLength":
        yield path, False, f"{name} is empty", _description(schema)
    elif kind in ("minItems", "maxItems"):
        yield path, False, f"{name} must have {wanted} entries, not {len(instance)}", _description(schema)
    elif kind == "minProperties":
        yield path, False, f"{name} is empty", "remove it, or write at least one entry"
    else:
        yield path, False, f"{name} is wrong: {error.message[:200]}", ""


def _tell_any_of(error: ValidationError, path: Path) -> Iterator[_Told]:
    """The branch that has the instance's type is what was meant; without one, the types of all are named."""
    branches: dict[int, list[ValidationError]] = {}
    for below in error.context or ():
        branches.setdefault(int(below.schema_path[0]), []).append(below)
    fitting = [errors for errors in branches.values() if not any(e.validator == "type" and not e.path for e in errors)]
    if len(fitting) > 1:  # text or number of the same type: the branch that comes furthest, then the last
        fitting.sort(key=lambda errors: max(len(e.path) for e in errors))
    if fitting:
        for below in fitting[-1]:
            yield from _tell(below, (*path, *below.path) if below.path else path)
        return
    types: list[str] = []
    for errors in branches.values():
        for below in errors:
            if below.validator == "type" and not below.path:
                wanted: Any = below.validator_value
                types += [wanted] if isinstance(wanted, str) else wanted
    types = list(dict.fromkeys(types))
    schema: Any = error.schema
    message = f"{where(path)} must be {_types(types)}, not {_shown(error.instance)}"
    yield path, False, message, _type_hint(types, error.instance, schema)


def _types(types: Iterable[str]) -> str:
    words = [_TYPES[name] for name in types if name != "null"] or ["nothing"]
    if "a number" in words and "a whole number" in words:
        words.remove("a whole number")
    return " or ".join((", ".join(words[:-1]), words[-1])) if len(words) > 1 else words[0]


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return as_text(value)
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, str):
        return f"the text {quoted(value)}"
    return f"the number {as_text(value)}"


def _type_hint(types: list[str], value: Any, schema: Any) -> str:
    if isinstance(schema, dict) and "$defs" in schema:
        return "it has keys like 'networks:' and 'containers:'"
    if "boolean" in types and isinstance(value, str) and value.lower() in ("yes", "no", "on", "off", "y", "n"):
        return f"write {'true' if value.lower() in ('yes', 'on', 'y') else 'false'}; other words are text in YAML 1.2"
    pattern = _PATTERNS.get(schema.get("pattern", "")) if isinstance(schema, dict) else None
    if pattern and not pattern.startswith("a name"):
        return pattern
    if "string" in types and isinstance(value, bool | int | float):
        return f'put it in quotes: "{as_text(value)}"'
    if ("integer" in types or "number" in types) and isinstance(value, str) and value.lstrip("-").isdigit():
        return f"write it without quotes: {value}" if len(value) < 20 else "the number is too long"
    if "array" in types and isinstance(value, str):
        return f"write a list: [{value}]" if len(value) < 60 else "write a list: [..., ...]"
    if value is None and types == ["object"]:
        return "nothing is written below it; remove the key, or indent its entries"
    return _description(schema)


def _unknown(key: str, path: Path) -> str:
    return f"unknown key {quoted(key)}" + (f" in {where(path)}" if path else "")


def _unknown_hint(key: str, known: list[str]) -> str:
    other = _ELSEWHERE.get(key.lower(), "")
    for name in (other, other.removesuffix("s")):
        if name in known:
            return f"did you mean '{name}'?"
    return did_you_mean(key, known) or f"known here: {choices(known, most=12)}"


def _example(schema: Any, key: str) -> str:
    examples = schema.get("examples")
    return f"for example  {key}: {json.dumps(examples[0])}" if examples else _description(schema)


def _description(schema: Any) -> str:
    text = str(schema.get("description", "")) if isinstance(schema, dict) else ""
    if not text[1:2].isupper():
        text = text[:1].lower() + text[1:]
    return text.rstrip(".")


def _pattern_hint(pattern: str, schema: Any) -> str:
    return _PATTERNS.get(pattern) or _description(schema)
