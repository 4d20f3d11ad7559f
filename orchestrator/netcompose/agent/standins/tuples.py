"""In the place of typing.NamedTuple: the same classes, by code that is kept compiled."""

if False:  # for the type checker
    from typing import Any

from netcompose.agent.standins.later import compiled


class _Tuples(type):
    """Makes a class like those of NamedTuple."""

    def __new__(mcs, name: str, bases: "Any", body: "dict[str, Any]") -> "Any":
        if not bases:
            return type.__new__(mcs, name, bases, body)
        from _collections import _tuplegetter  # type: ignore[import-not-found]

        fields = tuple(body.get("__annotations__", ()))
        defaults = {field: body[field] for field in fields if field in body}
        code = compiled(("tuple", body["__module__"], body["__qualname__"]), lambda: _text(fields, defaults))
        made: dict[str, Any] = {}
        exec(code, {"_new": tuple.__new__, "_d": defaults}, made)  # noqa: S102
        body.update(_TUPLES)
        body.update((field, _tuplegetter(place, None)) for place, field in enumerate(fields))
        body.update(__slots__=(), _fields=fields, _field_defaults=defaults, __match_args__=fields, **made)
        return type(name, (tuple,), body)


def _text(fields: "tuple[str, ...]", defaults: "dict[str, Any]") -> str:
    given = ", ".join("{0}=_d[{0!r}]".format(field) if field in defaults else field for field in fields)
    return "def __new__(_cls, {}):\n return _new(_cls, ({},))".format(given, ", ".join(fields))


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
    "__getnewargs__": lambda self: tuple(self),  # noqa: PLW0108 (tuple is no method)
    "__repr__": lambda self: "{}({})".format(
        type(self).__name__, ", ".join("{}={!r}".format(*pair) for pair in zip(self._fields, self))
    ),
}


#: What classes have as their base.
NamedTuple: "Any" = _Tuples("NamedTuple", (), {})
