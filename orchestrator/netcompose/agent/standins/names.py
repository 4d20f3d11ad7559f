"""In the place of typing: names that stand for nothing until something is read by the annotations that they are in."""

if False:  # for the type checker
    from typing import Any

from netcompose.agent.standins.later import standin
from netcompose.agent.standins.tuples import NamedTuple


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


class _Base:
    """A name of typing that is for the line of base classes; there it is ``cls``."""

    def __init__(self, cls: type) -> None:
        self.cls = cls

    def __mro_entries__(self, bases: object) -> "tuple[type, ...]":
        return (self.cls,)


def typing() -> "Any":
    """The module."""
    names = (
        "AbstractSet Any Callable ClassVar Collection Container Dict Generator Iterable Iterator List Mapping"
        " MutableMapping NoReturn Optional Sequence Set Tuple Type"
    )
    has: dict[str, Any] = {name: _Name(name) for name in names.split()}
    has.update(
        TYPE_CHECKING=False,
        Union=_UNION,
        cast=lambda kind, value: value,
        get_args=_get_args,
        get_origin=_get_origin,
        NamedTuple=_Base(NamedTuple),
        Protocol=_Base(_Protocol),
        TypeVar=lambda name, *bounds, **options: _Name("Any"),
        runtime_checkable=lambda cls: cls,
    )
    return standin("typing", False, **has)
