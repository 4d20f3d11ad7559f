"""The directions in which packages import each other, what starts up with the command, and how large a module gets."""

from __future__ import annotations

import ast
import functools
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from testbed.pythons import python39

from netcompose.agent import library

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
#: The one module that knows Docker's SDK, and what it imports of it, when an engine is asked.
SPEAKS_TO_ENGINES, SDK = "agent/runtimes/engineapi.py", {"docker.api.client", "docker.constants"}
#: Modules of more than 400 lines, each with its reason.
LONG = {"topology/_accepts.py": "generated from the schema by topology/generate.py"}


def name(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


class Module(NamedTuple):
    """What a module says of itself."""

    #: (module, whether only for the type checker) of every import, also inside functions.
    imports: list[tuple[str, bool]]
    #: Its annotations are text: all of it, or each that is more than a name and that Python looks at.
    postpones: bool


@functools.cache
def read(path: Path) -> Module:
    """Read a module, once for all tests; one that is shipped as Python 3.9 does."""
    tree = ast.parse(path.read_text(), feature_version=(3, 9) if path in SHIPPED else None)
    found: list[tuple[str, bool]] = []
    _imports(tree, False, found, path)
    return Module(
        found,
        any(isinstance(node, ast.ImportFrom) and node.module == "__future__" for node in tree.body)
        or all(isinstance(found, (ast.Constant, ast.Name)) for found in _annotations(tree)),
    )


def _imports(node: ast.AST, for_types: bool, found: list[tuple[str, bool]], path: Path) -> None:
    """Imports are statements: expressions are not looked into."""
    for inner in ast.iter_child_nodes(node):
        if isinstance(inner, ast.Import):
            found += [(alias.name, for_types) for alias in inner.names]
        elif isinstance(inner, ast.ImportFrom):
            assert inner.level == 0, f"{name(path)}: imports are absolute"
            names = [f"netcompose.{alias.name}" for alias in inner.names]
            found += [
                (module, for_types) for module in (names if inner.module == "netcompose" else [str(inner.module)])
            ]
        elif isinstance(inner, (ast.stmt, ast.excepthandler, ast.match_case)):
            checked = isinstance(inner, ast.If) and "TYPE_CHECKING" in ast.dump(inner.test)
            _imports(inner, for_types or checked, found, path)


def _annotations(tree: ast.Module) -> Iterator[ast.expr]:
    """Those that Python looks at when it defines something; of what is local to a function it does not."""
    for node in ast.walk(tree):
        if isinstance(node, ast.arg) and node.annotation is not None:
            yield node.annotation
        elif isinstance(node, ast.FunctionDef) and node.returns is not None:
            yield node.returns
        elif isinstance(node, (ast.Module, ast.ClassDef)):
            yield from (item.annotation for item in node.body if isinstance(item, ast.AnnAssign))


def test_every_room_is_known() -> None:
    rooms = {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in MODULES}
    assert rooms == {*MAY_IMPORT, "__init__", "__main__"}


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_imports_point_one_way(room: str) -> None:
    for path in MODULES:
        if path.relative_to(PACKAGE).parts[0].removesuffix(".py") != room:
            continue
        for module, for_types in read(path).imports:
            top, _, rest = module.partition(".")
            other = rest.partition(".")[0]
            if top == "netcompose" and not for_types and other not in ("errors", "__version__", "", room):
                assert other in MAY_IMPORT[room], f"{name(path)} imports {module}"


def test_what_is_shipped_reads_as_python_3_9_and_needs_the_standard_library_alone() -> None:
    assert len(SHIPPED) > 100
    for path in SHIPPED:
        assert read(path).postpones, name(path)
        for module, _ in read(path).imports:
            top = module.partition(".")[0]
            allowed = name(path) == SPEAKS_TO_ENGINES and module in SDK
            assert top == "netcompose" or top in sys.stdlib_module_names or allowed, f"{name(path)} imports {module}"


def test_the_sdk_is_imported_where_an_engine_is_asked_and_not_before() -> None:
    """By a function, or for the type checker: the next test imports all of it on a Python that has no SDK."""
    at_the_top = {
        module
        for node in ast.parse((PACKAGE / SPEAKS_TO_ENGINES).read_text()).body
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for module in [getattr(node, "module", None) or node.names[0].name]
    }
    assert not {module for module in at_the_top if module.partition(".")[0] in library.PARTS}
    assert {module for module, for_types in read(PACKAGE / SPEAKS_TO_ENGINES).imports if not for_types} >= SDK


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
HEAVY = (
    "pyroute2",
    "jinja2",
    "jsonschema",
    "paramiko",
    "asyncssh",
    "ctypes",
    "subprocess",
    "netcompose.agent.kernel",
    *library.PARTS,
)


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


def test_no_module_is_longer_than_can_be_read() -> None:
    lines = {name(path): len(path.read_text().splitlines()) for path in MODULES}
    assert {path: count for path, count in lines.items() if count > 400 and path not in LONG} == {}


def test_the_list_of_long_modules_is_needed() -> None:
    for path, reason in LONG.items():
        assert reason and len((PACKAGE / path).read_text().splitlines()) > 400, path
