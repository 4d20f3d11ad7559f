"""S10 and S19: published ports. Oracles: curl, a UDP client, ss, nft, ps, what the server itself says of its clients."""

from __future__ import annotations

import contextlib
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import outside
import pytest
from outside import HOST, OUT, OUTSIDE, answers, ask_udp
from support import Example, assert_same, cli, run, snapshot, until

from netcompose.transports.sandbox import Sandbox

Bring = Callable[[str], Example]


@pytest.fixture
def host(host_with_a_neighbour: Sandbox) -> Sandbox:
    """With a neighbour."""
    return host_with_a_neighbour


def inside(container: str) -> list[str]:
    return ["ip", "netns", "exec", f"ports-{container}"]


def up(example: Bring) -> Example:
    """The example, with its servers ready."""
    ports = example("published-ports")
    for name, count in (("web", 1), ("pair", 2)):
        until(lambda name=name, count=count: run(ports.host, *inside(name), "ss", "-Htln").count("LISTEN") == count)
    until(lambda: ":53 " in run(ports.host, *inside("echo"), "ss", "-Huln"))
    return ports


def chosen(ports: Example) -> int:
    """The port that ``ps`` shows for web's ``"80"``."""
    rows = json.loads(cli(ports.host, "ps", "--output", "json", file=ports.file).stdout)
    assert not [row for row in rows if row["name"].startswith("@")]
    (web,) = (row for row in rows if row["name"] == "web")
    (number,) = (
        int(found[1]) for text in web["ports"] if (found := re.fullmatch(r"(\d+)->80/tcp", text)) and found[1] != "8080"
    )
    assert {"8080->80/tcp", "127.0.0.1:8081->80/tcp"} < set(web["ports"])
    return number


def publisher(host: Sandbox) -> tuple[int, int]:
    """The process that holds port 8080 and its parent, as ss and ps see them."""
    found = re.search(r"pid=(\d+)", run(host, "ss", "-Htlnp", "sport = :8080"))
    assert found
    pid = int(found[1])
    return pid, int(run(host, "ps", "-o", "ppid=", "-p", str(pid)))


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("br_netfilter", [0, 1])
def test_a_published_port_is_reached_from_everywhere(
    example: Bring, host: Sandbox, family: int, br_netfilter: int
) -> None:
    if host.run(["sysctl", "-q", "-w", f"net.bridge.bridge-nf-call-iptables={br_netfilter}"]).returncode:
        pytest.skip("this kernel has no br_netfilter")
    run(host, "sysctl", "-q", "-w", f"net.bridge.bridge-nf-call-ip6tables={br_netfilter}")
    ports = up(example)
    own, loopback = HOST[family], {4: "127.0.0.1", 6: "::1"}[family]
    gateway = {4: "10.10.1.1", 6: "fd00:10:1::1"}[family]
    for port in (8080, 9000, 9001, chosen(ports)):
        assert answers(host, own, port, OUT), "from outside"
        assert answers(host, own, port), "from the host, by its own address"
        assert answers(host, gateway, port), "from the host, by its address on the bridge"
        assert answers(host, loopback, port), "from the host, by loopback"
        assert answers(host, own, port, inside("neighbour")), "from the same network"
        assert answers(host, own, port, inside("web")), "from the container itself"
        assert answers(host, own, port, inside("stranger")), "from another network"
    for where in ([], OUT, inside("neighbour"), inside("stranger"), inside("echo")):
        assert ask_udp(host, own, 5353, where) == "HELLO"
    assert ask_udp(host, loopback, 5353) == "HELLO"


def test_a_port_of_loopback_is_for_the_host_alone(example: Bring, host: Sandbox) -> None:
    up(example)
    assert answers(host, "127.0.0.1", 8081)
    for address, where in (("::1", []), (HOST[4], []), (HOST[4], OUT), (HOST[6], OUT), (HOST[4], inside("stranger"))):
        assert not answers(host, address, 8081, where)


def test_the_container_sees_who_really_calls(example: Bring, host: Sandbox) -> None:
    ports = up(example)
    for family in (4, 6):
        assert answers(host, HOST[family], 8080, OUT)
        until(lambda family=family: OUTSIDE[family] in cli(host, "logs", "web", file=ports.file).stdout)


def test_from_outside_no_program_of_the_host_is_on_the_way(example: Bring, host: Sandbox) -> None:
    up(example)
    _, supervisor = publisher(host)
    # With everything of the publisher stopped, its sockets answer nobody.
    pid, _ = publisher(host)
    run(host, "kill", "-STOP", str(pid))
    try:
        assert not answers(host, "127.0.0.1", 8080)
        for family in (4, 6):
            assert answers(host, HOST[family], 8080, OUT)
            assert answers(host, HOST[family], 8080)
            assert answers(host, HOST[family], 8080, inside("stranger"))
    finally:
        run(host, "kill", "-CONT", str(pid))
    assert supervisor > 1


