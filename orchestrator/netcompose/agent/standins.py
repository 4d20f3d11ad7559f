"""What stands in for modules of Python's own while the agent behind SSH runs, because importing them is most of its start.

A stand-in has what the agent uses of a module at each start, cheaply; asked for anything else it loads the real module
and becomes it. Only the agent's own modules see stand-ins (by a ``__import__`` of their own), never Python's library,
and only where Python is one that they were tried with. ``typing`` stands for nothing until somebody resolves
annotations; ``dataclasses`` and ``NamedTuple`` are made by code that is kept compiled, where Python compiles text at
each start; ``json`` has Python's own parser and writer in C without the regular expressions beside them.

tests/unit/test_standins.py holds each of them to the real one, for every class that is shipped.
"""

import sys

if False:  # for the type checker
    from typing import Any, Callable, Optional

_Module: "Any" = type(sys)
#: The first Python that they are not for: annotations are made anew there.
_BEYOND = (3, 14)
#: Our own modules that nothing needs that is only observed.
_LATER = frozenset(
    "netcompose." + name
    for name in (
        "agent.features agent.housekeeping agent.run agent.runtimes.ending agent.runtimes.engineshow"
        " agent.runtimes.execution agent.runtimes.hostname agent.runtimes.services agent.runtimes.starting"
        " agent.watchdog planner.planner planner.serialise"
    ).split()
)
#: What has been compiled: (what, module, class) -> code.
_kept: "dict[Any, Any]" = {}


def builtins_with(kept: "dict[Any, Any]") -> "dict[str, Any]":
    """The builtins for the agent's modules. ``kept`` is what earlier starts have compiled, and is added to."""
    import builtins

    global _kept
    _kept = kept
    found = dict(vars(builtins))
    if sys.version_info < _BEYOND:
        modules = {name: make() for name, make in _MAKERS.items()}
        modules.update((name, _callers(name)) for name in _LATER)
        packages = {name.rpartition(".")[0] for name in _LATER}
        usual = builtins.__import__

        def imported(name: str, names: "Any" = None, local: "Any" = None, wanted: "Any" = (), level: int = 0) -> "Any":
            if name in modules and (wanted or name not in _LATER):
                return modules[name]
            if name in packages:
                _place(name, wanted or ())
            return usual(name, names, local, wanted, level)

        found["__import__"] = imported
    return found


def import_observed() -> None:
    """Import what is not needed to start but to observe, so that it is kept with the rest."""
    import netcompose.agent.kernel.syscalls  # noqa: F401


def standin(name: str, becomes: bool = True, **has: "Any") -> "Any":
    """A module that becomes the real one when it is asked for something that it has not, or just gives that."""
    module = _Module(name)
    module.__dict__.update(has)

    def load(attribute: str) -> "Any":
        import importlib

        if attribute.startswith("__") and attribute.endswith("__"):
            raise AttributeError(attribute)
        real = importlib.import_module(name)
        if becomes:
            module.__dict__.update({key: value for key, value in vars(real).items() if not key.startswith("__")})
        return getattr(real, attribute)

    module.__getattr__ = load
    return module


# ---- our own ---------------------------------------------------------------------------------------------------------


def _callers(name: str) -> "Any":
    """What ``from MODULE import function`` finds of a module that is imported when one of the functions is called."""
    module = _Module(name)

    def find(attribute: str) -> "Any":
        import importlib

        if not attribute.islower() or attribute.startswith("__"):
            return getattr(importlib.import_module(name), attribute)

        def call(*arguments: "Any", **options: "Any") -> "Any":
            return getattr(importlib.import_module(name), attribute)(*arguments, **options)

        return call

    module.__getattr__ = find
    return module


def _place(package: str, names: "Any") -> None:
    """What ``from PACKAGE import MODULE`` finds of such a module."""
    for name in names:
        path = "{}.{}".format(package, name)
        if path in _LATER and package in sys.modules and not hasattr(sys.modules[package], name):
            setattr(sys.modules[package], name, standin(path, False))


# ---- json ------------------------------------------------------------------------------------------------------------


