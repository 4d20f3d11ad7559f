"""S5 with DNS clients, and S19 of it: who is told which names. Oracles: dig, nslookup, getent, ping, ss, ps."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from dns_support import Asked, asker, dig, plan_of, server_pid, status, upstream
from support import EXAMPLES, Example, assert_same, cli, run, snapshot, until

from netcompose.transports.sandbox import Sandbox

Bring = Callable[[str], Example]


@pytest.fixture
def asked(host: Sandbox) -> Iterator[Asked]:
    """What the resolver that the host uses was asked so far."""
    with upstream(host) as seen:
        yield seen


def test_dns_clients_get_names_hostnames_aliases_and_addresses_back(example: Bring) -> None:
    lan = example("dns")
    assert dig(lan, "web1", "web2") == dig(lan, "web1", "second") == dig(lan, "web1", "web2.lan") == ["10.53.1.12"]
    assert dig(lan, "web1", "web2", "AAAA") == ["fd00:53:1::12"]
    assert dig(lan, "web1", "+tcp", "web2") == ["10.53.1.12"]
    assert dig(lan, "web1", "WEB2") == ["10.53.1.12"]
    assert dig(lan, "web2", "web2") == ["10.53.1.12"], "a container finds itself"
    assert dig(lan, "web2", "-x", "10.53.1.11") == dig(lan, "web2", "-x", "fd00:53:1::11") == ["web1.lan."]
    assert "Address: 10.53.1.12" in lan.inside("web1", "nslookup", "second")
    assert lan.names("proxy", "web1") == {"10.53.1.11", "fd00:53:1::11"}
    assert lan.inside("web2", "getent", "hosts", "10.53.1.11").split()[1] == "web1.lan"
    lan.ping("web1", "web2")
    lan.ping("web1", "web2", "-6")
    # The names are the server's to tell: a container's own file has nobody else in it.
    assert "web2" not in lan.inside("web1", "cat", "/etc/netns/dns-web1/hosts")


def test_an_alias_is_all_of_its_members_in_varying_order(example: Bring) -> None:
    lan = example("dns")
    assert dig(lan, "proxy", "web") == ["10.53.1.11", "10.53.1.12"]
    first = {lan.inside("proxy", "dig", "+short", "web").split()[0] for _ in range(20)}
    assert first == {"10.53.1.11", "10.53.1.12"}


def test_a_name_without_an_address_of_the_family_is_no_unknown_name(example: Bring) -> None:
    lan = example("dns")
    assert dig(lan, "mail", "proxy", "AAAA") == []
    assert status(lan, "mail", "proxy", "AAAA") == "NOERROR"


def test_each_container_is_told_the_names_of_its_own_networks(asked: Asked, example: Bring) -> None:
    # The answer that stands for "none of the containers that you see" is the outside world's.
    lan, elsewhere = example("dns"), ["203.0.113.7"]
    assert dig(lan, "web1", "mail") == dig(lan, "mail", "web1") == elsewhere
    assert dig(lan, "web1", "proxy") == ["10.53.1.20"]
    assert dig(lan, "mail", "proxy") == ["10.53.2.20"]
    assert dig(lan, "proxy", "proxy") == ["10.53.1.20", "10.53.2.20"]
    assert (dig(lan, "proxy", "web1"), dig(lan, "proxy", "mail")) == (["10.53.1.11"], ["10.53.2.30"])
    assert dig(lan, "proxy", "@10.53.2.1", "web1") == ["10.53.1.11"], "whichever gateway it asks"
    assert {"web1", "mail"} <= set(asked())


def test_other_names_are_the_host_resolvers_to_answer_but_not_for_internal_networks(
    asked: Asked, example: Bring
) -> None:
    lan = example("dns")
    for name in ("www.example.org", "printer", "host.test", "nas.home.arpa", "a.b.web1"):
        assert dig(lan, "web1", name) == ["203.0.113.7"], name
    dig(lan, "web1", "-x", "10.1.2.3")
    assert {"www.example.org", "printer", "host.test", "a.b.web1", "3.2.1.10.in-addr.arpa"} <= set(asked())
    before = len(asked())
    assert status(lan, "safe1", "secret.example.org") == status(lan, "safe1", "web1") == "NXDOMAIN"
    assert dig(lan, "safe1", "safe2") == dig(lan, "safe1", "safe2.vault") == ["10.53.3.12"]
    assert dig(lan, "safe1", "-x", "10.53.3.12") == ["safe2.vault."]
    lan.ping("safe1", "safe2")
    assert dig(lan, "web1", "web2") == ["10.53.1.12"]
    assert len(asked()) == before, "no question leaves an internal network, and none for a known name the host"


def test_the_server_has_no_rights_and_answers_nobody_else(asked: Asked, example: Bring) -> None:
    lan = example("dns")
    ports = {line.split()[4].rpartition(":")[2] for line in run(lan.host, "ss", "-Hlutn").splitlines()}
    (port,) = ports
    assert 20000 <= int(port) < 30000, "none that is anybody's, and one for all networks"
    proc = run(lan.host, "cat", f"/proc/{server_pid(lan)}/status")
    fields = dict(line.split(":\t", 1) for line in proc.splitlines())
    if not lan.host.user_namespace:
        assert fields["Uid"].split()[1] != "0"
        assert int(fields["CapEff"], 16) == 0
    assert int(fields["VmRSS"].split()[0]) < 32 << 10
    outside = ["ip", "netns", "exec", "world", "dig", "+tries=1", "+time=1", "-p", port, "@198.51.100.1", "web1"]
    assert "no servers could be reached" in run(lan.host, *outside, status=9)
    # netcompose's own process is no container; its output is there for who asks.
    assert "@dns" not in cli(lan.host, "ps", file=lan.file).stdout
    assert "start of service" in cli(lan.host, "logs", "@dns", file=lan.file).stdout


def test_edits_and_reloads_lose_no_question(example: Bring) -> None:
    lan = example("dns")
    text = lan.file.read_text()
    pid = server_pid(lan)
    running = asker(lan, "web1", "10.53.1.1", "web2")
    # A container comes; it gets an alias; a network comes, for a container that is on two then; all goes again.
    more = text.replace("  web2:", "  web3: {networks: [lan]}\n  web2:")
    alias = more.replace("web3: {networks: [lan]}", "web3: {networks: {lan: {aliases: [web]}}}")
    network = alias.replace("  vault:", "  extra: {subnets: [10.53.9.0/24]}\n  vault:").replace(
        "mail:\n    networks: {", "mail:\n    networks: {extra: {}, "
    )
    expected = {
        more: {"local/file/@dns/unbound/lan.names": ["update"], "local/process/@dns": ["update"]},
        alias: {"local/file/@dns/unbound/lan.names": ["update"], "local/process/@dns": ["update"]},
        network: {
            "local/file/@dns/unbound/extra.names": ["create"],
            "local/file/@dns/unbound/unbound.conf": ["update"],
            "local/process/@dns": ["update"],
        },
        text: None,
    }
    for edited, changes in expected.items():
        lan.file.write_text(edited)
        planned = plan_of(lan)
        assert changes is None or {a: done for a, done in planned.items() if "@dns" in a} == changes
        assert not any("web1" in address or "web2" in address for address in planned), "nobody else is touched"
        lan.up()
        if edited == alias:
            assert len(dig(lan, "proxy", "web")) == 3
        if edited == network:
            assert dig(lan, "proxy", "mail") == ["10.53.2.30"]
            assert len(dig(lan, "mail", "@10.53.9.1", "mail")) == 2
    assert dig(lan, "web1", "web3") == []
    for _ in range(20):
        seen = run(lan.host, "grep", "-c", "start of service", "/run/netcompose/dns/containers/@dns/log")
        run(lan.host, "kill", "-HUP", pid)
        until(
            lambda seen=seen: (
                run(lan.host, "grep", "-c", "start of service", "/run/netcompose/dns/containers/@dns/log") != seen
            )
        )
    came = json.loads(running.communicate(timeout=30)[0])
    assert set(came) == {"answered"}, came
    assert came["answered"] > 400
    assert server_pid(lan) == pid, "it was told, not started anew"


def test_a_killed_server_comes_back_by_itself(example: Bring) -> None:
    lan = example("dns")
    pid = server_pid(lan)
    run(lan.host, "kill", "-9", pid)
    until(lambda: lan.host.run(["pgrep", "-x", "unbound"]).stdout.strip() not in ("", pid))
    until(lambda: lan.host.run(["ip", "netns", "exec", "dns-web1", "dig", "+short", "web2"]).stdout == "10.53.1.12\n")
    assert lan.plan() == []


def test_a_server_that_is_gone_is_what_the_plan_names(example: Bring) -> None:
    lan = example("dns")
    parent = run(lan.host, "ps", "-o", "ppid=", "-p", server_pid(lan)).strip()
    run(lan.host, "kill", "-9", parent)
    until(lambda: lan.host.run(["pgrep", "-x", "unbound"]).returncode == 1)
    assert plan_of(lan) == {"local/process/@dns": ["create"]}
    lan.up()
    assert dig(lan, "web1", "web2") == ["10.53.1.12"]


def test_a_port_that_was_taken_while_the_server_was_gone_is_left_to_who_has_it(example: Bring) -> None:
    lan = example("dns")
    before = re.search(r":(2\d{4}) ", run(lan.host, "ss", "-Hulnp"))
    assert before
    parent = run(lan.host, "ps", "-o", "ppid=", "-p", server_pid(lan)).strip()
    run(lan.host, "kill", "-9", parent)
    until(lambda: lan.host.run(["pgrep", "-x", "unbound"]).returncode == 1)
    take = (
        f"import socket, sys; s = socket.create_server(('0.0.0.0', {before[1]})); print(flush=True); sys.stdin.read()"
    )
    thief = lan.host.popen([sys.executable, "-c", take], stdin=-1, stdout=-1, text=True)
    try:
        assert thief.stdout is not None
        thief.stdout.readline()
        has = run(lan.host, "ss", "-Htlnp", f"sport = :{before[1]}")
        said = cli(lan.host, "plan", file=lan.file)
        assert re.search(rf"note: host local: \S+ \(pid {_pid(has)}\) has {before[1]}/tcp", said.stderr)
        lan.up()
        assert dig(lan, "web1", "web2") == ["10.53.1.12"]
        assert f":{before[1]} " not in run(lan.host, "ss", "-Hulnp")
    finally:
        thief.communicate(timeout=10)
    assert lan.plan() == []


def _pid(listed: str) -> str:
    found = re.search(r"pid=(\d+)", listed)
    assert found, listed
    return found[1]


def test_two_topologies_have_a_server_each(example: Bring, tmp_path: Path) -> None:
    lan = example("dns")
    other = tmp_path / "other.yaml"
    other.write_text("""
