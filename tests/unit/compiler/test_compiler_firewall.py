"""The packet filter, forwarding and published ports as the compiler makes them, and nft's JSON read back."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import replace

import pytest
from compiler_world import HOST, compiled, container, fresh, network, problems, resource, topology, up

from netcompose.agent.kernel import nft
from netcompose.compiler.compile import compile_topology
from netcompose.compiler.ports import clashes, shown
from netcompose.resources import Firewall, Listener, Observation, Process, Sysctl
from netcompose.resources.names import host_interface_name
from netcompose.topology.model import Port

A = network("a", "10.0.0.0/24", "fd00::/64")
B = network("b", "10.0.1.0/24")


def port(inside: int, outside: int = 0, address: str = "", protocol: str = "tcp") -> Port:
    return Port(("containers", "w", "ports", 0), inside, outside, address, protocol)


def web(*ports: Port, name: str = "w", joins: str = "a", **keys):
    return container(name, joins, ports=ports, **keys)


def bridge(name: str) -> str:
    return f'"{host_interface_name("campus", f"bridge/{name}")}"'


def table(desired) -> dict[str, tuple[str, ...]]:
    found = resource(desired, "firewall/campus")
    assert isinstance(found, Firewall)
    return dict(found.table)


def sysctls(desired) -> dict[str, str]:
    return {item.key: item.value for item in desired.resources[HOST].values() if isinstance(item, Sysctl)}


def publisher(desired) -> Process:
    found = resource(desired, "process/@ports")
    assert isinstance(found, Process)
    return found


def test_every_network_is_an_element_and_the_rules_are_always_the_same():
    one, many = compiled(A), compiled(A, B, *[network(f"n{i}", f"10.1.{i}.0/24") for i in range(50)])
    for title in ("chain forward", "chain input", "chain from_internal", "chain postrouting"):
        assert table(one)[title] == table(many)[title]
    assert len(table(many)["set networks"]) == 1 + 52
    assert table(one)["set networks"] == ("type ifname", bridge("a") + ' comment "network a"')
    assert table(one)["map within"][1] == f'{bridge("a")} . {bridge("a")} comment "network a" : accept'
    assert table(one)["set gateways6"][1] == f'{bridge("a")} . fd00::1 comment "network a"'


@pytest.mark.parametrize(
    ("keys", "part", "expected"),
    [
        ({"icc": False}, "map within", '{0} . {0} comment "network b" : drop'),
        ({"internal": True}, "set internal", '{0} comment "network b"'),
        ({"isolated": False}, "set routed", '{0} comment "network b"'),
        ({}, "set masquerade4", '10.0.1.0/24 comment "network b"'),
    ],
)
def test_what_a_network_asks_for_is_an_element(keys, part, expected):
    assert expected.format(bridge("b")) in table(compiled(A, network("b", "10.0.1.0/24", **keys)))[part]


@pytest.mark.parametrize("keys", [{"masquerade": False}, {"internal": True}])
def test_no_masquerade_for_what_does_not_want_it_or_never_leaves(keys):
    assert not any(
        "10.0.1.0" in line for line in table(compiled(A, network("b", "10.0.1.0/24", **keys)))["set masquerade4"]
    )


def test_icc_isolates_the_ports_of_the_bridge():
    net = network("b", "10.0.1.0/24", icc=False)
    assert resource(compiled(net, container("c", "b")), "interface/c.eth0").peer.isolated
    assert not resource(compiled(B, container("c", "b")), "interface/c.eth0").peer.isolated


def test_internal_and_routed_contradict_each_other():
    ((message, path),) = problems(network("b", "10.0.1.0/24", internal=True, isolated=False))
    assert "'b' is internal" in message
    assert path == ("networks", "b", "isolated")


def test_forwarding_only_for_the_families_that_leave():
    assert sysctls(compiled(B)) == {"net.ipv4.ip_forward": "1"}
    assert sysctls(compiled(A)) == {"net.ipv4.ip_forward": "1", "net.ipv6.conf.all.forwarding": "1"}
    assert sysctls(compiled(network("i", "10.0.0.0/24", "fd00::/64", internal=True))) == {}
    assert "firewall/campus" not in compiled(container("c", network_mode="none")).resources[HOST]


def test_router_advertisements_are_accepted_before_ipv6_is_forwarded_and_ever_after():
    live = fresh(accept_ra={"eth0.7": "1", "eth1": "0", "eth2": "2"})
    desired = compiled(A, live=live)
    key = "net.ipv6.conf.eth0/7.accept_ra"
    assert sysctls(desired)[key] == "2"
    assert len(sysctls(desired)) == 3, "eth1 is told not to, eth2 does already"
    needs = {need.id for need in resource(desired, "sysctl/net.ipv6.conf.all.forwarding").requires()}
    assert needs == {"firewall/campus", f"sysctl/{key}"}
    assert sysctls(compiled(A, live=up(desired)))[key] == "2", "also while the route is away"
    assert sysctls(compiled(A, live=up(desired, accept_ra={"eth0.7": "2"})))[key] == "2"


def test_a_published_port_leads_to_the_container_by_both_families():
    desired = compiled(A, web(port(80, 8080)))
    v4, v6 = desired.networks["a"].members["w"]
    parts = table(desired)
    assert parts["map published4"][1:] == (f'tcp . 8080 comment "w" : {v4} . 80',)
    assert parts["map published6"][1:] == (f'tcp . 8080 comment "w" : {v6} . 80',)
    assert parts["map published_on4"][1:] == parts["map published_on6"][1:] == ()
    assert parts["set own_network"][1:] == (f"{bridge('a')} . tcp . 8080",)
    assert publisher(desired).reads == {"0.0.0.0:8080/tcp": f"{v4}:80@w", "[::]:8080/tcp": f"[{v6}]:80@w"}
    assert publisher(compiled(A, web(port(80, 8081)))).command == publisher(desired).command


def test_ports_of_one_address_and_of_loopback():
    desired = compiled(A, web(port(80, 8080, "192.0.2.1"), port(53, 53, "127.0.0.1", "udp"), port(80, 81, "0.0.0.0")))
    v4, _ = desired.networks["a"].members["w"]
    parts = table(desired)
    assert parts["map published_on4"][1:] == (f'192.0.2.1 . tcp . 8080 comment "w" : {v4} . 80',)
    assert parts["map published4"][1:] == (f'tcp . 81 comment "w" : {v4} . 80',)
    assert parts["map published6"][1:] == ()
    assert publisher(desired).reads["127.0.0.1:53/udp"] == f"{v4}:53@w"
    assert [text for text in publisher(desired).reads if ":81/" in text] == ["0.0.0.0:81/tcp"]


def test_without_ports_no_publisher_and_no_chains_for_them():
    desired = compiled(A, container("w", "a"))
    assert "process/@ports" not in desired.resources[HOST]
    assert not {"chain published", "chain prerouting", "chain output"} & set(table(desired))


def test_an_ipv4_container_is_reached_by_ipv6_through_the_publisher_alone():
    desired = compiled(B, web(port(80, 8080), joins="b"))
    (v4,) = desired.networks["b"].members["w"]
    assert publisher(desired).reads["[::]:8080/tcp"] == f"{v4}:80@w"
    assert table(desired)["map published6"][1:] == ()


def test_ports_go_through_the_network_of_the_default_route():
    c = container("w", "a", ("b", {"gw_priority": 1}), ports=(port(80, 8080),))
    desired = compiled(A, B, c)
    (v4,) = desired.networks["b"].members["w"]
    assert table(desired)["map published4"][1] == f'tcp . 8080 comment "w" : {v4} . 80'
    assert set(table(desired)["set own_network"][1:]) == {f"{bridge(name)} . tcp . 8080" for name in "ab"}


def test_a_container_on_internal_networks_cannot_publish():
    ((message, path),) = problems(network("i", "10.0.0.0/24", internal=True), web(port(80, 80), joins="i"))
    assert "no network of it can be reached from outside" in message
    assert path == ("containers", "w", "ports")


def chosen(desired, name: str = "w") -> int:
    (text,) = (text for text in shown(up(desired)[HOST])[name] if text.endswith("->80/tcp"))
    return int(text.partition("-")[0])


def test_a_chosen_port_depends_on_names_alone_and_stays():
    first = compiled(A, web(port(80)))
    number = chosen(first)
    assert 32768 <= number <= 60999
    assert chosen(compiled(A, web(port(80)))) == number
    more = [web(port(80), name=f"a{i}") for i in range(30)]
    assert chosen(compiled(A, *more, web(port(80)), live=up(first))) == number
    # Without the publisher the packet filter still knows.
    live = up(compiled(A, web(port(80)), live=fresh(listeners=(Listener("tcp", "0.0.0.0", number),))))
    other = chosen(compiled(A, web(port(80)), live=live))
    assert other != number
    found = {id: item for id, item in live[HOST].resources.items() if id != "process/@ports"}
    assert chosen(compiled(A, web(port(80)), live={HOST: Observation(resources=found)})) == other


def test_chosen_ports_differ_from_each_other_and_from_those_that_are_asked_for():
    number = chosen(compiled(A, web(port(80))))
    desired = compiled(A, web(port(80)), web(port(1, number), name="x"))
    assert chosen(desired) != number
    many = compiled(A, *[web(port(80), name=f"c{i}") for i in range(200)])
    assert len({chosen(many, f"c{i}") for i in range(200)}) == 200


def test_a_port_in_use_is_told_with_its_owner_and_ours_is_not():
    listener = Listener("tcp", "0.0.0.0", 8080, inode=7, owner="nginx (pid 1)")
    things = (A, web(port(80, 8080)))
    desired = compile_topology(topology(*things), fresh(listeners=(listener,)))
    (problem,) = desired.problems
    assert problem.message == "the port 8080/tcp of host 'local' is in use: nginx (pid 1) has 0.0.0.0:8080/tcp"
    assert desired.contested == {HOST: (7,)}
    assert compiled(*things, live=up(compiled(*things), listeners=(listener,)))


def test_a_port_of_ours_that_another_has_on_another_address_is_in_use_there_and_a_chosen_one_stays():
    other = Listener("tcp", "192.0.2.1", 8080, inode=7, owner="nginx (pid 1)")
    ours = Listener("tcp", "127.0.0.1", 8080, inode=8)
    before = compiled(A, web(port(80, 8080, "127.0.0.1")))
    live = up(before, listeners=(other, ours))
    assert compiled(A, web(port(80, 8080, "127.0.0.1")), live=live)
    (problem,) = compile_topology(topology(A, web(port(80, 8080))), live).problems
    assert problem.message.endswith("is in use: nginx (pid 1) has 192.0.2.1:8080/tcp")

    def number(desired) -> int:
        return int(shown(up(desired)[HOST])["w"][0].removeprefix("127.0.0.1:").partition("-")[0])

    first = compiled(A, web(port(80, 0, "127.0.0.1")))
    beside = Listener("tcp", "192.0.2.1", number(first), inode=9)
    assert number(compiled(A, web(port(80, 0, "127.0.0.1")), live=up(first, listeners=(beside,)))) == number(first)


@pytest.mark.parametrize(
    ("listener", "address", "expected"),
    [
        ("0.0.0.0", "", True),
        ("192.0.2.1", "", True),
        ("::", "0.0.0.0", True),
        ("::", "192.0.2.1", True),
        ("127.0.0.1", "192.0.2.1", False),
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "0.0.0.0", True),
        ("0.0.0.0", "::", False),
        ("::1", "::", True),
        ("fd00::1", "127.0.0.1", False),
    ],
)
def test_which_sockets_are_in_the_way(listener, address, expected):
    assert clashes(Listener("tcp", listener, 80), "tcp", address, 80) is expected
    assert not clashes(Listener("udp", listener, 80), "tcp", address, 80)
    assert not clashes(Listener("tcp", listener, 81), "tcp", address, 80)


def test_what_the_host_lacks_is_a_problem_with_its_line():
    lacks = fresh(features={"nft": "no program nft", "sctp": "the kernel has no SCTP"}, addresses=("192.0.2.1",))
    things = (A, web(port(9, 9, protocol="sctp"), port(80, 80, "192.0.2.9")))
    messages = [problem.message for problem in compile_topology(topology(*things), lacks).problems]
    assert messages == [
        "host 'local' has no SCTP: the kernel has no SCTP",
        "host 'local' has no address 192.0.2.9 to publish a port on",
        "host 'local': no program nft, needed by network 'a'",
    ]


def everything() -> dict[str, tuple[str, ...]]:
    nets = (A, B, network("i", "10.0.2.0/24", internal=True), network("r", "10.0.4.8/29", isolated=False, icc=False))
    ports = (port(80, 8080), port(53, 53, "", "udp"), port(9, 9, "", "sctp"), port(80, 81, "192.0.2.1"), port(80))
    return table(compiled(*nets, web(*ports)))


@pytest.mark.skipif(not shutil.which("nft"), reason="nft is not installed")
def test_nft_reads_the_table_back_as_it_was_written():
    wanted = everything()
    script = nft.script("netcompose-campus", wanted)
    list_it = "nft -f - && nft -j list table inet netcompose-campus"
    done = subprocess.run(["unshare", "-rn", "sh", "-c", list_it], input=script, capture_output=True, text=True)
    if "unshare" in done.stderr:
        pytest.skip(done.stderr)
    assert done.returncode == 0, done.stderr
    assert nft.parts(json.loads(done.stdout)["nftables"]) == wanted


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ({"counter": {"packets": 1, "bytes": 2}}, '{"counter": {"bytes": 2, "packets": 1}}'),
        ({"drop": None}, "drop"),
        ({"match": {"op": "<", "left": {"meta": {"key": "mark"}}, "right": 7}}, None),
        ({"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": ["related", "established"]}},
         "ct state established,related"),
        ({"match": {"op": "==", "left": {"meta": {"key": "l4proto"}}, "right": {"set": [17, 6]}}},
         "meta l4proto { tcp, udp }"),
    ],
)  # fmt: skip
def test_statements_as_lines_and_unknown_ones_as_their_json(expression, expected):
    listed = [
        {"chain": {"name": "c"}},
        {"rule": {"chain": "c", "expr": [expression]}},
    ]
    _, line = nft.parts(listed)["chain c"]
    assert line == (expected if expected is not None else json.dumps(expression, sort_keys=True))


def test_protocols_by_number_and_elements_with_more_than_a_comment():
    element = {"concat": [6, 6]}
    declared = {"name": "m", "type": ["inet_proto", "inet_service"], "elem": [element]}
    assert nft.parts([{"set": declared}])["set m"] == ("type inet_proto . inet_service", "tcp . 6")
    timed = {**declared, "elem": [{"elem": {"val": element, "expires": 3}}]}
    assert "expires" in nft.parts([{"set": timed}])["set m"][1]


def test_long_names_fit_into_a_comment():
    line = table(compiled(network("n" * 200, "10.0.0.0/24")))["set networks"][1]
    assert len(line.partition('comment "')[2]) == 127 + 1


def test_a_live_table_that_differs_is_an_update_of_that_part():
    desired = compiled(A)
    firewall = resource(desired, "firewall/campus")
    assert isinstance(firewall, Firewall)
    assert replace(firewall, table={**firewall.table, "set routed": ("type ifname",)}) == firewall
    assert replace(firewall, table={**firewall.table, "set routed": ()}) != firewall
