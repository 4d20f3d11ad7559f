"""YAML as the topology reads it: YAML 1.2 scalars, bounded, with positions on demand."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from netcompose.errors import TopologyError, UsageError
from netcompose.topology import yamltree
from netcompose.topology.scalars import as_text, plain_scalar
from netcompose.topology.sourcetext import MAX_BYTES, SourceText, decode, read_file
from netcompose.topology.yamltree import Document


def parsed(text: str) -> Document:
    return Document(SourceText("t.yaml", text))


def first_problem(text: str) -> str:
    with pytest.raises(TopologyError) as caught:
        parsed(text)
    problem = caught.value.problems[0]
    return f"{problem.position.line}:{problem.position.column}: {problem.message}"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("22:22", "22:22"),
        ("02:42:10:11:12:13", "02:42:10:11:12:13"),
        ("on", "on"),
        ("yes", "yes"),
        ("no", "no"),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("12", 12),
        ("-12", -12),
        ("+1", 1),
        ("0777", 777),
        ("0o17", 15),
        ("0x1F", 31),
        ("0b1", "0b1"),
        ("1_000", "1_000"),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("1e999", "1e999"),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("2026-01-01", "2026-01-01"),
        ("9" * 5000, "9" * 5000),
        ("٣", "٣"),
        ("1٣", "1٣"),
        ("-", "-"),
        ("=", "="),
    ],
)
def test_plain_scalars(text: str, value: object) -> None:
    found = plain_scalar(text)
    assert found == value
    assert isinstance(found, type(value))


@pytest.mark.parametrize("text", ["1.10", "0755", "0x10", "1e3", "12", "1.5", "true", "a"])
def test_scalars_keep_how_they_were_written(text: str) -> None:
    assert as_text(plain_scalar(text)) == text


def test_quoted_scalars_are_text() -> None:
    assert parsed("a: '1'\nb: \"true\"\nc: |\n  1\n").value == {"a": "1", "b": "true", "c": "1\n"}


def test_anchors_aliases_and_merge_keys() -> None:
    text = """
x-a: &a {one: 1, two: 2}
x-b: &b {two: 3, three: 4}
alias: *a
merged: {<<: *a, two: 5}
several:
  <<: [*a, *b]
  four: 6
