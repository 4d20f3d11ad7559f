from __future__ import annotations

import ipaddress

import pytest
from compiler_world import addresses, change, compiled, container, fresh, link, network, problems, resource, up
from hypothesis import given, settings
from hypothesis import strategies as st

from netcompose.compiler.addresses import _Free, overlap, pool_of
from netcompose.compiler.numbers import parse, parse_prefix, show
from netcompose.compiler.shapes import Pool
from netcompose.topology.model import Subnet


def pool(subnet, **keys):
    return pool_of(Subnet(name="", path=(), subnet=subnet, **keys))


def shown(pool):
    return [show(pool.family, pool.low), show(pool.family, pool.high), pool.gateway]


@pytest.mark.parametrize(
    ("subnet", "keys", "expected"),
    [
        ("10.0.0.0/24", {}, ["10.0.0.1", "10.0.0.254", "10.0.0.1"]),
        ("10.0.0.0/30", {}, ["10.0.0.1", "10.0.0.2", "10.0.0.1"]),
        ("10.0.0.4/31", {}, ["10.0.0.4", "10.0.0.5", "10.0.0.4"]),
        ("10.0.0.0/24", {"ip_range": "10.0.0.64/26"}, ["10.0.0.64", "10.0.0.127", "10.0.0.1"]),
        ("10.0.0.0/24", {"ip_range": "10.0.0.0/25"}, ["10.0.0.1", "10.0.0.127", "10.0.0.1"]),
        ("10.0.0.0/24", {"ip_range": "10.0.0.128/25"}, ["10.0.0.128", "10.0.0.254", "10.0.0.1"]),
        ("10.0.0.0/24", {"gateway": "10.0.0.254"}, ["10.0.0.1", "10.0.0.254", "10.0.0.254"]),
        ("fd00::/64", {}, ["fd00::1", "fd00::ffff:ffff:ffff:ffff", "fd00::1"]),
        ("fd00::/127", {}, ["fd00::", "fd00::1", "fd00::"]),
    ],
)
def test_pool_leaves_out_what_is_not_a_host_address(subnet, keys, expected):
    assert shown(pool(subnet, **keys)) == expected


def test_gateway_and_auxiliary_addresses_are_never_given_out():
    small = {"subnet": "10.0.0.0/29", "gateway": "10.0.0.6", "aux_addresses": {"printer": "10.0.0.2"}}
    desired = compiled(network("n", small), *[container(f"c{i}", "n") for i in range(4)])
    assert sorted(a for (a,) in addresses(desired, "n").values()) == ["10.0.0.1", "10.0.0.3", "10.0.0.4", "10.0.0.5"]


def test_exhausted_network_is_a_problem_of_the_container_that_finds_no_room():
    things = [network("n", "10.0.0.0/29"), *[container(f"c{i}", "n") for i in range(6)]]
    ((message, path),) = problems(*things)
    assert "no free IPv4 address" in message
    assert path[0] == "containers"
    assert path[2:] == ("networks", "n")


def test_automatic_addresses_overflow_into_the_next_subnet():
    desired = compiled(network("n", "10.0.0.0/30", "10.0.1.0/24"), *[container(f"c{i}", "n") for i in range(3)])
    given_out = [a for (a,) in addresses(desired, "n").values()]
    assert sorted(a.rpartition(".")[0] for a in given_out) == ["10.0.0", "10.0.1", "10.0.1"]
    second = next(id for id, a in addresses(desired, "n").items() if a[0].startswith("10.0.1."))
    (route,) = resource(desired, f"interface/{second}.eth0").end.routes
    assert route.via == "10.0.1.1"


def test_explicit_address_picks_its_subnet_and_its_prefix():
    desired = compiled(network("n", "10.0.0.0/24", "10.0.1.0/25"), container("c", ("n", {"ipv4_address": "10.0.1.7"})))
    assert resource(desired, "interface/c.eth0").end.addresses == ("10.0.1.7/25",)
    assert resource(desired, "bridge/n").addresses == ("10.0.0.1/24", "10.0.1.1/25")


