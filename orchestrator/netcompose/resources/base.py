"""What every resource is: an identity, attributes that say how they change, and what it needs.

A resource is one object on one host (a namespace, a bridge, a pair of veth ends, a file, a process). The same
class describes it as desired (made by the compiler) and as live (made by the agent's observation); the planner
compares the two by what is declared here and knows no kind by name.

The page stays importable on Python 3.9.
"""

from __future__ import annotations

import dataclasses
import functools
import typing
from dataclasses import dataclass, field
from typing import Any, Callable, ClassVar, Mapping

#: How an attribute changes on a live object: without touching the rest of it, or only with a new object.
#: An observed attribute (an interface index) is read, kept for a rollback, and never compared.
IN_PLACE = "in place"
REPLACE = "replace"
OBSERVED = "observed"

#: What a change does to those who use the object, mildest first.
DISTURBANCES = ("none", "blip", "outage")


@dataclass(frozen=True)
class Attribute:
    """The declaration behind one field of a resource (see :func:`attribute`)."""

    changes: str
    disturbs: str = "none"
    why: str = ""
    secret: bool = False


def attribute(
    *,
    changes: str,
    disturbs: str = "none",
    why: str = "",
    secret: bool = False,
    default: Any = dataclasses.MISSING,
    default_factory: Any = dataclasses.MISSING,
) -> Any:
    """Declare a field of a resource.

    ``changes`` is one of IN_PLACE, REPLACE, OBSERVED; ``disturbs`` is what a change of this attribute does to
    the users of the object; ``why`` is the sentence that a plan shows for a replacement or a disturbance;
    a ``secret`` attribute is masked in every plan and log.
    """
    declared = Attribute(changes=changes, disturbs=disturbs, why=why, secret=secret)
    options: dict[str, Any] = {"metadata": {"netcompose": declared}, "compare": changes != OBSERVED}
    if default is not dataclasses.MISSING:
        options["default"] = default
    if default_factory is not dataclasses.MISSING:
        options["default_factory"] = default_factory
    return field(**options)


@dataclass(frozen=True)
class Requirement:
    """One resource needs another one first.

    ``attribute`` is the path of the attribute that ties them and that has to be set again when the required
    object is replaced (a port's master); empty when the dependent dies together with what it requires (an
    interface in a namespace), so that it has to be created anew. ``order_only`` ties nothing but the order: a
    process starts after its interfaces, and survives them.
    """

    id: str
    attribute: str = ""
    order_only: bool = False


@dataclass(frozen=True)
class Resource:
    """Base of all resources. ``id`` is unique on its host: ``interface/web1.eth0``."""

    kind: ClassVar[str] = ""
    #: The container that it concerns comes and goes with it.
    carries_container: ClassVar[bool] = False
    #: What its removal or replacement does to those who use it.
    removal: ClassVar[str] = "outage"
    #: It is what an interrupted run left; nobody ever wants it.
    half_made: ClassVar[bool] = False

    id: str

    def requires(self) -> tuple[Requirement, ...]:
        """What has to exist before this, on the same host."""
        return ()

    def claims(self) -> tuple[str, ...]:
        """Names that only one object can have at a time: ``netdev:/eth0``, ``netns:campus-web1``, ``path:/etc/x``."""
        return ()

    def needs(self) -> tuple[str, ...]:
        """Features of the host that it cannot be made without, beyond those of every host: ``8021q``, ``netem``
        (names of ``agent/features.py``). They are tried when it is to be made, and not before."""
        return ()

    def concerns(self) -> tuple[str, ...]:
        """The containers that use this object, for saying whom a change disturbs."""
        return ()

    def beside(self, live: Resource) -> Resource:
        """What is wanted of an object that is there: itself, but for what it leaves to whoever is in charge of that."""
        return self

    def restorable(self) -> Resource:
        """What a rollback brings back of it: itself, but for states that only happen and that nobody can make."""
        return self

    def path_risk(self, interface: str, peer: str) -> str:
        """What a change of this can do (one of DISTURBANCES) to the connection of a controller with the address
        ``peer``, which comes in by an interface of the host."""
        return "none"


