"""S2, S3, S4, S16, S17: whose network stack a container has, cables, resolver files. Oracles: ip, ping, curl, getent."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support import Example, assert_same, cli, run, until

from netcompose.transports.sandbox import Sandbox

Bring = Callable[[str], Example]
REACHED = "curl -sf -o /dev/null --retry 5 --retry-connrefused http://{}:{}/"

#: A name server that knows one name, so that a lookup inside has somebody to ask.
NAME_SERVER = """
import socket

server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("10.17.0.53", 53))
print("ready", flush=True)
while True:
    query, client = server.recvfrom(512)
    end = query.index(0, 12) + 5
    known = query[12:end] == b"\\x03nas\\x07example\\x04test\\x00\\x00\\x01\\x00\\x01"
    answer = b"\\xc0\\x0c\\x00\\x01\\x00\\x01\\x00\\x00\\x00\\x3c\\x00\\x04" + bytes([10, 17, 0, 7]) if known else b""
    head = query[:2] + (b"\\x81\\x80" if known else b"\\x81\\x83") + b"\\x00\\x01" + bytes([0, known]) + bytes(4)
    server.sendto(head + query[12:end] + answer, client)
"""


def test_s2_a_container_on_the_hosts_network_has_the_hosts_interfaces_and_ports(example: Bring) -> None:
    web = example("host-network")
    inside = cli(web.host, "exec", "web", "--", "ip", "-j", "addr", file=web.file).stdout
    assert inside == run(web.host, "ip", "-j", "addr")
    listener = until(lambda: run(web.host, "ss", "-Hltn", "sport", "=", ":8080"))
    assert "0.0.0.0:8080" in listener
    run(web.host, "sh", "-c", REACHED.format("127.0.0.1", 8080))
    assert run(web.host, "ip", "netns", "list") == "", "it has no namespace of its own"


def test_s2_a_changed_command_restarts_the_process_and_nothing_else(example: Bring) -> None:
    web = example("host-network")
    plan, touched = web.change('"8080"', '"8081"')
    assert plan.actions == {"local/process/web": ["delete", "create"]}
    assert plan.paths("local/process/web") == {"command"}
    assert plan.changes[0]["replace_paths"] == ["command"]
    assert plan.disturbs == {("web", "outage")}
    assert touched == {"process nc-web", "process python3"}
    run(web.host, "sh", "-c", REACHED.format("127.0.0.1", 8081))
    assert run(web.host, "ss", "-Hltn", "sport", "=", ":8080") == ""


def test_s3_none_has_loopback_only_and_a_cable_adds_its_end_only(example: Bring) -> None:
    none = example("none")
    links = {name: json.loads(none.inside(name, "ip", "-j", "link")) for name in ("alone", "left", "right")}
    assert {name: [link["ifname"] for link in found] for name, found in links.items()} == {
        "alone": ["lo"],
        "left": ["lo", "eth1"],
        "right": ["lo", "eth1"],
    }
    assert "UP" in links["alone"][0]["flags"]
    none.ping("alone", "127.0.0.1")
    none.ping("left", "10.0.0.2")
    none.ping("right", "10.0.0.1")
    assert none.inside("left", "ip", "route", "show", "default") == ""
    none.ping("alone", "10.0.0.1", reaches=False)
    # Nothing of the cable is seen on the host.
    assert [link["ifname"] for link in json.loads(run(none.host, "ip", "-j", "link"))] == ["lo"]


def test_s3_wired_by_hand_then_taken_down(example: Bring) -> None:
    """What a user puts into a container goes with the container, and is not in the way of a plan."""
    none = example("none")
    run(none.host, "ip", "-n", "none-alone", "link", "add", "br0", "type", "bridge")
    run(none.host, "ip", "-n", "none-alone", "addr", "add", "192.0.2.1/24", "dev", "br0")
    assert none.plan() == []


def test_s3_one_ends_address_changes(example: Bring) -> None:
    none = example("none")
    plan, touched = none.change("10.0.0.2/30", "10.0.0.2/29")
    assert plan.actions == {"local/link/left.eth1-right.eth1": ["update"]}
    assert plan.paths("local/link/left.eth1-right.eth1") == {"peer.addresses"}
    assert plan.disturbs == {("left", "blip"), ("right", "blip")}
    assert touched == {"right eth1", "right routes -4"}
    none.ping("left", "10.0.0.2")


def test_s4_joined_containers_have_one_stack(example: Bring) -> None:
    shared = example("shared-namespace")
    assert shared.inside("sidecar", "ip", "-j", "addr") == shared.inside("web1", "ip", "-j", "addr")
    assert shared.inside("sidecar", "ip", "-j", "addr") != shared.inside("pause", "ip", "-j", "addr")
    shared.inside("sidecar", "sh", "-c", REACHED.format("127.0.0.1", 80))
    shared.inside("worker", "sh", "-c", REACHED.format("web1", 80))
    assert shared.names("sidecar", "pause") == {"10.4.0.20"}


def test_s4_the_stack_is_there_without_a_process(example: Bring) -> None:
    """``pause`` never had one, and web1's is killed: who joined them keeps the interfaces."""
    shared = example("shared-namespace")
    assert shared.inside("worker", "ip", "-j", "addr") == shared.inside("pause", "ip", "-j", "addr")
    shared.ping("worker", "10.4.0.10")
    before = shared.inside("sidecar", "ip", "-j", "link")
    run(shared.host, "pkill", "-KILL", "-f", "http.server 80")
    until(lambda: shared.host.run(["pgrep", "-f", "http.server 80"]).returncode == 1)
    assert shared.inside("sidecar", "ip", "-j", "link") == before
    shared.ping("sidecar", "10.4.0.20")