def test_one_address_of_each_family():
    desired = compiled(network("n", "10.0.0.0/24", "fd00:1::/64", "fd00:2::/64"), container("c", "n"))
    families = [ipaddress.ip_interface(a).version for a in resource(desired, "interface/c.eth0").end.addresses]
    assert sorted(families) == [4, 6]


def test_network_of_one_family_gives_only_that():
    desired = compiled(network("n", "fd00:1::/64"), container("c", "n"))
    assert [":" in a for a in addresses(desired, "n")["c"]] == [True]


def test_address_outside_every_subnet_is_refused_at_its_line():
    ((message, path),) = problems(network("n", "10.0.0.0/24"), container("c", ("n", {"ipv4_address": "10.0.1.7"})))
    assert "10.0.1.7 is in no subnet" in message
    assert path == ("containers", "c", "networks", "n", "ipv4_address")


def test_explicit_address_needs_a_declared_subnet():
    (chosen,) = map(ipaddress.ip_network, compiled(network("n")).networks["n"].subnets)
    for wanted in (str(chosen.network_address + 9), "192.0.2.1"):
        ((message, _),) = problems(network("n"), container("c", ("n", {"ipv4_address": wanted})))
        assert "needs a subnet" in message
    # Of a family that the network has no subnet of.
    ((message, _),) = problems(network("n"), container("c", ("n", {"ipv6_address": "fd00::7"})))
    assert "fd00::7 needs a subnet" in message


def test_explicit_address_displaces_a_live_one():
    net = network("n", "10.0.0.0/24")
    before = compiled(net, container("a", "n"), container("b", "n"))
    (wanted,) = addresses(before, "n")["a"]
    after = compiled(
        net, container("a", "n"), container("b", "n"), container("x", ("n", {"ipv4_address": wanted})), live=up(before)
    )
    assert addresses(after, "n")["x"] == (wanted,)
    assert addresses(after, "n")["a"] != (wanted,)
    assert addresses(after, "n")["b"] == addresses(before, "n")["b"]


@pytest.mark.parametrize(
    "changed",
    [
        {"subnet": "10.0.0.0/24", "aux_addresses": {"x": "10.0.0.77"}},
        {"subnet": "10.0.0.0/24", "gateway": "10.0.0.77"},
        {"subnet": "10.0.0.0/26"},
        {"subnet": "10.0.0.0/24", "ip_range": "10.0.0.128/25"},
    ],
)
def test_live_address_that_is_not_valid_any_more_is_given_up(changed):
    net = {"subnet": "10.0.0.0/24"}
    live = change(
        up(compiled(network("n", net), container("a", "n"))), "interface/a.eth0", end={"addresses": ("10.0.0.77/24",)}
    )
    assert addresses(compiled(network("n", net), container("a", "n"), live=live), "n") == {"a": ("10.0.0.77",)}
    assert addresses(compiled(network("n", changed), container("a", "n"), live=live), "n") != {"a": ("10.0.0.77",)}


def test_live_address_survives_the_loss_of_the_bridge():
    things = [network("n", "10.0.0.0/24"), container("a", "n")]
    live = up(compiled(*things))
    live = change(live, "interface/a.eth0", end={"addresses": ("10.0.0.77/24",)}, peer={"master": ""})
    assert addresses(compiled(*things, live=live), "n") == {"a": ("10.0.0.77",)}


def test_two_live_owners_of_one_address_are_told_apart():
    things = [network("n", "10.0.0.0/24"), container("a", "n"), container("b", "n")]
    live = up(compiled(*things))
    for name in "ab":
        live = change(live, f"interface/{name}.eth0", end={"addresses": ("10.0.0.77/24",)})
    after = addresses(compiled(*things, live=live), "n")
    assert after["a"] == ("10.0.0.77",)
    assert after["b"] != ("10.0.0.77",)


def test_order_decides_nothing_in_a_crowded_subnet():
    net, members = network("n", "10.0.0.0/27"), [container(f"c{i}", "n") for i in range(28)]
    assert addresses(compiled(net, *members), "n") == addresses(compiled(net, *reversed(members)), "n")