def _json() -> "Any":
    try:
        from _json import encode_basestring_ascii, make_encoder, make_scanner
    except ImportError:
        return standin("json")

    class Context:
        strict, memo = True, {}  # type: ignore[var-annotated]
        object_hook = object_pairs_hook = None
        parse_float, parse_int = float, int
        parse_constant = {"-Infinity": float("-inf"), "Infinity": float("inf"), "NaN": float("nan")}.__getitem__

    scan = make_scanner(Context())

    def really() -> "Any":
        import json

        return json

    def loads(text: "Any", **options: "Any") -> "Any":
        if not options:
            try:
                plain = (text if isinstance(text, str) else str(text, "utf-8")).strip(" \t\n\r")
                value, end = scan(plain, 0)
                if end == len(plain):
                    return value
            except Exception:  # noqa: S110 (whatever it is, the real one says it in its own words)
                pass
        return really().loads(text, **options)

    def refuse(value: object) -> "Any":
        raise TypeError("Object of type {} is not JSON serializable".format(type(value).__name__))

    def dumps(
        value: "Any", *, separators: "Any" = None, sort_keys: bool = False, indent: "Any" = None, **options: "Any"
    ) -> str:
        if options or indent is not None:
            return str(really().dumps(value, separators=separators, sort_keys=sort_keys, indent=indent, **options))
        between, after = separators or (", ", ": ")
        encode = make_encoder({}, refuse, encode_basestring_ascii, None, after, between, sort_keys, False, True)
        return "".join(encode(value, 0))

    def load(file: "Any", **options: "Any") -> "Any":
        return loads(file.read(), **options)

    def dump(value: "Any", file: "Any", **options: "Any") -> None:
        file.write(dumps(value, **options))

    return standin("json", loads=loads, dumps=dumps, load=load, dump=dump)


# ---- typing ----------------------------------------------------------------------------------------------------------


class _Name:
    """A name of typing in annotations, with what is in the brackets behind it, if anything is."""

    def __init__(self, name: str, parts: "Any" = None) -> None:
        self.name = name
        self.parts = parts

    def __getitem__(self, parts: "Any") -> "_Name":
        return _Name(self.name, parts if isinstance(parts, tuple) else (parts,))

    def abstract(self) -> "Any":
        """The abstract base class of that name."""
        import _collections_abc

        return getattr(_collections_abc, self.name)

    def __instancecheck__(self, value: object) -> bool:
        return isinstance(value, self.abstract())

    def __subclasscheck__(self, cls: "Any") -> bool:
        return issubclass(cls, self.abstract())


_UNION = _Name("Union")


def _get_type_hints(cls: "Any") -> "dict[str, Any]":
    found: "dict[str, Any]" = {}
    for base in reversed(cls.__mro__):
        names = vars(sys.modules[base.__module__])
        for name, text in base.__dict__.get("__annotations__", {}).items():
            found[name] = eval(text, names)  # noqa: S307 (the source of this very package)
    return found


def _get_origin(kind: "Any") -> "Any":
    if not isinstance(kind, _Name):
        return getattr(kind, "__origin__", None)
    if kind.parts is None:
        return None
    return _UNION if kind.name in ("Optional", "Union") else kind.abstract()


def _get_args(kind: "Any") -> "tuple[Any, ...]":
    if not isinstance(kind, _Name):
        return getattr(kind, "__args__", ())
    return (*(kind.parts or ()), *((type(None),) if kind.name == "Optional" else ()))


class _Structural(type):
    """The type of protocols: something is an instance that has what its class body has."""

    def __instancecheck__(cls, value: object) -> bool:
        if _Protocol not in cls.__bases__:
            return type.__instancecheck__(cls, value)
        return all(hasattr(value, name) for name in vars(cls) if not name.startswith("_"))


class _Protocol(metaclass=_Structural):
    pass


class _Tuples(type):
    """Makes a class like those of NamedTuple."""

    def __new__(mcs, name: str, bases: "Any", body: "dict[str, Any]") -> "Any":
        if not bases:
            return type.__new__(mcs, name, bases, body)
        from _collections import _tuplegetter  # type: ignore[import-not-found]

        fields = tuple(body.get("__annotations__", ()))
        defaults = {field: body[field] for field in fields if field in body}
        key = ("tuple", body["__module__"], body["__qualname__"])
        if key not in _kept:
            given = ", ".join("{0}=_d[{0!r}]".format(field) if field in defaults else field for field in fields)
            text = "def __new__(_cls, {}):\n return _new(_cls, ({},))".format(given, ", ".join(fields))
            _kept[key] = compile(text, "<namedtuple {}>".format(name), "exec")
        made: "dict[str, Any]" = {}
        exec(_kept[key], {"_new": tuple.__new__, "_d": defaults}, made)  # noqa: S102
        body.update(_TUPLES)
        body.update((field, _tuplegetter(place, None)) for place, field in enumerate(fields))
        body.update(__slots__=(), _fields=fields, _field_defaults=defaults, __match_args__=fields, **made)
        return type(name, (tuple,), body)


