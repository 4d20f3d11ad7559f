from __future__ import annotations

import pytest
from compiler_world import compiled, container, link, network, problems, resource

from netcompose.resources import Route

NETS = [
    network("alpha", "10.0.1.0/24"),
    network("beta", "10.0.2.0/24"),
    network("dual", "10.0.3.0/24", "fd00:3::/64"),
    network("six", "fd00:6::/64"),
    network("inner", "10.0.4.0/24", "fd00:4::/64", internal=True),
]


def defaults(*networks, **keys):
    """Family -> network of the default route."""
    desired = compiled(*NETS, container("c", *networks, **keys))
    found = {}
    for name, own in desired.containers["c"].interfaces.items():
        for route in resource(desired, f"interface/c.{name}").end.routes:
            if route.to in ("0.0.0.0/0", "::/0"):
                where = next(n for n, a in desired.containers["c"].networks.items() if a == own)
                assert 6 if ":" in route.via else 4 not in found
                found[6 if ":" in route.via else 4] = where
    return found


@pytest.mark.parametrize(
    ("networks", "expected"),
    [
        (["alpha"], {4: "alpha"}),
        (["beta", "alpha"], {4: "alpha"}),
        ([("beta", {"gw_priority": 1}), "alpha"], {4: "beta"}),
        ([("alpha", {"gw_priority": -1}), "beta"], {4: "beta"}),
        (["alpha", "dual"], {4: "dual", 6: "dual"}),
        ([("alpha", {"gw_priority": 1}), "dual"], {4: "alpha", 6: "dual"}),
        (["alpha", "six"], {4: "alpha", 6: "six"}),
        (["dual", "six"], {4: "dual", 6: "dual"}),
        ([("six", {"gw_priority": 5}), "dual"], {4: "dual", 6: "six"}),
        (["inner"], {}),
        ([("inner", {"gw_priority": 9}), "beta"], {4: "beta"}),
    ],
)
def test_default_route(networks, expected):
    assert defaults(*networks) == expected
    assert defaults(*reversed(networks)) == expected


def test_gateway_of_the_subnet_that_the_address_is_in():
    subnets = [{"subnet": "10.0.0.0/24"}, {"subnet": "10.0.9.0/24", "gateway": "10.0.9.254"}]
    desired = compiled(network("n", *subnets), container("c", ("n", {"ipv4_address": "10.0.9.7"})))
    assert resource(desired, "interface/c.eth0").end.routes == (Route("0.0.0.0/0", "10.0.9.254"),)


def routes(desired, id, side="end"):
    return getattr(resource(desired, id), side).routes


def test_user_default_route_replaces_the_automatic_one_of_its_family():
    own = container("c", "dual", "beta", routes=[{"to": "0.0.0.0/0", "via": "10.0.2.9"}])
    desired = compiled(*NETS, own)
    assert [r.to for r in routes(desired, "interface/c.eth0")] == ["::/0"]
    assert routes(desired, "interface/c.eth1") == (Route("0.0.0.0/0", "10.0.2.9"),)


def test_via_finds_its_interface_and_routes_are_sorted():
    own = container(
        "c",
        "alpha",
        "beta",
        routes=[
            {"to": "192.168.2.0/24", "via": "10.0.2.9"},
            {"to": "192.168.0.0/24", "via": "10.0.2.8", "metric": 7},
            {"to": "fd01::/64", "via": "fd00:9::2", "metric": 1024},
        ],
    )
    cable = link("c:x", "d:x", addresses=(("fd00:9::1/64",), ("fd00:9::2/64",)))
    desired = compiled(*NETS, own, container("d", network_mode="none"), cable)
    assert routes(desired, "interface/c.eth1") == (
        Route("192.168.0.0/24", "10.0.2.8", 7),
        Route("192.168.2.0/24", "10.0.2.9"),
    )
    assert routes(desired, "link/c.x-d.x") == (Route("fd01::/64", "fd00:9::2", 0),)


def test_the_longest_prefix_wins_and_an_interface_that_is_named_wins_over_it():
    nodes = [container("d", network_mode="none"), container("e", network_mode="none")]
    cables = [
        link("c:wide", "d:x", addresses=("10.9.0.1/16", ())),
        link("c:narrow", "e:x", addresses=("10.9.9.1/24", ())),
    ]
    ids = {"wide": "link/c.wide-d.x", "narrow": "link/c.narrow-e.x"}
    for spec, expected in [({"via": "10.9.9.2"}, "narrow"), ({"via": "10.9.9.2", "interface": "wide"}, "wide")]:
        own = container("c", network_mode="none", routes=[{"to": "10.0.0.0/8", **spec}])
        for order in (cables, cables[::-1]):
            desired = compiled(own, *nodes, *order)
            assert routes(desired, ids[expected]) == (Route("10.0.0.0/8", "10.9.9.2"),)


def test_on_link_routes_make_next_hops_reachable():
    specs = [{"to": "192.0.2.1/32", "interface": "eth0"}, {"to": "0.0.0.0/0", "via": "192.0.2.1"}]
    desired = compiled(*NETS, container("c", "alpha", routes=specs))
    assert routes(desired, "interface/c.eth0") == (Route("0.0.0.0/0", "192.0.2.1"), Route("192.0.2.1/32"))


def test_link_local_next_hop_on_a_named_interface():
    specs = [{"to": "fd09::/64", "via": "fe80::1", "interface": "eth1"}]
    desired = compiled(*NETS, container("c", "alpha", "six", routes=specs))
    assert Route("fd09::/64", "fe80::1") in routes(desired, "interface/c.eth1")


@pytest.mark.parametrize(
    ("networks", "specs", "expected"),
    [
        (["alpha"], [{"to": "fd09::/64", "via": "fd00::1"}], "has no IPv6 address"),
        (["six"], [{"to": "10.9.0.0/16", "via": "10.0.1.1"}], "has no IPv4 address"),
        (["alpha"], [{"to": "10.9.0.0/16", "via": "10.0.2.1"}], "is in no subnet of any interface"),
        (
            ["alpha", "beta"],
            [{"to": "10.9.0.0/16", "via": "10.0.2.1", "interface": "eth0"}],
            "is in no subnet of interface",
        ),
        (["alpha"], [{"to": "10.9.0.0/16", "interface": "eth7"}], "has no interface 'eth7'"),
        (["alpha"], [{"to": "10.9.0.0/16"}], "says no way"),
        (["dual"], [{"to": "10.9.0.0/16", "via": "fd00:3::1"}], "other address family"),
        (["alpha"], [{"to": "10.0.1.0/24", "via": "10.0.1.9"}], "the kernel has that route already"),
        (["six", "dual"], [{"to": "fd09::/64", "via": "fe80::1"}], "is link-local"),
        (["alpha"], 2 * [{"to": "10.9.0.0/16", "via": "10.0.1.9"}], "two routes to 10.9.0.0/16"),
    ],
)
def test_routes_that_cannot_be(networks, specs, expected):
    ((message, path),) = problems(*NETS, container("c", *networks, routes=specs))
    assert expected in message
    assert path == ("containers", "c", "routes", len(specs) - 1)


def test_routes_without_an_own_stack():
    specs = [{"to": "10.9.0.0/16", "via": "10.0.1.9"}]
    joined = container("j", network_mode="container", joins="c", routes=specs)
    ((message, path),) = problems(*NETS, container("c", "alpha"), joined)
    assert "no network stack of its own" in message
    assert path == ("containers", "j", "routes")
