"""Wired before its program runs, whoever starts it: by hand, by its policy, by the engine's own restart."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from engine import Engine
from image_support import NEEDS_ETH0, Images, engine_objects
from support import assert_same, run, snapshot, until

Make = Callable[[str], Images]

#: ``web`` and ``db`` end with 9 where they are not wired; ``web`` has a cable to ``far`` besides.
PAIR = f"""
name: pair
networks:
  lan: {{subnets: [10.5.0.0/24]}}
containers:
  web: &small
    image: small
    command: [sh, -c, "{NEEDS_ETH0}; ip addr show dev eth5 | grep -q 'inet ' || exit 8; echo up; sleep 100000 & wait"]
    networks: {{lan: {{ipv4_address: 10.5.0.10}}}}
    sysctls: {{net.ipv4.ip_default_ttl: 99}}
    restart: always
    stop_grace_period: 0
  db:
    image: small
    command: [sh, -c, "{NEEDS_ETH0}; echo up; sleep 100000 & wait"]
    networks: {{lan: {{ipv4_address: 10.5.0.11}}}}
    restart: unless-stopped
    stop_grace_period: 0
  far:
    networks: {{lan: {{ipv4_address: 10.5.0.20}}}}
links:
  - endpoints: ["web:eth5", "far:eth5"]
    addresses: [10.1.0.1/30, 10.1.0.2/30]
"""


@pytest.fixture
def pair(image_engine: Engine, tmp_path: Path) -> Images:
    made = Images(image_engine, tmp_path, PAIR)
    made.up()
    for container in ("web", "db"):
        made.await_running(container)
    return made


def ends(pair: Images) -> dict[str, object]:
    """The interfaces of everybody else, by name and index."""
    found = {}
    for where in ([], ["-n", "pair-far"]):
        for link in json.loads(run(pair.host, "ip", *where, "-j", "link")):
            found["/".join([*where, link["ifname"]])] = (link["ifindex"], link["address"], link.get("master"))
    return found


def started(pair: Images, container: str) -> str:
    return str(pair.inspect(container)["State"]["StartedAt"])


def assert_wired(pair: Images, *containers: str) -> None:
    """Its program runs and was never run unwired, everybody is reached, nothing is left to plan."""
    for container in containers:
        pair.await_running(container)
        state = pair.inspect(container)["State"]
        assert state["Running"] and state["ExitCode"] == 0
        assert pair.pings(container, "far")
    assert pair.pings("web", "10.1.0.2")
    assert pair.inside("web", "cat", "/proc/sys/net/ipv4/ip_default_ttl") == "99\n"
    assert pair.actions() == {}


def test_docker_restart_wires_again_and_leaves_the_peers_alone(pair: Images) -> None:
    before = ends(pair)
    pid = pair.inspect("web")["State"]["Pid"]
    pair.engine.docker("restart", "--time", "0", "pair-web")
    assert_wired(pair, "web", "db")
    assert pair.inspect("web")["State"]["Pid"] != pid
    assert pair.logs("web") == "up\nup\n"
    assert pair.inspect("web")["RestartCount"] == 0, "its program has not failed for want of an interface"
    assert ends(pair) == before, "peers keep their ends"


def test_the_restart_policy_wires_again(pair: Images) -> None:
    before = ends(pair)
    run(pair.host, "kill", "-9", str(pair.inspect("db")["State"]["Pid"]))
    until(lambda: pair.inspect("db")["RestartCount"] == 1, 30)
    assert_wired(pair, "db", "web")
    assert pair.logs("db") == "up\nup\n"
    assert ends(pair) == before


def test_stopped_and_started_by_hand(pair: Images) -> None:
    pair.engine.docker("stop", "--time", "0", "pair-db")
    assert pair.actions() == {}, "unless-stopped: it was asked to stop"
    pair.engine.docker("start", "pair-db")
    assert_wired(pair, "db", "web")


@pytest.mark.parametrize("live_restore", [False, True])
def test_a_restart_of_the_engine(pair: Images, live_restore: bool) -> None:
    option = ("--live-restore",) if live_restore else ()
    if live_restore:
        # It has to be on when the engine stops.
        pair.engine.stop()
        pair.engine.start(*option)
        assert_wired(pair, "web", "db")
    before = ends(pair)
    first = started(pair, "web")
    pair.engine.stop()
    pair.engine.start(*option)
    assert_wired(pair, "web", "db")
    assert (started(pair, "web") == first) == live_restore
    assert pair.inspect("web")["RestartCount"] == 0
    assert ends(pair) == before


def gatekeepers(pair: Images) -> list[int]:
    return [int(pid) for pid in pair.host.run(["pgrep", "-f", "gatekeeper.pyz"]).stdout.split()]


def test_the_gatekeepers_working_half_comes_back_by_itself(pair: Images) -> None:
    _, inner = gatekeepers(pair)
    run(pair.host, "kill", "-9", str(inner))
    until(lambda: len(gatekeepers(pair)) == 2 and inner not in gatekeepers(pair))
    assert pair.actions() == {}
    pair.engine.docker("restart", "--time", "0", "pair-web")
    assert_wired(pair, "web", "db")
    assert "started again" in pair.nc("logs", "@gate")


def test_without_a_gatekeeper_a_container_waits_the_plan_says_so_and_up_mends_it(pair: Images) -> None:
    pair.host.run(["kill", "-9", *map(str, gatekeepers(pair))])
    until(lambda: not gatekeepers(pair))
    assert pair.actions() == {"process/@gate": "create"}
    pair.engine.docker("restart", "--time", "0", "pair-web")
    assert pair.at_the_gate("web")
    rows = {row["name"]: row["status"] for row in json.loads(pair.nc("ps", "--output", "json"))}
    assert (rows["web"], rows["db"]) == ("waiting", "running")
    actions = pair.actions()
    assert actions["process/@gate"] == "create"
    assert actions["namespace/web"] == "delete+create"
    assert actions["start/web"] == "update"
    assert "container/web" not in actions and "namespace/db" not in actions
    pair.up()
    assert_wired(pair, "web", "db")
    assert pair.logs("web") == "up\nup\n"


def test_down_while_a_container_waits_at_its_gate_leaves_nothing(image_engine: Engine, tmp_path: Path) -> None:
    before = snapshot(image_engine.host)
    pair = Images(image_engine, tmp_path, PAIR)
    pair.up()
    pair.host.run(["kill", "-9", *map(str, gatekeepers(pair))])
    pair.engine.docker("restart", "--time", "0", "pair-web")
    pair.nc("down")
    assert engine_objects(image_engine) == []
    assert_same(image_engine.host, before)


def test_a_container_cannot_get_the_interfaces_of_another(pair: Images) -> None:
    """A process that is not the container's first one asks the gatekeeper, from a namespace of its own."""
    before = ends(pair)
    pair.inside("db", "sh", "-c", "ip link show eth0 >/dev/null")
    script = "unshare -n timeout 2 /.netcompose/gate true"
    pid = str(pair.inspect("db")["State"]["Pid"])
    done = pair.host.run(["nsenter", "-t", pid, "-m", "-p", "/bin/sh", "-c", script])
    assert done.returncode != 0
    assert ends(pair) == before
    assert_wired(pair, "db", "web")
