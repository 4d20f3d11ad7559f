"""The directions in which packages import each other, what starts up with the command, and how large a module gets."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "orchestrator"
PACKAGE = ROOT / "netcompose"
MODULES = sorted(PACKAGE.rglob("*.py"))

#: What a room may import of the others (DESIGN section 2). ``errors`` and the version are for all.
MAY_IMPORT = {
    "errors": set(),
    "catalog": set(),
    "resources": set(),
    "topology": set(),
    "compiler": {"topology", "resources"},
    "convert": {"topology"},
    "planner": {"resources"},
    "agent": {"resources", "planner"},
    "transports": {"agent", "resources", "planner"},
    # The rehearsal compiles for its own throw-away hosts; types of the topology come with that.
    "executor": {"transports", "resources", "planner", "compiler", "topology"},
    "views": {"resources", "planner", "compiler", "topology"},
    # Not the agent: a host is reached through a transport, also this one.
    "cli": {"executor", "transports", "compiler", "topology", "resources", "planner", "views", "catalog", "convert"},
}
#: What runs on the hosts: Python 3.9 and nothing but the standard library.
SHIPPED = [
    path for path in MODULES if path.relative_to(PACKAGE).parts[0] in ("agent", "resources", "planner", "errors.py")
]
#: Modules of more than 400 lines, each with its reason.
LONG = {"topology/_accepts.py": "generated from the schema by topology/generate.py"}


def name(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """(module, whether only for the type checker) of every import of a module, also inside functions."""
    tree = ast.parse(path.read_text())
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, id(node) in for_types) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name(path)}: imports are absolute"
            if node.module == "netcompose":
                yield from ((f"netcompose.{alias.name}", id(node) in for_types) for alias in node.names)
            else:
                yield str(node.module), id(node) in for_types


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_imports_point_one_way(path: Path) -> None:
    parts = path.relative_to(PACKAGE).parts
    room = parts[0].removesuffix(".py")
    if room not in MAY_IMPORT:
        assert room in ("__init__", "__main__")
        return
    for module, for_types in imports(path):
        top, _, rest = module.partition(".")
        other = rest.partition(".")[0]
        if top == "netcompose" and not for_types and other not in ("errors", "__version__", "", room):
            assert other in MAY_IMPORT[room], f"{name(path)} imports {module}"


def evaluated_annotations(tree: ast.Module) -> Iterator[ast.expr]:
    """Those that Python looks at when it defines something; of what is local to a function it does not."""
    for node in ast.walk(tree):
        if isinstance(node, ast.arg) and node.annotation is not None:
            yield node.annotation
        elif isinstance(node, ast.FunctionDef) and node.returns is not None:
            yield node.returns
        elif isinstance(node, (ast.Module, ast.ClassDef)):
            yield from (item.annotation for item in node.body if isinstance(item, ast.AnnAssign))


@pytest.mark.parametrize("path", SHIPPED, ids=name)
def test_what_is_shipped_reads_as_python_3_9_and_needs_the_standard_library_alone(path: Path) -> None:
    tree = ast.parse(path.read_text(), feature_version=(3, 9))
    # Annotations are text there: all of a module, or each that is more than a name.
    postponed = any(isinstance(node, ast.ImportFrom) and node.module == "__future__" for node in tree.body)
    assert postponed or all(isinstance(found, (ast.Constant, ast.Name)) for found in evaluated_annotations(tree))
    for module, _ in imports(path):
        top = module.partition(".")[0]
        assert top == "netcompose" or top in sys.stdlib_module_names, f"{name(path)} imports {module}"


def python39() -> str | None:
    """A Python 3.9 that starts, or None."""
    for candidate in ("python3.9", *sorted(str(p) for p in Path.home().glob(".pyenv/versions/3.9.*/bin/python3.9"))):
        found = shutil.which(candidate)
        if found and subprocess.run([found, "-c", ""], capture_output=True).returncode == 0:
            return found
    return None


def test_every_shipped_module_imports_on_python_3_9() -> None:
    interpreter = python39()
    if interpreter is None:
        pytest.skip("no Python 3.9 is installed")
    modules = [
        "netcompose." + name(path).removesuffix(".py").replace("/", ".").removesuffix(".__init__")
        for path in SHIPPED
        if path.name != "__main__.py"
    ]
    code = "import sys, importlib, json\nfor m in json.loads(sys.argv[1]): importlib.import_module(m)\nprint('all')"
    done = subprocess.run(
        [interpreter, "-B", "-c", code, json.dumps(modules)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.stdout == "all\n", done.stderr


def test_the_planner_knows_no_kind_by_name() -> None:
    from netcompose.resources import KINDS

    # "leftover" is also the word for a reason: what an interrupted run left, of whatever kind (Resource.half_made).
    kinds = {*KINDS, *(cls.__name__ for cls in KINDS.values())} - {"leftover"}
    for path in (PACKAGE / "planner").glob("*.py"):
        tree = ast.parse(path.read_text())
        docstrings = {
            id(node.body[0].value)
            for node in ast.walk(tree)
            if isinstance(node, (ast.Module, ast.FunctionDef, ast.ClassDef))
            and node.body
            and isinstance(node.body[0], ast.Expr)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
                assert node.value.split("/")[0] not in kinds, f"{name(path)}:{node.lineno} says {node.value!r}"
            if isinstance(node, (ast.Name, ast.Attribute)):
                word = node.id if isinstance(node, ast.Name) else node.attr
                assert word not in {cls.__name__ for cls in KINDS.values()}, f"{name(path)}:{node.lineno} says {word}"


#: Loaded by nothing that needs no host and no template.
HEAVY = ("pyroute2", "jinja2", "jsonschema", "paramiko", "asyncssh", "ctypes", "subprocess", "netcompose.agent.kernel")


@pytest.mark.parametrize("argv", [["--help"], ["--version"], ["validate"], ["up", "--help"]], ids=" ".join)
def test_commands_that_need_no_host_load_nothing_heavy(argv: list[str], tmp_path: Path) -> None:
    (tmp_path / "topology.yaml").write_text(
        "name: small\nnetworks: {lan: {subnets: [10.0.0.0/24]}}\ncontainers: {a: {networks: [lan]}}\n"
    )
    code = (
        "import sys\nfrom netcompose.cli.main import main\n"
        "try: status = main(sys.argv[1:])\nexcept SystemExit as end: status = end.code\n"
        "print(*sorted(sys.modules), file=sys.stderr)\nsys.exit(status)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *argv],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    loaded = done.stderr.split()
    assert "netcompose.cli.main" in loaded
    for heavy in HEAVY:
        assert not [module for module in loaded if module == heavy or module.startswith(heavy + ".")], heavy


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_no_module_is_longer_than_can_be_read(path: Path) -> None:
    lines = len(path.read_text().splitlines())
    assert lines <= 400 or name(path) in LONG, f"{name(path)} has {lines} lines"


def test_the_list_of_long_modules_is_needed() -> None:
    for path, reason in LONG.items():
        assert reason and len((PACKAGE / path).read_text().splitlines()) > 400, path
