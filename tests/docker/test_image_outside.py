"""S7, S9 and S10 of tests/kernel again, with every container of the examples from an image of a real engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import outside
import pytest
from engine import Engine
from image_support import examples_with_images
from support import Example
from test_firewall import (  # noqa: F401
    test_s7_who_reaches_whom,
    test_s9_what_leaves_has_the_hosts_address_unless_the_network_says_otherwise,
)
from test_ports import (  # noqa: F401
    test_a_changed_port_is_all_that_changes_and_open_connections_stay,
    test_a_port_of_loopback_is_for_the_host_alone,
    test_a_published_port_is_reached_from_everywhere,
    test_the_container_sees_who_really_calls,
)

from netcompose.transports.sandbox import Sandbox


@pytest.fixture
def host(image_engine: Engine) -> Sandbox:
    outside.attach(image_engine.host)
    return image_engine.host


@pytest.fixture
def example(image_engine: Engine, host: Sandbox, tmp_path: Path) -> Iterator[Callable[[str], Example]]:
    with examples_with_images(image_engine, tmp_path) as bring_up:
        yield bring_up


def test_s7_an_image_container_joins_and_leaves_a_network_while_its_program_runs(
    example: Callable[[str], Example], image_engine: Engine
) -> None:
    isolation = example("isolation")
    pid = ["inspect", "--format", "{{.State.Pid}} {{.RestartCount}}", "isolation-f2"]
    before = image_engine.docker(*pid).stdout, isolation.inside("f2", "ip", "-o", "link", "show", "eth0")
    whole = isolation.file.read_text()
    line = next(line for line in whole.splitlines() if line.startswith("  f2:"))
    isolation.edit(line, line.replace("[front]", "{front: {gw_priority: 1}, back: {}}"))
    isolation.up()
    isolation.ping("f2", isolation.addresses("b1")["eth0"][0].partition("/")[0])
    assert (image_engine.docker(*pid).stdout, isolation.inside("f2", "ip", "-o", "link", "show", "eth0")) == before
    isolation.file.write_text(whole)
    isolation.up()
    assert list(isolation.addresses("f2")) == ["eth0"]
    assert (image_engine.docker(*pid).stdout, isolation.inside("f2", "ip", "-o", "link", "show", "eth0")) == before
