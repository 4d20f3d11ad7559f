"""Containers from images on a real engine: up, look, change, down. Oracles: docker, ip, ping."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from engine import Engine
from image_support import NEEDS_ETH0, NETCOMPOSE, Images, engine_objects
from support import assert_same, cli, run, snapshot, until

Make = Callable[[str], Images]

MIX = f"""
name: mix
networks:
  lan: {{subnets: [10.5.0.0/24]}}
containers:
  web:
    image: small
    command: [sh, -c, "{NEEDS_ETH0}; echo up as $A; exec sleep 100000"]
    environment: {{A: one}}
    networks: {{lan: {{ipv4_address: 10.5.0.10}}}}
    stop_grace_period: 0
  nat:
    networks: {{lan: {{ipv4_address: 10.5.0.20}}}}
"""


@pytest.fixture
def make(image_engine: Engine, tmp_path: Path) -> Make:
    return lambda text: Images(image_engine, tmp_path, text)


def test_native_and_image_containers_share_a_network_and_leave_nothing(make: Make) -> None:
    mix = make(MIX)
    before = snapshot(mix.host)
    mix.up()
    mix.await_running("web")
    assert mix.pings("web", "nat")
    assert mix.host.run(["ip", "netns", "exec", "mix-nat", "ping", "-c1", "-W1", "web"]).returncode == 0
    # The pinned namespace is the container's own, marked and wired as a native one's.
    pid = mix.inspect("web")["State"]["Pid"]
    assert run(mix.host, "ip", "netns", "identify", str(pid)).strip() == "mix-web"
    (lo, eth0) = json.loads(run(mix.host, "ip", "-n", "mix-web", "-j", "link"))
    assert (lo["ifalias"], eth0["ifname"]) == ("netcompose:mix:namespace/web", "eth0")
    assert json.loads(run(mix.host, "ip", "-n", "mix-web", "-j", "-4", "addr", "show", "eth0"))[0]["addr_info"][0][
        "local"
    ] == ("10.5.0.10")
    rows = {row["name"]: row for row in json.loads(mix.nc("ps", "--output", "json"))}
    assert rows["web"]["status"] == "running" and rows["web"]["networks"] == {"lan": ["10.5.0.10"]}
    assert rows["web"]["pid"] == pid
    assert mix.nc("logs", "web") == "up as one\n"
    assert mix.nc("exec", "web", "--", "sh", "-c", "echo $A; hostname") == "one\nweb\n"
    assert mix.nc("exec", "web", "--", "sh", "-c", "exit 7", status=7) == ""
    assert mix.nc("inspect", "web").count("10.5.0.10")
    labels = mix.inspect("web")["Config"]["Labels"]
    assert (labels["io.netcompose.topology"], labels["io.netcompose.resource"]) == ("mix", "container/web")
    mix.nc("down")
    assert engine_objects(mix.engine) == []
    assert_same(mix.host, before)


def test_an_image_that_the_engine_does_not_have_is_a_problem_before_any_change(make: Make) -> None:
    mix = make(MIX.replace("image: small", "image: nobody/has:this"))
    before = snapshot(mix.host)
    said = mix.refused("up", status=3)
    assert "topology.yaml:7:" in said and "nobody/has:this" in said and "docker pull nobody/has:this" in said
    assert engine_objects(mix.engine) == []
    assert_same(mix.host, before)


def test_without_an_engine_the_line_is_told(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    mix = make(MIX)
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    said = mix.refused("plan", status=3)
    assert "topology.yaml:7:" in said and "/nowhere/docker.sock" in said and "\n  hint:" in said


def test_a_name_that_somebody_else_has_is_a_problem_of_the_plan(make: Make) -> None:
    mix = make(MIX)
    mix.engine.docker("create", "--name", "mix-web", "small")
    before = snapshot(mix.host)
    said = mix.refused("up", status=1)
    assert "mix-web is taken: a container that netcompose did not make" in said
    assert_same(mix.host, before)
    mix.nc("down")
    assert engine_objects(mix.engine) == ["mix-web"]


def test_a_program_that_the_image_does_not_have_fails_the_run_and_everything_is_put_back(make: Make) -> None:
    mix = make(MIX.replace('[sh, -c, "', '[nothing-like-this, "'))
    before = snapshot(mix.host)
    said = mix.refused("up", status=4)
    assert "nothing-like-this: not found in the image" in said
    assert engine_objects(mix.engine) == []
    assert_same(mix.host, before)


def test_a_changed_environment_makes_a_new_container_and_touches_nobody_else(make: Make) -> None:
    mix = make(MIX)
    mix.up()
    old = mix.inspect("web")["Id"]
    index = run(mix.host, "ip", "-n", "mix-nat", "-o", "link", "show", "eth0")
    mix.edit("{A: one}", "{A: two}")
    (change,) = (item for item in mix.plan() if item["address"].endswith("container/web"))
    assert change["actions"] == ["delete", "create"] and change["replace_paths"] == ["environment.A"]
    assert "a process keeps its environment" in change["reason"]
    mix.up()
    mix.await_running("web")
    assert mix.inspect("web")["Id"] != old
    assert mix.logs("web") == "up as two\n"
    assert engine_objects(mix.engine) == ["mix-web"], "what was set aside is gone"
    assert run(mix.host, "ip", "-n", "mix-nat", "-o", "link", "show", "eth0") == index
    assert mix.pings("web", "nat")


def test_limits_and_restart_policy_change_while_it_runs(make: Make) -> None:
    mix = make(MIX.replace("    stop_grace_period", "    mem_limit: 64m\n    cpus: 0.5\n    stop_grace_period"))
    mix.up()
    before = mix.inspect("web")
    mix.edit("mem_limit: 64m\n    cpus: 0.5", "mem_limit: 96m\n    cpus: 0.25\n    restart: on-failure:3")
    assert mix.actions() == {"container/web": "update"}
    mix.up()
    after = mix.inspect("web")
    host = after["HostConfig"]
    assert (after["Id"], after["State"]["Pid"]) == (before["Id"], before["State"]["Pid"])
    assert (host["Memory"], host["NanoCpus"]) == (96 << 20, 250_000_000)
    assert host["RestartPolicy"] == {"Name": "on-failure", "MaximumRetryCount": 3}
    # Changed by hand, it is seen and put back.
    mix.engine.docker("update", "--cpus", "1", "mix-web")
    assert mix.actions() == {"container/web": "update"}
    mix.up()
    assert mix.inspect("web")["HostConfig"]["NanoCpus"] == 250_000_000


def test_a_tag_that_leads_elsewhere_makes_a_new_container(make: Make) -> None:
    mix = make(MIX)
    mix.up()
    mix.engine.docker("tag", "programs", "small")
    (change,) = (item for item in mix.plan() if item["address"].endswith("container/web"))
    assert change["replace_paths"] == ["image_id"]


def test_a_container_that_was_removed_by_hand_is_made_again(make: Make) -> None:
    mix = make(MIX)
    mix.up()
    mix.engine.docker("rm", "--force", "mix-web")
    assert mix.actions()["container/web"] == "create"
    mix.up()
    mix.await_running("web")
    assert mix.pings("web", "nat")


def test_exec_at_a_terminal_and_with_input(make: Make) -> None:
    mix = make(MIX)
    mix.up()
    assert mix.nc("exec", "web", "--", "cat", input="one\ntwo\n") == "one\ntwo\n"
    # script(1) gives it a terminal, as a keyboard would.
    command = f"{' '.join(NETCOMPOSE)} exec -f {mix.file} web -- sh -c 'test -t 0 && echo on $TERM; exit 5'"
    done = mix.host.run(["script", "-qec", command, "/dev/null"], env={"TERM": "vt100"}, input="")
    assert done.stdout.strip().replace("\r", "").endswith("on vt100")
    assert done.returncode == 5


def test_a_rehearsal_touches_no_engine(make: Make) -> None:
    mix = make(MIX)
    done = cli(mix.host, "rehearse", file=mix.file)
    assert "bare namespaces stand in for web" in done.stderr
    assert "all as the topology promises" in done.stdout
    assert engine_objects(mix.engine) == []


ROUTERS = """
name: routers
containers:
  r1: {image: small, cap_add: [NET_ADMIN], command: [sh, -c, "ip addr add 10.9.0.1/30 dev eth1; sleep 100000"]}
  r2: {image: small, cap_add: [NET_ADMIN], command: [sh, -c, "ip addr add 10.9.0.2/30 dev eth1; sleep 100000"]}
links:
  - endpoints: ["r1:eth1", "r2:eth1"]
"""


def test_a_router_addresses_its_own_cables(image_engine: Engine, tmp_path: Path) -> None:
    """What the file does not address is for the program in the image: no drift, whenever it does so."""
    routers = Images(image_engine, tmp_path, ROUTERS)
    routers.up()
    until(lambda: routers.pings("r1", "10.9.0.2"))
    assert routers.actions() == {}
    routers.inside("r1", "ip", "addr", "add", "10.9.1.1/30", "dev", "eth1")
    assert routers.actions() == {}
    # A change of the cable leaves them there, too.
    routers.edit('"r2:eth1"]', '"r2:eth1"]\n    mtu: 1400')
    routers.up()
    assert "10.9.1.1/30" in routers.inside("r1", "ip", "addr", "show", "dev", "eth1")
    assert "mtu 1400" in routers.inside("r1", "ip", "link", "show", "dev", "eth1")
    assert routers.pings("r1", "10.9.0.2")
    routers.nc("down")
    assert engine_objects(image_engine) == []
