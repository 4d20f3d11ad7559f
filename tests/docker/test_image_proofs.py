"""A run that is killed or fails after any request that changes the engine: mended, removed, or put back."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from engine import Engine
from engine_fault import FEWER
from image_support import NEEDS_ETH0, Images, engine_objects
from support import assert_same, run, snapshot

_FAULT = Path(__file__).with_name("engine_fault.py")
TOPOLOGY = f"""
name: proof
networks:
  lan: {{subnets: [10.5.0.0/24]}}
containers:
  web:
    image: small
    command: [sh, -c, "{NEEDS_ETH0}; echo up as $A; exec sleep 100000"]
    environment: {{A: one}}
    networks: {{lan: {{ipv4_address: 10.5.0.10}}}}
    restart: unless-stopped
    stop_grace_period: 0
  db: {{image: small, networks: [lan], stop_grace_period: 0}}
  nat: {{networks: [lan]}}
"""
CHANGED = TOPOLOGY.replace("A: one", "A: two").replace("db: {image: small, ", "db: {image: small, cpus: 0.5, ")


@pytest.fixture
def proof(image_engine: Engine, tmp_path: Path) -> Images:
    return Images(image_engine, tmp_path, TOPOLOGY)


def faulty(proof: Images, how: str, number: int, command: str) -> int:
    done = proof.host.run([sys.executable, str(_FAULT), how, str(number), command, "-f", str(proof.file)], timeout=120)
    assert "Traceback" not in done.stderr, done.stderr
    return int(done.returncode)


def assert_converges(proof: Images, words: str) -> None:
    proof.up()
    proof.await_running("web")
    assert proof.logs("web").splitlines()[-1] == words
    assert proof.inspect("web")["State"]["Running"]
    assert proof.pings("web", "nat") and proof.pings("db", "web")


@pytest.mark.parametrize("after", ["up", "down"])
def test_killed_after_any_request_of_the_first_up(proof: Images, after: str) -> None:
    before = snapshot(proof.host)
    number = 1
    while (status := faulty(proof, "kill", number, "up")) != FEWER:
        assert status in (-9, 128 + 9)
        if after == "up":
            assert_converges(proof, "up as one")
        proof.nc("down")
        assert engine_objects(proof.engine) == [], f"after request {number}"
        assert_same(proof.host, before)
        number += 1
    assert number == 5, "two are created and started"
    proof.nc("down")


@pytest.mark.parametrize("after", ["up", "down"])
def test_killed_after_any_request_of_a_replacement(proof: Images, after: str) -> None:
    before = snapshot(proof.host)
    number = 1
    while True:
        proof.file.write_text(TOPOLOGY)
        proof.up()
        proof.file.write_text(CHANGED)
        status = faulty(proof, "kill", number, "up")
        if status == FEWER:
            break
        if after == "up":
            assert_converges(proof, "up as two")
            assert proof.inspect("db")["HostConfig"]["NanoCpus"] == 500_000_000
        proof.nc("down")
        assert engine_objects(proof.engine) == [], f"after request {number}"
        assert_same(proof.host, before)
        number += 1
    assert number > 8, "two are stopped, set aside, created, started, and the old ones removed"
    proof.nc("down")


def test_failed_after_any_request_of_a_replacement_everything_is_put_back(proof: Images) -> None:
    proof.up()
    number = 1
    old = {name: proof.inspect(name)["Id"] for name in ("web", "db")}
    while True:
        proof.file.write_text(CHANGED)
        status = faulty(proof, "fail", number, "up")
        proof.file.write_text(TOPOLOGY)
        if status in (FEWER, 0):
            # A failure to remove what was set aside is no failure of the run.
            break
        assert status == 4, number
        assert proof.actions() == {}, f"after request {number}"
        assert {name: proof.inspect(name)["Id"] for name in old} == old, "the very same containers, started again"
        proof.await_running("web")
        assert proof.pings("web", "nat") and proof.pings("db", "web")
        assert engine_objects(proof.engine) == ["proof-db", "proof-web"]
        number += 1
    assert number > 8


def test_killed_after_any_request_of_down(proof: Images) -> None:
    before = snapshot(proof.host)
    number = 1
    while True:
        proof.up()
        if faulty(proof, "kill", number, "down") == FEWER:
            break
        run(proof.host, "true")
        proof.nc("down")
        assert engine_objects(proof.engine) == [], f"after request {number}"
        assert_same(proof.host, before)
        number += 1
    assert number > 4