def test_topologies_and_networks_do_not_share_their_luck():
    nets = [network("n", "10.0.0.0/16"), network("m", "10.1.0.0/16")]
    one = compiled(*nets, container("c", "n", "m"))
    other = compiled(*nets, container("c", "n", "m"), name="other")
    hosts = [addresses(d, n)["c"][0].split(".", 2)[2] for d in (one, other) for n in "nm"]
    assert len(set(hosts)) == 4


def test_addresses_are_sorted_as_strings():
    desired = compiled(network("n", "99.0.0.0/24", "2001:db8::/64"), container("c", "n"))
    for own in (resource(desired, "interface/c.eth0").end.addresses, resource(desired, "bridge/n").addresses):
        assert own[0].startswith("2001:db8::")
        assert own[1].startswith("99.0.0.")


names = st.lists(st.sampled_from([f"c{i}" for i in range(40)]), unique=True, max_size=25)
subnets = st.lists(
    st.sampled_from(["10.0.0.0/27", "10.0.0.0/16", "fd00::/64", "fd00::/120"]),
    min_size=1,
    max_size=2,
    unique_by=lambda text: ":" in text,
)


@settings(max_examples=60, deadline=None)
@given(subnets, names, names, st.randoms(use_true_random=False))
def test_adding_removing_and_reordering_never_renumbers_another(prefixes, first, second, random):
    net = network("n", *prefixes)
    before = compiled(net, *[container(name, "n") for name in first])
    random.shuffle(second)
    after = compiled(net, *[container(name, "n") for name in second], live=up(before))
    for name in set(first) & set(second):
        assert addresses(after, "n")[name] == addresses(before, "n")[name]


@settings(max_examples=60, deadline=None)
@given(subnets, names, st.randoms(use_true_random=False))
def test_order_in_the_file_does_not_matter_and_addresses_are_unique_and_usable(prefixes, members, random):
    net = network("n", *prefixes)
    first = compiled(net, *[container(name, "n") for name in members])
    shuffled = list(members)
    random.shuffle(shuffled)
    second = compiled(net, *[container(name, "n") for name in shuffled])
    assert first.resources == second.resources
    flat = [a for own in addresses(first, "n").values() for a in own]
    assert len(set(flat)) == len(flat) == len(members) * len(prefixes)
    for prefix in map(ipaddress.ip_network, prefixes):
        inside = [ipaddress.ip_address(a) for a in flat if ipaddress.ip_address(a) in prefix]
        assert len(inside) == len(members)
        assert prefix.network_address not in inside
        assert prefix.network_address + 1 not in inside
        if prefix.version == 4:
            assert prefix.broadcast_address not in inside


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 40), st.lists(st.integers(0, 2**256 - 1), max_size=40), st.sets(st.integers(0, 50)))
def test_next_free_is_the_first_free_one_after_the_seed(size, seeds, taken):
    free = _Free(Pool(4, 0, 24, 5, 5 + size - 1, "", frozenset({5})), set(taken))
    model = [value for value in range(5, 5 + size) if value not in taken and value != 5]
    for seed in seeds:
        assert free.left == len(model)
        if not model:
            return
        start = 5 + seed % size
        expected = min(model, key=lambda value: (value - start) % size)
        assert free.take_after(seed) == expected
        model.remove(expected)


def test_a_full_subnet_costs_a_step_per_container():
    """The count of steps for handing out a whole subnet grows with its size, not with its square."""

    class Counting(dict):
        steps = 0

        def __getitem__(self, key):
            Counting.steps += 1
            return super().__getitem__(key)

    def steps(size):
        free = _Free(Pool(4, 0, 8, 0, size - 1, "", frozenset()), set())
        free._next = Counting()
        Counting.steps = 0
        for _ in range(size):
            free.take_after(7)
        return Counting.steps

    assert steps(4000) < 12 * steps(400)


def test_network_without_subnets_gets_a_stable_one():
    desired = compiled(network("n"), network("m"), container("a", "n"))
    (subnet,) = map(ipaddress.ip_network, desired.networks["n"].subnets)
    assert subnet.prefixlen == 20
    assert subnet.subnet_of(ipaddress.ip_network("10.128.0.0/9"))
    assert ipaddress.ip_address(addresses(desired, "n")["a"][0]) in subnet
    alone = compiled(network("n"), container("a", "n"))
    assert alone.networks["n"].subnets == desired.networks["n"].subnets


