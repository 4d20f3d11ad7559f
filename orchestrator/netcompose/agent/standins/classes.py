"""In the place of dataclasses: the same classes, as far as the agent has any. What makes an instance is written for its
class and kept compiled; all other methods are the same few functions. What is frozen is not kept from being set: that
nobody sets it is seen wherever the real ones are, in every test and in every run beside the controller."""

if False:  # for the type checker
    from typing import Any, Optional

from netcompose.agent.standins.later import compiled, standin

_MISSING: "Any" = type("_MISSING_TYPE", (), {})()
_MADE: "Any" = type("_MADE_BY_DEFAULT", (), {"__repr__": lambda self: "<factory>"})()


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


def _init_text(fields: "dict[str, Field]", then: bool) -> str:
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
        lines.append(" self.{} = {}".format(name, value))
    lines += [" self.__post_init__()"] if then else []
    return "def __init__(self, {}):\n{}\n".format(", ".join(given), "\n".join(lines or [" pass"]))


def _values(names: "list[str]") -> "Any":
    """A function that gives these attributes of something as a tuple."""
    from _operator import attrgetter

    if len(names) > 1:
        return attrgetter(*names)
    return lambda self: tuple([getattr(self, name) for name in names])


def _compared(cls: "Any", fields: "dict[str, Field]", order: bool) -> "dict[str, Any]":
    from _operator import eq, ge, gt, le, lt

    values = _values([field.name for field in fields.values() if field.compare])

    def comparing(how: "Any") -> "Any":
        def compare(self: "Any", other: "Any") -> "Any":
            if other.__class__ is not self.__class__:
                return NotImplemented
            return how(values(self), values(other))

        return compare

    made = {} if "__eq__" in cls.__dict__ else {"__eq__": comparing(eq)}
    if order:
        made.update(__lt__=comparing(lt), __le__=comparing(le), __gt__=comparing(gt), __ge__=comparing(ge))
    return made


def _hashed(cls: "Any", fields: "dict[str, Field]") -> "dict[str, Any]":
    own = cls.__dict__
    if "__hash__" in own and ("__eq__" not in own or own["__hash__"] is not None):
        return {}
    values = _values([f.name for f in fields.values() if (f.compare if f.hash is None else f.hash)])
    return {"__hash__": lambda self: hash(values(self))}


def _shown(self: "Any") -> str:
    shown = [field.name for field in self.__dataclass_fields__.values() if field.repr]
    return "{}({})".format(
        self.__class__.__qualname__, ", ".join("{}={!r}".format(name, getattr(self, name)) for name in shown)
    )


def dataclass(cls: "Any" = None, *, frozen: bool = False, order: bool = False) -> "Any":
    """dataclasses.dataclass, as far as the agent uses it."""
    if cls is None:
        return lambda cls: dataclass(cls, frozen=frozen, order=order)
    cls.__dataclass_fields__ = fields = _fields_of(cls)
    then = hasattr(cls, "__post_init__")
    code = compiled(("data", cls.__module__, cls.__qualname__), lambda: _init_text(fields, then))
    made: dict[str, Any] = {}
    exec(code, {"_f": fields, "_made": _MADE}, made)  # noqa: S102
    made["__init__"].__qualname__ = cls.__qualname__ + ".__init__"
    made.update(_compared(cls, fields, order))
    if frozen:
        made.update(_hashed(cls, fields))
    if "__repr__" not in cls.__dict__:
        made["__repr__"] = _shown
    if not frozen and "__eq__" in made and "__hash__" not in cls.__dict__:
        made["__hash__"] = None
    for name, function in made.items():
        setattr(cls, name, function)
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
    )
