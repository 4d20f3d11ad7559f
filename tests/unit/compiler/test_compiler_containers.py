from __future__ import annotations

import pytest
from compiler_world import HOST, compiled, container, fresh, link, network, problems, resource, topology

from netcompose.compiler.compile import compile_topology
from netcompose.resources import Exec, Namespace, Process
from netcompose.topology.model import Host, Port

N = network("n", "10.0.0.0/24")


def test_namespace_with_sysctls():
    desired = compiled(N, container("w", "n", sysctls={"net.ipv6.x": "0", "net.ipv4.ip_forward": "1"}))
    assert resource(desired, "namespace/w") == Namespace(
        id="namespace/w", container="w", netns="campus-w", sysctls={"net.ipv4.ip_forward": "1", "net.ipv6.x": "0"}
    )
    assert list(resource(desired, "namespace/w").sysctls) == ["net.ipv4.ip_forward", "net.ipv6.x"]


def test_chain_of_joins_ends_at_the_owner():
    desired = compiled(
        N,
        container("c", network_mode="container", joins="b", command=("true",)),
        container("b", network_mode="container", joins="a"),
        container("a", "n"),
    )
    assert resource(desired, "namespace/c") == Namespace(id="namespace/c", container="c", netns="campus-c", joins="a")
    assert resource(desired, "namespace/b").joins == "a"
    process = resource(desired, "process/c")
    assert (process.namespace, process.netns) == ("a", "campus-c")
    assert {"namespace/c", "interface/a.eth0", "file/c/hosts"} <= set(process.after)
    view = desired.containers["c"]
    assert (view.namespace, view.netns, view.networks) == ("a", "campus-c", desired.containers["a"].networks)


def test_joining_a_container_in_host_mode_is_host_mode():
    nodes = [
        container("j", network_mode="container", joins="h", command=("true",)),
        container("h", network_mode="host"),
    ]
    desired = compiled(*nodes)
    assert sorted(desired.resources[HOST]) == ["process/j"]
    assert (resource(desired, "process/j").namespace, resource(desired, "process/j").netns) == ("", "")
    assert desired.containers["j"].netns == ""


def test_joining_in_a_circle_or_nobody_is_a_problem():
    circle = [container(a, network_mode="container", joins=b) for a, b in ("xy", "yx")]
    assert [path for _, path in problems(*circle)] == [("containers", n, "network_mode") for n in "xy"]
    assert len(problems(*circle, container("w", network_mode="container", joins="x"))) == 3
    ((message, _),) = problems(container("x", network_mode="container", joins="nobody"))
    assert "'nobody', which is not defined" in message


def test_process_and_exec_come_after_what_they_need():
    cabled = container(
        "w",
        "n",
        exec=(("sysctl", "-a"),),
        command=("sleep", "1"),
        environment={"B": "2", "A": "1"},
        user="nobody",
        working_dir="/srv",
        restart="always",
        stop_signal="SIGINT",
        stop_grace_period=3.0,
        hostname="web",
    )
    desired = compiled(N, cabled, container("v", network_mode="none"), link("w:x", "v:x"))
    ready = ("interface/w.eth0", "link/v.x-w.x", "file/w/hosts", "file/w/resolv.conf")
    assert resource(desired, "exec/w") == Exec("exec/w", "w", (("sysctl", "-a"),), "w")
    assert resource(desired, "exec/w").after == ready
    process = resource(desired, "process/w")
    assert process == Process(
        id="process/w",
        container="w",
        command=("sleep", "1"),
        namespace="w",
        netns="campus-w",
        environment={"A": "1", "B": "2"},
        working_dir="/srv",
        user="nobody",
        hostname="web",
        restart="always",
        stop_signal="SIGINT",
        stop_grace_period=3.0,
    )
    assert process.after == (*ready, "exec/w")
    for needed in process.requires():
        assert needed.id in desired.resources[HOST]
    assert "process/v" not in desired.resources[HOST]
    assert "exec/v" not in desired.resources[HOST]