quoted: {"<<": 1}
"""
    value = parsed(text).value
    assert value["alias"] == {"one": 1, "two": 2}
    assert value["merged"] == {"one": 1, "two": 5}
    assert value["several"] == {"one": 1, "two": 2, "three": 4, "four": 6}
    assert value["quoted"] == {"<<": 1}


def test_positions_of_keys_values_and_what_is_not_there() -> None:
    source = parsed("x: &x {deep: [1, {k: v}]}\ny:\n  <<: *x\n  own: 1\n").source
    assert str(source.locate(("y", "own"))) == "t.yaml:4:8"
    assert str(source.locate(("y", "own"), key=True)) == "t.yaml:4:3"
    assert str(source.locate(("y", "deep", 1, "k"))) == "t.yaml:1:22"  # a merged key is where it is written
    assert str(source.locate(("y", "missing"))) == "t.yaml:2:1"
    assert str(source.locate(("x", "deep", 7))) == "t.yaml:1:8"
    assert str(source.locate(())) == "t.yaml:1:1"
    assert source.locate(("y", "own")).text == "  own: 1"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends(end: str) -> None:
    document = parsed(end.join(["a: 1", "b:", "  c: 2", ""]))
    position = document.source.locate(("b", "c"))
    assert (position.line, position.column, position.text) == (3, 6, "  c: 2")


@pytest.mark.parametrize(
    ("data", "place"),
    [
        (b"a: 1\nb: \xff\n", "2:4"),
        (b"a: \x00\n", "1:4"),
        (b"\x7fELF\x02\x01\x01\x00\x00", "1:8"),
        ("a: é\nb: ".encode() + b"\xc3", "2:4"),
        ("a: 1".encode("utf-16"), "1:1"),
    ],
)
def test_binary_files(data: bytes, place: str) -> None:
    with pytest.raises(TopologyError) as caught:
        decode("f", data)
    (problem,) = caught.value.problems
    assert problem.message == "this is not UTF-8 text"
    assert str(problem.position) == f"f:{place}"


def test_byte_order_mark_and_control_characters() -> None:
    document = Document(decode("f", b"\xef\xbb\xbfa: 1"))
    assert document.value == {"a": 1}
    assert document.source.locate(("a",)).text == "a: 1"
    assert first_problem("a: 1\nb: x\x07\n") == "2:5: there is a control character (U+0007) in the file"


def test_a_huge_file_is_refused_without_reading_it(tmp_path: Path) -> None:
    """It would not fit into any memory."""
    file = tmp_path / "huge.yaml"
    with file.open("wb") as stream:
        stream.truncate(1 << 40)
    with pytest.raises(TopologyError) as caught:
        read_file(str(file))
    (problem,) = caught.value.problems
    assert problem.message == "the file is larger than 8 MiB"
    assert str(problem.position) == f"{file}:1:1"


def test_the_largest_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "large.yaml"
    file.write_bytes(b"#" * MAX_BYTES)
    assert len(read_file(str(file)).text) == MAX_BYTES


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no such file") as caught:
        read_file(str(tmp_path / "none.yaml"))
    assert "netcompose init" in caught.value.hint
    with pytest.raises(UsageError, match="this is a folder"):
        read_file(str(tmp_path))
    with pytest.raises(UsageError, match="cannot be read"):
        read_file("a\0b")


def wide_merge() -> str:
    keys = ", ".join(f"k{n}: 1" for n in range(2000))
    return f"a: &a {{{keys}}}\nb: {{<<: [" + ", ".join(["*a"] * 100_000) + "]}"


def bomb(levels: int) -> str:
    lines = ["a0: &a0 [" + ", ".join(["x"] * 10) + "]"]
    lines += [f"a{n}: &a{n} [" + ", ".join([f"*a{n - 1}"] * 10) + "]" for n in range(1, levels)]
    return "\n".join(lines)


def merge_bomb(levels: int) -> str:
    lines = ["a0: &a0 {k: v}"]
    lines += [f"a{n}: &a{n} {{<<: [" + ", ".join([f"*a{n - 1}"] * 10) + "]}" for n in range(1, levels)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    "text", [bomb(60), merge_bomb(60), wide_merge(), "[" * 100_000, "a: " * 100_000, "- " * 100_000, "{" * 50_000]
)
@pytest.mark.timeout(60)
def test_bombs_end_early(text: str) -> None:
    """Unpacked, the smallest of them would take longer than anybody waits."""
    assert first_problem(text)


def test_many_nodes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yamltree, "MAX_NODES", 100)
    assert parsed("[" + "1, " * 90 + "1]").value
    assert first_problem("[" + "1, " * 110 + "1]") == "1:1: the file has more than 100 values"


def test_aliases_below_the_limit_are_fine() -> None:
    assert len(parsed(bomb(5)).value["a4"]) == 10


def test_keys_are_text() -> None:
    assert first_problem("a: 1\n22: b") == "2:1: the key 22 is not text"
    assert first_problem("true: b") == "1:1: the key true is not text"
    assert first_problem("~: b") == "1:1: the key ~ is not text"
    assert parsed("on: 1\n'22': 2").value == {"on": 1, "22": 2}


def test_the_pure_parser_does_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where PyYAML was built without libyaml."""

    class Pure(yaml.SafeLoader):
        nodes = depth = 0
        resolve = yamltree._Composer.resolve
        descend_resolver = yamltree._Composer.descend_resolver
        ascend_resolver = yamltree._Composer.ascend_resolver

    monkeypatch.setattr(yamltree, "_Composer", Pure)
    assert parsed("a: &a {b: on, c: 22:22}\nd: *a\n").value == {
        "a": {"b": "on", "c": "22:22"},
        "d": {"b": "on", "c": "22:22"},
    }
    assert first_problem("a: 1\na: 2") == "2:1: the key 'a' stands here twice"
    assert first_problem("a:\n\tb: 1") == "2:1: there is a tab in the indentation"
    assert "nested more than 64 deep" in first_problem("[" * 200)
