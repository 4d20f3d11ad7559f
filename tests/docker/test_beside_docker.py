"""A topology beside a running Docker Engine, whose packet filter drops what is forwarded and not Docker's.

What is in ``DOCKER-USER`` is read with iptables; who reaches whom is asked with ping and plain sockets.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from engine import HOST4, HOST6, IMAGE, OUTSIDE4, OUTSIDE6, ROOT, Engine
from support import assert_same, cli, run, snapshot, until

from netcompose.transports.sandbox import Sandbox

MARK = "netcompose:campus"

TOPOLOGY = """
name: campus
networks:
  front: {subnets: [10.30.1.0/24, "fd00:30:1::/64"]}
  back: {subnets: [10.30.2.0/24, "fd00:30:2::/64"]}
containers:
  web:
    command: [/usr/bin/python3, /mnt/probe.py, serve, web, "80", "53"]
    networks: {front: {ipv4_address: 10.30.1.10, ipv6_address: "fd00:30:1::10"}}
    ports: ["8080:80"]
  client:
    networks: {front: {ipv4_address: 10.30.1.20, ipv6_address: "fd00:30:1::20"}}
  db:
    networks: {back: {ipv4_address: 10.30.2.10, ipv6_address: "fd00:30:2::10"}}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "topology.yaml"
    path.write_text(TOPOLOGY)
    return path


def marked(host: Sandbox, program: str = "iptables", mark: str = MARK) -> list[str]:
    """The rules of the filter table that carry a topology's mark."""
    return [line for line in run(host, program, "-S").splitlines() if f'"{mark}"' in line]


def changes(host: Sandbox, file: Path) -> dict[str, list[str]]:
    """``plan``, in short: address -> actions."""
    plan = json.loads(cli(host, "plan", "--output", "json", file=file).stdout)
    return {change["address"]: change["actions"] for change in plan["changes"]}


def reaches(host: Sandbox, netns: str, target: str, *, after: float = 1.0) -> bool:
    """One packet and its answer."""
    return host.run(["ip", "netns", "exec", netns, "ping", "-c", "1", "-W", str(after), target]).returncode == 0


def says(host: Sandbox, netns: str, address: str, port: int) -> str:
    """What a server says to a client in a namespace (empty: the host)."""
    enter = ["ip", "netns", "exec", netns] if netns else []
    questions = json.dumps({"": ["tcp", address, str(port)]})
    done = host.run([*enter, "/usr/bin/python3", f"{ROOT}/probe.py", "ask"], input=questions, check=True)
    return str(json.loads(done.stdout)[""])


def everything_works(host: Sandbox) -> None:
    """Inside one network, from inside to outside, from outside to a published port, and not between networks."""
    for peer, outside, public, foreign in (
        ("10.30.1.10", OUTSIDE4, HOST4, "10.30.2.10"),
        ("fd00:30:1::10", OUTSIDE6, HOST6, "fd00:30:2::10"),
    ):
        until(lambda peer=peer: reaches(host, "campus-client", peer))
        assert reaches(host, "campus-client", outside)
        until(lambda public=public: says(host, "outside", public, 8080).startswith("web sees"))
        assert not reaches(host, "campus-client", foreign)
        assert not reaches(host, "outside", peer)


def test_accepts_come_and_go_with_the_topology(crossroads: Engine, file: Path) -> None:
    host = crossroads.host
    # A rule of the administrator's, which has to stay the first.
    run(host, "iptables", "-I", "DOCKER-USER", "-s", "192.0.2.0/24", "-j", "DROP")
    before = snapshot(host)
    cli(host, "up", file=file)

    assert changes(host, file) == {}
    own = run(host, "iptables", "-S", "DOCKER-USER").splitlines()
    assert own[1] == "-A DOCKER-USER -s 192.0.2.0/24 -j DROP"
    assert own[2:-1] == marked(host) and marked(host)
    assert own[-1] == "-A DOCKER-USER -j RETURN"
    assert marked(host, "ip6tables")
    everything_works(host)

    cli(host, "down", file=file)
    assert_same(host, before)