def test_s4_a_container_moves_to_another_stack(example: Bring) -> None:
    shared = example("shared-namespace")
    plan, touched = shared.change('"container:pause"', '"container:web1" ')
    assert plan.actions == {"local/namespace/worker": ["delete", "create"]}
    assert plan.paths("local/namespace/worker") == {"joins"}
    assert {name for name in touched if not name.startswith("worker ")} == set()
    assert shared.inside("worker", "ip", "-j", "addr") == shared.inside("web1", "ip", "-j", "addr")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("container:web1", "container:web9", ["web9", "did you mean 'web1'"]),
        ("container:web1", "container:sidecar", ["sidecar joins sidecar"]),
        ("container:web1", "container:", ["network_mode"]),
    ],
)
def test_s4_joining_what_is_not_there_is_refused(
    host: Sandbox, tmp_path: Path, old: str, new: str, words: list[str]
) -> None:
    shared = Example(host, "shared-namespace", tmp_path)
    shared.edit(f'"{old}"', f'"{new}"')
    said = cli(host, "up", file=shared.file, status=3)
    assert f"{shared.file}:1" in said.stderr
    assert [word for word in words if word not in said.stderr] == [], said.stderr
    assert_same(host, shared.before)


def test_s16_cables_have_addresses_macs_and_an_mtu(example: Bring) -> None:
    row = example("point-to-point")
    assert row.addresses("r2") == {"eth1": ["10.16.1.2/30"], "eth2": ["10.16.2.1/30"]}
    (end,) = json.loads(row.inside("r1", "ip", "-d", "-j", "link", "show", "eth1"))
    assert (end["linkinfo"]["info_kind"], end["mtu"], end["address"]) == ("veth", 9000, "02:00:00:00:01:01")
    (other,) = json.loads(row.inside("r2", "ip", "-d", "-j", "link", "show", "eth1"))
    assert (other["mtu"], other["address"], other["link_index"]) == (9000, "02:00:00:00:01:02", end["ifindex"])
    # 28 bytes are headers; -M do forbids fragments.
    row.ping("r1", "10.16.1.2", "-M", "do", "-s", str(9000 - 28))
    row.ping("r1", "10.16.1.2", "-M", "do", "-s", str(9000 - 27), reaches=False)
    row.ping("r2", "10.16.2.2", "-M", "do", "-s", str(1500 - 28))
    row.ping("r2", "10.16.2.2", "-M", "do", "-s", str(1500 - 27), reaches=False)
    row.ping("r1", "10.16.2.2")
    row.ping("r1", "r2")


def test_s16_an_mtu_changes_in_place(example: Bring) -> None:
    row = example("point-to-point")
    plan, touched = row.change("mtu: 9000", "mtu: 4000")
    assert plan.actions == {"local/link/r1.eth1-r2.eth1": ["update"]}
    assert plan.paths("local/link/r1.eth1-r2.eth1") == {"end.mtu", "peer.mtu"}
    assert plan.disturbs == set()
    assert touched == {"r1 eth1", "r2 eth1"}
    row.ping("r1", "10.16.1.2", "-M", "do", "-s", str(4000 - 28))
    row.ping("r1", "10.16.1.2", "-M", "do", "-s", str(4000 - 27), reaches=False)