def test_everything_that_is_required_is_there():
    things = [
        N,
        container("a", "n", command=("true",)),
        container("b", network_mode="container", joins="a", exec=(("true",),)),
        container("c", network_mode="none"),
        link("a:x", "c:x"),
    ]
    found = compiled(*things).resources[HOST]
    assert {need.id for item in found.values() for need in item.requires()} <= set(found)
    assert all(found[id].id == id for id in found)
    claims = [claim for item in found.values() for claim in item.claims()]
    assert len(claims) == len(set(claims))


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"sysctls": {"kernel.shmmax": "1"}}, "own settings below net. only"),
        ({"sysctls": {"net.ipv4.ip_forward": "1"}, "network_mode": "host"}, "network stack of the host"),
        (
            {"sysctls": {"net.ipv4.ip_forward": "1"}, "network_mode": "container", "joins": "o"},
            "network stack of container 'o'",
        ),
        ({"sysctls": {"net.ipv4.conf.eth0.rp_filter": "1"}}, "sysctl of one interface"),
        ({"sysctls": {"net.ipv6.neigh.eth0.base_reachable_time": "1"}}, "sysctl of one interface"),
    ],
)
def test_sysctls_that_cannot_be(keys, expected):
    ((message, path),) = problems(
        container("o", network_mode="none"), container("w", **{"network_mode": "none", **keys})
    )
    assert expected in message
    assert path == ("containers", "w", "sysctls", next(iter(keys["sysctls"])))


@pytest.mark.parametrize(
    "key",
    [
        "net.ipv4.conf.all.forwarding",
        "net.ipv6.conf.default.accept_ra",
        "net.ipv4.conf.lo.x",
        "net.core.somaxconn",
        "net.ipv4.tcp_rmem",
    ],
)
def test_sysctls_that_can_be(key):
    assert problems(container("w", network_mode="none", sysctls={key: "1"})) == []


def test_views_tell_addresses_ports_and_where():
    c = container(
        "w", ("n", {"ipv4_address": "10.0.0.9"}), ports=(Port(path=(), container_port=80),), command=("true",)
    )
    desired = compile_topology(
        topology(N, c, container("v", network_mode="none"), link("w:x", "v:x", addresses=("10.1.0.1/30", ()))), {}
    )
    view = desired.containers["w"]
    assert (view.host, view.hostname, view.namespace, view.netns) == (
        HOST,
        "w",
        "w",
        "campus-w",
    )
    assert view.networks == {"n": ("10.0.0.9",)}
    assert view.interfaces == {"eth0": ("10.0.0.9",), "x": ("10.1.0.1",)}
    assert view.ports == c.ports
    net = desired.networks["n"]
    assert (net.driver, net.subnets, net.gateways, net.mtu, net.internal) == (
        "bridge",
        ("10.0.0.0/24",),
        ("10.0.0.1",),
        1500,
        False,
    )
    assert net.members == {"w": ("10.0.0.9",)}


UNSUPPORTED = [
    (
        [container("w", network_mode="none", image="a", engine={"pull_policy": "build"})],
        ("containers", "w", "pull_policy"),
    ),
    (
        [
            container("v", network_mode="host", image="a"),
            container("w", network_mode="container", joins="v", image="a"),
        ],
        ("containers", "w", "network_mode"),
    ),
    ([container("w", network_mode="host", dns=("192.0.2.1",))], ("containers", "w", "dns")),
    ([container("w", network_mode="host", extra_hosts=(("a", "192.0.2.1"),))], ("containers", "w", "extra_hosts")),
    ([network("m", "10.0.0.0/24", driver="ovs")], ("networks", "m", "driver")),
    ([network("m", "10.0.0.0/24", driver="overlay", encrypted=True)], ("networks", "m", "encrypted")),
    ([network("m", "10.0.0.0/24", driver="overlay", masquerade=False)], ("networks", "m", "masquerade")),
]


@pytest.mark.parametrize(("things", "path"), UNSUPPORTED)
def test_what_this_version_does_not_do_is_said_with_its_place_and_a_hint(things, path):
    (problem,) = compile_topology(topology(*things), {}).problems
    assert problem.message.endswith("is not supported yet by this version")
    assert problem.path == path
    assert problem.position.text == str(path)
    assert problem.hint


@pytest.mark.parametrize(
    ("hosts", "path"),
    [
        ({"s": Host("s", ("hosts", "s"), address="192.0.2.1", runtime="namespace")}, ("hosts", "s", "runtime")),
        ({"local": Host("local", ("hosts", "local"), become="sudo")}, ("hosts", "local", "become")),
    ],
)
def test_what_hosts_cannot_have_yet_is_told(hosts, path):
    (problem,) = compile_topology(topology(hosts=hosts), {}).problems
    assert problem.path == path


def test_one_local_host_may_have_a_name():
    assert compile_topology(topology(hosts={"s": Host("s", ())}), {}).problems == ()


def test_problems_are_in_file_order():
    from netcompose.topology.source import Position, Source

    world = topology(
        network("m", "10.0.0.0/24", driver="overlay", masquerade=False, encrypted=True),
        container("w", network_mode="none", image="x", engine={"pull_policy": "build"}),
    )
    lines = {
        ("networks", "m", "encrypted"): 9,
        ("networks", "m", "masquerade"): 2,
        ("containers", "w", "pull_policy"): 3,
    }
    source = Source("t.yaml", lambda path, key: Position("t.yaml", lines[path], 1))
    object.__setattr__(world, "source", source)
    assert [p.position.line for p in compile_topology(world, {}).problems] == [2, 3, 9]


