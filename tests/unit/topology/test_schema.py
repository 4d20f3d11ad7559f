"""The schema is the source of truth: complete, documented, the same as the model, and the same in both lanes."""

from __future__ import annotations

import copy
import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from documents import DEFINITIONS, PLACES, SCHEMA, all_properties, everything, example, properties
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from netcompose.topology import _accepts, model, schemawords
from netcompose.topology.build import build
from netcompose.topology.generate import generate
from netcompose.topology.scalars import WrittenInt
from netcompose.topology.schema import check
from netcompose.topology.source import Position, Source

NOWHERE = Source("t", lambda path, key: Position("t", 1, 1))


def accepts(document: Any) -> bool:
    try:
        _accepts.validate(document)
    except _accepts.Refused:
        return False
    return True


def schemas(schema: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema object in the schema with a path for messages."""
    if not isinstance(schema, dict):
        return
    yield path, schema
    for key in ("properties", "patternProperties", "$defs"):
        for name, inner in schema.get(key, {}).items():
            yield from schemas(inner, f"{path}/{key}/{name}")
    for key in ("items", "additionalProperties"):
        yield from schemas(schema.get(key), f"{path}/{key}")
    for index, inner in enumerate(schema.get("anyOf", ())):
        yield from schemas(inner, f"{path}/anyOf/{index}")


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_every_property_is_described_and_every_object_closed() -> None:
    for path, schema in schemas(SCHEMA):
        if "properties" in schema:
            assert "additionalProperties" in schema, path
            assert schema["additionalProperties"] is False or path == "", path
            for name, inner in schema["properties"].items():
                assert len(inner.get("description", "")) > 8, f"{path}/{name}"
    assert SCHEMA["additionalProperties"] is False


def test_every_example_is_valid() -> None:
    for path, schema in schemas(SCHEMA):
        for value in schema.get("examples", ()):
            inline = {**schema, "$defs": DEFINITIONS}
            assert not list(Draft202012Validator(inline).iter_errors(value)), f"{path}: {value}"


def test_the_generated_lane_is_up_to_date() -> None:
    """``python -m netcompose.topology.generate`` after every change of the schema."""
    assert Path(_accepts.__file__).read_text() == generate(SCHEMA)


# --- schema and model ---

#: Properties that do not reach the model, with the reason.
NOT_IN_MODEL = {
    ("root", "version"): "there is one version",
    ("root", "vars"): "the template has used them",
}
#: Definition -> its model class and the fields that are no property, with where they come from.
MODELS: dict[str, tuple[type, set[str]]] = {
    "host": (model.Host, {"name", "path"}),
    "parent": (model.Parent, {"name", "path"}),
    "subnet": (model.Subnet, {"name", "path"}),
    "network": (model.Network, {"name", "path", "external_name"}),  # external: {name: ...}
    "impairment": (model.Impairment, {"path"}),
    "attachment": (model.Attachment, {"path", "network", "ingress"}),  # its key; a list of two
    "route": (model.RouteSpec, {"path"}),
    "container": (model.Container, {"name", "path", "joins", "dns_options", "engine"}),  # see CONTAINER_FIELDS
    "root": (model.Topology, {"source"}),
}
#: Fields of containers whose property has another name.
CONTAINER_FIELDS = {"joins": "network_mode", "dns_options": "dns_opt"}


@pytest.mark.parametrize(("definition", "name"), list(all_properties()), ids=lambda part: part)
def test_every_property_reaches_the_model(definition: str, name: str) -> None:
    if (definition, name) in NOT_IN_MODEL:
        pytest.skip(NOT_IN_MODEL[definition, name])
    value = example(definition, name)
    if (definition, name) == ("root", "default_host"):
        with_it: Any = {"hosts": {"a": {}, value: {}}, "containers": {"c": {}}, "default_host": value}
        without: Any = {key: part for key, part in with_it.items() if key != "default_host"}
    else:
        with_it, without = PLACES[definition]({name: value}), PLACES[definition]({})
    assert accepts(with_it)
    assert accepts(without)
    name_of = {"name": value} if (definition, name) == ("root", "name") else {}
    built, problems = build(with_it, NOWHERE, name_of.get("name", "x"))
    assert not [problem for problem in problems if "not defined" not in problem.message]
    assert built != build(without, NOWHERE, "x")[0], f"{definition}.{name} is not in the model"


@pytest.mark.parametrize("definition", MODELS)
def test_every_field_of_the_model_comes_from_the_schema(definition: str) -> None:
    cls, others = MODELS[definition]
    fields = {field.name for field in dataclasses.fields(cls)}
    assert others <= fields
    assert fields - others <= set(properties(definition))


def test_fields_with_other_names() -> None:
    for field, key in CONTAINER_FIELDS.items():
        assert key in properties("container")
        assert field not in properties("container")
    ends = {field.name for field in dataclasses.fields(model.LinkEnd)}
    assert ends == {"path", "container", "interface", "addresses", "mac_address", "impairment"}
    assert set(properties("link")) == {"endpoints", "addresses", "mac_addresses", "mtu", "impairment"}
    assert {field.name for field in dataclasses.fields(model.Port)} == {
        "path", "container_port", "host_port", "host_address", "protocol",
    }  # fmt: skip
    assert set(properties("port")) == {"target", "published", "host_ip", "protocol"}


def test_defaults_of_the_schema_are_those_of_the_model() -> None:
    for definition, (cls, _) in MODELS.items():
        fields = {field.name: field.default for field in dataclasses.fields(cls)}
        for name, schema in properties(definition).items():
            if "default" in schema and name in fields:
                assert fields[name] == schema["default"], f"{definition}.{name}"


# --- the two lanes ---


def test_a_document_with_everything_is_accepted() -> None:
    document = everything()
    assert not list(Draft202012Validator(SCHEMA).iter_errors(document))
    assert accepts(document)
    text = json.dumps(document)
    for definition, name in all_properties():
        assert f'"{name}"' in text, f"{definition}.{name} is missing from it"


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from paths(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from paths(inner, (*path, index))


EVERYTHING = everything()
SLOW = schemawords._Validator(SCHEMA)
PATHS = [path for path in paths(EVERYTHING) if path]
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 70000),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(
        [
            "",
            "x",
            "a b",
            "1s",
            "10ms\n",
            "5%",
            "1mbit",
            "none",
            "host",
            "bridge",
            "no",
            "always\n",
            "a:b",
            "A=1",
            "1.5",
            "80",
        ]
    ),
    st.just([]),
    st.just({}),
    st.just(["a"]),
    st.just({"a": 1}),
    st.just([None, None]),
    st.just({"x-a": 1}),
)
EDITS = st.lists(
    st.tuples(st.integers(0, len(PATHS) - 1), st.sampled_from(["set", "drop", "add"]), VALUES), min_size=1, max_size=3
)


def edited(edits: list[tuple[int, str, Any]]) -> Any:
    document = copy.deepcopy(EVERYTHING)
    for index, action, value in edits:
        *way, last = PATHS[index]
        at: Any = document
        try:
            for step in way:
                at = at[step]
            at[last]
        except (KeyError, IndexError, TypeError):
            continue
        if action == "drop":
            del at[last]
        elif action == "add" and isinstance(at, dict):
            at["surprise"] = value
        else:
            at[last] = value
    return document


@settings(max_examples=60, deadline=None)
@given(EDITS)
def test_both_lanes_agree_and_every_no_is_explained(edits: list[tuple[int, str, Any]]) -> None:
    document = edited(edits)
    errors = list(SLOW.iter_errors(document))
    assert accepts(document) == (not errors)
    problems = check(document, NOWHERE)
    assert bool(problems) == bool(errors)
    assert not [problem for problem in problems if "does not fit the schema" in problem.message]
    places = [(problem.path, problem.message.startswith("unknown")) for problem in problems]
    assert len(places) == len(set(places))


@pytest.mark.parametrize(
    "document", [{"name": "a\n"}, {"networks": {"a\n": {}}}, {"containers": {"c": {"restart": "no\n"}}}]
)
def test_a_last_newline_is_not_overlooked(document: dict[str, Any]) -> None:
    """In Python's patterns ``$`` also matches before it."""
    assert not accepts(document)
    (problem,) = check(document, NOWHERE)
    assert "cannot be" in problem.message


def test_the_lanes_disagreeing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(value: Any) -> None:
        raise _accepts.Refused

    monkeypatch.setattr(_accepts, "validate", refuse)
    (problem,) = check({}, NOWHERE)
    assert problem.message == "the document does not fit the schema"


def test_numbers_with_their_text_are_numbers() -> None:
    number = WrittenInt(1500)
    number.written = "01500"
    assert accepts({"networks": {"n": {"mtu": number}}})
