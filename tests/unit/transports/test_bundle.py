"""What is sent to a host: the same bytes for the same source, all of the agent and nothing else."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from netcompose.transports.ssh import bootstrap, bundle, front, stage

ROOT = Path(__file__).parents[3] / "orchestrator"


def test_the_same_source_has_the_same_name_wherever_it_lies(tmp_path):
    code = "from netcompose.transports.ssh import bundle; print(bundle.installed().name)"
    copy = tmp_path / "copy"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns("__pycache__"))
    names = set()
    for root, seed in ((ROOT, "1"), (copy, "2")):
        env = {**os.environ, "PYTHONPATH": str(root), "PYTHONHASHSEED": seed}
        names.add(
            subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True).stdout
        )
    assert len(names) == 1
    with open(copy / "netcompose" / "errors.py", "a") as file:
        file.write("\n")
    env = {**os.environ, "PYTHONPATH": str(copy)}
    assert subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True).stdout not in names


def test_hosts_that_ask_at_once_share_one_packing(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = []

    def pack(sources: dict[str, str]) -> bundle.Bundle:
        packed.append(len(sources))
        time.sleep(0.05)
        return bundle.Bundle("name", b"")

    monkeypatch.setattr(bundle, "pack", pack)
    bundle._installed.cache_clear()
    try:
        with ThreadPoolExecutor(max_workers=8) as pool:
            found = list(pool.map(lambda _: bundle.installed(), range(8)))
    finally:
        bundle._installed.cache_clear()
    assert len(packed) == 1 and packed[0] > 100
    assert all(item is found[0] for item in found)


def test_the_order_of_files_does_not_matter():
    assert bundle.pack({"a": "1", "b": "2"}) == bundle.pack({"b": "2", "a": "1"})
    assert bundle.pack({"a": "1", "b": "2"}).name != bundle.pack({"a": "2", "b": "1"}).name


def test_it_has_what_runs_on_hosts_and_nothing_else():
    made = bundle.installed()
    assert zlib.decompress(made.packed) == made.data
    assert hashlib.sha256(made.data).hexdigest() == made.name
    sources = json.loads(made.data)
    assert {path.split("/")[1] for path in sources} == {
        "__init__.py",
        "errors.py",
        "agent",
        "planner",
        "resources",
        "transports",
    }
    assert [path for path in sources if "/transports/" in path] == [front.STAGE]
    for path, text in sources.items():
        assert (ROOT / path).read_text() == text


@pytest.mark.parametrize("part", [front, stage])
def test_what_comes_first_reads_as_an_old_python_and_imports_no_package(part):
    tree = ast.parse(Path(part.__file__).read_text(), feature_version=(3, 4))
    assert not any(isinstance(node, ast.JoinedStr) for node in ast.walk(tree))
    # But for the type checker: compiled, that is nothing.
    run = [node for node in tree.body if not (isinstance(node, ast.If) and ast.unparse(node.test) == "False")]
    for node in (inner for outer in run for inner in ast.walk(outer)):
        if isinstance(node, ast.ImportFrom):
            assert node.module is not None
            assert node.module.partition(".")[0] in sys.stdlib_module_names


def test_the_command_line_is_one_that_every_shell_reads_alike():
    line = bootstrap.command(True, "agent", "a" * 64, "60")
    assert line.startswith("sudo -n -- python3 -I -S -X no_debug_ranges -c ")
    assert len(line) < 8000 and line.count("'") == 2
    assert not set("\\$`!\n\t~*?[]{}<>|&#%") & set(line)


@pytest.mark.parametrize("version", [(3, 4, 0), (3, 8, 20)])
def test_an_old_python_says_so(version, monkeypatch, capfd):
    monkeypatch.setattr(sys, "version_info", version)
    assert stage.main(["agent", "a" * 64, "0"]) == 1
    out = capfd.readouterr().out.encode()
    assert out.startswith(stage.MARKER)
    said = json.loads(out[len(stage.MARKER) :])
    assert said == {"problem": "python", "python": list(version), "executable": sys.executable}
