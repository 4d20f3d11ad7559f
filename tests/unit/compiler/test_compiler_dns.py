"""The name server's files: who sees which names, where it listens, whom it asks. What they mean to a real Unbound and to
its clients is tests/kernel/test_dns.py's to show."""

from __future__ import annotations

from dataclasses import replace

import pytest
from compiler_world import HOST, compiled, container, fresh, link, network, resource, topology, up
from counting import calls

from netcompose.compiler.compile import compile_topology
from netcompose.compiler.reachability import names, promised
from netcompose.resources import File, Listener
from netcompose.topology.model import Host, Port

SERVER = {"name_server": "/usr/sbin/unbound", "name_server_user": "unbound", "forwarders": ("127.0.0.53",)}
LIVE = fresh(**SERVER)
LAN = network("lan", "10.0.0.0/24", "fd00::/64")
DMZ = network("dmz", "10.0.1.0/24")
VAULT = network("vault", "10.0.2.0/24", internal=True)


def fixed(name, **addresses):
    """A container with an address on each network."""
    return container(name, *((other, {"ipv4_address": text}) for other, text in addresses.items()))


def content(desired, name):
    return resource(desired, f"file/@dns/unbound/{name}").content


def lines(desired, name, key):
    """The values of one key of a file, in order."""
    found = (line.strip().partition(": ") for line in content(desired, name).splitlines())
    return [value for word, _, value in found if word == key]


def server(desired):
    return desired.resources[HOST].get("process/@dns")


def conf(desired, name):
    return resource(desired, f"file/{name}/resolv.conf").content


def test_a_network_has_a_file_of_names_and_a_view_of_them():
    w = container("w", ("dmz", {"ipv4_address": "10.0.1.2", "aliases": ("web",)}), hostname="www")
    desired = compiled(DMZ, w, live=LIVE)
    assert content(desired, "dmz.names").splitlines() == [
        'local-data: "w. 60 IN A 10.0.1.2"',
        'local-data: "www. 60 IN A 10.0.1.2"',
        'local-data: "web. 60 IN A 10.0.1.2"',
        'local-data: "w.dmz. 60 IN A 10.0.1.2"',
        'local-data: "www.dmz. 60 IN A 10.0.1.2"',
        'local-data: "web.dmz. 60 IN A 10.0.1.2"',
        'local-data-ptr: "10.0.1.2 60 w.dmz"',
    ]
    assert lines(desired, "unbound.conf", "access-control") == ["0.0.0.0/0 deny", "::/0 deny", "10.0.1.0/24 allow"]
    assert lines(desired, "unbound.conf", "access-control-view") == ['10.0.1.0/24 "dmz"']
    assert lines(desired, "unbound.conf", "include") == ['"/etc/unbound/dmz.names"']
    assert lines(desired, "unbound.conf", "forward-addr") == ["127.0.0.53"]


def test_the_server_is_a_supervised_process_that_comes_before_the_containers_programs():
    desired = compiled(DMZ, container("w", "dmz", command=("true",)), live=LIVE)
    process = server(desired)
    assert process.command == ("/usr/sbin/unbound", "-d", "-p", "-c", "/etc/unbound/unbound.conf")
    assert (process.namespace, process.netns, process.user) == ("", "campus-@dns", "unbound")
    assert process.restart == "always"
    assert set(process.reads) == {"dmz.names", "unbound.conf"}
    assert {"file/@dns/unbound/dmz.names", "file/@dns/unbound/unbound.conf"} <= set(process.after)
    assert resource(desired, "file/@dns/unbound/dmz.names").path == "/etc/netns/campus-@dns/unbound/dmz.names"
    assert "process/@dns" in resource(desired, "process/w").after


def test_a_new_container_changes_the_names_of_its_network_alone():
    before = compiled(LAN, DMZ, container("a", "lan"), container("b", "dmz"), live=LIVE)
    live = up(before, **SERVER)
    after = compiled(LAN, DMZ, container("a", "lan"), container("b", "dmz"), container("c", "lan"), live=live)
    changed = {id for id, item in after.resources[HOST].items() if before.resources[HOST].get(id) != item}
    assert {id for id in changed if not id.endswith(("/c", "/c.eth0")) and "/c/" not in id} == {
        "file/@dns/unbound/lan.names",
        "process/@dns",
    }
    different = {name for name, digest in server(after).reads.items() if server(before).reads[name] != digest}
    assert different == {"lan.names"}