def _of(cls: "Any", items: "Any") -> "Any":
    found = tuple.__new__(cls, items)
    if len(found) != len(cls._fields):
        raise TypeError("Expected {} arguments, got {}".format(len(cls._fields), len(found)))
    return found


def _with(self: "Any", **changes: "Any") -> "Any":
    found = self._make(changes.pop(field, value) for field, value in zip(self._fields, self))
    if changes:
        raise ValueError("Got unexpected field names: {!r}".format(list(changes)))
    return found


_TUPLES: "dict[str, Any]" = {
    "_make": classmethod(_of),
    "_replace": _with,
    "_asdict": lambda self: dict(zip(self._fields, self)),
    "__getnewargs__": lambda self: tuple(self),
    "__repr__": lambda self: "{}({})".format(
        type(self).__name__, ", ".join("{}={!r}".format(*pair) for pair in zip(self._fields, self))
    ),
}


class _Base:
    """A name of typing that is for the line of base classes; there it is ``cls``."""

    def __init__(self, cls: type) -> None:
        self.cls = cls

    def __mro_entries__(self, bases: object) -> "tuple[type, ...]":
        return (self.cls,)


def _typing() -> "Any":
    names = (
        "AbstractSet Any Callable ClassVar Collection Container Dict Generator Iterable Iterator List Mapping"
        " MutableMapping NoReturn Optional Sequence Set Tuple Type"
    )
    has: "dict[str, Any]" = {name: _Name(name) for name in names.split()}
    has.update(
        TYPE_CHECKING=False,
        Union=_UNION,
        cast=lambda kind, value: value,
        get_args=_get_args,
        get_origin=_get_origin,
        get_type_hints=_get_type_hints,
        NamedTuple=_Base(_Tuples("NamedTuple", (), {})),
        Protocol=_Base(_Protocol),
        TypeVar=lambda name, *bounds, **options: _Name("Any"),
        runtime_checkable=lambda cls: cls,
    )
    return standin("typing", False, **has)


# ---- dataclasses -----------------------------------------------------------------------------------------------------


class FrozenInstanceError(AttributeError):
    """An attribute of a frozen dataclass was to be set."""


_MISSING: "Any" = type("_MISSING_TYPE", (), {})()
_MADE: "Any" = type("_MADE_BY_DEFAULT", (), {"__repr__": lambda self: "<factory>"})()
_set = object.__setattr__


class Field:
    """One field of a dataclass (dataclasses.Field)."""

    __slots__ = ("compare", "default", "default_factory", "hash", "init", "metadata", "name", "repr", "type")

    def __init__(
        self,
        *,
        default: "Any" = _MISSING,
        default_factory: "Any" = _MISSING,
        init: bool = True,
        repr: bool = True,
        hash: "Optional[bool]" = None,
        compare: bool = True,
        metadata: "Any" = None,
    ) -> None:
        self.name, self.type = "", None
        self.default, self.default_factory = default, default_factory
        self.init, self.repr, self.hash, self.compare = init, repr, hash, compare
        self.metadata = {} if metadata is None else metadata


def _fields_of(cls: "Any") -> "dict[str, Field]":
    found: "dict[str, Field]" = {}
    for base in cls.__mro__[-1:0:-1]:
        found.update(getattr(base, "__dataclass_fields__", {}))
    own = cls.__dict__
    for name, kind in own.get("__annotations__", {}).items():
        if kind.startswith(("ClassVar", "typing.ClassVar")):
            continue
        field = own.get(name, _MISSING)
        if not isinstance(field, Field):
            field = Field(default=field)
        elif field.default is _MISSING:
            delattr(cls, name)
        else:
            setattr(cls, name, field.default)
        field.name, field.type = name, kind
        found[name] = field
    return found


