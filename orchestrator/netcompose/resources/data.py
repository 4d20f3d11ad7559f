"""Resources and their parts as plain data for JSON, and back.

Controller and agents do this with hundreds of resources per host, so what follows from a class alone is worked out
once for it: how it is written at its first instance, how it is read at its first data.

The page stays importable on Python 3.9.
"""

from __future__ import annotations

import dataclasses
import functools
import sys
import typing
from _operator import attrgetter
from typing import Any, Callable, Mapping

#: Makes plain data of a value.
Writer = Callable[[Any], Any]
#: Makes the value of an annotated type from plain data.
Reader = Callable[[Any], Any]

#: What JSON has itself, by its annotation.
_SCALARS: Mapping[str, type] = {"str": str, "int": int, "bool": bool, "float": float}
_PLAIN = (str, int, float, bool, type(None))
#: Equal to nothing else.
_ABSENT = object()


def to_data(value: Any) -> Any:
    """A resource, or a part of one, as plain data for JSON: dicts, lists and scalars."""
    return _WHOLE[value.__class__](value)


def to_brief_data(value: Any) -> Any:
    """The same without attributes that have their default values, which :func:`from_data` fills in: for messages that
    nobody reads who could want to see them."""
    return _BRIEF[value.__class__](value)


class _Writers(dict[type, Writer]):
    """What writes values of a class; made when it is asked for."""

    def __init__(self, *, brief: bool) -> None:
        super().__init__()
        self._brief = brief

    def __missing__(self, cls: type) -> Writer:
        writer = self[cls] = self._made(cls)
        return writer

    def _made(self, cls: type) -> Writer:
        if issubclass(cls, _PLAIN):
            return lambda value: value
        if issubclass(cls, tuple):
            return lambda value: [item if item.__class__ in _PLAIN else self[item.__class__](item) for item in value]
        if issubclass(cls, Mapping):
            return lambda value: {key: self[(item := value[key]).__class__](item) for key in sorted(value)}
        return _brief_writer(cls, self) if self._brief else _whole_writer(cls, self)


def _whole_writer(cls: Any, writers: _Writers) -> Writer:
    names = [field.name for field in dataclasses.fields(cls)]
    parts = [field.name for field in dataclasses.fields(cls) if field.type not in _SCALARS]
    values = _values(names)

    def write(value: Any) -> Any:
        made = dict(zip(names, values(value)))
        for name in parts:
            item = made[name]
            made[name] = writers[item.__class__](item)
        return made

    return write


def _brief_writer(cls: Any, writers: _Writers) -> Writer:
    given, others, defaults = [], [], []
    for field in dataclasses.fields(cls):
        default = _default(field)
        if default is dataclasses.MISSING:
            given.append(field.name)
        else:
            others.append(field.name)
            # Equality of dataclasses leaves out what is only observed.
            defaults.append(_ABSENT if dataclasses.is_dataclass(default) else default)
    parts = [field.name for field in dataclasses.fields(cls) if field.name in given and field.type not in _SCALARS]
    values, optional = _values(given), _values(others)

    def write(value: Any) -> Any:
        made = dict(zip(given, values(value)))
        for name in parts:
            item = made[name]
            made[name] = writers[item.__class__](item)
        for name, item, default in zip(others, optional(value), defaults):
            if item is not default and item != default:
                made[name] = writers[item.__class__](item)
        return made

    return write


def _default(field: Any) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default


def _values(names: list[str]) -> Callable[[Any], Any]:
    """A function that gives these attributes of something as a tuple."""
    if len(names) > 1:
        return attrgetter(*names)
    return lambda value: tuple([getattr(value, name) for name in names])


_WHOLE, _BRIEF = _Writers(brief=False), _Writers(brief=True)


def from_data(cls: Any, data: Any) -> Any:
    """The inverse of :func:`to_data` and :func:`to_brief_data`, guided by the type annotations of ``cls``.

    Raises ``ValueError`` on data that does not fit (a plan file that was edited, a foreign message).
    """
    return _reader(cls)(data)