def port_of(desired):
    (port,) = lines(desired, "unbound.conf", "port")
    return int(port)


def test_its_port_is_kept_and_keeps_away_from_what_others_have():
    things = [DMZ, container("a", "dmz")]
    first = compiled(*things, live=LIVE)
    port = port_of(first)
    assert 20000 <= port < 30000
    taken = (Listener("tcp", "127.0.0.1", port), Listener("udp", "0.0.0.0", port + 1))
    assert port_of(compiled(*things, live=fresh(**SERVER, listeners=taken))) == port + 2
    moved = up(compiled(*things, live=fresh(**SERVER, listeners=taken)), **SERVER)
    assert port_of(compiled(*things, live=moved)) == port + 2, "also when the first one is free again"
    assert port_of(compiled(*things, name="other", live=LIVE)) != port


def test_a_port_that_was_taken_while_it_was_down_is_given_up_and_a_note_says_to_whom():
    things = [DMZ, container("a", "dmz")]
    first = compiled(*things, live=LIVE)
    port = port_of(first)
    thief = Listener("tcp", "127.0.0.1", port, inode=7, owner="nc (pid 9)")
    running = up(first, **SERVER, listeners=(thief,))
    assert port_of(compiled(*things, live=running)) == port, "a running server has its port itself"
    resources = {id: item for id, item in running[HOST].resources.items() if id != "process/@dns"}
    live = {HOST: replace(running[HOST], resources=resources)}
    desired = compiled(*things, live=live)
    assert port_of(desired) == port + 1
    assert desired.contested == {HOST: (7,)}
    assert desired.notes == (
        f"host local: nc (pid 9) has {port}/tcp, on which the name server of the containers listened before: "
        f"it gets port {port + 1}",
    )
    free = {HOST: replace(live[HOST], facts=replace(live[HOST].facts, listeners=()))}
    assert port_of(compiled(*things, live=free)) == port


def test_it_keeps_away_from_the_ports_that_are_published():
    port = port_of(compiled(DMZ, container("a", "dmz"), live=LIVE))
    published = container("a", "dmz", ports=(Port(("containers", "a"), 80, port, "", "udp"),))
    assert port_of(compiled(DMZ, published, live=LIVE)) == port + 1


def test_the_packet_filter_leads_questions_to_the_port_and_lets_internal_networks_ask():
    desired = compiled(DMZ, VAULT, container("a", "dmz"), container("b", "vault"), live=LIVE)
    table, port = resource(desired, "firewall/campus").table, port_of(desired)
    to_gateway = "iifname . ip daddr @gateways4 meta l4proto { tcp, udp } th dport"
    assert f'{to_gateway} 53 dnat to :{port} comment "names"' in table["chain prerouting"]
    assert f'{to_gateway} {port} accept comment "names"' in table["chain from_internal"]
    without = resource(compiled(DMZ, container("a", "dmz"), live=fresh()), "firewall/campus").table
    assert "names" not in str(without)
    assert "firewall/campus" in server(desired).after


def test_who_is_on_several_networks_sees_the_names_of_all():
    both = fixed("both", lan="10.0.0.5", dmz="10.0.1.5")
    desired = compiled(LAN, DMZ, both, fixed("a", lan="10.0.0.6"), live=LIVE)
    views = lines(desired, "unbound.conf", "access-control-view")
    six = desired.containers["both"].networks["lan"][1]
    assert views[:3] == ['10.0.1.0/24 "dmz"', '10.0.0.0/24 "lan"', 'fd00::/64 "lan"']
    assert sorted(views[3:]) == sorted(f'{a} "dmz+lan"' for a in ("10.0.0.5/32", f"{six}/128", "10.0.1.5/32"))
    view = content(desired, "unbound.conf").partition('name: "dmz+lan"')[2].partition("view:")[0]
    assert 'include: "/etc/unbound/dmz.names"' in view
    assert 'include: "/etc/unbound/lan.names"' in view