def _init_text(fields: "dict[str, Field]", frozen: bool, then: bool) -> str:
    given, lines = [], []
    for name, field in fields.items():
        value = name
        if field.default_factory is not _MISSING:
            value = "_f[{0!r}].default_factory()".format(name)
            if field.init:
                given.append(name + "=_made")
                value = "{} if {} is _made else {}".format(value, name, name)
        elif field.default is not _MISSING:
            if not field.init:
                continue
            given.append("{0}=_f[{0!r}].default".format(name))
        elif field.init:
            given.append(name)
        else:
            continue
        lines.append(" _set(self, {!r}, {})".format(name, value) if frozen else " self.{} = {}".format(name, value))
    lines += [" self.__post_init__()"] if then else []
    return "def __init__(self, {}):\n{}\n".format(", ".join(given), "\n".join(lines or [" pass"]))


def _text(cls: "Any", fields: "dict[str, Field]", frozen: bool, order: bool) -> str:
    own = cls.__dict__
    text = _init_text(fields, frozen, hasattr(cls, "__post_init__"))
    compared = [field.name for field in fields.values() if field.compare]
    one, two = ("({})".format("".join("{}.{},".format(who, name) for name in compared)) for who in ("self", "other"))
    same = " if other.__class__ is not self.__class__:\n  return NotImplemented\n"
    if "__repr__" not in own:
        shown = ", ".join("{0}={{self.{0}!r}}".format(field.name) for field in fields.values() if field.repr)
        text += "def __repr__(self):\n return f'{{self.__class__.__qualname__}}({})'\n".format(shown)
    if "__eq__" not in own:
        text += "def __eq__(self, other):\n{} return {} == {}\n".format(same, one, two)
    for name, sign in (("lt", "<"), ("le", "<="), ("gt", ">"), ("ge", ">=")) if order else ():
        text += "def __{}__(self, other):\n{} return {} {} {}\n".format(name, same, one, sign, two)
    if frozen:
        hashed = [f.name for f in fields.values() if (f.compare if f.hash is None else f.hash)]
        if "__hash__" not in own or ("__eq__" in own and own["__hash__"] is None):
            text += "def __hash__(self):\n return hash(({}))\n".format("".join("self.{},".format(n) for n in hashed))
        for what, given, words in (("set", ", value", "assign to"), ("del", "", "delete")):
            text += (
                "def __{0}attr__(self, name{1}):\n"
                " if type(self) is _cls or name in _f:\n"
                "  raise _Frozen('cannot {2} field ' + repr(name))\n"
                " super(_cls, self).__{0}attr__(name{1})\n".format(what, given, words)
            )
    return text


def dataclass(cls: "Any" = None, *, frozen: bool = False, order: bool = False) -> "Any":
    """dataclasses.dataclass, as far as the agent uses it."""
    if cls is None:
        return lambda cls: dataclass(cls, frozen=frozen, order=order)
    cls.__dataclass_fields__ = fields = _fields_of(cls)
    key = ("data", cls.__module__, cls.__qualname__)
    if key not in _kept:
        _kept[key] = compile(_text(cls, fields, frozen, order), "<dataclass {}>".format(cls.__name__), "exec")
    made: "dict[str, Any]" = {}
    names = {"_f": fields, "_made": _MADE, "_set": _set, "_cls": cls, "_Frozen": FrozenInstanceError}
    exec(_kept[key], names, made)  # noqa: S102
    for name, function in made.items():
        function.__qualname__ = "{}.{}".format(cls.__qualname__, name)
        setattr(cls, name, function)
    if not frozen and "__eq__" in made and "__hash__" not in cls.__dict__:
        cls.__hash__ = None
    return cls


def fields(of: "Any") -> "tuple[Field, ...]":
    """dataclasses.fields."""
    return tuple(of.__dataclass_fields__.values())


def replace(value: "Any", **changes: "Any") -> "Any":
    """dataclasses.replace."""
    for field in value.__dataclass_fields__.values():
        if field.init and field.name not in changes:
            changes[field.name] = getattr(value, field.name)
    return value.__class__(**changes)


def _dataclasses() -> "Any":
    return standin(
        "dataclasses",
        dataclass=dataclass,
        field=Field,
        fields=fields,
        replace=replace,
        is_dataclass=lambda value: hasattr(value, "__dataclass_fields__"),
        MISSING=_MISSING,
        Field=Field,
        FrozenInstanceError=FrozenInstanceError,
    )


