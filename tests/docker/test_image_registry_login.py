"""Images from a registry that wants a login: the engine is given the credentials that `docker login` has kept."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import bcrypt
import pytest
from engine import SOCKET, Engine
from image_support import SMALL, Images
from support import cli

REGISTRY = "localhost:5001"
TOPOLOGY = f"""
name: lab
containers:
  web: {{image: "{REGISTRY}/lab/web:1", network_mode: none, stop_grace_period: 0}}
"""


@pytest.fixture
def login(image_engine: Engine, tmp_path: Path) -> Iterator[dict[str, str]]:
    """A registry with ``lab/web:1``, and the environment in which somebody is logged in to it."""
    if not shutil.which("docker-registry"):
        pytest.skip("not installed: docker-registry")
    users = tmp_path / "users"
    users.write_text("me:" + bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode() + "\n")
    settings = tmp_path / "registry.yml"
    settings.write_text(
        "version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: /mnt/registry-of-users}}\n"
        f"http: {{addr: '{REGISTRY}'}}\nauth: {{htpasswd: {{realm: lab, path: {users}}}}}\n"
    )
    null = subprocess.DEVNULL
    argv = ["docker-registry", "serve", str(settings)]
    process = image_engine.host.popen(argv, stdin=null, stdout=null, stderr=null)
    config = str(tmp_path / "docker")
    asking = ["docker", "--config", config, "--host", SOCKET]
    end = time.monotonic() + 20
    while image_engine.host.run([*asking, "login", "-u", "me", "-p", "secret", REGISTRY]).returncode:
        assert time.monotonic() < end, "the registry does not answer"
        time.sleep(0.1)
    for argv in (["tag", SMALL, f"{REGISTRY}/lab/web:1"], ["push", "--quiet", f"{REGISTRY}/lab/web:1"]):
        image_engine.host.run([*asking, *argv], check=True)
    image_engine.docker("rmi", f"{REGISTRY}/lab/web:1")
    yield {"DOCKER_CONFIG": config}
    pid = image_engine.host.run(["sh", "-c", "ss -Htlnp 'sport = :5001' | grep -o 'pid=[0-9]*'"]).stdout.strip()
    image_engine.host.run(["kill", pid.removeprefix("pid=")], check=True)
    process.wait(20)


def test_an_image_is_pulled_with_the_credentials_of_docker_login(
    image_engine: Engine, login: dict[str, str], tmp_path: Path
) -> None:
    lab = Images(image_engine, tmp_path, TOPOLOGY)
    nobody = {"DOCKER_CONFIG": str(tmp_path / "nobody")}
    said = cli(lab.host, "plan", file=lab.file, status=3, env=nobody).stderr
    assert "topology.yaml:4:" in said and "no basic auth credentials" in said and "docker login" in said
    assert "+ local/container/web" in lab.nc("plan", env=login)
    lab.nc("up", env=login)
    assert lab.inspect("web")["State"]["Running"]
    lab.nc("down")
    image_engine.docker("rmi", f"{REGISTRY}/lab/web:1")