@pytest.mark.parametrize(
    ("networks", "zone"), [(("vault",), "static"), (("lan",), "transparent"), (("lan", "vault"), "transparent")]
)
def test_only_who_has_a_way_out_has_questions_forwarded(networks, zone):
    desired = compiled(LAN, VAULT, container("a", *networks), live=LIVE)
    view = content(desired, "unbound.conf").partition(f'name: "{"+".join(networks)}"')[2].partition("view:")[0]
    assert f'local-zone: "." {zone}' in view


@pytest.mark.parametrize(
    ("forwarders", "asked"),
    [
        (("192.0.2.1", "::1"), ["192.0.2.1", "::1"]),
        (("fe80::1%eth0", "192.0.2.1"), ["192.0.2.1"]),
        ((), ["8.8.8.8", "8.8.4.4", "2001:4860:4860::8888", "2001:4860:4860::8844"]),
    ],
)
def test_whom_it_asks(forwarders, asked):
    desired = compiled(DMZ, container("a", "dmz"), live=fresh(**{**SERVER, "forwarders": forwarders}))
    assert lines(desired, "unbound.conf", "forward-addr") == asked


def test_containers_ask_the_first_gateway_and_an_internal_one_last():
    desired = compiled(
        LAN,
        DMZ,
        VAULT,
        network("six", "fd01::/64"),
        network("a-vault", "10.0.9.0/24", internal=True),
        container("two", "a-vault", "dmz"),
        container("high", ("lan", {"gw_priority": 1}), ("dmz", {})),
        container("inside", "vault"),
        container("v6", "six"),
        live=LIVE,
    )
    asked = {name: conf(desired, name).partition("\n")[0] for name in ("two", "high", "inside", "v6")}
    assert asked == {
        "two": "nameserver 10.0.1.1",
        "high": "nameserver 10.0.1.1",
        "inside": "nameserver 10.0.2.1",
        "v6": "nameserver fd01::1",
    }


def test_files_of_who_asks_the_server_and_of_who_does_not():
    desired = compiled(
        DMZ,
        fixed("a", dmz="10.0.1.2"),
        container("joins", network_mode="container", joins="a"),
        container("joins2", network_mode="container", joins="a", dns=("192.0.2.9",)),
        container("own", ("dmz", {"ipv4_address": "10.0.1.3"}), dns=("192.0.2.9",), dns_options=("ndots:3",)),
        container("asks", ("dmz", {"ipv4_address": "10.0.1.4"}), links=(("a", "db"),), dns_options=("ndots:3",)),
        container("far", network_mode="none"),
        link("far:x", "a:x", addresses=("10.9.0.1/30", "10.9.0.2/30")),
        live=LIVE,
    )
    hosts = {name: names(desired.resources[HOST], name) for name in ("a", "joins", "asks", "own", "far")}
    text = {name: resource(desired, f"file/{name}/hosts").content for name in ("a", "joins", "joins2", "asks", "own")}
    assert "own" not in text["a"]
    assert "own" not in text["joins"]
    assert "10.0.1.3\town" in text["joins2"]
    assert "10.0.1.4\tasks" in text["own"]
    assert "10.9.0.1\tfar" in text["a"], "the server does not tell who is on a cable"
    assert "10.0.1.2\tdb" in text["asks"]
    assert conf(desired, "joins") == conf(desired, "a") == "nameserver 10.0.1.1\noptions ndots:0\n"
    assert conf(desired, "asks") == "nameserver 10.0.1.1\noptions ndots:3\n"
    assert conf(desired, "own") == "nameserver 192.0.2.9\noptions ndots:3\n"
    # What a container knows in all is the same whoever tells it.
    for name in ("a", "joins", "asks", "own"):
        assert "10.0.1.3" in hosts[name]["own"]
    assert "own" not in hosts["far"]


def test_the_promise_of_a_name_is_what_the_server_tells():
    desired = compiled(
        LAN, DMZ, VAULT, container("a", "lan"), container("b", "lan", "dmz"), container("c", "dmz"), live=LIVE
    )
    told = {(p.source, p.target, p.family): p.name for p in promised(desired.resources[HOST]) if p.reaches}
    assert told["a", "b", 4] == told["c", "b", 4] == "b"
    assert told["b", "c", 4] == "c"
    unnamed = {(p.source, p.target) for p in promised(desired.resources[HOST]) if not p.name}
    assert {("a", "c"), ("c", "a")} <= unnamed