def taken(subnet, route, **keys):
    live = fresh(routes=((route, "tun0"),))
    found = compile_topology(topology(network("n", subnet, **keys)), live).problems
    return [(p.path, "tun0" in p.hint) for p in found]


@pytest.mark.parametrize(
    ("subnet", "route", "clash"),
    [
        ("10.0.0.0/24", "10.0.0.0/8", True),
        ("10.0.0.0/24", "10.0.0.0/24", True),
        ("10.0.0.0/24", "10.0.0.7/32", True),
        ("10.0.0.0/24", "10.0.1.0/24", False),
        ("10.0.0.0/24", "0.0.0.0/0", False),
        ("fd00::/64", "fd00::/48", True),
        ("fd00::/64", "::/0", False),
        ("fd00::/64", "10.0.0.0/8", False),
        ("::a00:0/120", "10.0.0.0/8", False),
    ],
)
@pytest.mark.parametrize("internal", [False, True])
def test_subnet_that_a_host_route_covers(subnet, route, clash, internal):
    assert taken(subnet, route, internal=internal) == ([(("networks", "n", "subnets", 0), True)] if clash else [])


def test_wider_route_that_came_after_the_bridge_is_no_problem():
    before = compiled(N)
    for route, count in (("10.0.0.0/8", 0), ("10.0.0.0/24", 1), ("10.0.0.128/25", 1)):
        live = {
            HOST: type(fresh()[HOST])(
                resources=before.resources[HOST], facts=fresh(routes=((route, "tun0"),))[HOST].facts
            )
        }
        assert len(compile_topology(topology(N), live).problems) == count


def test_more_containers_than_a_bridge_has_ports():
    net = network("n", "10.0.0.0/16")
    assert problems(net, *[container(f"c{i}", "n") for i in range(1023)]) == []
    ((message, path),) = problems(net, *[container(f"c{i}", "n") for i in range(1030)])
    assert "more than 1023 containers" in message
    assert path == ("containers", "c1023", "networks", "n")


@pytest.mark.parametrize(
    ("feature", "path"),
    [
        ("bridge", ("networks", "n")),
        ("ipv6", ("networks", "n", "subnets", 1)),
        ("veth", ("containers", "w")),
        ("network namespaces", ("containers", "w")),
    ],
)
def test_feature_that_the_host_lacks(feature, path):
    live = fresh(features={feature: "no such module", "other": "not there", "bridge2": ""})
    things = [network("n", "10.0.0.0/24", "fd00::/64"), container("w", "n")]
    ((message, where),) = problems(*things, live=live)
    assert "no such module" in message
    assert where == path
    assert problems(*things, live=fresh(features={feature: ""})) == []


@pytest.mark.parametrize(
    ("feature", "paths"),
    [("network namespaces", [("containers", "a")]), ("veth", [("links", 0)])],
)
def test_feature_that_the_first_container_or_cable_lacks(feature, paths):
    things = [container(name, network_mode="none") for name in "abc"]
    cables = [link("a:eth1", "b:eth1"), link("b:eth2", "c:eth1", index=1)]
    found = problems(*things, *cables, live=fresh(features={feature: "no such module"}))
    assert [where for _, where in found] == paths


def test_an_engines_network_is_on_one_host():
    hosts = {name: Host(name, ("hosts", name), address=f"192.0.2.{n}") for n, name in enumerate("ab", 1)}
    things = [container(name, "m", host=name) for name in "ab"]
    world = topology(network("m", external=True, driver="external", external_name="br0"), *things, hosts=hosts)
    assert [p.path for p in compile_topology(world, {}).problems] == [("containers", "b", "networks", "m")]


def test_a_port_on_an_engines_bridge_is_all_that_is_made_for_its_network():
    net = network("m", {"subnet": "10.0.0.0/24", "gateway": "10.0.0.1", "aux_addresses": {"x": "10.0.0.2"}},
                  external=True, driver="external", external_name="br-0123")  # fmt: skip
    made = compile_topology(topology(net, container("w", "m")), fresh()).resources[HOST]
    veth = made["interface/w.eth0"]
    assert veth.peer.master == "foreign:br-0123"
    assert [route.via for route in veth.end.routes] == ["10.0.0.1"]
    assert veth.end.addresses[0] not in ("10.0.0.1/24", "10.0.0.2/24")
    assert not {"bridge/m", "firewall/campus"} & set(made)
