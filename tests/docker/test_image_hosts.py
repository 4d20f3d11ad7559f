"""Containers from images on other hosts, over a real sshd: the agent's own bundle brings all that it needs."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from engine import SOCKET, Engine, need_docker
from image_support import make_images
from support import until
from testbed.sites import Site, make_keys

#: A native router between two image containers, one of them on another host; and an overlay over both hosts for the
#: two and a native one.
TOPOLOGY = """
name: mixed
networks:
  over: {driver: overlay, subnets: [10.7.0.0/24]}
containers:
  left:
    host: server1
    image: small
    command: [sh, -c, "ip addr show eth1 | grep -q 'inet ' || exit 9; echo up; sleep 100000 & wait"]
    networks: [over]
    stop_grace_period: 0
    routes: [{to: 10.2.0.0/24, via: 10.1.0.1}]
  native: {host: server2, networks: [over]}
  router: {host: server1, network_mode: none, sysctls: {net.ipv4.ip_forward: 1}}
  right:
    host: server2
    image: small
    networks: [over]
    stop_grace_period: 0
    routes: [{to: 10.1.0.0/24, via: 10.2.0.1}]
links:
  - endpoints: ["router:eth1", "left:eth1"]
    addresses: [10.1.0.1/24, 10.1.0.2/24]
  - endpoints: ["router:eth2", "right:eth1"]
    addresses: [10.2.0.1/24, 10.2.0.2/24]
"""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Two hosts, each with an engine at the usual place."""
    need_docker()
    make_keys(tmp_path, 2)
    with (
        tempfile.TemporaryDirectory(prefix="netcompose-site-", ignore_cleanup_errors=True) as name,
        ExitStack() as stack,
    ):
        folder = Path(name)
        folder.chmod(0o755)
        site = stack.enter_context(Site(folder, 2, tmp_path))
        for host in ("server1", "server2"):
            engine = stack.enter_context(Engine(site[host].sandbox, "--bridge", "none"))
            make_images(engine)
            site[host].run("ln", "-s", SOCKET.removeprefix("unix://"), "/run/docker.sock")
        yield site


def pings(site: Site, host: str, container: str, target: str) -> bool:
    argv = ["docker", "--host", SOCKET, "exec", f"mixed-{container}", "ping", "-c1", "-W1", target]
    return site[host].sandbox.run(argv).returncode == 0


def assert_over(site: Site) -> None:
    """Through the overlay, by name: from engine to engine, and to a native container."""
    for target in ("right", "native"):
        until(lambda target=target: pings(site, "server1", "left", target))
    assert pings(site, "server2", "right", "left")
    assert "vxlan" in site["server1"].run("ip", "-d", "link", "show", "type", "vxlan")


def test_a_native_router_between_image_containers_of_two_hosts(site: Site, tmp_path: Path) -> None:
    file = tmp_path / "topology.yaml"
    file.write_text(site.document() + TOPOLOGY)
    site.netcompose("up", "-f", str(file))
    assert "No changes" in site.netcompose("plan", "-f", str(file), "--detailed-exitcode").stdout
    until(lambda: pings(site, "server1", "left", "10.2.0.2"))
    assert pings(site, "server2", "right", "10.1.0.2")
    assert_over(site)
    rows = json.loads(site.netcompose("ps", "-f", str(file), "--output", "json").stdout)
    assert {row["name"]: row["status"] for row in rows} == {
        "left": "running",
        "right": "running",
        "router": "wired",
        "native": "wired",
    }
    assert site.netcompose("logs", "-f", str(file), "left").stdout == "up\n"
    assert site.netcompose("exec", "-f", str(file), "right", "--", "hostname").stdout == "right\n"
    # Wired again by the host's own gatekeeper, which came with the agent.
    site[("server1")].run("docker", "--host", SOCKET, "restart", "--time", "0", "mixed-left")
    until(lambda: pings(site, "server1", "left", "10.2.0.2"))
    assert_over(site)
    assert "No changes" in site.netcompose("plan", "-f", str(file), "--detailed-exitcode").stdout
    assert site.netcompose("logs", "-f", str(file), "left").stdout == "up\nup\n"
    site.netcompose("down", "-f", str(file))
    for host in ("server1", "server2"):
        assert site[host].run("docker", "--host", SOCKET, "ps", "--all", "--quiet") == ""
        assert site[host].run("sh", "-c", "ls /run/netcompose /run/netns 2>/dev/null; true") == ""
