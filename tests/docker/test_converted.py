"""Files of Compose and containerlab, converted and brought up: services reach each other as the files promise.

The files have the structure of published ones (named in each of them); the images are stand-ins of the same names with
the programs that the files call. Oracles: docker, ping, ip.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from engine import SOCKET, Engine
from image_support import Images, engine_objects
from support import assert_same, cli, run, snapshot, until

from netcompose.topology.load import load

CASES = Path(__file__).parents[1] / "unit" / "convert" / "cases"
#: Programs that the files call: each stays, or says that all is well.
STAYS, WELL = ("python", "nodemon"), ("pg_isready",)

Bring = Callable[[str], Images]


@pytest.fixture
def bring(image_engine: Engine, tmp_path: Path) -> Bring:
    """A case, converted by the command, with its images in the engine."""
    script = f"""
        set -e
        cp -a small standin
        for name in {" ".join(STAYS)}; do printf '#!/bin/sh\\nexec sleep 100000\\n' >standin/bin/$name; done
        for name in {" ".join(WELL)}; do printf '#!/bin/sh\\nexit 0\\n' >standin/bin/$name; done
        chmod +x standin/bin/*
        echo 'postgres:x:70:70::/:/bin/sh' >standin/etc/passwd
        tar -C standin -c . | docker --host {SOCKET} import --change 'CMD ["sleep", "100000"]' - standin
    """
    done = image_engine.host.run(["sh", "-c", script], cwd="/mnt")
    assert done.returncode == 0, done.stderr

    def make(case: str) -> Images:
        folder = tmp_path / case.partition(".")[0]
        folder.mkdir()
        source, made = folder / case, folder / "topology.yaml"
        source.write_text((CASES / case).read_text())
        for path in ("front/nginx.conf", "poll/app.py", "store/password.txt"):
            (folder / path).parent.mkdir(exist_ok=True)
            (folder / path).write_text("\n")
        cli(image_engine.host, "convert", str(source), "--out", str(made))
        for container in load(str(made)).containers.values():
            image_engine.docker("tag", "standin", container.image)
        text = made.read_text()
        if image_engine.docker(
            "run", "--rm", "--privileged", "--network", "none", "standin", "true", check=False
        ).returncode:
            # A machine that is a container itself may lack rights that containerlab's nodes have; these ones do.
            text = text.replace("privileged: true", "cap_add: [NET_ADMIN]")
        name = "" if "\nname: " in text else f"name: {folder.name}\n"
        lab = Images(image_engine, folder, name + text)
        lab.nc("validate")
        return lab

    return make


def up_and_down(lab: Images, look: Callable[[], None]) -> None:
    """It comes up, is as it was promised, and leaves nothing."""
    before = snapshot(lab.host)
    lab.up()
    for name in load(str(lab.file)).containers:
        lab.await_running(name)
    look()
    lab.nc("down")
    assert engine_objects(lab.engine) == []
    assert_same(lab.host, before)


def test_a_shop_in_three_tiers(bring: Bring) -> None:
    lab = bring("shop.compose.yml")

    def look() -> None:
        for one, other in (("front", "api"), ("api", "store"), ("front", "store")):
            assert lab.pings(one, other)
        assert lab.inspect("store")["State"]["Health"]["Status"] == "healthy"
        assert lab.inside("store", "id", "-u").strip() == "70"
        mounts = {mount["Destination"]: mount for mount in lab.inspect("front")["Mounts"]}
        assert mounts["/etc/nginx/conf.d/default.conf"]["RW"] is False
        # A secret that is a file is mounted where Compose has it.
        assert lab.inside("store", "cat", "/run/secrets/database-password") == "\n"
        volumes = [mount["Name"] for mount in lab.inspect("store")["Mounts"] if mount["Type"] == "volume"]
        assert volumes == ["shop_store-data"]
        rows = {row["name"]: row for row in json.loads(lab.nc("ps", "--output", "json"))}
        assert rows["front"]["ports"] and not rows["api"]["ports"]

    up_and_down(lab, look)


def test_a_poll_in_two_tiers(bring: Bring) -> None:
    lab = bring("votes.compose.yml")

    def look() -> None:
        assert lab.pings("poll", "tally") and lab.pings("poll", "redis") and lab.pings("tally", "db")
        assert len(json.loads(run(lab.host, "ip", "-n", "votes-poll", "-j", "link"))) == 3
        assert len(json.loads(run(lab.host, "ip", "-n", "votes-db", "-j", "link"))) == 2
        assert lab.inspect("poll")["Config"]["Cmd"] == ["python", "app.py"]

    up_and_down(lab, look)


def test_routers_and_computers(bring: Bring) -> None:
    lab = bring("routers.clab.yml")

    def look() -> None:
        def wired(container: str) -> dict[str, int]:
            links = json.loads(run(lab.host, "ip", "-n", f"routers-{container}", "-j", "link"))
            return {link["ifname"]: link["mtu"] for link in links if link["ifname"] != "lo"}

        assert wired("router1") == {"eth0": 1500, "eth1": 9500, "eth3": 9500}
        assert wired("PC1") == {"eth0": 1500, "eth1": 9500}
        # By a command of the file: the cable's own now, and so nothing that the next plan would take back.
        assert wired("PC2") == {"eth0": 1500, "eth1": 1500}
        # The management network, and the cable with what the file's commands have made of it.
        assert lab.pings("PC1", "router1") and lab.pings("PC1", "clab-routers-router2")
        assert "192.168.11.1 dev eth1" in run(lab.host, "ip", "-n", "routers-PC1", "route")
        assert lab.inside("PC2", "cat", "/tmp/note") == "two words\n"
        run(lab.host, "ip", "-n", "routers-router1", "addr", "add", "192.168.11.1/24", "dev", "eth3")
        until(lambda: lab.pings("PC1", "192.168.11.1"))

    up_and_down(lab, look)


def test_nodes_on_a_bridge(bring: Bring) -> None:
    lab = bring("bridge.clab.yml")

    def look() -> None:
        for number in (1, 2):
            run(lab.host, "ip", "-n", f"br01-srl{number}", "addr", "add", f"10.1.1.{number}/24", "dev", "e1-1")
        until(lambda: lab.pings("srl1", "10.1.1.2"))

    up_and_down(lab, look)