name: other
networks: {lan: {subnets: [10.55.0.0/24]}}
containers: {web1: {networks: {lan: {ipv4_address: 10.55.0.11}}}, web9: {networks: [lan]}}
""")
    cli(lan.host, "up", file=other)
    ask = ["ip", "netns", "exec", "other-web9", "dig", "+short", "web1"]
    assert run(lan.host, *ask) == "10.55.0.11\n"
    assert dig(lan, "web2", "web1") == ["10.53.1.11"]
    assert lan.plan() == []
    cli(lan.host, "down", file=other)
    assert dig(lan, "web2", "web1") == ["10.53.1.11"]


def test_changed_files_of_the_server_are_put_back(example: Bring) -> None:
    lan = example("dns")
    run(lan.host, "sh", "-c", "echo 'local-data: \"evil. A 192.0.2.1\"' >>/etc/netns/dns-@dns/unbound/lan.names")
    run(lan.host, "rm", "/etc/netns/dns-@dns/unbound/dmz.names")
    assert plan_of(lan) == {
        "local/file/@dns/unbound/dmz.names": ["create"],
        "local/file/@dns/unbound/lan.names": ["update"],
    }
    lan.up()


def test_resolv_conf_names_the_gateway_of_the_way_out_and_dns_of_a_container_wins(
    host: Sandbox, tmp_path: Path
) -> None:
    file = tmp_path / "topology.yaml"
    file.write_text("""
