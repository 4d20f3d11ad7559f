from __future__ import annotations

import pytest
from compiler_world import HOST, compiled, container, fresh, link, network, problems, resource

LOCALHOST = """\
127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::\tip6-localnet
ff00::\tip6-mcastprefix
ff02::1\tip6-allnodes
ff02::2\tip6-allrouters
"""
N = network("n", "10.0.0.0/24", "fd00::/64")
M = network("m", "10.0.1.0/24")


def at(net, last, **keys):
    """An attachment with known addresses."""
    keys["ipv4_address"] = f"10.0.{0 if net == 'n' else 1}.{last}"
    if net == "n":
        keys["ipv6_address"] = f"fd00::{last}"
    return (net, keys)


def hosts(desired, name):
    file = resource(desired, f"file/{name}/hosts")
    assert file.path == f"/etc/netns/campus-{name}/hosts"
    assert file.content.startswith(LOCALHOST)
    return file.content[len(LOCALHOST) :].splitlines()


def test_members_of_a_network_know_each_other_by_name_hostname_and_aliases():
    desired = compiled(
        N,
        container("b", at("n", 20, aliases=("www", "b")), hostname="bee"),
        container("a", at("n", 10, aliases=("www",))),
    )
    expected = ["10.0.0.10\ta www", "fd00::10\ta www", "10.0.0.20\tb bee www", "fd00::20\tb bee www"]
    assert hosts(desired, "a") == expected
    assert hosts(desired, "b") == expected


def test_equal_files_are_one_string():
    """A network of a thousand has a thousand files of a thousand lines; one string must do for all."""
    desired = compiled(N, *[container(f"c{i}", "n") for i in range(5)])
    contents = {id(resource(desired, f"file/c{i}/hosts").content) for i in range(5)}
    assert len(contents) == 1


def test_own_lines_come_first_where_another_goes_by_the_same_name():
    desired = compiled(N, container("a", at("n", 10, aliases=("b",))), container("b", at("n", 20)))
    assert hosts(desired, "b")[:2] == ["10.0.0.20\tb", "fd00::20\tb"]
    assert hosts(desired, "b")[2] == "10.0.0.10\ta b"
    assert hosts(desired, "a")[0] == "10.0.0.10\ta b"


def test_member_of_two_networks_sees_both_and_is_seen_in_each():
    desired = compiled(
        M,
        N,
        container("a", at("n", 10)),
        container("r", at("n", 1), at("m", 1, aliases=("gw",))),
        container("z", at("m", 9)),
    )
    assert hosts(desired, "r") == [
        "10.0.1.1\tr",
        "10.0.0.1\tr",
        "fd00::1\tr",
        "10.0.1.1\tr gw",
        "10.0.1.9\tz",
        "10.0.0.10\ta",
        "fd00::10\ta",
        "10.0.0.1\tr",
        "fd00::1\tr",
    ]
    assert "10.0.1.1" not in "".join(hosts(desired, "a"))
    assert "gw" not in "".join(hosts(desired, "a"))


def test_cable_peers_are_known_unless_a_network_is_shared():
    nodes = [
        container("r1", network_mode="none"),
        container("r2", network_mode="none", hostname="two"),
        container("a", at("n", 10)),
        container("b", at("n", 20)),
    ]
    desired = compiled(
        N,
        *nodes,
        link("r1:e1", "r2:e1", addresses=(("10.1.0.1/30", "fd01::1/64"), ("10.1.0.2/30", "fd01::2/64"))),
        link("r2:e0", "r1:e0", addresses=("10.2.0.2/30", "10.2.0.1/30")),
        link("a:x", "b:x", addresses=("10.3.0.1/30", "10.3.0.2/30")),
    )
    assert hosts(desired, "r1") == [
        "10.2.0.1\tr1",
        "10.1.0.1\tr1",
        "fd01::1\tr1",
        "10.2.0.2\ttwo r2",
        "10.1.0.2\ttwo r2",
        "fd01::2\ttwo r2",
    ]
    assert hosts(desired, "a")[:3] == ["10.0.0.10\ta", "fd00::10\ta", "10.3.0.1\ta"]
    assert "10.3.0.2" not in "".join(hosts(desired, "a"))


def test_container_without_addresses_still_resolves_itself():
    assert hosts(compiled(container("a", network_mode="none", hostname="h")), "a") == ["127.0.1.1\th a"]


def test_joined_container_has_the_owners_file_and_its_own_name():
    desired = compiled(
        N,
        container("a", at("n", 10)),
        container("j", network_mode="container", joins="a", extra_hosts=(("x", "192.0.2.9"),)),
        container("k", network_mode="container", joins="j"),
    )
    assert hosts(desired, "j") == ["10.0.0.10\ta", "fd00::10\ta", "10.0.0.10\tj", "fd00::10\tj", "192.0.2.9\tx"]
    assert hosts(desired, "k") == ["10.0.0.10\ta", "fd00::10\ta", "10.0.0.10\tk", "fd00::10\tk"]
    assert "j" not in "".join(hosts(desired, "a"))


