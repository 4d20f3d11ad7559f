"""The functions that stand in for those of Python's own modules on a host do the same: json, contextlib, functools."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import pytest

from netcompose.agent.standins import contexts, native


@pytest.mark.parametrize(
    "text",
    ["{}", ' {"a": [1, 2.5, -3, null, true, "\\u00e4\\ud83d\\ude00"]} \n', "[]", '"x"', "17", "NaN", "[Infinity]"],
)
def test_json_reads_the_same(text):
    mine = native.json()
    for given in (text, text.encode(), bytearray(text.encode())):
        assert repr(mine.loads(given)) == repr(json.loads(given))


@pytest.mark.parametrize("text", ["", "{", "{'a': 1}", "[1,]", "1 2", '{"a": 1} x', "\ufeff{}", '"\n"', "nul"])
def test_json_refuses_in_the_same_words(text):
    words = []
    for module in (native.json(), json):
        with pytest.raises(ValueError) as caught:
            module.loads(text)
        words.append((type(caught.value), str(caught.value)))
    assert words[0] == words[1]


def test_json_writes_the_same(tmp_path):
    value = {"b": [1, 2.5, None, True, '\u00e4\n"\\\u2028'], "a": {"z": (), "y": {}}, "c": float("inf")}
    mine = native.json()
    for options in ({}, {"separators": (",", ":")}, {"sort_keys": True}, {"indent": 2}, {"ensure_ascii": False}):
        assert mine.dumps(value, **options) == json.dumps(value, **options)
    with open(tmp_path / "file", "w") as file:
        mine.dump(value, file, sort_keys=True)
    with open(tmp_path / "file") as file:
        assert mine.load(file) == json.loads(json.dumps(value))
    loop: list[Any] = []
    loop.append(loop)
    for wrong, error in (({"a": object()}, TypeError), (loop, ValueError)):
        with pytest.raises(error):
            native.json().dumps(wrong)


def test_context_managers_are_the_same():
    for module in (contexts.contextlib(), contextlib):
        log: list[str] = []

        @module.contextmanager
        def managed(how: str, log: list[str] = log) -> Iterator[str]:
            log.append("in")
            try:
                yield "value"
            except KeyError:
                log.append("caught")
                if how == "swallow":
                    return
                if how == "other":
                    raise LookupError("other") from None
                raise
            finally:
                log.append("out")

        with managed("plain") as value:
            assert value == "value"
        with managed("swallow"):
            raise KeyError
        with pytest.raises(KeyError), managed("raise"):
            raise KeyError
        with pytest.raises(LookupError, match="other"), managed("other"):
            raise KeyError("x")
        stop = StopIteration("mine")
        with pytest.raises(StopIteration) as caught, managed("plain"):
            raise stop
        assert caught.value is stop
        assert log == ["in", "out"] + ["in", "caught", "out"] * 3 + ["in", "out"]

        @module.contextmanager
        def twice() -> Iterator[None]:
            yield
            yield

        with pytest.raises(RuntimeError, match="didn't stop"), twice():
            pass

        @module.contextmanager
        def never() -> Iterator[None]:
            yield from ()

        with pytest.raises(RuntimeError, match="didn't yield"), never():
            pass
        with module.suppress(KeyError, OSError):
            raise FileNotFoundError
        with pytest.raises(ValueError), module.suppress(KeyError):
            raise ValueError
        closed: list[int] = []

        class Thing:
            def close(self, closed: list[int] = closed) -> None:
                closed.append(1)

        with module.closing(Thing()) as thing:
            assert isinstance(thing, Thing) and not closed
        assert closed == [1]


def test_what_is_kept_between_calls_is_the_same():
    import functools

    for module in (contexts.functools(), functools):
        calls: list[Any] = []

        @module.lru_cache(maxsize=2)
        def cached(key: int, calls: list[Any] = calls) -> int:
            calls.append(key)
            return key

        assert [cached(key) for key in (1, 1, 2, 3, 1)] == [1, 1, 2, 3, 1] and calls == [1, 2, 3, 1]
        cached.cache_clear()
        assert cached(1) == 1 and len(calls) == 5
        made = type("Made", (), {"value": module.cached_property(lambda self, calls=calls: calls.append(self) or 5)})
        made.value.__set_name__(made, "value")
        thing = made()
        assert (thing.value, thing.value) == (5, 5) and len(calls) == 6
