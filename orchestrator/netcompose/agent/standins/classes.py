"""In the place of dataclasses: the same classes, as far as the agent has any, by code that is kept compiled."""

if False:  # for the type checker
    from typing import Any, Optional

from netcompose.agent.standins.later import compiled, standin


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
    found: dict[str, Field] = {}
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
            value = "_f[{!r}].default_factory()".format(name)
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
    code = compiled(("data", cls.__module__, cls.__qualname__), lambda: _text(cls, fields, frozen, order))
    made: dict[str, Any] = {}
    names = {"_f": fields, "_made": _MADE, "_set": _set, "_cls": cls, "_Frozen": FrozenInstanceError}
    exec(code, names, made)  # noqa: S102
    for name, function in made.items():
        function.__qualname__ = "{}.{}".format(cls.__qualname__, name)
        setattr(cls, name, function)
    if not frozen and "__eq__" in made and "__hash__" not in cls.__dict__:
        cls.__hash__ = None
    return cls


def fields(of: "Any") -> "tuple[Field, ...]":
    """dataclasses.fields."""
    try:
        return tuple(of.__dataclass_fields__.values())
    except AttributeError:
        raise TypeError("must be called with a dataclass type or instance") from None


def replace(value: "Any", **changes: "Any") -> "Any":
    """dataclasses.replace."""
    for field in value.__dataclass_fields__.values():
        if field.init and field.name not in changes:
            changes[field.name] = getattr(value, field.name)
    return value.__class__(**changes)


def dataclasses() -> "Any":
    """The module."""
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