# ---- contextlib, functools -------------------------------------------------------------------------------------------


class _Managed:
    def __init__(self, generator: "Any") -> None:
        self._generator = generator

    def __enter__(self) -> "Any":
        try:
            return next(self._generator)
        except StopIteration:
            raise RuntimeError("generator didn't yield") from None

    def __exit__(self, kind: "Any", error: "Any", trace: "Any") -> bool:
        if kind is None:
            try:
                next(self._generator)
            except StopIteration:
                return False
            raise RuntimeError("generator didn't stop")
        error = kind() if error is None else error
        try:
            self._generator.throw(error)
        except StopIteration as found:
            return found is not error
        except BaseException as found:
            # One that is raised as it came goes on as if nobody had caught it (PEP 479 wraps a StopIteration).
            if found is error or (isinstance(error, StopIteration) and found.__cause__ is error):
                error.__traceback__ = trace
                return False
            raise
        raise RuntimeError("generator didn't stop after throw()")


def _contextmanager(function: "Any") -> "Any":
    def manage(*arguments: "Any", **options: "Any") -> _Managed:
        return _Managed(function(*arguments, **options))

    return manage


class _Suppress:
    def __init__(self, *kinds: type) -> None:
        self._kinds = kinds

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: "Any", error: object, trace: object) -> bool:
        return kind is not None and issubclass(kind, self._kinds)


class _Closing:
    def __init__(self, thing: "Any") -> None:
        self._thing = thing

    def __enter__(self) -> "Any":
        return self._thing

    def __exit__(self, *error: object) -> None:
        self._thing.close()


class _Once:
    """functools.cached_property."""

    def __init__(self, function: "Any") -> None:
        self._function = function

    def __set_name__(self, owner: object, name: str) -> None:
        self._name = name

    def __get__(self, thing: "Any", owner: object = None) -> "Any":
        if thing is None:
            return self
        found = thing.__dict__[self._name] = self._function(thing)
        return found


def _functools() -> "Any":
    from _functools import _lru_cache_wrapper

    def lru_cache(maxsize: "Optional[int]" = 128) -> "Any":
        return lambda function: _lru_cache_wrapper(function, maxsize, False, lambda *counts: counts)

    return standin("functools", lru_cache=lru_cache, cached_property=_Once)


# ---- what is written in C below, or not needed at each start -----------------------------------------------------------


def _socket() -> "Any":
    import _socket

    class Netlink(_socket.socket):
        """A netlink socket has no more to it than C gives it."""

        def __enter__(self) -> "Netlink":
            return self

        def __exit__(self, *error: object) -> None:
            self.close()

    def socket(family: int = -1, type: int = -1, proto: int = -1, fileno: "Any" = None) -> "Any":
        if family == _socket.AF_NETLINK:  # type: ignore[attr-defined]
            return Netlink(family, type, proto, fileno)
        import socket

        return socket.socket(family, type, proto, fileno)

    has = {name: value for name, value in vars(_socket).items() if isinstance(value, int)}
    for name in ("inet_pton", "inet_ntop", "if_nametoindex", "if_indextoname"):
        has[name] = getattr(_socket, name)
    return standin("socket", **{**has, "socket": socket})


def _signal() -> "Any":
    import _signal

    return standin("signal", **{name: value for name, value in vars(_signal).items() if not name.startswith("_")})


def _hashlib() -> "Any":
    try:
        return standin("hashlib", sha256=__import__("_sha2" if sys.version_info >= (3, 12) else "_sha256").sha256)
    except ImportError:
        return standin("hashlib")


_MAKERS: "dict[str, Callable[[], Any]]" = {
    "__future__": lambda: standin("__future__", annotations=None),
    "contextlib": lambda: standin(
        "contextlib", contextmanager=_contextmanager, suppress=_Suppress, closing=_Closing
    ),
    "dataclasses": _dataclasses,
    "functools": _functools,
    "hashlib": _hashlib,
    "json": _json,
    "signal": _signal,
    "socket": _socket,
    "typing": _typing,
}
for _later in ("base64", "fnmatch", "glob", "re", "shlex", "subprocess", "threading"):
    _MAKERS[_later] = lambda name=_later: standin(name)  # type: ignore[misc]