@functools.lru_cache(maxsize=None)
def _reader(cls: Any) -> Reader:
    if cls is bool or cls is int or cls is str:
        return _scalar_reader(cls)
    if cls is float:
        return _read_float
    if cls is Any:
        return lambda data: data
    origin = typing.get_origin(cls)
    if origin is typing.Union:
        (inner,) = (_reader(arg) for arg in typing.get_args(cls) if arg is not type(None))
        return lambda data: None if data is None else inner(data)
    if origin is tuple:
        return _tuple_reader(*typing.get_args(cls))
    if origin is not None and issubclass(origin, typing.Mapping):
        return _mapping_reader(_reader(typing.get_args(cls)[1]))
    if dataclasses.is_dataclass(cls):
        return _dataclass_reader(cls)
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
    plain = args[0] if args[0] in (str, int, bool) else None

    def read(data: Any) -> Any:
        if not isinstance(data, list):
            raise ValueError("a list was expected, not {!r}".format(data))
        if every is None:
            return tuple([reader(item) for reader, item in zip(one_by_one, data)])
        for item in data:
            if type(item) is not plain:
                return tuple([every(item) for item in data])
        return tuple(data)

    return read


def _mapping_reader(value: Reader) -> Reader:
    def read(data: Any) -> Any:
        if not isinstance(data, dict):
            raise ValueError("a mapping was expected, not {!r}".format(data))
        return {key: value(item) for key, item in data.items()}

    return read


def _dataclass_reader(cls: Any) -> Reader:
    hints = {field.name: _hint(cls, field) for field in dataclasses.fields(cls)}
    readers = {name: _reader(hint) for name, hint in hints.items()}

    def explain(data: Any) -> Any:
        """By the constructor, attribute by attribute: right for everything, and has the words for what does not fit."""
        if not isinstance(data, dict):
            raise ValueError("a mapping was expected, not {!r}".format(data))
        try:
            return cls(**{key: readers[key](item) for key, item in data.items()})
        except KeyError:
            raise ValueError("unknown attribute {!r}".format(min(set(data) - set(readers)))) from None
        except TypeError as error:
            raise ValueError(str(error)) from error

    if hasattr(cls, "__post_init__"):
        return explain
    first, *_ = hints
    fits = {(name, kind) for name, hint in hints.items() for kind in _json_types(hint)}.issuperset
    parts = [(name, reader) for name, reader in readers.items() if hints[name] not in (str, int, bool)]
    factories, defaults = [], {}
    for field in dataclasses.fields(cls):
        if field.default_factory is not dataclasses.MISSING:
            factories.append((field.name, field.default_factory))
        elif field.default is not dataclasses.MISSING:
            defaults[field.name] = field.default
    new = object.__new__

    def read(data: Any) -> Any:
        """Attributes are put where the constructor would have put them: that of a frozen class takes three times as
        long. Whatever is out of the ordinary is left to :func:`explain`."""
        if type(data) is not dict or not fits(zip(data, map(type, data.values()))):
            return explain(data)
        made = new(cls)
        kept = made.__dict__
        # One by one instances share their keys; what an empty dict is updated with is copied, keys and all.
        kept[first] = _ABSENT
        kept.update(defaults)
        kept.update(data)
        for name, reader in parts:
            if name in data:
                kept[name] = reader(data[name])
        for name, factory in factories:
            if name not in data:
                kept[name] = factory()
        if len(kept) != len(readers) or kept[first] is _ABSENT:
            return explain(data)
        return made

    return read


def _hint(cls: Any, field: Any) -> Any:
    """The type of a field. Its annotation is text of the module of the class that declares it; typing's own way of
    looking it up takes three times as long."""
    if field.type in _SCALARS:
        return _SCALARS[field.type]
    declares = next(base for base in reversed(cls.__mro__) if _fields_of(base).get(field.name) is field)
    return eval(field.type, vars(sys.modules[declares.__module__]))  # noqa: S307 (the source of this very package)


def _fields_of(cls: Any) -> Mapping[str, Any]:
    fields: Mapping[str, Any] = getattr(cls, "__dataclass_fields__", {})
    return fields


def _json_types(hint: Any) -> tuple[Any, ...]:
    """What ``json`` can make of a value of this type; nothing if that is not told by the type alone."""
    if hint is float:
        return (float, int)
    if hint in _SCALARS.values():
        return (hint,)
    if dataclasses.is_dataclass(hint):
        return (dict,)
    origin = typing.get_origin(hint)
    if origin is typing.Union:
        return tuple([kind for arg in typing.get_args(hint) for kind in _json_types(arg)])
    if origin is tuple:
        return (list,)
    if hint is type(None):
        return (hint,)
    return (dict,) if origin is not None and issubclass(origin, typing.Mapping) else ()
