"""Wired before its program runs, whoever starts it: by hand, by its policy, by the engine's own restart.

One engine and one `up` serve all tests that leave it as the file says.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from engine import SOCKET, Engine, need_docker
from image_support import NEEDS_ETH0, Images, engine_objects, make_images
from lending import Lending
from support import NETCOMPOSE, assert_same, run, snapshot, until

from netcompose.transports.sandbox import Sandbox

_FAULT = Path(__file__).with_name("gate_fault.py")
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


class Pair(Images):
    """The pair, up."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        super().__init__(engine, folder, PAIR)
        self.up()
        for container in ("web", "db"):
            self.await_running(container)

    def counts(self, container: str) -> tuple[int, int]:
        """How often its program has run, and how often the engine has started it again by its policy."""
        return self.logs(container).count("up"), self.inspect(container)["RestartCount"]


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lending[Pair]]:
    need_docker()

    @contextmanager
    def make() -> Iterator[Pair]:
        with Sandbox("server4") as sandbox, Engine(sandbox, "--bridge", "none") as engine:
            make_images(engine)
            yield Pair(engine, tmp_path_factory.mktemp("pair"))

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOCKER_HOST", SOCKET)
        lending = Lending(make, lambda pair: engine_objects(pair.engine) and pair.actions())
        yield lending
        lending.end()


@pytest.fixture
def pair(pairs: Lending[Pair]) -> Iterator[Pair]:
    with pairs.lent() as pair:
        yield pair


def ends(pair: Pair) -> dict[str, object]:
    """The interfaces of everybody else, by name and index."""
    found = {}
    for where in ([], ["-n", "pair-far"]):
        for link in json.loads(run(pair.host, "ip", *where, "-j", "link")):
            found["/".join([*where, link["ifname"]])] = (link["ifindex"], link["address"], link.get("master"))
    return found


def started(pair: Pair, container: str) -> str:
    return str(pair.inspect(container)["State"]["StartedAt"])


def assert_wired(pair: Pair, *containers: str) -> None:
    """Its program runs and was never run unwired, everybody is reached, nothing is left to plan."""
    for container in containers:
        pair.await_running(container)
        state = pair.inspect(container)["State"]
        assert state["Running"] and state["ExitCode"] == 0
        assert pair.pings(container, "far")
    assert pair.pings("web", "10.1.0.2")
    assert pair.inside("web", "cat", "/proc/sys/net/ipv4/ip_default_ttl") == "99\n"
    assert pair.actions() == {}


def test_docker_restart_wires_again_and_leaves_the_peers_alone(pair: Pair) -> None:
    before, (ups, restarts) = ends(pair), pair.counts("web")
    pid = pair.inspect("web")["State"]["Pid"]
    pair.engine.docker("restart", "--time", "0", "pair-web")
    assert_wired(pair, "web", "db")
    assert pair.inspect("web")["State"]["Pid"] != pid
    assert pair.counts("web") == (ups + 1, restarts), "its program has not failed for want of an interface"
    assert ends(pair) == before, "peers keep their ends"


def test_the_restart_policy_wires_again(pair: Pair) -> None:
    before, (ups, restarts) = ends(pair), pair.counts("db")
    run(pair.host, "kill", "-9", str(pair.inspect("db")["State"]["Pid"]))
    until(lambda: pair.counts("db")[1] == restarts + 1, 30)
    assert_wired(pair, "db", "web")
    assert pair.counts("db") == (ups + 1, restarts + 1)
    assert ends(pair) == before


def test_stopped_and_started_by_hand(pair: Pair) -> None:
    pair.engine.docker("stop", "--time", "0", "pair-db")
    assert pair.actions() == {}, "unless-stopped: it was asked to stop"
    pair.engine.docker("start", "pair-db")
    assert_wired(pair, "db", "web")


@pytest.mark.parametrize("live_restore", [False, True])
def test_a_restart_of_the_engine(pair: Pair, live_restore: bool) -> None:
    option = ("--live-restore",) if live_restore else ()
    if live_restore:
        # It has to be on when the engine stops.
        pair.engine.stop()
        pair.engine.start(*option)
        assert_wired(pair, "web", "db")
    before = ends(pair)
    first, (_, restarts) = started(pair, "web"), pair.counts("web")
    pair.engine.stop()
    pair.engine.start(*option)
    assert_wired(pair, "web", "db")
    assert (started(pair, "web") == first) == live_restore
    assert pair.counts("web")[1] in (0, restarts), "which the engine begins to count anew"
    assert ends(pair) == before


def gatekeepers(pair: Pair) -> list[int]:
    return [int(pid) for pid in pair.host.run(["pgrep", "-f", "gatekeeper.pyz"]).stdout.split()]