@pytest.mark.parametrize(
    "damage",
    [
        ["-F", "DOCKER-USER"],
        ["-I", "DOCKER-USER", "1", "-j", "RETURN"],
        ["-D", "DOCKER-USER", "1"],
    ],
    ids=["flushed", "returned-before", "one-removed"],
)
def test_what_is_lost_in_docker_user_is_seen_and_mended(crossroads: Engine, file: Path, damage: list[str]) -> None:
    host = crossroads.host
    cli(host, "up", file=file)
    rules = marked(host)

    run(host, "iptables", *damage)
    assert not says(host, "outside", HOST4, 8080).startswith("web sees")
    assert set(changes(host, file)) == {"local/docker-user/campus"}

    cli(host, "up", file=file)
    assert marked(host) == rules
    assert changes(host, file) == {}
    everything_works(host)


def test_a_restart_of_docker_changes_nothing(crossroads: Engine, file: Path) -> None:
    host = crossroads.host
    cli(host, "up", file=file)
    crossroads.stop()
    crossroads.start()
    crossroads.docker("network", "create", "--ipv6", "--subnet", "fd00:31::/64", "later")

    assert changes(host, file) == {}
    everything_works(host)


def test_docker_that_comes_later_is_a_plan_with_one_change(crossroads: Engine, file: Path) -> None:
    host = crossroads.host
    crossroads.stop()
    # A host on which there has been no Docker since it was started.
    for program in ("iptables", "ip6tables"):
        for table in ("filter", "nat"):
            run(host, program, "-t", table, "-F")
            run(host, program, "-t", table, "-X")
        run(host, program, "-P", "FORWARD", "ACCEPT")
    cli(host, "up", file=file)
    assert not marked(host)
    everything_works(host)

    crossroads.start()
    assert changes(host, file) == {"local/docker-user/campus": ["create"]}
    cli(host, "up", file=file)
    everything_works(host)


def test_dockers_containers_and_ours_meet_at_published_ports_alone(crossroads: Engine, file: Path) -> None:
    host = crossroads.host
    cli(host, "up", file=file)
    crossroads.docker("network", "create", "--subnet", "10.40.0.0/24", "docks")
    volumes = ["--volume", "/usr:/usr:ro", "--volume", f"{ROOT}/probe.py:{ROOT}/probe.py:ro"]
    crossroads.docker(
        *("run", "--detach", "--name", "crane", "--network", "docks", "--ip", "10.40.0.10", "--publish", "6060:80"),
        *(*volumes, IMAGE, "/usr/bin/python3", f"{ROOT}/probe.py", "serve", "crane", "80", "53"),
    )

    def crane_asks(address: str, port: int) -> str:
        asked = json.dumps({"": ["tcp", address, str(port)]})
        argv = ["exec", "--interactive", "crane", "/usr/bin/python3", f"{ROOT}/probe.py", "ask"]
        return str(json.loads(crossroads.docker(*argv, input=asked).stdout)[""])

    until(lambda: says(host, "", "10.40.0.10", 80).startswith("crane sees"))
    assert says(host, "campus-client", "10.40.0.10", 8080) == "-"
    assert not reaches(host, "campus-client", "10.40.0.10")
    assert says(host, "campus-client", HOST4, 6060).startswith("crane sees")
    assert crane_asks("10.30.1.10", 80) == "-"
    assert crane_asks(HOST4, 8080).startswith("web sees")


def test_each_topology_has_rules_of_its_own(crossroads: Engine, file: Path, tmp_path: Path) -> None:
    host = crossroads.host
    cli(host, "up", file=file)
    rules = marked(host)
    second = tmp_path / "second.yaml"
    second.write_text("name: annex\nnetworks: {n: {subnets: [10.30.9.0/24]}}\ncontainers: {c: {networks: [n]}}\n")
    cli(host, "up", file=second)
    assert len(marked(host, mark="netcompose:annex")) == len(rules)
    assert changes(host, file) == {}

    cli(host, "down", file=second)
    assert not marked(host, mark="netcompose:annex")
    assert marked(host) == rules
    everything_works(host)
