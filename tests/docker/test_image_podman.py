"""Containers from images run by Podman, through the socket of its service: the same client, gate and gatekeeper."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from image_support import NEEDS_ETH0
from support import cli, run, snapshot, until

from netcompose.transports.sandbox import Sandbox

SOCKET = "/mnt/podman.sock"
_CGROUPS = Path("/sys/fs/cgroup")
#: Everything in the throw-away host; control groups as it can have them.
PODMAN = [
    "podman",
    "--root",
    "/mnt/root",
    "--runroot",
    "/mnt/run",
    "--tmpdir",
    "/mnt/tmp",
    "--cgroup-manager",
    "cgroupfs",
    "--runtime",
    "runc",
]
TOPOLOGY = f"""
name: pod
networks:
  lan: {{subnets: [10.5.0.0/24]}}
containers:
  web:
    image: localhost/small
    command: [sh, -c, "{NEEDS_ETH0}; echo up as $A; exec sleep 100000"]
    environment: {{A: one}}
    networks: {{lan: {{ipv4_address: 10.5.0.10}}}}
    stop_grace_period: 0
  nat: {{networks: [lan]}}
"""
LIMITED = TOPOLOGY.replace("    environment", "    cpus: 0.5\n    mem_limit: 64m\n    restart: always\n    environment")


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """A throw-away host with Podman's service and an image."""
    for program in ("podman", "runc", "busybox"):
        if not shutil.which(program):
            pytest.skip(f"not installed: {program}")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{SOCKET}")
    monkeypatch.setenv("CONTAINERS_CONF", "/mnt/containers.conf")
    script = """
        set -e
        mount -t tmpfs engine /mnt; cd /mnt; mkdir -p small/bin small/etc
        printf '[engine]\\nevents_logger="file"\\n' >containers.conf
        cp "$(command -v busybox)" small/bin/busybox
        for name in sh sleep ip ping grep echo hostname true; do ln -s busybox small/bin/$name; done
        tar -C small -c . | "$@" import - small
        "$@" run --rm --network none small true
    """
    before = set(_CGROUPS.glob("**/libpod_parent"))
    with Sandbox("server4") as sandbox:
        done = sandbox.run(["sh", "-c", script, "sh", *PODMAN], timeout=120)
        if done.returncode:
            pytest.skip(f"podman cannot run containers here: {done.stderr.strip()[-200:]}")
        service = sandbox.popen([*PODMAN, "system", "service", "--time", "0", f"unix://{SOCKET}"])
        end = time.monotonic() + 20
        while sandbox.run(["test", "-S", SOCKET]).returncode:
            assert time.monotonic() < end and service.poll() is None
            time.sleep(0.05)
        yield sandbox
        sandbox.run([*PODMAN, "rm", "--all", "--force", "--time", "0"])
        sandbox.close()
        service.wait(20)
    # Control groups are the machine's, and Podman leaves the folder that its own were in.
    for folder in set(_CGROUPS.glob("**/libpod_parent")) - before:
        for inner in [path for path, _, _ in os.walk(folder, topdown=False)]:
            with contextlib.suppress(OSError):
                os.rmdir(inner)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "topology.yaml"
    path.write_text(TOPOLOGY)
    return path


def still(host: Sandbox) -> list[str]:
    """Everything that netcompose could leave, without what Podman mounts and runs for itself as it goes."""
    return [line for line in snapshot(host).splitlines() if "/mnt/" not in line]


def plan(host: Sandbox, file: Path) -> str:
    return str(cli(host, "plan", file=file).stdout)


def test_up_restart_replace_and_down(host: Sandbox, file: Path) -> None:
    before = still(host)
    file.write_text(LIMITED)
    cli(host, "up", file=file)
    assert "No changes" in plan(host, file)
    ping = ["ip", "netns", "exec", "pod-nat", "ping", "-c1", "-W1", "web"]
    until(lambda: host.run(ping).returncode == 0)
    # Its program ends with 9 where it is not wired.
    run(host, *PODMAN, "restart", "--time", "0", "pod-web")
    until(lambda: cli(host, "logs", "web", file=file).stdout == "up as one\nup as one\n", 20)
    assert host.run(ping).returncode == 0
    assert "No changes" in plan(host, file)
    # Its API changes nothing of a container that is there.
    file.write_text(LIMITED.replace("A: one", "A: two").replace("64m", "96m"))
    shown = plan(host, file)
    assert "environment.A" in shown and "Podman's API has no request that changes it" in shown
    cli(host, "up", file=file)
    assert "No changes" in plan(host, file)
    assert cli(host, "logs", "web", file=file).stdout == "up as two\n"
    limits = ["inspect", "pod-web", "--format", "{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}}"]
    assert run(host, *PODMAN, *limits).split() == [str(96 << 20), "500000000"]
    assert run(host, *PODMAN, "ps", "--all", "--format", "{{.Names}}").split() == ["pod-web"]
    cli(host, "down", file=file)
    assert run(host, *PODMAN, "ps", "--all", "--quiet") == ""
    until(lambda: still(host) == before)


def test_killed_or_refused_in_the_middle_of_a_replacement(host: Sandbox, file: Path) -> None:
    """After the old one was set aside, and the new one created: put back, or mended by the next run."""
    fault = str(Path(__file__).with_name("engine_fault.py"))
    cli(host, "up", file=file)
    words = "one"
    for number, how in ((2, "kill"), (3, "fail"), (3, "kill")):
        other = "two" if words == "one" else "one"
        file.write_text(TOPOLOGY.replace("A: one", f"A: {other}"))
        done = host.run([sys.executable, fault, how, str(number), "up", "-f", str(file)], timeout=60)
        assert "Traceback" not in done.stderr and done.returncode == (4 if how == "fail" else -9), (number, how)
        if how == "fail":
            # Everything was put back: the very same container, started again.
            assert f"up as {other}" not in cli(host, "logs", "web", file=file).stdout
            file.write_text(TOPOLOGY.replace("A: one", f"A: {words}"))
        else:
            cli(host, "up", file=file)
            words = other
        assert "No changes" in plan(host, file), (number, how)
        until(lambda said=f"up as {words}": said in cli(host, "logs", "web", file=file).stdout.splitlines()[-1:])
        until(lambda: host.run(["ip", "netns", "exec", "pod-nat", "ping", "-c1", "-W1", "web"]).returncode == 0)
    assert run(host, *PODMAN, "ps", "--all", "--format", "{{.Names}}").split() == ["pod-web"]
    cli(host, "down", file=file)
    assert run(host, *PODMAN, "ps", "--all", "--quiet") == ""


def test_another_runtime_than_the_one_that_answers_is_refused_with_its_line(host: Sandbox, file: Path) -> None:
    file.write_text("hosts: {local: {runtime: docker}}\n" + TOPOLOGY)
    said = cli(host, "plan", file=file, status=3).stderr
    assert "topology.yaml:1:" in said and "docker is asked for, and podman is what answers there" in said
    file.write_text("hosts: {local: {runtime: podman}}\n" + TOPOLOGY)
    cli(host, "up", file=file)
    assert cli(host, "exec", "web", "--", "hostname", file=file).stdout == "web\n"
    cli(host, "exec", "web", "--", "sh", "-c", "exit 7", file=file, status=7)
