"""Every refusal, word for word: ``refusals/NAME.yaml`` and beside it, in ``NAME.txt``, what is said of it.

``NETCOMPOSE_WRITE_GOLDEN=1 pytest`` writes the texts anew; read the difference before committing it.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from netcompose.errors import TopologyError
from netcompose.topology.load import load

FOLDER = Path(__file__).parent / "refusals"


def said(file: Path) -> str:
    """One line for each problem: place, message, hint."""
    with pytest.raises(TopologyError) as caught:
        load(file.name)
    return "".join(f"{p.position}: {p.message} / {p.hint}\n" for p in caught.value.problems)


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.yaml")), ids=lambda file: file.stem)
def test_refusal(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FOLDER)
    expected = file.with_suffix(".txt")
    text = said(file)
    if os.environ.get("NETCOMPOSE_WRITE_GOLDEN"):
        expected.write_text(text)
    assert text == expected.read_text()


def test_every_text_has_its_file() -> None:
    assert {file.stem for file in FOLDER.glob("*.txt")} == {file.stem for file in FOLDER.glob("*.yaml")}


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.yaml")), ids=lambda file: file.stem)
def test_problems_show_their_line(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The line that a view prints is the file's own, the column is in it, and problems come in file order."""
    monkeypatch.chdir(FOLDER)
    lines = file.read_text().split("\n")
    with pytest.raises(TopologyError) as caught:
        load(file.name)
    problems = caught.value.problems
    for problem in problems:
        assert problem.position.text == lines[problem.position.line - 1]
        assert 1 <= problem.position.column <= len(problem.position.text) + 1
    places = [(problem.position.line, problem.position.column) for problem in problems]
    assert places == sorted(places)
