"""What is written is read back as it was, whatever it is, and looks as a person would write it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netcompose.convert.tree import Note, plain, replace_by_note
from netcompose.convert.writer import write
from netcompose.topology.sourcetext import SourceText, decode
from netcompose.topology.template import fill
from netcompose.topology.yamltree import Document

_TEXT = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        ["no", "1.10", "0x1f", "22:22", "{{ x }}", "a: b", "- a", "{#", "%}", "a\nb\n", "\na", " a", "#", "~"]
    ),
    st.text(alphabet="{}%#' \"\\\n:-ab1", max_size=12),
)
_SCALAR = st.one_of(_TEXT, st.integers(), st.booleans(), st.none(), st.floats(allow_nan=False, allow_infinity=False))
_TREE = st.dictionaries(
    _TEXT.filter(lambda key: key != "<<"),
    st.recursive(_SCALAR, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXT, inner, max_size=4)),
    max_size=4,
)


def read(text: str) -> Any:
    """A file as a topology's is read: a template first where it has its signs."""
    source = decode("made.yaml", text.encode("utf-8", "surrogatepass"))
    if "{{" in text or "{%" in text or "{#" in text:
        source = fill(source, variables={}, vars_files=[])
    return Document(source).value


def with_notes(value: Any, notes: list[str]) -> Any:
    """The same with notes among its parts."""
    if isinstance(value, dict):
        made: dict[Any, Any] = {}
        for key, item in value.items():
            if notes:
                made[Note(notes.pop())] = None
            made[key] = with_notes(item, notes)
        return made
    if isinstance(value, list):
        return [item for one in value for item in ([Note(notes.pop())] if notes else []) + [with_notes(one, notes)]]
    return value


def _writable(value: Any) -> bool:
    """No characters that YAML has no way for, and no '<<' as a key."""
    if isinstance(value, dict):
        return all(_writable(key) and key != "<<" and _writable(item) for key, item in value.items())
    if isinstance(value, list):
        return all(map(_writable, value))
    return not isinstance(value, str) or not any(0xD800 <= ord(c) < 0xE000 or c == "\0" for c in value)


@settings(max_examples=100, deadline=None)
@given(_TREE.filter(_writable), st.lists(_TEXT.filter(_writable), max_size=5))
def test_what_is_written_is_read_back(tree: dict[str, Any], notes: list[str]) -> None:
    text = write(with_notes(tree, notes))
    # A template is filled in by a process of its own, which is for the next test.
    filled = re.sub(r"\{\{ '(\{[{%#])' \}\}", r"\1", text)
    assert (Document(SourceText("made.yaml", filled)).value or {}) == tree
    if filled == text:
        assert not re.search("{[{%#]", text)


def test_signs_of_templates_in_values_and_notes() -> None:
    tree = {"a": "{{ x }}", "{%": ["{{{#", "{{%"], Note("{{ note }} {# more"): None}
    assert read(write(tree, "from {{ x }}")) == {"a": "{{ x }}", "{%": ["{{{#", "{{%"]}


def test_short_things_share_a_line_and_long_ones_do_not() -> None:
    tree = {
        "name": "lab",
        "networks": {"lan": {"subnets": ["10.0.0.0/24", "fd00::/64"]}, Note("why"): None, "empty": {}},
        "containers": {
            "web": {
                "image": "nginx:1",
                "ports": ["8080:80", 80],
                "networks": {"lan": {"aliases": ["a" * 30, "b" * 30]}},
            },
            "db": {},
        },
        "links": [{"endpoints": ["a:eth1", "b:eth1"], "mtu": 9000}, Note("a note " + "that is long " * 12)],
    }
    assert (
        write(tree, "Made by hand.")
        == """\
# Made by hand.

name: lab

networks:
  lan: {subnets: [10.0.0.0/24, fd00::/64]}
  # why
  empty: {}

containers:
  web:
    image: nginx:1
    ports: ["8080:80", 80]
    networks: {lan: {aliases: [aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa, bbbbbbbbbbbbbbbbbbbbbbbbbbbbbb]}}
  db: {}

links:
  - {endpoints: [a:eth1, b:eth1], mtu: 9000}
  # a note that is long that is long that is long that is long that is long that is long that is
  #   long that is long that is long that is long that is long that is long
"""
    )


@pytest.mark.parametrize(
    "path, taken, left",
    [
        (("a", "list", 1), ("a", "list", 1), {"a": {"list": [1, 3], "b": {"c": 1}}}),
        (("a", "list", 7), ("a", "list"), {"a": {"b": {"c": 1}}}),
        (("a", "b", "missing", 0), ("a", "b"), {"a": {"list": [1, 2, 3]}}),
        (("a", "b", "c"), ("a", "b", "c"), {"a": {"list": [1, 2, 3], "b": {}}}),
        (("nothing",), (), {"a": {"list": [1, 2, 3], "b": {"c": 1}}}),
        ((), (), {"a": {"list": [1, 2, 3], "b": {"c": 1}}}),
    ],
)
def test_what_is_at_a_path_or_its_nearest_parent_becomes_a_note(path: Any, taken: Any, left: Any) -> None:
    tree: dict[Any, Any] = {"a": {"list": [1, Note("first"), 2, 3], "b": {"c": 1}}}
    assert replace_by_note(tree, path, Note("gone")) == taken
    assert plain(tree) == left
    assert ("# gone" in write(tree)) == bool(taken)


def test_positions_are_of_the_text() -> None:
    assert Document(SourceText("f", write({"a": {"b": 1}}))).source.locate(("a", "b"), key=True).line == 2
