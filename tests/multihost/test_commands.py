"""The commands over several hosts, over real sshd: one file, one plan, one result."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hosts_support import HostSnapshots
from testbed.sites import NETWORK, Site

TOPOLOGY = """
name: lab
networks:
  n1: {subnets: [10.4.0.0/24]}
  n2: {subnets: [10.5.0.0/24]}
containers:
  a:
    host: server1
    networks: [n1]
    command: [python3, -u, -c, "import time; print('hello from a'); time.sleep(1000)"]
  b: {host: server2, networks: [n2]}
"""


@pytest.fixture
def site(two_hosts: Site) -> Site:
    """Two hosts."""
    return two_hosts


@pytest.fixture
def file(site: Site, tmp_path: Path) -> str:
    """The topology with its hosts."""
    path = tmp_path / "topology.yaml"
    path.write_text(site.document() + TOPOLOGY)
    return str(path)


def test_one_file_is_brought_up_shown_and_taken_down_over_all_hosts(site: Site, file: str) -> None:
    before = HostSnapshots(site)
    done = site.netcompose("up", "-f", file)
    assert "Done: " in done.stdout and "  server1: " in done.stdout and "  server2: " in done.stdout
    assert "lab-a" in site["server1"].run("ip", "netns") and "lab-b" in site["server2"].run("ip", "netns")
    assert "No changes" in site.netcompose("plan", "-f", file, "--detailed-exitcode").stdout
    rows = json.loads(site.netcompose("ps", "-f", file, "--output", "json").stdout)
    assert [(row["host"], row["name"], row["status"]) for row in rows] == [
        ("server1", "a", "running"),
        ("server2", "b", "wired"),
    ]
    assert site.netcompose("ps", "-f", file).stdout.startswith("HOST")
    assert "inet 10.5.0." in site.netcompose("exec", "-f", file, "b", "--", "ip", "addr").stdout
    site.netcompose("exec", "-f", file, "a", "--", "sh", "-c", "exit 42", status=42)
    assert site.netcompose("logs", "-f", file, "a").stdout == "hello from a\n"
    assert site.netcompose("logs", "-f", file, "a", "--timestamps").stdout.endswith("Z hello from a\n")
    inspected = json.loads(site.netcompose("inspect", "-f", file, "--output", "json").stdout)
    assert {(item["host"], item["name"]) for item in inspected if item["type"] == "container"} >= {
        ("server1", "a"),
        ("server2", "b"),
    }
    assert "server2" in site.netcompose("graph", "-f", file).stdout
    # One host alone.
    rows = json.loads(site.netcompose("ps", "-f", file, "--host", "server2", "--output", "json").stdout)
    assert [row["name"] for row in rows] == ["b"]
    site.netcompose("down", "-f", file)
    before.assert_same()


def test_hosts_tells_of_each_what_it_is_also_of_one_that_is_away(site: Site, file: str) -> None:
    site["server2"].shell("ip link set eth0 down")
    done = site.netcompose("hosts", "-f", file, "--output", "json", status=7)
    one, two = json.loads(done.stdout)
    assert one["name"] == "server1" and one["reachable"] and one["is_root"] and one["address"] == "10.99.0.11"
    assert one["python"] and one["kernel"] and one["features"]["veth"] == "" and abs(one["clock_ahead"]) < 2
    assert two["name"] == "server2" and not two["reachable"] and "10.99.0.12 port 22" in two["error"]


def test_nothing_is_changed_while_a_host_is_away(site: Site, file: str) -> None:
    before = HostSnapshots(site)
    site["server2"].shell("ip link set eth0 down")
    done = site.netcompose("up", "-f", file, status=7)
    assert "nothing was changed" in done.stderr and "server2" in done.stderr and "server1" not in done.stderr
    shown = json.loads(site.netcompose("ps", "-f", file, "--output", "json", status=7).stdout)
    assert [(row["name"], row["status"]) for row in shown] == [("a", "absent"), ("b", "unknown")]
    site["server2"].shell("ip link set eth0 up")
    before.assert_same()


def test_hosts_come_from_a_file_of_their_own(site: Site, tmp_path: Path) -> None:
    topology = tmp_path / "topology.yaml"
    topology.write_text("hosts: {server1: {user: nobody-of-that-name}, server2: {}}\n" + TOPOLOGY)
    inventory = tmp_path / "site.yaml"
    inventory.write_text(site.document())
    before = HostSnapshots(site)
    site.netcompose("up", "-f", str(topology), "--hosts-file", str(inventory))
    assert "lab-a" in site["server1"].run("ip", "netns")
    # The topology is lost.
    topology.unlink()
    site.netcompose("down", "--name", "lab", "--hosts-file", str(inventory))
    before.assert_same()
    done = site.netcompose("down", "--name", "lab", "--host", "server1", status=1)
    assert "--hosts-file" in done.stderr


def test_a_saved_plan_is_applied_over_all_hosts(site: Site, file: str, tmp_path: Path) -> None:
    before = HostSnapshots(site)
    plan = str(tmp_path / "plan.json")
    site.netcompose("plan", "-f", file, "--out", plan)
    site.netcompose("apply", "-f", file, plan)
    assert "lab-a" in site["server1"].run("ip", "netns") and "lab-b" in site["server2"].run("ip", "netns")
    assert "is there already" in site.netcompose("apply", "-f", file, plan, status=5).stderr
    site.netcompose("down", "-f", file)
    before.assert_same()


def test_a_failure_is_told_of_each_host(site: Site, tmp_path: Path) -> None:
    before = HostSnapshots(site)
    file = tmp_path / "failing.yaml"
    file.write_text(site.document() + TOPOLOGY.replace("networks: [n2]}", 'networks: [n2], exec: [["false"]]}'))
    done = site.netcompose("up", "-f", str(file), status=4)
    assert "exec of container b" in done.stderr
    assert "\n  server1: rolled back\n  server2: rolled back\n" in done.stderr, done.stderr
    before.assert_same()


def test_a_change_that_takes_the_controllers_address_is_marked_and_taken_back(site: Site, tmp_path: Path) -> None:
    # The controller comes from an address that is routed, and that a network of the topology would take.
    site.run("ip", "addr", "add", "10.4.0.9/32", "dev", "lo")
    for host in site.hosts.values():
        host.shell("ip route add default via 10.99.0.1")
        site.run("ip", "route", "add", host.address, "dev", "seg", "src", "10.4.0.9")
    file = tmp_path / "topology.yaml"
    file.write_text(site.document() + TOPOLOGY)
    before = HostSnapshots(site)
    plan = site.netcompose("plan", "-f", str(file)).stdout
    assert "outage for @ssh (the connection to server1 runs over eth0 and comes from 10.4.0.9)" in plan
    # Nobody hears of it any more: the hosts put it back after half a minute by themselves, and are then reached again.
    done = site.netcompose("up", "-f", str(file), status=4, timeout=120)
    assert "server1: rolled back (its connection was lost)" in done.stderr, done.stderr
    before.assert_same()


def test_this_machine_is_one_of_several_hosts(site: Site, tmp_path: Path) -> None:
    file = tmp_path / "topology.yaml"
    hosts = site.document(["server1"]) + f"  local: {{underlay: {NETWORK}.1}}\n"
    file.write_text(
        hosts
        + """