def test_the_gatekeepers_working_half_comes_back_by_itself(pair: Pair) -> None:
    _, inner = gatekeepers(pair)
    run(pair.host, "kill", "-9", str(inner))
    until(lambda: len(gatekeepers(pair)) == 2 and inner not in gatekeepers(pair))
    assert pair.actions() == {}
    pair.engine.docker("restart", "--time", "0", "pair-web")
    assert_wired(pair, "web", "db")
    assert "started again" in pair.nc("logs", "@gate")


def test_without_a_gatekeeper_a_container_waits_the_plan_says_so_and_up_mends_it(pair: Pair) -> None:
    ups, restarts = pair.counts("web")
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
    assert pair.counts("web") == (ups + 1, restarts)


@pytest.mark.parametrize(
    "operation, then",
    [*((number, "it comes back") for number in (8, 10, 14, 16, 22, 28)), (10, "up"), (22, "up")],
)
def test_killed_while_it_wires_a_container_again(pair: Pair, operation: int, then: str, tmp_path: Path) -> None:
    """After an interface was moved, all were, the name was taken away, given anew; after a sysctl, after an address."""
    before, (ups, restarts) = ends(pair), pair.counts("web")
    pair.host.run(["kill", "-9", *map(str, gatekeepers(pair))])
    with faulty_gatekeeper(pair, operation, tmp_path) as end:
        pair.engine.docker("restart", "--time", "0", "pair-web")
        until(end)
    assert pair.at_the_gate("web")
    if then == "it comes back":
        with faulty_gatekeeper(pair, 0, tmp_path):
            until(lambda: not pair.at_the_gate("web"))
        assert pair.actions() == {"process/@gate": "create"}
        assert ends(pair) == before
    pair.up()
    assert_wired(pair, "web", "db")
    assert pair.counts("web") == (ups + 1, restarts), "its program was never run without what it needs"
    assert {name.rpartition("/")[2] for name in ends(pair)} == {name.rpartition("/")[2] for name in before}
    assert interfaces(pair) == ["eth0", "eth5", "lo"]


@contextmanager
def faulty_gatekeeper(pair: Pair, operation: int, folder: Path) -> Iterator[Callable[[], bool]]:
    """A gatekeeper that is killed after an operation, with 0 at the end; gives what tells whether it was."""
    note = folder / "pid"
    argv = [sys.executable, str(_FAULT), pair.name, str(operation), str(note)]
    outer = pair.host.popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until(note.exists)
    try:
        yield lambda: outer.poll() is not None
    finally:
        pair.host.run(["kill", "-9", note.read_text()])
        outer.wait(10)
        note.unlink()


def interfaces(pair: Pair) -> list[str]:
    return sorted(link["ifname"] for link in json.loads(run(pair.host, "ip", "-n", "pair-web", "-j", "link")))


def test_up_while_a_container_is_wired_again(pair: Pair) -> None:
    """Whoever comes second waits for the other; the file's change is there, and everything once."""
    whole = pair.file.read_text()
    ups, restarts = pair.counts("web")
    for number in range(4):
        pair.file.write_text(whole.replace("    addresses: [10.1", f"    mtu: {1400 + number}\n    addresses: [10.1"))
        argv = ["docker", "--host", SOCKET, "restart", "--time", "0", "pair-web"]
        first = pair.inspect("web")["State"]["Pid"]
        restart = pair.host.popen(argv, stdout=subprocess.DEVNULL)
        until(lambda pid=first: pair.inspect("web")["State"]["Pid"] not in (0, pid))
        done = pair.host.run([*NETCOMPOSE, "up", "-f", str(pair.file)], timeout=60)
        assert done.returncode == 0, done.stderr
        assert restart.wait(20) == 0
        assert_wired(pair, "web", "db")
        assert f"mtu {1400 + number} " in run(pair.host, "ip", "-n", "pair-web", "link", "show", "eth5")
        assert interfaces(pair) == ["eth0", "eth5", "lo"]
    assert pair.counts("web") == (ups + 4, restarts)
    pair.file.write_text(whole)
    pair.up()


def test_a_container_cannot_get_the_interfaces_of_another(pair: Pair) -> None:
    """A process that is not the container's first one asks the gatekeeper, from a namespace of its own."""
    before = ends(pair)
    pair.inside("db", "sh", "-c", "ip link show eth0 >/dev/null")
    script = "unshare -n timeout 2 /.netcompose/gate true"
    pid = str(pair.inspect("db")["State"]["Pid"])
    done = pair.host.run(["nsenter", "-t", pid, "-m", "-p", "/bin/sh", "-c", script])
    assert done.returncode != 0
    assert ends(pair) == before
    assert_wired(pair, "db", "web")


def test_down_while_a_container_waits_at_its_gate_leaves_nothing(pair: Pair) -> None:
    pair.nc("down")
    before = snapshot(pair.host)
    pair.up()
    pair.host.run(["kill", "-9", *map(str, gatekeepers(pair))])
    pair.engine.docker("restart", "--time", "0", "pair-web")
    pair.nc("down")
    assert engine_objects(pair.engine) == []
    assert_same(pair.host, before)
