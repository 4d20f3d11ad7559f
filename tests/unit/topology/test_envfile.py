from __future__ import annotations

from pathlib import Path

import pytest

from netcompose.errors import TopologyError
from netcompose.topology.load import load

TOPOLOGY = "containers:\n  c:\n    image: small\n    env_file: [a.env, b.env]\n    environment: {OWN: here}\n"


def environment(folder: Path, first: str, second: str = "") -> dict[str, str]:
    (folder / "t.yaml").write_text(TOPOLOGY)
    (folder / "a.env").write_text(first)
    (folder / "b.env").write_text(second)
    return dict(load(str(folder / "t.yaml")).containers["c"].environment)


def test_values_quotes_and_comments(tmp_path: Path) -> None:
    text = """
# a comment
A=1
export B = two words  # not this
C='as $it "stands" # here'
D="a\\n\\"b\\""  # a comment
E=
F=x#y
"""
    assert environment(tmp_path, text) == {
        "A": "1",
        "B": "two words",
        "C": 'as $it "stands" # here',
        "D": 'a\n"b"',
        "E": "",
        "F": "x#y",
        "OWN": "here",
    }


def test_later_files_win_and_environment_wins_over_all(tmp_path: Path) -> None:
    assert environment(tmp_path, "A=1\nB=1\nOWN=1\n", "B=2\n") == {"A": "1", "B": "2", "OWN": "here"}


@pytest.mark.parametrize("line", ["no sign", "1A=x", "=x", "A='open", 'A="open', "A='x' y"])
def test_what_is_no_variable_is_told_with_its_line(tmp_path: Path, line: str) -> None:
    with pytest.raises(TopologyError) as caught:
        environment(tmp_path, f"FINE=1\n{line}\n")
    (problem,) = caught.value.problems
    assert "a.env" in problem.message and "line 2" in problem.message
    assert problem.position is not None and problem.position.line == 4


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_text(TOPOLOGY)
    with pytest.raises(TopologyError) as caught:
        load(str(tmp_path / "t.yaml"))
    assert len(caught.value.problems) == 2