def test_s16_a_removed_cable_takes_its_ends_only(example: Bring) -> None:
    row = example("point-to-point")
    row.edit("    routes: [{to: 10.16.1.0/30, via: 10.16.2.1}]\n", "")
    row.up()
    old = '  - endpoints: ["r2:eth2", "r3:eth1"]\n    addresses: [10.16.2.1/30, 10.16.2.2/30]\n'
    plan, touched = row.change(old, "")
    assert plan.actions["local/link/r2.eth2-r3.eth1"] == ["delete"]
    assert {who for who, how in plan.disturbs if how == "outage"} == {"r2", "r3"}
    assert {name for name in touched if name.startswith("r1 ")} == set()
    assert "r2 eth1" not in touched
    row.ping("r1", "10.16.1.2")


def own_resolvers(host: Sandbox, *servers: str) -> None:
    """Give the host these name servers; the file stays the same one, as a resolver's would."""
    text = "".join(f"nameserver {server}\n" for server in servers) + "search host.test\n"
    run(host, "sh", "-c", 'printf %s "$1" >/etc/resolv.conf', "sh", text)


def test_s17_files_say_what_was_asked_for_and_resolve(example: Bring) -> None:
    files = example("resolver-files")
    mark = "# netcompose:resolver-files:file/custom/resolv.conf\n"
    wanted = mark + "nameserver 10.17.0.53\nsearch example.test\noptions timeout:1 attempts:1\n"
    assert files.inside("custom", "cat", "/etc/resolv.conf") == wanted
    assert files.names("custom", "printer") == {"10.17.0.99"}
    assert files.names("custom", "outside") == {"10.17.0.1"}, "host-gateway"
    assert files.names("plain", "printer") == set()
    assert files.names("plain", "workstation") == {"10.17.0.10"}
    process = run(files.host, "pgrep", "-x", "sleep").strip()
    entered = ["nsenter", "-t", process, "-n", "-m", "-u"]
    assert run(files.host, *entered, "hostname") == "workstation\n"
    assert run(files.host, "hostname") == "server4\n"
    assert run(files.host, *entered, "cat", "/etc/resolv.conf") == wanted
    assert cli(files.host, "exec", "custom", "--", "cat", "/etc/resolv.conf", file=files.file).stdout == wanted

    enter = ["ip", "netns", "exec", "resolver-files-resolver", sys.executable, "-c", NAME_SERVER]
    with files.host.popen(enter, stdout=-1, text=True) as server:
        try:
            assert server.stdout and server.stdout.readline() == "ready\n"
            # The short name is completed from dns_search and asked at the server of dns.
            assert files.names("custom", "nas", "ahostsv4") == {"10.17.0.7"}
            assert files.inside("custom", "dig", "+search", "+short", "nas") == "10.17.0.7\n"
        finally:
            run(files.host, "pkill", "-f", "import socket")


@pytest.mark.parametrize(
    ("servers", "expected"),
    [
        (["127.0.0.53", "192.0.2.53", "::1", "2001:db8::53"], ["192.0.2.53", "2001:db8::53"]),
        (["127.0.0.53", "::1"], ["8.8.8.8", "8.8.4.4"]),
        ([], ["8.8.8.8", "8.8.4.4"]),
    ],
)
def test_s17_the_hosts_loopback_resolvers_are_left_out(
    host: Sandbox, tmp_path: Path, servers: list[str], expected: list[str]
) -> None:
    own_resolvers(host, *servers)
    files = Example(host, "resolver-files", tmp_path)
    files.up()
    written = files.inside("lone", "cat", "/etc/resolv.conf")
    assert [line.split()[1] for line in written.splitlines() if line.startswith("nameserver")] == expected
    assert "search host.test" in written
    files.down()


def test_s17_a_search_domain_changes_one_file(example: Bring) -> None:
    files = example("resolver-files")
    plan, touched = files.change("[example.test]", "[example.net]")
    assert plan.actions == {"local/file/custom/resolv.conf": ["update"]}
    assert plan.disturbs == set()
    assert touched == {"custom resolv.conf"}
    process = run(files.host, "pgrep", "-x", "sleep").strip()
    assert "search example.net" in run(files.host, "nsenter", "-t", process, "-m", "cat", "/etc/resolv.conf")


def test_s17_a_hostname_changes_while_the_process_runs(example: Bring) -> None:
    files = example("resolver-files")
    plan, touched = files.change("workstation", "desktop")
    assert plan.actions == {"local/process/custom": ["update"]}
    assert plan.paths("local/process/custom") == {"hostname"}
    assert touched == set(), "the process is the same one"
    process = run(files.host, "pgrep", "-x", "sleep").strip()
    assert run(files.host, "nsenter", "-t", process, "-u", "hostname") == "desktop\n"
