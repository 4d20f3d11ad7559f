"""S1 to S8, S16 and S17 of tests/kernel again, with every container of the examples from an image of a real engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from engine import SOCKET, Engine
from image_support import examples_with_images
from support import Example
from test_scenarios_bridges import (  # noqa: F401
    test_s1_a_mac_address_changes_in_place,
    test_s1_containers_share_a_subnet_on_a_bridge_that_is_their_gateway,
    test_s5_a_changed_alias_changes_files_only,
    test_s5_names_hostnames_and_shared_aliases,
    test_s6_a_refused_change_of_what_is_up_touches_nothing,
    test_s6_a_static_address_changes_in_place,
    test_s6_the_address_is_the_one_asked_for_and_the_range_is_kept,
)
from test_scenarios_stacks import (  # noqa: F401
    test_s2_a_container_on_the_hosts_network_has_the_hosts_interfaces_and_ports,
    test_s3_none_has_loopback_only_and_a_cable_adds_its_end_only,
    test_s3_one_ends_address_changes,
    test_s3_wired_by_hand_then_taken_down,
    test_s4_joined_containers_have_one_stack,
    test_s16_a_removed_cable_takes_its_ends_only,
    test_s16_an_mtu_changes_in_place,
    test_s16_cables_have_addresses_macs_and_an_mtu,
)

from netcompose.transports.sandbox import Sandbox


@pytest.fixture
def host(image_engine: Engine) -> Sandbox:
    return image_engine.host


@pytest.fixture
def example(image_engine: Engine, tmp_path: Path) -> Iterator[Callable[[str], Example]]:
    with examples_with_images(image_engine, tmp_path) as bring_up:
        yield bring_up


def test_s8_a_link_is_a_name_inside_one_image_container_and_follows(example: Callable[[str], Example]) -> None:
    links = example("container-links")
    engine = ["docker", "--host", SOCKET, "exec"]

    def inside(container: str, name: str) -> str:
        done = links.host.run([*engine, f"{links.name}-{container}", "getent", "hosts", name])
        return str(done.stdout.split()[0]) if done.returncode == 0 else ""

    assert inside("app", "database") == links.addresses("db")["eth0"][0].partition("/")[0]
    links.edit("10.8.0.10", "10.8.0.77")
    links.up()
    assert inside("app", "database") == "10.8.0.77", "in the program's own file, without a restart"


def test_s17_the_programs_files_say_what_was_asked_for_and_resolve(
    example: Callable[[str], Example], image_engine: Engine
) -> None:
    files = example("resolver-files")

    def inside(container: str, *argv: str) -> str:
        return str(image_engine.docker("exec", f"{files.name}-{container}", *argv).stdout)

    mark = "# netcompose:resolver-files:file/custom/resolv.conf\n"
    wanted = mark + "nameserver 10.17.0.53\nsearch example.test\noptions timeout:1 attempts:1\n"
    assert inside("custom", "cat", "/etc/resolv.conf") == wanted
    assert inside("custom", "hostname") == "workstation\n"
    assert inside("custom", "getent", "hosts", "printer").split()[0] == "10.17.0.99"
    assert inside("custom", "getent", "hosts", "outside").split()[0] == "10.17.0.1", "host-gateway"
    assert inside("plain", "getent", "hosts", "workstation").split()[0] == "10.17.0.10"
    assert "printer" not in inside("plain", "cat", "/etc/hosts")
    running = ["inspect", "--format", "{{.State.Pid}} {{.RestartCount}}", f"{files.name}-custom"]
    before = image_engine.docker(*running).stdout
    files.edit("[example.test]", "[example.net]")
    files.up()
    assert inside("custom", "cat", "/etc/resolv.conf") == wanted.replace("example.test", "example.net")
    assert image_engine.docker(*running).stdout == before, "in the program's own file, without a restart"