@pytest.mark.parametrize("alias", ["a b", 'x"y', "-a", "a-", "a..b", "x" * 64, "é"])
def test_names_that_dns_cannot_carry_are_left_out(alias):
    desired = compiled(DMZ, container("w", ("dmz", {"aliases": (alias, "fine_1")})), live=LIVE)
    known = {line.split()[1].strip('"') for line in content(desired, "dmz.names").splitlines() if "-ptr" not in line}
    assert known == {"w.", "fine_1.", "w.dmz.", "fine_1.dmz."}


def test_names_are_told_without_a_network_whose_name_dns_cannot_carry():
    def told(name, alias="fine"):
        desired = compiled(network(name, "10.9.0.0/24"), container("w", (name, {"aliases": (alias,)})), live=LIVE)
        return [line.split()[1].strip('"') for line in content(desired, f"{name}.names").splitlines()]

    (address,) = {line for line in told("lab-") if line[0].isdigit()}
    assert told("lab-") == ["w.", "fine.", address] and told("lab")[:4] == ["w.", "fine.", "w.lab.", "fine.lab."]
    # 253 characters in all (RFC 1035, 2.3.4).
    longest = ".".join(["x" * 62] * 4)[:249]
    assert f"{longest}.lab." in told("lab", longest) and f"{longest}x.lab." not in told("lab", longest + "x")
    assert f"{longest}x." in told("lab", longest + "x")


def test_without_a_server_the_hosts_files_have_the_names_and_one_note_says_why():
    lacks = {"features": {"dns": "no program unbound on this host"}}
    desired = compiled(DMZ, container("w", "dmz"), container("v", "dmz"), live=fresh(**lacks))
    assert server(desired) is None
    assert not any("@dns" in id for id in desired.resources[HOST])
    (note,) = desired.notes
    assert note.startswith("host local: no name server for the containers: no program unbound on this host; ")
    assert "\tv\n" in resource(desired, "file/w/hosts").content


@pytest.mark.parametrize(
    "things",
    [
        (container("w", network_mode="none"),),
        (container("w", network_mode="host"),),
        (DMZ,),
        (DMZ, container("w", "dmz", dns=("192.0.2.9",))),
    ],
)
def test_where_nobody_would_ask_there_is_no_server_and_no_note(things):
    for facts in (SERVER, {}):
        desired = compiled(*things, live=fresh(**facts))
        assert server(desired) is None
        assert desired.notes == ()


def test_each_host_tells_the_names_on_the_networks_of_its_containers_wherever_they_are():
    hosts = {name: Host(name=name, path=(), underlay=f"192.0.2.{i}") for i, name in enumerate(("one", "two"), 1)}
    live = {
        name: replace(LIVE[HOST], facts=replace(LIVE[HOST].facts, interface_addresses={"e": (host.underlay + "/24",)}))
        for name, host in hosts.items()
    }
    over = network("over", "10.9.0.0/24", driver="overlay")
    things = [DMZ, over, container("a", "dmz", "over", host="one"), container("b", "over", host="two")]
    things += [network("lan", "10.8.0.0/24"), container("c", "lan", host="two")]
    desired = compile_topology(topology(*things, hosts=hosts), live)
    assert desired.problems == ()
    file = desired.resources["one"]["file/@dns/unbound/over.names"]
    assert isinstance(file, File)
    assert '"a. ' in file.content and '"b. ' in file.content
    # b has nobody to ask; its hosts file has them all.
    hosts_file = desired.resources["two"]["file/b/hosts"]
    assert isinstance(hosts_file, File) and "\ta\n" in hosts_file.content
    assert "file/@dns/unbound/over.names" not in desired.resources["two"]


def test_the_cost_grows_with_the_containers_and_no_faster():
    def cost(count):
        things = [network(f"n{i}", f"10.{i // 250}.{i % 250}.0/24") for i in range(count)]
        things += [container(f"c{i}x{j}", f"n{i}") for i in range(count) for j in range(5)]
        made = []
        cost = calls(lambda: made.append(compiled(*things, live=LIVE)))
        assert len(lines(made[0], "unbound.conf", "access-control")) == count + 2
        return cost

    cost(1)
    assert cost(160) < 4.4 * cost(40)
