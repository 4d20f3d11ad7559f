"""What stands in for modules of Python's own on a host is as the real ones are, for everything that is shipped."""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import importlib
import importlib.util
import json
import pkgutil
import subprocess
import sys
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import netcompose
from netcompose.agent import standins
from netcompose.agent.standins import later, native

ROOT = Path(netcompose.__file__).parent
SHIPPED = [
    path
    for path in sorted(ROOT.rglob("*.py"))
    if path.relative_to(ROOT).parts[0] in ("agent", "planner", "resources", "errors.py")
]


def modules() -> Iterator[str]:
    for path in SHIPPED:
        parts = ("netcompose", *path.relative_to(ROOT).with_suffix("").parts)
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@pytest.fixture(scope="module")
def shadow() -> Iterator[dict[str, Any]]:
    """All that is shipped once more, with stand-ins, as an agent behind SSH has it: module name -> module."""
    if sys.version_info >= (3, 14):
        pytest.skip("there are no stand-ins for this Python")
    found: dict[str, Any] = {}
    ours = {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "netcompose"}
    finder = _Shadows()
    before = later.kept
    finder.builtins = standins.builtins_with({})
    for name in ours:
        del sys.modules[name]
    sys.meta_path.insert(0, finder)
    try:
        for name in modules():
            if not name.startswith(("netcompose.agent.standins", "netcompose.agent.start")) and "__main__" not in name:
                found[name] = importlib.import_module(name)
        yield found
    finally:
        sys.meta_path.remove(finder)
        for name in [name for name in sys.modules if name.partition(".")[0] == "netcompose"]:
            del sys.modules[name]
        sys.modules.update(ours)
        later.kept = before


class _Shadows:
    """Imports our modules from their files, with builtins of its own."""

    builtins: dict[str, Any]

    def find_spec(self, name: str, path: object = None, target: object = None) -> Any:
        if name.partition(".")[0] != "netcompose":
            return None
        file = ROOT.parent.joinpath(*name.split("."))
        where = file / "__init__.py" if file.is_dir() else file.with_suffix(".py")
        if not where.exists():
            return None
        spec = importlib.util.spec_from_file_location(
            name, where, submodule_search_locations=[str(file)] if file.is_dir() else None
        )
        assert spec is not None
        spec.loader = self  # type: ignore[assignment]
        return spec

    def create_module(self, spec: object) -> None:
        return None

    def exec_module(self, module: Any) -> None:
        module.__builtins__ = self.builtins
        exec(compile(Path(module.__file__).read_text(), module.__file__, "exec"), module.__dict__)


def classes(module: Any) -> list[type]:
    return [item for item in vars(module).values() if isinstance(item, type) and item.__module__ == module.__name__]


def value_of(hint: Any, count: int) -> Any:
    """Something for a field; what it is does not matter to a class that only keeps it."""
    return f"{hint}-{count}"


def pairs(shadow: dict[str, Any], wanted: Any) -> Iterator[tuple[type, Any]]:
    """Each class that is shipped as it really is, and with stand-ins."""
    for name, module in shadow.items():
        real = importlib.import_module(name)
        for other in classes(module):
            cls = getattr(real, other.__name__, None)
            if isinstance(cls, type) and wanted(cls):
                yield cls, other


@contextlib.contextmanager
def imported(those: dict[str, Any] | None = None) -> Iterator[None]:
    """Those of our modules are the ones that are imported, and afterwards again those that were."""
    ours = {name: sys.modules.pop(name) for name in list(sys.modules) if name.partition(".")[0] == "netcompose"}
    hidden = [item for item in sys.meta_path if isinstance(item, _Shadows)]
    for item in hidden:
        sys.meta_path.remove(item)
    sys.modules.update(those or {})
    try:
        yield
    finally:
        for name in [name for name in sys.modules if name.partition(".")[0] == "netcompose"]:
            del sys.modules[name]
        sys.modules.update(ours)
        sys.meta_path[:0] = hidden


