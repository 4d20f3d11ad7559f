"""Fixtures of the tests on real hosts. A module that needs another kind of host defines its own ``host``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import outside
import pytest
from segment import plug
from support import Example

from netcompose.transports.sandbox import Sandbox


@pytest.fixture
def host() -> Iterator[Sandbox]:
    """A throw-away host."""
    with Sandbox("server4") as sandbox:
        yield sandbox


@pytest.fixture
def host_on_a_segment() -> Iterator[Sandbox]:
    """A throw-away host whose ``eth1`` is on a segment with a router."""
    with Sandbox("server4") as sandbox:
        plug(sandbox)
        yield sandbox


@pytest.fixture
def host_with_a_neighbour() -> Iterator[Sandbox]:
    """A throw-away host on a cable to a neighbour."""
    with Sandbox("server4") as sandbox:
        outside.attach(sandbox)
        yield sandbox


@pytest.fixture
def example(host: Sandbox, tmp_path: Path) -> Iterator[Callable[[str], Example]]:
    """An example by name, brought up; at the end it is taken down, and the host has to be as it was."""
    running: list[Example] = []

    def bring_up(name: str) -> Example:
        shown = Example(host, name, tmp_path)
        running.append(shown)
        shown.up()
        return shown

    yield bring_up
    for shown in running:
        shown.down()
