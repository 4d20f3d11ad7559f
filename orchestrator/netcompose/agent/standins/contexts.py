"""In the places of contextlib and functools, which bring collections along."""

if False:  # for the type checker
    from typing import Any, Optional

from netcompose.agent.standins.later import standin


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


def functools() -> "Any":
    """The module."""
    from _functools import _lru_cache_wrapper  # type: ignore[import-not-found]

    def lru_cache(maxsize: "Optional[int]" = 128) -> "Any":
        return lambda function: _lru_cache_wrapper(function, maxsize, False, lambda *counts: counts)

    return standin("functools", lru_cache=lru_cache, cached_property=_Once)


def contextlib() -> "Any":
    """The module."""
    return standin("contextlib", contextmanager=_contextmanager, suppress=_Suppress, closing=_Closing)
