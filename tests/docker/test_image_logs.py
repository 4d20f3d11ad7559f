"""What image containers have printed, by every option of ``logs``: with a terminal and without one."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from engine import Engine
from image_support import Images
from support import NETCOMPOSE, until

_COMMAND = (
    "echo one; echo two >&2; i=0; while [ $i -lt 4000 ]; do echo $i and more words; i=$((i+1)); done; "
    "echo last; until [ -e /tmp/end ]; do sleep 0.1; done; echo at the end"
)
_CONTAINER = f"{{image: small, network_mode: none, stop_grace_period: 0, command: [sh, -c, '{_COMMAND}']"
#: Both say the same on both outputs, one of them on a terminal.
TOPOLOGY = f"name: said\ncontainers:\n  pipes: {_CONTAINER}}}\n  terminal: {_CONTAINER}, tty: true}}\n"
LINES = 4003


@pytest.fixture
def said(image_engine: Engine, tmp_path: Path) -> Iterator[Images]:
    said = Images(image_engine, tmp_path, TOPOLOGY)
    said.up()
    for container in ("pipes", "terminal"):
        until(lambda container=container: "last" in said.logs(container), 30)
    yield said
    said.nc("down")


@pytest.mark.parametrize("container", ["pipes", "terminal"])
def test_logs_shows_what_the_container_has_printed_and_follows_it_to_its_end(said: Images, container: str) -> None:
    lines = said.nc("logs", container).splitlines()
    assert sorted(lines) == sorted(said.logs(container).splitlines()) and len(lines) == LINES
    # Two pipes have no order between them.
    assert {"one", "two"} < set(lines) and lines[-2:] == ["3999 and more words", "last"]
    assert said.nc("logs", container, "--tail", "2").splitlines() == lines[-2:]
    stamped = said.nc("logs", container, "--tail", "1", "--timestamps")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z last\r?\n", stamped)

    argv = [*NETCOMPOSE, "logs", container, "--tail", "1", "--follow", "--file", str(said.file)]
    following = said.host.popen(argv, stdout=subprocess.PIPE, text=True)
    assert following.stdout is not None
    assert following.stdout.readline().strip() == "last"
    time.sleep(0.3)
    assert following.poll() is None, "it waits for more"
    said.inside(container, "touch", "/tmp/end")
    assert following.stdout.read().strip() == "at the end"
    assert following.wait(20) == 0
