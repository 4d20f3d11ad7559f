"""Templates are filled in by forks of a process that has Jinja2 imported; what is about the start itself starts one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import rendering_forks

from netcompose.topology import template

_started_for_real = template._ask


@pytest.fixture(scope="session", autouse=True)
def _templates_by_forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with (
        rendering_forks.Forks(Path(tmp_path_factory.mktemp("rendering")) / "socket") as forks,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(template, "_ask", forks.ask)
        yield


@pytest.fixture
def rendering_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests of how the rendering process starts and ends."""
    monkeypatch.setattr(template, "_ask", _started_for_real)
