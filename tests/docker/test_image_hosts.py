"""Containers from images on other hosts, over a real sshd: the agent's own bundle brings all that it needs."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from engine import SOCKET, Engine, need_docker
from image_support import make_images
from support import until
from testbed.pythons import python39
from testbed.sites import Host, Site, make_keys

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


#: One container on each host; only the first has to do with an engine.
ONE_OF_TWO = """
name: mixed
containers:
  left: {host: server1, image: small, network_mode: none, stop_grace_period: 0, command: [sh, -c, "echo up; sleep 100000"]}
  native: {host: server2, network_mode: none}
"""
CACHE = "/var/cache/netcompose"
#: Has a kept bundle do something more when it is loaded.
EVIL = """
import json, sys
sources = json.load(open(sys.argv[1]))
sources["docker/__init__.py"] += "\\nopen('/run/evil', 'w').close()\\n"
json.dump(sources, open(sys.argv[1], "w"))
"""


def cached(host: Host, kind: str) -> list[str]:
    """The bundles that are kept on a host: ``bundle`` (agents) or ``library`` (Docker's SDK)."""
    return host.run("sh", "-c", f"cd {CACHE} && ls | grep '[.]{kind}$'; true").split()


def is_whole(host: Host, file: str) -> bool:
    """Whether a kept bundle is what its name says."""
    return hashlib.sha256(host.run("cat", f"{CACHE}/{file}").encode()).hexdigest() == file.partition(".")[0]


def test_docker_s_sdk_comes_to_the_hosts_that_need_it_and_is_verified(site: Site, tmp_path: Path) -> None:
    one, two = site["server1"], site["server2"]
    # What runs there has no package but Python's own.
    assert one.sandbox.run(["python3", "-I", "-S", "-c", "import docker"]).returncode == 1
    file = tmp_path / "topology.yaml"
    file.write_text(site.document() + ONE_OF_TWO)
    converged = ["plan", "-f", str(file), "--detailed-exitcode"]
    site.netcompose("up", "-f", str(file))
    (name,) = cached(one, "library")
    assert is_whole(one, name) and one.run("stat", "-c", "%a %U", f"{CACHE}/{name}") == "600 root\n"
    assert len(cached(one, "bundle")) == len(cached(two, "bundle")) == 1
    assert cached(two, "library") == [], "a host without image containers is not sent it"

    # Once is enough.
    when = one.run("stat", "-c", "%y", f"{CACHE}/{name}")
    site.netcompose(*converged)
    assert one.run("stat", "-c", "%y", f"{CACHE}/{name}") == when

    # Somebody has changed it: what runs is what is sent again.
    one.run("python3", "-c", EVIL, f"{CACHE}/{name}")
    one.shell(f"rm {CACHE}/*.code")
    site.netcompose(*converged)
    assert is_whole(one, name) and one.run("sh", "-c", "ls /run/evil 2>/dev/null; true") == ""

    # Or it is cut off, or gone.
    for harm in (f"truncate -s 1000 {CACHE}/{name}", f"rm {CACHE}/{name}"):
        one.shell(harm)
        site.netcompose(*converged)
        assert is_whole(one, name)

    clean = ["hosts", "clean", "-f", str(file)]
    assert site.netcompose(*clean).stdout.splitlines() == [
        "server1: removed 1 cached agent and Docker's SDK",
        "server2: removed 1 cached agent",
    ]
    assert one.run("find", "/var/cache") == "/var/cache\n"
    # It comes with whatever asks the engine first.
    assert site.netcompose("logs", "-f", str(file), "left").stdout == "up\n"
    assert cached(one, "library") == [name]
    site.netcompose(*clean)
    site.netcompose("down", "-f", str(file))
    assert one.run("docker", "--host", SOCKET, "ps", "--all", "--quiet") == ""


def test_an_image_container_on_a_host_with_python_3_9(site: Site, tmp_path: Path) -> None:
    """Agent, SDK and gatekeeper run on the oldest Python."""
    interpreter = python39()
    if interpreter is None:
        pytest.skip("no Python 3.9 is installed")
    folder = site["server1"].folder / "bin"
    folder.mkdir()
    (folder / "python3").symlink_to(interpreter)
    (site["server1"].home / ".bashrc").write_text(f"export PATH={folder}:$PATH\n")
    file = tmp_path / "topology.yaml"
    file.write_text(site.document() + TOPOLOGY)
    site.netcompose("up", "-f", str(file))
    assert "python3.9" in site["server1"].run("sh", "-c", "readlink /proc/*/exe")
    site["server1"].run("docker", "--host", SOCKET, "restart", "--time", "0", "mixed-left")
    until(lambda: pings(site, "server1", "left", "10.2.0.2"))
    assert site.netcompose("exec", "-f", str(file), "left", "--", "hostname").stdout == "left\n"
    site.netcompose("down", "-f", str(file))
    assert site["server1"].run("docker", "--host", SOCKET, "ps", "--all", "--quiet") == ""