@functools.lru_cache(maxsize=None)
def attributes(cls: type) -> tuple[tuple[str, Attribute], ...]:
    """The declared attributes of a resource class or of a nested part of one, in the order of declaration."""
    return tuple((f.name, f.metadata["netcompose"]) for f in dataclasses.fields(cls) if "netcompose" in f.metadata)


def to_data(value: Any) -> Any:
    """A resource, or a part of one, as plain data for JSON: dicts, lists and scalars."""
    if isinstance(value, (str, int, float, bool)) or value is None:
        return value
    if isinstance(value, tuple):
        return [to_data(item) for item in value]
    if isinstance(value, Mapping):
        return {key: to_data(value[key]) for key in sorted(value)}
    return {f.name: to_data(getattr(value, f.name)) for f in dataclasses.fields(value)}


def from_data(cls: Any, data: Any) -> Any:
    """The inverse of :func:`to_data`, guided by the type annotations of ``cls``.

    Raises ``ValueError`` on data that does not fit (a plan file that was edited, a foreign message).
    """
    return _reader(cls)(data)


#: Makes the value of an annotated type from plain data.
Reader = Callable[[Any], Any]


@functools.lru_cache(maxsize=None)
def _reader(cls: Any) -> Reader:
    """Looked up once for each type: a host is observed as hundreds of resources of a dozen kinds."""
    origin = typing.get_origin(cls)
    if cls is Any:
        return lambda data: data
    if origin is typing.Union:
        (inner,) = (_reader(arg) for arg in typing.get_args(cls) if arg is not type(None))
        return lambda data: None if data is None else inner(data)
    if origin is tuple:
        return _tuple_reader(*typing.get_args(cls))
    if origin is not None and issubclass(origin, typing.Mapping):
        return _mapping_reader(_reader(typing.get_args(cls)[1]))
    if dataclasses.is_dataclass(cls):
        return _dataclass_reader(cls)
    if cls is bool or cls is int or cls is str:
        return _scalar_reader(cls)
    if cls is float:
        return _read_float
    raise ValueError("no way to read {!r}".format(cls))


def _scalar_reader(cls: type) -> Reader:
    def read(data: Any) -> Any:
        if type(data) is not cls:
            raise ValueError("{} was expected, not {!r}".format(cls.__name__, data))
        return data

    return read


def _read_float(data: Any) -> float:
    if type(data) not in (int, float):
        raise ValueError("float was expected, not {!r}".format(data))
    return float(data)


def _tuple_reader(*args: Any) -> Reader:
    every = _reader(args[0]) if len(args) == 2 and args[1] is Ellipsis else None
    one_by_one = [] if every is not None else [_reader(arg) for arg in args]

    def read(data: Any) -> Any:
        if not isinstance(data, list):
            raise ValueError("a list was expected, not {!r}".format(data))
        if every is not None:
            return tuple([every(item) for item in data])
        return tuple([reader(item) for reader, item in zip(one_by_one, data)])

    return read


def _mapping_reader(value: Reader) -> Reader:
    def read(data: Any) -> Any:
        if not isinstance(data, dict):
            raise ValueError("a mapping was expected, not {!r}".format(data))
        return {key: value(item) for key, item in data.items()}

    return read


def _dataclass_reader(cls: Any) -> Reader:
    hints = typing.get_type_hints(cls)
    readers = {f.name: _reader(hints[f.name]) for f in dataclasses.fields(cls)}

    def read(data: Any) -> Any:
        if not isinstance(data, dict):
            raise ValueError("a mapping was expected, not {!r}".format(data))
        try:
            return cls(**{key: readers[key](item) for key, item in data.items()})
        except KeyError:
            raise ValueError("unknown attribute {!r}".format(min(set(data) - set(readers)))) from None
        except TypeError as error:
            raise ValueError(str(error)) from error

    return read
