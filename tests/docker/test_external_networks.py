"""``external: true``: containers of a topology on a network that is the engine's. Oracles: docker, ip, ping."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from engine import SOCKET, Engine, need_docker, settle
from image_support import Images, engine_objects, make_images
from support import assert_same, run, snapshot, until

from netcompose.transports.sandbox import Sandbox

Make = Callable[[str], Images]

TOPOLOGY = """
name: guest
networks:
  shared: {external: true}
  lan: {subnets: [10.5.0.0/24]}
containers:
  web:
    image: small
    networks: [shared]
    stop_grace_period: 0
  nat:
    networks:
      lan:
      shared: {ipv4_address: 10.60.0.99}
  alone:
    networks: [lan]
"""


@pytest.fixture
def docks(image_engine: Engine) -> Engine:
    """An engine with a network and two containers of somebody's on it."""
    image_engine.docker("network", "create", "--subnet", "10.60.0.0/24", "--gateway", "10.60.0.1", "shared")
    for name, address in (("crane", "10.60.0.10"), ("winch", "10.60.0.11")):
        image_engine.docker("run", "-d", "--name", name, "--network", "shared", "--ip", address, "small")
    settle(image_engine.host)
    return image_engine


@pytest.fixture
def make(docks: Engine, tmp_path: Path) -> Make:
    return lambda text: Images(docks, tmp_path, text)


def their_network(engine: Engine) -> object:
    return json.loads(engine.docker("network", "inspect", "shared").stdout)


def test_containers_join_an_engines_network_and_leave_it_as_it_was(make: Make) -> None:
    guest = make(TOPOLOGY)
    before, theirs = snapshot(guest.host), their_network(guest.engine)
    guest.up()
    guest.await_running("web")

    assert guest.pings("web", "10.60.0.10") and guest.pings("web", "10.60.0.99") and guest.pings("web", "10.60.0.1")
    assert guest.pings("web", "nat")
    assert guest.engine.docker("exec", "crane", "ping", "-c1", "-W1", "10.60.0.99").returncode == 0
    (address,) = json.loads(run(guest.host, "ip", "-n", "guest-web", "-j", "-4", "addr", "show", "eth0"))[0][
        "addr_info"
    ]
    assert address["local"].startswith("10.60.0.") and address["local"] not in ("10.60.0.1", "10.60.0.10", "10.60.0.11")
    (route,) = json.loads(run(guest.host, "ip", "-n", "guest-web", "-j", "route", "show", "default"))
    assert route["gateway"] == "10.60.0.1"
    assert guest.host.run(["ip", "netns", "exec", "guest-alone", "ping", "-c1", "-W1", "10.60.0.10"]).returncode != 0
    assert their_network(guest.engine) == theirs

    guest.nc("down")
    assert engine_objects(guest.engine) == ["crane", "winch"]
    assert_same(guest.host, before)
    assert their_network(guest.engine) == theirs


def test_a_port_that_somebody_takes_off_the_bridge_is_put_back(make: Make) -> None:
    guest = make(TOPOLOGY)
    guest.up()
    bridge = "br-" + json.loads(guest.engine.docker("network", "inspect", "shared").stdout)[0]["Id"][:12]
    ports = {link["ifname"] for link in json.loads(run(guest.host, "ip", "-j", "link", "show", "master", bridge))}
    ours = sorted(port for port in ports if port.startswith("nc"))
    assert len(ours) == 2
    run(guest.host, "ip", "link", "set", ours[0], "nomaster")
    assert list(guest.actions().values()) == ["update"]
    guest.up()
    assert guest.host.run(["ip", "netns", "exec", "guest-nat", "ping", "-c1", "-W1", "10.60.0.10"]).returncode == 0


def test_another_name_and_the_engines_default_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need_docker()
    monkeypatch.setenv("DOCKER_HOST", SOCKET)
    # An engine with its default network, which the others go without.
    with Sandbox("server4") as sandbox, Engine(sandbox) as engine:
        make_images(engine)
        engine.docker("run", "-d", "--name", "crane", "small")
        text = TOPOLOGY.replace("{external: true}", "{external: {name: bridge}}").replace("10.60.0.99", "172.17.0.99")
        guest = Images(engine, tmp_path, text)
        guest.up()
        guest.await_running("web")
        for address in ("172.17.0.1", "172.17.0.2", "172.17.0.99"):
            assert guest.pings("web", address)


@pytest.mark.parametrize(
    "old, new, line, words",
    [
        ("{external: true}", "{external: {name: nothing-there}}", 4, "docker has no network nothing-there"),
        (
            "{external: true}",
            "{external: {name: host}}",
            4,
            "the network host is host, and only a bridge can be joined",
        ),
        ("10.60.0.99", "10.60.0.10", 14, "10.60.0.10 is crane's on the external network 'shared'"),
        ("10.60.0.99", "10.60.0.1", 14, "10.60.0.1 is the gateway's on the external network 'shared'"),
        ("10.60.0.99", "10.61.0.1", 14, "10.61.0.1 is in no subnet of network 'shared'"),
        ("{external: true}", "{external: true, driver: macvlan}", 4, "'driver' cannot be set"),
        ("{external: true}", "{external: true, subnets: [10.60.0.0/24]}", 4, "'subnets' cannot be set"),
        ("{external: true}", "{external: true, icc: false}", 4, "has no 'icc'"),
    ],
)
def test_what_cannot_be_joined_is_told_with_its_line(make: Make, old: str, new: str, line: int, words: str) -> None:
    guest = make(TOPOLOGY)
    guest.edit(old, new)
    before = snapshot(guest.host)
    for command in ("plan", "up"):
        said = guest.refused(command, status=3)
        assert f"topology.yaml:{line}:" in said and words in said, said
    assert_same(guest.host, before)


def test_ports_are_not_published_on_an_engines_network(make: Make) -> None:
    guest = make(TOPOLOGY.replace("    networks: [shared]\n", "    networks: [shared]\n    ports: ['8080:80']\n"))
    said = guest.refused("plan", status=3)
    assert "topology.yaml:10:" in said, said


def test_a_network_that_is_made_anew_is_joined_anew(make: Make) -> None:
    guest = make(TOPOLOGY)
    guest.up()
    guest.nc("down")
    for name in ("crane", "winch"):
        guest.engine.docker("rm", "-f", name)
    guest.engine.docker("network", "rm", "shared")
    guest.engine.docker("network", "create", "--subnet", "10.60.0.0/24", "shared")
    guest.up()
    guest.await_running("web")
    until(lambda: guest.pings("web", "10.60.0.1"))