@pytest.fixture
def both(shadow: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The modules with stand-ins, while the real ones are what is imported."""
    with imported():
        yield shadow


def test_dataclasses_are_the_same(both):
    seen = 0
    for cls, other in pairs(both, dataclasses.is_dataclass):
        seen += 1
        assert other.__module__ == cls.__module__ and other.__qualname__ == cls.__qualname__
        real = dataclasses.fields(cls)
        mine = list(other.__dataclass_fields__.values())
        assert [field.name for field in mine] == [field.name for field in real], cls
        for one, two in zip(mine, real, strict=True):
            for key in ("name", "type", "init", "repr", "hash", "compare"):
                assert getattr(one, key) == getattr(two, key), (cls, one.name, key)
            assert set(one.metadata) == set(two.metadata)
            assert callable(one.default_factory) == callable(two.default_factory)
            if two.default is not dataclasses.MISSING:
                assert repr(one.default) == repr(two.default)
        given = {field.name: value_of(field.type, 1) for field in real if field.init}
        pair = [kind(**given) for kind in (cls, other)]
        assert repr(pair[0]) == repr(pair[1])
        needed = {
            field.name: given[field.name]
            for field in real
            if field.init and field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        }
        assert repr(cls(**needed)) == repr(other(**needed))
        for wrong in ({**needed, "no_such_field": 1}, {}) if needed else ({"no_such_field": 1},):
            for kind in (cls, other):
                with pytest.raises(TypeError):
                    kind(**wrong)
        assert pair[1] == other(**given) and pair[1] != pair[0]
        for field in real:
            if not field.init:
                continue
            changed = other(**{**given, field.name: value_of(field.type, 2)})
            assert (changed == pair[1]) == (not field.compare), (cls, field.name)
        frozen = cls.__dataclass_params__.frozen  # type: ignore[attr-defined]
        if frozen:
            assert hash(pair[1]) == hash(other(**given)) and hash(pair[1]) == hash(pair[0])
        else:
            assert other.__hash__ is None and cls.__hash__ is None
            setattr(pair[1], real[0].name, 1)
        if cls.__dataclass_params__.order:  # type: ignore[attr-defined]
            more = [kind(**{**given, real[0].name: "~"}) for kind in (cls, other)]
            assert pair[0] < more[0] and pair[1] < more[1] and more[1] >= pair[1] and not more[1] <= pair[1]
    assert seen > 40


def test_named_tuples_are_the_same(both):
    seen = 0
    for cls, other in pairs(both, lambda cls: issubclass(cls, tuple) and hasattr(cls, "_fields")):
        seen += 1
        assert other._fields == cls._fields and repr(other._field_defaults) == repr(cls._field_defaults)
        values = list(range(len(cls._fields)))
        one, two = cls(*values), other(*values)
        assert tuple(one) == tuple(two) == tuple(values) and repr(one) == repr(two) and hash(one) == hash(two)
        assert one._asdict() == two._asdict() and len(two) == len(values) and two == one
        assert [getattr(two, name) for name in cls._fields] == values
        assert two._replace(**{cls._fields[0]: "x"})[0] == "x" == other._make(["x", *values[1:]])[0]
        needed = len(cls._fields) - len(cls._field_defaults)
        assert repr(cls(*values[:needed])) == repr(other(*values[:needed]))
        for kind in (cls, other):
            with pytest.raises(TypeError):
                kind(*values, 1)
            with pytest.raises(ValueError):
                kind(*values)._replace(no_such_field=1)
            with pytest.raises(TypeError):
                kind._make([*values, 1])
            with pytest.raises(AttributeError):
                setattr(kind(*values), cls._fields[0], 1)
        methods = {name for name in vars(cls) if callable(getattr(cls, name)) and not name.startswith("_")}
        assert methods <= set(dir(other))
    assert seen > 8


def example(kind: Any, depth: int = 0) -> Any:
    """Plain data for an annotated type."""
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any:
        return "anything"
    if origin is typing.Union:
        return example(next(arg for arg in args if arg is not type(None)), depth)
    if origin is tuple:
        return [example(args[0], depth)] * 2 if args[1:] == (...,) else [example(arg, depth) for arg in args]
    if origin is not None:
        return {"key": example(args[1], depth)}
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        return {field.name: example(hints[field.name], depth + 1) for field in dataclasses.fields(kind)}
    return {str: "text", int: 7, bool: True, float: 1.5}[kind]


def test_what_is_read_by_annotations_is_the_same(both):
    seen = 0
    read = both["netcompose.resources"].from_data, importlib.import_module("netcompose.resources").from_data
    for cls, other in pairs(both, dataclasses.is_dataclass):
        if not cls.__module__.startswith(("netcompose.resources", "netcompose.planner.plan")):
            continue
        try:
            data = json.loads(json.dumps(example(cls)))
        except (KeyError, TypeError):
            # It has a part that is no data.
            continue
        seen += 1
        with imported(both):
            mine = read[0](other, data)
        real = read[1](cls, data)
        assert repr(mine) == repr(real)
        assert both["netcompose.resources"].to_data(mine) == data
        brief = both["netcompose.resources"].to_brief_data(mine)
        assert brief == importlib.import_module("netcompose.resources").to_brief_data(real)
        with imported(both):
            assert repr(read[0](other, brief)) == repr(mine)
        for wrong in ({**data, "no_such_attribute": 1}, [data], "text", {**data, next(iter(data)): {"no": ["such"]}}):
            words = []
            for how, kind in zip(read, (other, cls), strict=True):
                with pytest.raises(ValueError) as caught:
                    how(kind, wrong)
                words.append(str(caught.value))
            assert words[0] == words[1]
    assert seen > 25


def test_a_protocol_that_is_looked_at_tells_who_has_its_methods(both):
    mine, real = (module.GivesUp for module in (both["netcompose.agent.kinds.base"], _real("agent.kinds.base")))
    kinds = both["netcompose.agent.kinds"].KINDS, _real("agent.kinds").KINDS
    assert [isinstance(kind, mine) for kind in kinds[0].values()] == [
        isinstance(kind, real) for kind in kinds[1].values()
    ]
    assert 0 < sum(isinstance(kind, mine) for kind in kinds[0].values()) < len(kinds[0])


def _real(name: str) -> Any:
    return importlib.import_module("netcompose." + name)


def test_nothing_is_used_that_a_stand_in_gets_wrong():
    """Whatever is used of a module that stands in is there, or makes it the real one; and what is subclassed or caught is
    the real one."""
    made = standins.modules()
    real_only = {
        "dataclasses": ("asdict", "astuple", "make_dataclass", "KW_ONLY", "InitVar"),
        "contextlib": ("ContextDecorator",),
    }
    for path in SHIPPED:
        if "standins" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            module, name = "", ""
            if isinstance(node, ast.ImportFrom) and node.module in made:
                for alias in node.names:
                    assert alias.name not in real_only.get(str(node.module), ()), path
                    assert hasattr(importlib.import_module(str(node.module)), alias.name)
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                module, name = node.value.id, node.attr
            if module in made and module not in ("socket", "signal"):
                assert name not in real_only.get(module, ()), f"{path}: {module}.{name}"


def test_a_stand_in_becomes_the_real_one_when_it_is_asked_for_more():
    import base64
    import signal
    import socket

    mine = later.standin("base64")
    assert mine.b64encode is base64.b64encode and vars(mine)["b64decode"] is base64.b64decode
    with pytest.raises(AttributeError):
        _ = mine.__path__
    with pytest.raises(AttributeError):
        _ = mine.no_such_thing
    mine = native.socket()
    assert mine.AF_INET6 == socket.AF_INET6 and mine.inet_pton(mine.AF_INET, "1.2.3.4") == b"\1\2\3\4"
    with mine.socket(mine.AF_NETLINK, mine.SOCK_RAW, 0) as netlink:
        assert not isinstance(netlink, socket.socket) and netlink.fileno() >= 0
    assert netlink.fileno() == -1
    with mine.socket(mine.AF_INET, mine.SOCK_STREAM) as stream:
        assert isinstance(stream, socket.socket)
    mine = native.signal()
    assert mine.SIGTERM == signal.SIGTERM and mine.getsignal(mine.SIGTERM) == signal.getsignal(signal.SIGTERM)
    assert mine.Signals is signal.Signals


def test_python_s_own_modules_see_no_stand_in():
    code = """
import sys
from netcompose.agent import standins
names = {"__builtins__": standins.builtins_with({}), "__name__": "netcompose.x"}
exec("import json, re, typing, socket\\nmine = (json, re, typing, socket)", names)
import json, re, typing, socket
print([one is two for one, two in zip(names["mine"], (json, re, typing, socket))], names["mine"][1].match("a", "a") is not None)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[False, False, False, False] True\n"


def test_modules_that_come_later_are_there_and_come_when_they_are_called():
    listed = {module.name for module in pkgutil.walk_packages([str(ROOT)], "netcompose.")}
    assert listed >= later.LATER
    call = later.callers("netcompose.planner.planner").make_plan
    from netcompose.planner.planner import make_plan

    assert call is not make_plan and call("x", {}, {}).changes == make_plan("x", {}, {}).changes