name: own
networks:
  back: {subnets: [10.54.1.0/24], internal: true}
  front: {subnets: [10.54.2.0/24]}
  six: {subnets: ["fd00:54::/64"]}
containers:
  both: {networks: [back, front], dns_search: [example.test], dns_opt: ["timeout:1"]}
  joined: {network_mode: "container:both"}
  inside: {networks: [back]}
  v6: {networks: [six]}
  v6b: {networks: [six], dns_opt: ["ndots:2"]}
  own: {networks: [front], dns: [192.0.2.53]}
  alone: {network_mode: none}
""")
    before = snapshot(host)
    cli(host, "up", file=file)
    conf = {
        name: run(host, "tail", "-n", "+2", f"/etc/netns/own-{name}/resolv.conf")
        for name in ("both", "joined", "inside", "v6", "v6b", "own")
    }
    assert conf["both"] == "nameserver 10.54.2.1\nsearch example.test\noptions timeout:1 ndots:0\n"
    assert conf["joined"] == conf["both"]
    assert conf["inside"] == "nameserver 10.54.1.1\noptions ndots:0\n"
    assert conf["v6"] == "nameserver fd00:54::1\noptions ndots:0\n"
    assert conf["v6b"] == "nameserver fd00:54::1\noptions ndots:2\n"
    assert conf["own"] == "nameserver 192.0.2.53\n"
    ask = ["ip", "netns", "exec"]
    assert run(host, *ask, "own-v6", "dig", "+short", "v6b", "AAAA").startswith("fd00:54::")
    assert run(host, *ask, "own-v6", "dig", "+short", "-x", "fd00:54::1") == ""
    assert run(host, *ask, "own-v6", "getent", "hosts", "v6b").startswith("fd00:54::")
    # Who has resolvers of its own finds its peers in its hosts file.
    assert run(host, *ask, "own-own", "getent", "hosts", "both").startswith("10.54.2.")
    assert run(host, *ask, "own-joined", "getent", "hosts", "own").startswith("10.54.2.")
    cli(host, "down", file=file)
    assert_same(host, before)


def test_without_unbound_the_hosts_files_have_the_names_and_one_note_says_so(host: Sandbox, tmp_path: Path) -> None:
    run(host, "sh", "-c", "mount --bind /dev/null $(command -v unbound)")
    lan = Example(host, "dns", tmp_path)
    for command in ("plan", "up"):
        done = cli(host, command, file=lan.file)
        (note,) = done.stderr.splitlines()
        assert note.startswith("note: host local: no name server for the containers: ")
        assert "no program unbound on this host" in note
    assert "@dns" not in cli(host, "plan", "--output", "json", file=lan.file).stdout
    assert lan.plan() == []
    assert lan.names("web1", "web") == {"10.53.1.11", "10.53.1.12", "fd00:53:1::11", "fd00:53:1::12"}
    lan.down()
    assert "unbound" in json.loads(cli(host, "hosts", "--output", "json").stdout)[0]["features"]["dns"]


def test_another_server_on_port_53_of_every_address_is_not_in_the_way(host: Sandbox, tmp_path: Path) -> None:
    program = """
import socket
both = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
both.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
both.bind(("::", 53))
while True:
    print(both.recvfrom(4096), flush=True)
"""
    said = tmp_path / "said"
    with said.open("wb") as file:
        other = host.popen([sys.executable, "-c", program], stdout=file)
    until(lambda: ":53 " in run(host, "ss", "-Hlun"))
    lan = Example(host, "dns", tmp_path)
    cli(host, "up", file=lan.file)
    assert dig(lan, "web1", "web2") == dig(lan, "web1", "@fd00:53:1::1", "web2") == ["10.53.1.12"]
    lan.down()
    other.kill()
    other.wait(10)
    assert said.read_bytes() == b"", "it was asked nothing"


def test_rehearsal_promises_and_finds_the_names(host: Sandbox) -> None:
    done = cli(host, "rehearse", file=EXAMPLES / "dns" / "topology.yaml")
    assert "all as the topology promises" in done.stdout
