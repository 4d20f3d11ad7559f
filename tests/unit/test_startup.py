"""The kept code of dataclasses' methods: taken when it is whole, made anew when it is not, done without otherwise."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from netcompose.cli import startup

ROOT = Path(startup.__file__).parents[2]


def make() -> type:
    @dataclasses.dataclass(frozen=True)
    class Point:
        """A class that nothing else has."""

        east: int
        north: int = 7

    return Point


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where it is kept, in an environment that lets Python write."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    return tmp_path / "cache" / "methods.pyc"


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is compiled from text."""
    texts: list[str] = []

    def counted(text: str, *arguments: object) -> object:
        texts.append(text)
        return compile(text, *arguments)  # type: ignore[call-overload]

    monkeypatch.setattr(startup, "compile", counted, raising=False)
    return texts


def test_methods_are_compiled_once_and_are_the_same(file: Path, compiled: list[str]) -> None:
    with startup.kept_methods(str(file)):
        first = make()
    assert compiled
    compiled.clear()
    with startup.kept_methods(str(file)):
        second = make()
    assert not compiled
    assert repr(second(1)) == repr(first(1)) and second(1) == second(1, 7) and hash(second(2)) == hash(second(2, 7))
    with pytest.raises(dataclasses.FrozenInstanceError):
        second(1).east = 2
    assert not hasattr(dataclasses, "exec")


@pytest.mark.parametrize("damage", ["cut off", "changed", "of another Python", "empty"])
def test_a_damaged_file_is_made_anew(file: Path, compiled: list[str], damage: str) -> None:
    with startup.kept_methods(str(file)):
        make()
    whole = file.read_bytes()
    broken = {
        "cut off": whole[:-9],
        "changed": whole[:-3] + b"zzz",
        "empty": b"",
        "of another Python": b"\1" + whole[1:],
    }
    file.write_bytes(broken[damage])
    compiled.clear()
    with startup.kept_methods(str(file)):
        assert make()(3).north == 7
    assert compiled
    assert file.read_bytes() == whole and list(file.parent.iterdir()) == [file]


def test_what_is_missing_is_added_and_a_place_that_cannot_be_written_is_no_error(file: Path, tmp_path: Path) -> None:
    with startup.kept_methods(str(file)):
        pass
    assert not file.exists()
    (tmp_path / "plain").write_text("")
    with startup.kept_methods(str(tmp_path / "plain" / "methods.pyc")):
        assert make()(3).north == 7


def test_the_program_keeps_them_beside_its_bytecode(tmp_path: Path) -> None:
    env = {**os.environ, "PYTHONPYCACHEPREFIX": str(tmp_path), "PYTHONPATH": str(ROOT)}
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    argv = [sys.executable, "-m", "netcompose", "schema"]
    written = []
    for _ in range(2):
        assert subprocess.run(argv, env=env, capture_output=True, check=True).stdout.startswith(b"{")
        written.append({path: path.stat().st_mtime_ns for path in tmp_path.rglob("methods.*")})
    assert len(written[0]) == 1 and written[0] == written[1]


def test_nothing_is_looked_through_when_a_command_is_over(tmp_path: Path) -> None:
    """What a run has made is the kernel's to take back, not the collector's to search."""
    file = tmp_path / "many.yaml"
    names = "\n".join(f"  c{number}: {{networks: [lab]}}" for number in range(200))
    file.write_text(f"name: many\nnetworks: {{lab: {{}}}}\ncontainers:\n{names}\n")
    code = """
        import gc, os, sys
        from netcompose.cli.main import command

        searched = []

        def end(status):
            # Enough to set off a search that was put off.
            kept = [[] for _ in range(10000)]
            sys.stderr.write(f"{status} {searched}")
            sys.stderr.flush()
            leave(status)

        leave, os._exit = os._exit, end
        gc.callbacks.append(lambda phase, about: searched.append(about["generation"]))
        gc.collect()
        searched.clear()
        command()
    """
    argv = [sys.executable, "-c", textwrap.dedent(code), "validate", "-f", str(file)]
    done = subprocess.run(argv, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True)
    assert done.stderr == "0 []", done.stderr
