"""Fixtures of the tests with a real Docker Engine. The tests of tests/kernel that are run again here find them, too."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

_KERNEL = Path(__file__).parents[1] / "kernel"
# The tests on real hosts and these have their helpers in common.
sys.path.insert(0, str(_KERNEL))
# And images are made as for the tests of their reading.
sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "images"))

from engine import SOCKET, Engine, add_outside, need_docker, put_probe, settle  # noqa: E402
from image_support import make_images  # noqa: E402

from netcompose.transports.sandbox import Sandbox  # noqa: E402


def _kernel_fixtures() -> Any:
    spec = importlib.util.spec_from_file_location("kernel_conftest", _KERNEL / "conftest.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


example = _kernel_fixtures().example


@pytest.fixture
def engine() -> Iterator[Engine]:
    """A Docker Engine on a throw-away host of its own."""
    need_docker()
    with Sandbox("server4") as sandbox, Engine(sandbox) as running:
        yield running


@pytest.fixture
def host(engine: Engine) -> Sandbox:
    """A throw-away host with a running Docker Engine."""
    return engine.host


@pytest.fixture
def crossroads(engine: Engine) -> Engine:
    """An engine that has an image, on a host with an outside."""
    put_probe(engine.host)
    add_outside(engine.host)
    engine.make_image()
    settle(engine.host)
    return engine


@pytest.fixture
def image_engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """An engine on a throw-away host of its own, with images, which netcompose finds by the engine's own variable."""
    need_docker()
    monkeypatch.setenv("DOCKER_HOST", SOCKET)
    with Sandbox("server4") as sandbox, Engine(sandbox, "--bridge", "none") as running:
        make_images(running)
        yield running
