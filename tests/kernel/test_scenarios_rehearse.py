"""``rehearse``: what the topology promises is measured in a throw-away host, and nothing is left. It runs on the
machine itself, because the host that it makes is what is tested. Oracles: ip, ps, mountinfo, the exit status."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import jinja2
import pytest
from support import EXAMPLES, NETCOMPOSE, until

TOPOLOGIES = EXAMPLES.parent / "topologies"
PACKAGE = str(EXAMPLES.parent / "orchestrator")
#: Name, variables, containers.
SIZES = [
    ("campus", {"buildings": 1, "lans_per_building": 1}, 6),
    ("campus", {"pcs_per_lan": 1}, 9),
    ("full-mesh", {"routers": 2}, 4),
    ("full-mesh", {"routers": 4}, 8),
    ("hub-and-spoke", {"spokes": 2, "hosts_per_spoke": 1}, 5),
    ("hub-and-spoke", {"spokes": 3, "hosts_per_spoke": 2}, 10),
    ("leaf-spine", {"spines": 1, "leaves": 2, "hosts_per_leaf": 1}, 5),
    ("leaf-spine", {"spines": 2, "leaves": 3, "hosts_per_leaf": 1}, 8),
    ("ring", {"routers": 3}, 6),
    ("ring", {"routers": 5}, 10),
]


def machine() -> tuple[str, str, str, list[str]]:
    """What of the machine a rehearsal might touch."""
    links = subprocess.run(["ip", "-j", "addr"], capture_output=True, text=True, check=True).stdout
    mounts = Path("/proc/self/mountinfo").read_text()
    netns = sorted(os.listdir("/run/netns")) if os.path.isdir("/run/netns") else []
    return (
        json.dumps(_still(json.loads(links))),
        mounts,
        os.uname().nodename,
        [*netns, str(os.path.exists("/etc/netns"))],
    )


def _still(links: list[dict[str, object]]) -> list[tuple[object, ...]]:
    return [(link["ifindex"], link["ifname"], link.get("operstate"), len(str(link["addr_info"])) > 2) for link in links]


def descendants(marker: str) -> list[str]:
    """Processes whose environment has the marker: everything that a rehearsal started, at whatever depth."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if marker.encode() in (entry / "environ").read_bytes():
                    found.append(entry.name)
            except OSError:
                continue
    return found


def environment(tmp_path: Path) -> Mapping[str, str]:
    """With a word in it by which every process of this rehearsal is found, and the libraries for any Python."""
    libraries = os.path.dirname(os.path.dirname(jinja2.__file__))
    return {**os.environ, "PYTHONPATH": f"{PACKAGE}:{libraries}", "REHEARSAL": str(tmp_path)}


def rehearse(
    tmp_path: Path,
    file: Path,
    *argv: str,
    status: int = 0,
    before: tuple[str, ...] = (),
    python: str = sys.executable,
) -> subprocess.CompletedProcess[str]:
    """A rehearsal that ends with ``status`` and leaves nothing."""
    untouched = machine()
    done = subprocess.run(
        [*before, python, "-m", "netcompose", "rehearse", "-f", str(file), *argv],
        capture_output=True,
        text=True,
        env=environment(tmp_path),
        timeout=120,
    )
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode == status, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
    until(lambda: descendants(f"REHEARSAL={tmp_path}") == [])
    assert machine() == untouched
    return done


def test_the_quickstart_is_as_promised(tmp_path: Path) -> None:
    done = rehearse(tmp_path, EXAMPLES / "quickstart" / "topology.yaml")
    assert "web1" in done.stdout
    assert "all as the topology promises" in done.stdout
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize(("name", "variables", "containers"), SIZES)
def test_the_ready_made_topologies_reach_everybody(
    tmp_path: Path, name: str, variables: Mapping[str, int], containers: int
) -> None:
    given = [word for key, value in variables.items() for word in ("--var", f"{key}={value}")]
    done = rehearse(tmp_path, TOPOLOGIES / name / "topology.yaml", *given, "--output", "json")
    ways = measured(done.stdout)
    names = {way["source"] for way in ways}
    assert len(names) == containers
    by_address = {(w["source"], w["target"], w["family"]) for w in ways if w["how"] == "address" and w["measured"]}
    assert by_address == {(a, b, family) for a in names for b in names if a != b for family in (4, 6)}


def measured(text: str) -> list[dict[str, object]]:
    """The measurements of the JSON form."""
    return list(json.loads(text)["cells"])


BROKEN = """
name: broken
networks: {lan: {subnets: [10.1.0.0/24]}}
containers:
  a: {networks: {lan: {ipv4_address: 10.1.0.10}}}
  b:
    networks: {lan: {ipv4_address: 10.1.0.20}}
    exec: [[ip, route, add, blackhole, 10.1.0.10/32]]
  c: {networks: {lan: {ipv4_address: 10.1.0.30}}}
"""


def test_a_broken_promise_names_the_pair(tmp_path: Path) -> None:
    file = tmp_path / "topology.yaml"
    file.write_text(BROKEN)
    done = rehearse(tmp_path, file, status=1)
    wrong = [line.strip() for line in done.stdout.splitlines() if "although it is promised" in line]
    assert [line.partition(" by ")[0] for line in wrong] == ["a does not reach b", "b does not reach a"]
    ways = measured(rehearse(tmp_path, file, "--output", "json", status=1).stdout)
    different = {(way["source"], way["target"]) for way in ways if way["promised"] != way["measured"]}
    # An answer needs the way back as well.
    assert different == {("a", "b"), ("b", "a")}


def readable_python(tmp_path: Path, user: tuple[str, ...]) -> str:
    """A Python that the other user can start, netcompose included; this one may be in a private folder."""
    code = "import os, sys, netcompose.cli.main, yaml, jinja2; sys.exit(not os.access(sys.executable, os.X_OK))"
    for python in (sys.executable, "/usr/bin/python3"):
        if os.path.exists(python):
            command = [*user, python, "-c", code]
            if subprocess.run(command, env=environment(tmp_path), capture_output=True, cwd="/").returncode == 0:
                return python
    pytest.skip("the other user can read no Python with this package")


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user's tests are without root anyway")
def test_without_root(tmp_path: Path) -> None:
    """As user 65534, who reads the package and makes namespaces of its own."""
    file = EXAMPLES / "quickstart" / "topology.yaml"
    nobody = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups")
    python = readable_python(tmp_path, nobody)
    if subprocess.run([*nobody, "unshare", "-Urn", "true"], capture_output=True).returncode != 0:
        pytest.skip("this machine has no user namespaces for ordinary users")
    done = rehearse(tmp_path, file, before=nobody, python=python)
    assert "all as the topology promises" in done.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    untouched = machine()
    file = tmp_path / "topology.yaml"
    file.write_text(BROKEN.replace("[ip, route, add, blackhole, 10.1.0.10/32]", "[sleep, '50']"))
    process = subprocess.Popen(
        [*NETCOMPOSE, "rehearse", "-f", str(file)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(tmp_path),
    )
    # The sandbox, its first process and the agent: the topology is being brought up.
    until(lambda: len(descendants(f"REHEARSAL={tmp_path}")) >= 4)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "Traceback" not in said
    until(lambda: descendants(f"REHEARSAL={tmp_path}") == [])
    assert machine() == untouched
