"""A host with image containers that is started again: the engine's data and /etc are there, and nothing else of before.

The second life is a throw-away host of its own with the disk of the first: what a boot does away with (namespaces,
interfaces, rules, /run, processes) cannot be there.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from engine import ROOT, SOCKET, Engine, need_docker
from image_support import NEEDS_ETH0, Images, engine_objects, make_images
from support import run

from netcompose.transports.sandbox import Sandbox

#: A program that ends with 9 where it is not wired, and says each time that it runs.
_OWN = f'image: small, command: [sh, -c, "{NEEDS_ETH0}; echo up; sleep 100000 & wait"], stop_grace_period: 0'
TOPOLOGY = f"""
name: boot
networks:
  lan: {{subnets: [10.5.0.0/24]}}
containers:
  always: {{{_OWN}, networks: [lan], restart: always}}
  unless: {{{_OWN}, networks: [lan], restart: unless-stopped}}
  never: {{{_OWN}, networks: [lan]}}
  guest: {{image: small, network_mode: "container:always", restart: always, stop_grace_period: 0}}
  onhost: {{image: small, network_mode: host, restart: always, stop_grace_period: 0}}
  native: {{command: [sleep, "100000"], networks: {{lan: {{ipv4_address: 10.5.0.20}}}}}}
"""
WIRED = ("always", "unless", "never")


class _WithDisk(Engine):
    """An engine whose data may have been written in an earlier life of the host."""

    def __init__(self, host: Sandbox, disk: Path) -> None:
        super().__init__(host, "--bridge", "none")
        self._disk = disk

    def start(self, *options: str) -> None:
        if self._disk.exists():
            run(self.host, "tar", "-C", "/", "-xpf", str(self._disk))
        super().start(*options)

    def end(self, *, orderly: bool) -> None:
        """Leave behind what is on the disk; without power the engine's containers are running ones there."""
        if orderly:
            self.stop()
        else:
            run(self.host, "kill", "-9", run(self.host, "cat", f"{ROOT}/pid").strip())
        run(self.host, "tar", "-C", "/", "-cpf", str(self._disk), f"{ROOT.lstrip('/')}/data", "etc/netns")


def status(boot: Images) -> dict[str, str]:
    return {row["name"]: row["status"] for row in json.loads(boot.nc("ps", "--output", "json"))}


def networks(boot: Images) -> dict[str, object]:
    return {row["name"]: row["networks"] for row in json.loads(boot.nc("ps", "--output", "json"))}


@pytest.mark.parametrize("then", ["up", "down"])
def test_after_a_reboot_nothing_runs_unwired_and_up_makes_everything_whole(
    then: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    need_docker()
    monkeypatch.setenv("DOCKER_HOST", SOCKET)
    disk = tmp_path / "disk.tar"
    with Sandbox("server4") as host, _WithDisk(host, disk) as engine:
        make_images(engine)
        boot = Images(engine, tmp_path, TOPOLOGY)
        boot.up()
        before, ids = networks(boot), {name: boot.inspect(name)["Id"] for name in WIRED}
        engine.end(orderly=then == "down")
    with Sandbox("server4") as host, _WithDisk(host, disk) as engine:
        boot = Images(engine, tmp_path, TOPOLOGY)
        # The engine has started what may run without netcompose, and could not start what has no gate yet.
        assert boot.inspect("onhost")["State"]["Running"]
        for name in WIRED:
            assert boot.logs(name) == "up\n", "its program has not run since"
            assert not boot.inspect(name)["State"]["Running"]
        assert status(boot) == {**dict.fromkeys([*WIRED, "guest"], "dead"), "onhost": "running", "native": "absent"}
        actions = boot.actions()
        assert {id: did for id, did in actions.items() if id.startswith("container/")} == {
            f"container/{name}": "update" for name in (*WIRED, "guest")
        }
        assert {id for id in actions if id.startswith("start/")} == {f"start/{name}" for name in WIRED}
        assert actions["process/native"] == actions["process/@gate"] == actions["bridge/lan"] == "create"
        if then == "up":
            boot.up()
            for name in WIRED:
                boot.await_running(name)
                assert boot.logs(name) == "up\nup\n"
                assert boot.pings(name, "native")
            assert {name: boot.inspect(name)["Id"] for name in WIRED} == ids, "the very same containers"
            assert networks(boot) == before
            assert boot.inside("guest", "ip", "-o", "-4", "addr") == boot.inside("always", "ip", "-o", "-4", "addr")
        boot.nc("down")
        assert engine_objects(engine) == []
        assert [link["ifname"] for link in json.loads(run(host, "ip", "-j", "link"))] == ["lo"]
        assert run(host, "sh", "-c", "ls /run/netns /etc/netns/* 2>/dev/null; true") == ""
        assert "netcompose" not in run(host, "nft", "list", "tables") + run(host, "ls", "/run")