name: lab
networks: {ov1: {driver: overlay, subnets: [10.6.0.0/24]}}
containers:
  a: {host: server1, networks: [ov1]}
  b: {host: local, networks: [ov1]}
"""
    )
    before = HostSnapshots(site)
    site.netcompose("up", "-f", str(file))
    assert "lab-b" in site.run("ip", "netns").stdout and "lab-a" in site["server1"].run("ip", "netns")
    site.netcompose("exec", "-f", str(file), "b", "--", "ping", "-c1", "-W5", "a")
    # A failure on the other host is taken back here as well.
    file.write_text(
        file.read_text()
        .replace("a: {host: server1, networks: [ov1]}", 'a: {host: server1, networks: [ov1], exec: [["false"]]}')
        .replace("b: {host: local, networks: [ov1]}", "b: {host: local, networks: [ov1], hostname: other}")
    )
    said = site.netcompose("up", "-f", str(file), status=4).stderr
    assert "local: rolled back" in said and "server1: rolled back" in said
    assert "other" not in site.run("cat", "/etc/netns/lab-b/hosts").stdout
    site.netcompose("down", "-f", str(file))
    assert "lab-b" not in site.run("ip", "netns").stdout
    before.assert_same()


def test_the_readme_has_what_a_new_user_types(site: Site, tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "README.md").read_text().partition("## Several hosts")[2]
    document = text.partition("```yaml\n")[2].partition("```")[0]
    commands = [
        line.partition("#")[0].split()[1:]
        for line in text.partition("## Commands")[0].splitlines()
        if "    netcompose " in line
    ]
    # The addresses are those of this site, and who logs in is somebody here.
    for number, host in enumerate(site.hosts.values(), 4):
        assert f"10.0.0.{number}" in document
        document = document.replace(f"10.0.0.{number}", host.address)
        host.add_user("me", sudo="NOPASSWD: ALL")
    (tmp_path / "topology.yaml").write_text(document)
    site.trust()

    def type_(words: list[str], status: int = 0) -> str:
        done = site.netcompose(*words, status=status, cwd=str(tmp_path))
        return done.stdout + done.stderr

    assert commands[0] == ["hosts"] and commands[1] == ["hosts", "--accept-new-host-keys"]
    assert type_(commands[0], status=7).count("run again with --accept-new-host-keys") == 2
    for words in commands[1:]:
        # There is no terminal here.
        type_([word for word in words if word != "-it"])
    assert ["up"] in commands and any(words[:1] == ["exec"] and "ping" in words for words in commands)
    type_(["down"])


def test_a_failure_that_many_hosts_have_is_said_once(site: Site, tmp_path: Path) -> None:
    many = tmp_path / "many.yaml"
    lines = [f"  h{number}: {{address: {NETWORK}.1, port: {3000 + number}, user: root}}" for number in range(100)]
    many.write_text("\n".join(["name: many", site.document().rstrip(), *lines]) + "\n")
    said = site.netcompose("-f", str(many), "plan", status=7).stderr.splitlines()
    # Each of them has a port of its own, which is no part of what is a host's own.
    assert said[0] == "error: 100 hosts cannot be worked on; nothing was changed" and len(said) == 102
    many.write_text(many.read_text().replace("port: 3", "port: 3000} # "))
    (head, line, hint) = site.netcompose("-f", str(many), "plan", status=7).stderr.splitlines()
    assert head == said[0] and hint == "hint: is sshd running there, and is `port:` right?"
    assert line == (
        f"  100 hosts (h0, h1, h10 and 97 more; --verbose names all): nothing listens on {NETWORK}.1 port 3000"
        " (connection refused)"
    )
    told = site.netcompose("-f", str(many), "plan", "--verbose", status=7).stderr.splitlines()
    assert len(told) == 102 and sum(" port 3000 (connection refused)" in line for line in told) == 100
    for command in (["ps"], ["inspect"], ["hosts", "clean"]):
        done = site.netcompose("-f", str(many), *command, status=7)
        assert done.stderr.count("nothing listens") == 1 and "100 hosts (h0, h1, h2 and 97 more" in done.stderr
    # `hosts` has a line for each, as it was asked for.
    assert site.netcompose("-f", str(many), "hosts", status=7).stdout.count("nothing listens") == 100
