"""Whatever the file holds: a topology, or problems with positions; never another exception."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

from documents import everything
from hypothesis import example, given, settings
from hypothesis import strategies as st

from netcompose.errors import TopologyError, UsageError
from netcompose.topology import rendering
from netcompose.topology.load import load_text
from netcompose.topology.sourcetext import SourceText, decode
from netcompose.topology.template import is_template, own_variables

REFUSALS = [
    file.read_text()
    for file in sorted((Path(__file__).parent / "refusals").glob("*.yaml"))
    if "template" not in file.name
]
SEEDS = [*REFUSALS, json.dumps(everything(), indent=1)]
PIECES = st.one_of(
    st.text(max_size=3),
    st.sampled_from(
        ["\t", "\n", " ", "- ", ": ", "{", "}", "[", "]", "&a ", "*a", "<<: *a", "!x ", "'", '"', "#", "|", ">", "%",
         "~", "null", "1", "::", "/0", "/33", "\x00", "\ufeff", "\u2028", "x-", "10.0.0.0/8", "fd00::/64", "\r", "? ",
         "---\n", "0x"]
    ),
)  # fmt: skip


def survives(text: str) -> None:
    if is_template(text):
        text = text.replace("{{", "{ {").replace("{%", "{ %").replace("{#", "{ #")
    try:
        load_text(text)
    except TopologyError as error:
        assert error.problems
        for problem in error.problems:
            assert problem.message
            assert problem.position is not None
            assert problem.position.line >= 1
            assert problem.position.column >= 1


@settings(max_examples=80, deadline=None)
@given(st.sampled_from(SEEDS), st.lists(st.tuples(st.floats(0, 1), st.integers(0, 12), PIECES), min_size=1, max_size=6))
def test_damaged_files(seed: str, edits: list[tuple[float, int, str]]) -> None:
    for place, cut, piece in edits:
        start = int(place * len(seed))
        seed = seed[:start] + piece + seed[start + cut :]
    survives(seed)


@settings(max_examples=80, deadline=None)
@given(st.text())
@example("\ud800")
def test_any_text(text: str) -> None:
    survives(text)


@settings(max_examples=60, deadline=None)
@given(st.binary())
def test_any_bytes(data: bytes) -> None:
    try:
        survives(decode("f", data).text)
    except TopologyError as error:
        assert error.problems


VALUES = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=5)
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=6,
)
KEYS = st.sampled_from(
    ["containers", "networks", "links", "hosts", "subnets", "parents", "a", "b", "subnet", "ports", "driver"]
)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(KEYS, st.dictionaries(KEYS, st.dictionaries(KEYS, VALUES, max_size=3), max_size=3), max_size=4))
def test_any_data(document: object) -> None:
    survives(json.dumps(document))


TEMPLATE = st.lists(
    st.sampled_from(
        ["{{ a }}", "{{ b.c }}", "{% for x in [1, 2] %}", "{% endfor %}", "{% if a %}", "{% endif %}", "{{", "}}", "{%",
         "%}", "{#", "#}", "\n", "x: ", "{% set y = 1 %}", "{% set z %}", "{% endset %}", "{% macro m() %}", "{% endmacro %}",
         "{{ m() }}", "\x001\x00", "{% raw %}", "{% endraw %}", "{{ subnet(a, 1, 1) }}", "{{ host('10.0.0.0/8', a) }}",
         "vars: {a: 1}\n", "vars:\n", "é"]
    ),
    max_size=10,
)  # fmt: skip


@settings(max_examples=80, deadline=None)
@given(TEMPLATE)
def test_any_template(pieces: list[str]) -> None:
    text = "".join(pieces)
    answer = rendering.render(text, {"a": 1})
    if "problem" in answer:
        assert answer["problem"]["message"]
        assert answer["problem"]["line"] >= 1
    else:
        assert len(answer["lines"]) == answer["text"].count("\n") + 1
        assert all(1 <= line <= text.count("\n") + 1 or "\x00" in text for line in answer["lines"])
    with contextlib.suppress(TopologyError, UsageError):
        own_variables(SourceText("t", text))
