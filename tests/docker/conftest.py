"""Fixtures of the tests with a real Docker Engine. The tests of tests/kernel that are run again here find them, too."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

_KERNEL = Path(__file__).parents[1] / "kernel"
# The tests on real hosts and these have their helpers in common.
sys.path.insert(0, str(_KERNEL))
# And images are made as for the tests of their reading.
sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "images"))

import outside  # noqa: E402
import support  # noqa: E402
from engine import SOCKET, Engine, add_outside, need_docker, put_probe, settle  # noqa: E402
from image_support import make_images  # noqa: E402
from lending import Lending  # noqa: E402

from netcompose.transports.sandbox import Sandbox  # noqa: E402


def _kernel_fixtures() -> Any:
    spec = importlib.util.spec_from_file_location("kernel_conftest", _KERNEL / "conftest.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


example = _kernel_fixtures().example


class Engines:
    """The engines of a module's tests: one for each way to prepare it."""

    def __init__(self) -> None:
        self._kept: dict[Callable[[Engine], object], Lending[Engine]] = {}

    def lent(self, prepare: Callable[[Engine], object]) -> AbstractContextManager[Engine]:
        """A Docker Engine on a throw-away host of its own, prepared; as new."""

        @contextmanager
        def make() -> Iterator[Engine]:
            need_docker()
            with Sandbox("server4") as sandbox, Engine(sandbox) as running:
                prepare(running)
                yield running

        if prepare not in self._kept:
            self._kept[prepare] = Lending(make, lambda engine: support.snapshot(engine.host))
        return self._kept[prepare].lent()

    def end(self) -> None:
        """End them."""
        for kept in self._kept.values():
            kept.end()


@pytest.fixture(scope="module")
def engines() -> Iterator[Engines]:
    """What lends engines to the tests of a module."""
    running = Engines()
    yield running
    running.end()


def _alone(engine: Engine) -> None:
    support.settle(engine.host)


def _with_a_neighbour(engine: Engine) -> None:
    outside.attach(engine.host)


def _at_crossroads(engine: Engine) -> None:
    put_probe(engine.host)
    add_outside(engine.host)
    engine.make_image()
    settle(engine.host)


@pytest.fixture
def host(engines: Engines) -> Iterator[Sandbox]:
    """A throw-away host with a running Docker Engine."""
    with engines.lent(_alone) as engine:
        yield engine.host


@pytest.fixture
def host_with_a_neighbour(engines: Engines) -> Iterator[Sandbox]:
    """The same, on a cable to a neighbour."""
    with engines.lent(_with_a_neighbour) as engine:
        yield engine.host


@pytest.fixture
def crossroads(engines: Engines) -> Iterator[Engine]:
    """An engine that has an image, on a host with an outside."""
    with engines.lent(_at_crossroads) as engine:
        yield engine


@pytest.fixture
def image_engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """An engine on a throw-away host of its own, with images, which netcompose finds by the engine's own variable."""
    need_docker()
    monkeypatch.setenv("DOCKER_HOST", SOCKET)
    with Sandbox("server4") as sandbox, Engine(sandbox, "--bridge", "none") as running:
        make_images(running)
        yield running