def test_a_chosen_port_stays_and_nobody_else_can_take_it(example: Bring, host: Sandbox) -> None:
    ports = up(example)
    number = chosen(ports)
    assert 32768 <= number <= 60999
    taken = host.run([sys.executable, "-m", "http.server", "--bind", "0.0.0.0", str(number)])
    assert "Address already in use" in taken.stderr
    ports.change("  neighbour: {", '  a0: {networks: [lan], ports: ["80", "81"]}\n  neighbour: {')
    assert chosen(ports) == number
    for pid in publisher(host)[::-1]:
        host.run(["kill", "-9", str(pid)])
    ports.up()
    assert chosen(ports) == number


def test_another_one_is_chosen_when_the_first_is_in_use(example: Bring, host: Sandbox) -> None:
    ports = up(example)
    number = chosen(ports)
    ports.down()
    with outside.server(host, number, []):
        ports.up()
        assert chosen(ports) != number
        cli(host, "down", file=ports.file)


def test_a_port_in_use_is_refused_with_the_line_and_the_process_and_nothing_is_changed(
    host: Sandbox, tmp_path: Path
) -> None:
    ports = Example(host, "published-ports", tmp_path)
    with outside.server(host, 8080, []):
        before = snapshot(host)
        pid = re.search(r"pid=(\d+)", run(host, "ss", "-Htlnp", "sport = :8080"))
        assert pid
        for command in ("plan", "up"):
            said = cli(host, command, file=ports.file, status=3)
            assert re.search(
                rf"{re.escape(str(ports.file))}:11:\d+: the port 8080/tcp of host 'local' is in use", said.stderr
            )
            assert f"(pid {pid[1]}) has [::]:8080/tcp" in said.stderr
        assert_same(host, before)
    ports.up()
    ports.down()


def test_a_port_that_was_taken_while_the_publisher_was_gone_is_a_problem_of_the_plan(
    example: Bring, host: Sandbox
) -> None:
    ports = up(example)
    run(host, "kill", "-9", str(publisher(host)[1]))
    until(lambda: "8080" not in run(host, "ss", "-tln"))
    with outside.server(host, 8080, []):
        pid = re.search(r"pid=(\d+)", run(host, "ss", "-Htlnp", "sport = :8080"))
        assert pid
        for command in ("plan", "up"):
            said = cli(host, command, file=ports.file, status=3)
            assert "the port 8080/tcp of host 'local' is in use" in said.stderr
            assert f"(pid {pid[1]})" in said.stderr
    ports.up()


def test_a_port_that_another_has_on_another_address_is_a_problem_of_the_plan(example: Bring, host: Sandbox) -> None:
    ports = up(example)
    with outside.running(host, sys.executable, "-m", "http.server", "--bind", HOST[4], "8081"):
        until(lambda: f"{HOST[4]}:8081 " in run(host, "ss", "-tln"))
        assert ports.plan() == []
        ports.edit('"127.0.0.1:8081:80"', '"8081:80"')
        said = cli(host, "plan", file=ports.file, status=3)
        assert f"has {HOST[4]}:8081/tcp" in said.stderr
    ports.up()


def test_a_port_of_another_topology_is_refused_by_its_name(example: Bring, host: Sandbox, tmp_path: Path) -> None:
    up(example)
    other = tmp_path / "other.yaml"
    other.write_text(
        'name: other\nnetworks: {n: {subnets: [10.11.0.0/24]}}\ncontainers: {c: {networks: [n], ports: ["8080:1"]}}\n'
    )
    said = cli(host, "plan", file=other, status=3)
    assert "is in use: topology ports has" in said.stderr


def test_two_containers_cannot_publish_the_same_port(host: Sandbox, tmp_path: Path) -> None:
    ports = Example(host, "published-ports", tmp_path)
    ports.edit("  neighbour: {networks: [lan]}", '  neighbour: {networks: [lan], ports: ["192.0.2.1:8080:80"]}')
    said = cli(host, "validate", file=ports.file, status=3)
    assert "the host port 8080/tcp is published by web already" in said.stderr


def test_an_address_that_the_host_does_not_have_is_refused(host: Sandbox, tmp_path: Path) -> None:
    ports = Example(host, "published-ports", tmp_path)
    ports.edit('"127.0.0.1:8081:80"', '"192.0.2.77:8081:80"')
    assert "has no address 192.0.2.77" in cli(host, "plan", file=ports.file, status=3).stderr