def test_link_aliases_follow_the_target_and_stay_with_the_linking_container():
    def of(last):
        web = container("web", at("n", 10), links=[("db", "database"), ("db", "cache")])
        return compiled(N, M, web, container("db", at("m", 7), at("n", last)), container("other", "n"))

    assert hosts(of(20), "web")[-4:] == [
        "10.0.0.20\tcache",
        "fd00::20\tcache",
        "10.0.0.20\tdatabase",
        "fd00::20\tdatabase",
    ]
    assert "10.0.0.30\tdatabase" in hosts(of(30), "web")
    assert "database" not in "".join(hosts(of(20), "other"))


def test_link_alias_over_a_cable_and_without_any_way():
    nodes = [
        container("r1", network_mode="none", links=[("r2", "next"), ("far", "far-away")]),
        container("r2", network_mode="none"),
        container("r3", network_mode="none"),
        container("far", at("n", 9)),
    ]
    cables = [
        link("r1:e", "r2:e", addresses=("10.1.0.1/30", "10.1.0.2/30")),
        link("r3:a", "r2:a", addresses=("10.2.0.1/30", "10.2.0.2/30")),
    ]
    desired = compiled(N, *nodes, *cables)
    assert hosts(desired, "r1")[-3:] == ["10.0.0.9\tfar-away", "fd00::9\tfar-away", "10.1.0.2\tnext"]


@pytest.mark.parametrize("target", [container("t", network_mode="none"), container("t", network_mode="host")])
def test_link_to_a_container_without_addresses_is_a_problem(target):
    ((message, path),) = problems(N, container("a", "n", links=[("t", "x")]), target)
    assert "no address of its own" in message
    assert path == ("containers", "a", "links", 0)


def test_problem_of_a_shared_file_is_told_once():
    nodes = [container("a", "n", links=[("t", "x")]), container("t", network_mode="none")]
    joined = [container(f"j{i}", network_mode="container", joins="a") for i in range(3)]
    assert len(problems(N, *joined, *nodes)) == 1


def test_extra_hosts_and_host_gateway():
    extra = (("gate", "host-gateway"), ("api", "192.0.2.1"), ("api", "2001:db8::1"))
    desired = compiled(N, container("a", at("n", 10), extra_hosts=extra))
    assert hosts(desired, "a")[-4:] == ["192.0.2.1\tapi", "2001:db8::1\tapi", "10.0.0.1\tgate", "fd00::1\tgate"]
    inner = network("i", "10.0.9.0/24", internal=True)
    ((message, path),) = problems(inner, container("a", "i", extra_hosts=extra))
    assert "no gateway" in message
    assert path == ("containers", "a", "extra_hosts")


def resolv(desired, name):
    file = resource(desired, f"file/{name}/resolv.conf")
    assert file.path == f"/etc/netns/campus-{name}/resolv.conf"
    return file.content


def test_hosts_resolvers_without_the_loopback_ones():
    servers = ("127.0.0.53", "192.0.2.53", "::1", "fe80::1%eth0", "2001:db8::53")
    live = fresh(nameservers=servers, search=("example.org", "."), resolver_options=("ndots:2",))
    text = resolv(compiled(M, container("a", "m"), live=live), "a")
    assert text == "nameserver 192.0.2.53\nnameserver 2001:db8::53\nsearch example.org\noptions ndots:2\n"


@pytest.mark.parametrize(
    ("net", "expected"),
    [("m", ["8.8.8.8", "8.8.4.4"]), ("n", ["8.8.8.8", "8.8.4.4", "2001:4860:4860::8888", "2001:4860:4860::8844"])],
)
def test_public_resolvers_when_none_is_left(net, expected):
    for live in (fresh(nameservers=("127.0.0.1",)), {}):
        text = resolv(compiled(N, M, container("a", net), live=live), "a")
        assert text == "".join(f"nameserver {server}\n" for server in expected)


def test_own_resolver_settings_win_and_pass_to_those_who_join():
    live = fresh(nameservers=("192.0.2.53",), search=("example.org",), resolver_options=("ndots:2",))
    own = {"dns": ("192.0.2.1", "192.0.2.2"), "dns_search": ("lab", "lan"), "dns_options": ("timeout:1",)}
    joined = container("j", network_mode="container", joins="a")
    other = container("k", network_mode="container", joins="a", dns=("192.0.2.3",), dns_search=(".",))
    desired = compiled(N, container("a", "n", **own), joined, other, live=live)
    text = "nameserver 192.0.2.1\nnameserver 192.0.2.2\nsearch lab lan\noptions timeout:1\n"
    assert resolv(desired, "a") == resolv(desired, "j") == text
    assert resolv(desired, "k") == "nameserver 192.0.2.3\noptions timeout:1\n"


def test_host_mode_has_no_files():
    desired = compiled(container("h", network_mode="host", command=("sleep", "1")))
    assert sorted(desired.resources[HOST]) == ["process/h"]
