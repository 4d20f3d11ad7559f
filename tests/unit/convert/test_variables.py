"""``${NAME}`` in values, and files with their values."""

from __future__ import annotations

from typing import Any

import pytest

from netcompose.convert.tree import Reader
from netcompose.convert.variables import Variables, read_env
from netcompose.topology.sourcetext import SourceText
from netcompose.topology.yamltree import Document


def variables(**known: str) -> Variables:
    return Variables(known, Reader(Document(SourceText("f", "a: 1")).source))


@pytest.mark.parametrize(
    "text, filled",
    [
        ("plain", "plain"),
        ("$A-$B", "one-"),
        ("${A}${A}", "oneone"),
        ("$$A $${A}", "$A ${A}"),
        ("${B:-two} ${B-three} ${E:-four} ${E-five}", "two  four "),
        ("${N-three}", "three"),
        ("${A:-two}", "one"),
        ("${B:=two}", "two"),
        ("${A:+yes}${E:+yes}${E+set}${N+no}", "yesset"),
        ("${N:-${A}/${M:-x}}", "one/x"),
        ("${N:-a}b}", "ab}"),
        ("cost: 5$ $ $1 $-", "cost: 5$ $ $1 $-"),
    ],
)
def test_forms(text: str, filled: str) -> None:
    assert variables(A="one", B="", E="").text(text, ()) == filled


def test_keys_and_other_values_stay(tmp_path: Any) -> None:
    value = {"$A": ["$A", 1, True, None, {"x": "${A}"}]}
    assert variables(A="one").fill(value, ()) == {"$A": ["one", 1, True, None, {"x": "one"}]}


def test_each_variable_is_told_once_and_a_value_never() -> None:
    reader = Reader(Document(SourceText("f", "a: 1")).source)
    filler = Variables({"SECRET": "hunter2"}, reader)
    filler.fill(["$SECRET", "$SECRET", "${N:-d}", "$M", "$M"], ())
    assert [finding.message.partition(":")[0] for finding in reader.findings] == [
        "the variable SECRET is written as the value that was given",
        "the variable N is written as its default, 'd'",
        "the variable M is not given",
    ]


def test_a_file_with_values() -> None:
    text = """
    # a comment
    A=one
    export B = two words  # a comment
    C="quoted # not a comment" # a comment
    D='single'
    E=
    F=a=b#c
    not a line
    1X=no
    """
    assert read_env(text) == {
        "A": "one", "B": "two words", "C": "quoted # not a comment", "D": "single", "E": "", "F": "a=b#c",
    }  # fmt: skip