def test_one_address_of_the_host(example: Bring, host: Sandbox) -> None:
    run(host, "ip", "addr", "add", "192.0.2.3/24", "dev", "up0")
    ports = up(example)
    plan, _ = ports.change('"127.0.0.1:8081:80"', '"192.0.2.3:8081:80"')
    assert plan.actions.keys() == {"local/firewall/ports", "local/process/@ports"}
    assert answers(host, "192.0.2.3", 8081, OUT)
    assert answers(host, "192.0.2.3", 8081)
    assert answers(host, "192.0.2.3", 8081, inside("neighbour"))
    assert not answers(host, HOST[4], 8081, OUT)
    assert not answers(host, "127.0.0.1", 8081)


@contextlib.contextmanager
def connection(host: Sandbox, address: str, port: int, where: list[str]) -> Iterator[Callable[[], str]]:
    """A connection that is open; what is yielded sends a request on it and returns the first words of the answer."""
    ask = (
        "import socket, sys; s = socket.create_connection((sys.argv[1], int(sys.argv[2]))); print('open', flush=True);"
        "sys.stdin.readline(); s.settimeout(5); s.sendall(b'GET / HTTP/1.0\\r\\n\\r\\n');"
        "print(s.recv(20).decode(), flush=True)"
    )
    argv = [*where, sys.executable, "-c", ask, address, str(port)]
    client = host.popen(argv, stdin=-1, stdout=-1, stderr=-2, text=True)
    assert client.stdin and client.stdout
    assert client.stdout.readline() == "open\n"
    try:
        yield lambda: client.communicate("\n", timeout=10)[0]
    finally:
        client.stdin.close()
        client.wait(10)


def test_a_changed_port_is_all_that_changes_and_open_connections_stay(example: Bring, host: Sandbox) -> None:
    ports = up(example)
    pid = publisher(host)
    with (
        connection(host, HOST[4], 9000, OUT) as outer,
        connection(host, "127.0.0.1", 9000, []) as local,
        connection(host, "127.0.0.1", 8080, []) as through_the_removed_port,
    ):
        plan, touched = ports.change('"8080:80"', '"8082:80"')
        assert plan.actions == {"local/firewall/ports": ["update"], "local/process/@ports": ["update"]}
        assert not plan.disturbs
        assert plan.paths("local/firewall/ports") == {
            "table.map published4",
            "table.map published6",
            "table.set own_network",
        }
        assert {name.rstrip("3") for name in touched} == set(), "the same processes, interfaces, routes, namespaces"
        assert answers(host, HOST[4], 8082, OUT)
        assert not answers(host, HOST[4], 8080, OUT)
        assert answers(host, "127.0.0.1", 8082)
        assert not answers(host, "127.0.0.1", 8080)
        for answer in (outer, local, through_the_removed_port):
            assert answer().startswith("HTTP/1.0 200")
    assert (int(re.findall(r"pid=(\d+)", run(host, "ss", "-Htlnp", "sport = :8082"))[0]), pid[1]) == pid


#: The command line, in a process that is gone at the moment when a server is about to be told to read again.
_CUT_OFF = """
import os, sys
from netcompose.agent.runtimes import namespace
from netcompose.cli.main import main
namespace._reload = lambda *_: os._exit(9)
sys.exit(main(sys.argv[1:]))
"""


def test_a_run_that_ended_before_the_publisher_read_its_ports_is_seen_and_mended(example: Bring, host: Sandbox) -> None:
    ports = up(example)
    ports.edit('"8080:80"', '"8082:80"')
    done = host.run([sys.executable, "-c", _CUT_OFF, "up", "-f", str(ports.file)])
    assert done.returncode == 9, done.stderr
    assert not answers(host, "127.0.0.1", 8082)
    (change,) = [change for change in ports.plan() if change["address"] == "local/process/@ports"]
    assert change["actions"] == ["update"]
    ports.up()
    assert answers(host, "127.0.0.1", 8082)
    assert ports.plan() == []


def test_a_port_below_1024_can_be_added_later_and_the_publisher_may_do_nothing_else(
    example: Bring, host: Sandbox
) -> None:
    ports = up(example)
    ports.change('"8080:80"', '"1023:80"')
    assert answers(host, "127.0.0.1", 1023)
    assert answers(host, HOST[6], 1023, OUT)
    (pid,) = set(re.findall(r"pid=(\d+)", run(host, "ss", "-Htlnp", "sport = :1023")))
    status = dict(re.findall(r"^(\w+):\s*(.*)$", run(host, "cat", f"/proc/{pid}/status"), re.MULTILINE))
    assert status["Uid"].split() == status["Gid"].split() == ["65534"] * 4
    assert {int(status[name], 16) for name in ("CapEff", "CapPrm")} == {1 << 10}, "CAP_NET_BIND_SERVICE"