def test_automatic_subnet_keeps_away_from_the_file_and_from_host_routes():
    chosen = compiled(network("n")).networks["n"].subnets[0]
    other = compiled(network("n"), live=fresh(routes=(("0.0.0.0/0", "eth0"), (chosen, "tun0"))))
    assert other.networks["n"].subnets[0] != chosen
    declared = compiled(network("n"), network("d", chosen))
    assert declared.networks["n"].subnets[0] != chosen
    inside = str(ipaddress.ip_network(chosen).network_address + 5)
    cable = link("a:x", "b:x", addresses=(f"{inside}/30", ()))
    cabled = compiled(network("n"), container("a", network_mode="none"), container("b", network_mode="none"), cable)
    assert cabled.networks["n"].subnets[0] != chosen


@pytest.mark.parametrize("internal", [False, True])
def test_live_automatic_subnet_is_kept(internal):
    chosen = compiled(network("n")).networks["n"].subnets[0]
    things = [network("n", internal=internal), container("a", "n")]
    moved = compiled(*things, live=fresh(routes=((chosen, "tun0"),)))
    assert moved.networks["n"].subnets[0] != chosen
    again = compiled(*things, live=up(moved))
    assert again.networks["n"].subnets == moved.networks["n"].subnets
    assert again.resources == moved.resources


def test_live_automatic_subnet_is_given_up_when_the_file_takes_it():
    before = compiled(network("n"), container("a", "n"))
    (chosen,) = before.networks["n"].subnets
    after = compiled(network("n"), container("a", "n"), network("d", chosen), live=up(before))
    assert after.networks["n"].subnets != (chosen,)


def test_automatic_subnets_never_overlap_and_run_out_with_a_problem():
    blocked = fresh(
        routes=(
            ("10.128.0.0/10", "a"),
            ("10.192.0.0/11", "b"),
            ("10.224.0.0/12", "c"),
            ("10.240.0.0/13", "d"),
            ("10.248.0.0/14", "e"),
            ("10.252.0.0/15", "f"),
            ("10.254.0.0/16", "g"),
            ("10.255.0.0/17", "h"),
            ("10.255.128.0/18", "i"),
            ("10.255.192.0/19", "j"),
        )
    )
    two = compiled(network("n"), network("m"), live=blocked)
    assert {two.networks["n"].subnets, two.networks["m"].subnets} == {("10.255.224.0/20",), ("10.255.240.0/20",)}
    ((message, path),) = problems(network("k"), network("n"), network("m"), live=blocked)
    assert "no free subnet" in message
    assert path == ("networks", "n")


@given(st.sampled_from([4, 6]), st.data())
def test_overlap_agrees_with_ipaddress(family, data):
    bits = 32 if family == 4 else 128
    kind = ipaddress.IPv4Network if family == 4 else ipaddress.IPv6Network

    def prefix():
        length = data.draw(st.integers(0, bits))
        value = data.draw(st.integers(0, 255)) << (bits - 8)
        return kind((value >> (bits - length) << (bits - length), length)) if length else kind((0, 0))

    a, b = prefix(), prefix()
    numbers = [(family, int(n.network_address), n.prefixlen) for n in (a, b)]
    assert overlap(*numbers) == a.overlaps(b)


@given(st.one_of(st.ip_addresses()))
def test_numbers_agree_with_ipaddress(address):
    assert parse(str(address)) == (address.version, int(address))
    assert show(address.version, int(address)) == str(address)


@given(st.ip_addresses(), st.integers(0, 128))
def test_a_prefix_is_read_as_ipaddress_reads_it(address, length):
    for text in (f"{address}/{min(length, address.max_prefixlen)}", str(address)):
        expected = ipaddress.ip_network(text, strict=False)
        assert parse_prefix(text) == (expected.version, int(expected.network_address), expected.prefixlen)