def test_a_port_leads_to_where_the_container_is_now(example: Bring, host: Sandbox) -> None:
    ports = up(example)
    pid = publisher(host)
    assert ask_udp(host, "127.0.0.1", 5353) == "HELLO"
    ports.edit("  echo:", "  echo2:")
    ports.up()
    until(lambda: ":53 " in run(host, *inside("echo2"), "ss", "-Huln"))
    assert ask_udp(host, "127.0.0.1", 5353) == "HELLO"
    assert publisher(host) == pid


def test_ports_that_cannot_be_taken_later_leave_the_others_as_they_were(
    example: Bring, host: Sandbox, tmp_path: Path
) -> None:
    ports = up(example)
    pid = publisher(host)
    plan = tmp_path / "plan.json"
    ports.edit('"8080:80"', '"8082:80"')
    cli(host, "plan", "--out", str(plan), file=ports.file)
    with outside.server(host, 8082, []), connection(host, "127.0.0.1", 9000, []) as local:
        said = cli(host, "apply", str(plan), file=ports.file, status=4)
        assert ":8082/tcp: Address already in use" in said.stderr
        assert publisher(host) == pid
        assert answers(host, "127.0.0.1", 8080)
        assert answers(host, HOST[4], 8080, OUT)
        assert local().startswith("HTTP/1.0 200")
    ports.edit('"8082:80"', '"8080:80"')
    assert ports.plan() == []


def test_the_last_port_takes_the_publisher_along(example: Bring, host: Sandbox) -> None:
    ports = up(example)
    text = re.sub(r"    ports:(\n      - .*)+\n|    ports: .*\n", "", ports.file.read_text())
    ports.file.write_text(text)
    assert {c["address"]: c["actions"] for c in ports.plan()} == {
        "local/firewall/ports": ["update"],
        "local/process/@ports": ["delete"],
    }
    ports.up()
    assert "8080" not in run(host, "ss", "-tln")
    assert not answers(host, HOST[4], 8080, OUT)


def test_a_killed_publisher_comes_back(example: Bring, host: Sandbox) -> None:
    ports = up(example)
    pid, supervisor = publisher(host)
    run(host, "kill", "-9", str(pid))
    until(lambda: answers(host, "127.0.0.1", 8080))
    assert ports.plan() == []
    run(host, "kill", "-9", str(supervisor))
    # Until it is reaped it is there.
    until(lambda: host.run(["kill", "-0", str(supervisor)]).returncode != 0)
    assert {c["address"]: c["actions"] for c in ports.plan()} == {"local/process/@ports": ["create"]}
    assert answers(host, HOST[4], 8080, OUT), "the kernel's part is still there"
    ports.up()
    assert answers(host, "127.0.0.1", 8080)


def test_a_port_that_is_taken_between_plan_and_up_fails_the_run_and_everything_is_put_back(
    host: Sandbox, tmp_path: Path
) -> None:
    ports = Example(host, "published-ports", tmp_path)
    plan = tmp_path / "plan.json"
    cli(host, "plan", "--out", str(plan), file=ports.file)
    with outside.server(host, 9001, []):
        before = snapshot(host)
        said = cli(host, "apply", str(plan), file=ports.file, status=4)
        assert "cannot publish" in said.stderr
        assert ":9001/tcp: Address already in use" in said.stderr
        assert_same(host, before)


def test_sctp_is_said_to_be_missing_where_it_is(host: Sandbox, tmp_path: Path) -> None:
    ports = Example(host, "published-ports", tmp_path)
    ports.edit('"5353:53/udp"', '"5353:53/sctp"')
    if host.run([sys.executable, "-c", "import socket; socket.socket(2, 1, 132)"]).returncode == 0:
        ports.up()
        assert "5353" in run(host, "nft", "list", "map", "inet", "netcompose-ports", "published4")
        ports.down()
    else:
        assert "has no SCTP" in cli(host, "plan", file=ports.file, status=3).stderr


def test_a_container_that_nobody_reaches_from_outside_publishes_nothing(host: Sandbox, tmp_path: Path) -> None:
    ports = Example(host, "published-ports", tmp_path)
    ports.edit('"fd00:10:2::/64"]}', '"fd00:10:2::/64"], internal: true}')
    said = cli(host, "plan", file=ports.file, status=3)
    assert "container 'echo' publishes a port, and no network of it can be reached from outside" in said.stderr
