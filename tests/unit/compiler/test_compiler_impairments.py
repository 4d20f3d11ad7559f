"""Impairments: from the file to the kernel's resolution, with defaults that a link can live with."""

from __future__ import annotations

from dataclasses import replace

import pytest
from compiler_world import HOST, compiled, container, link, network, topology
from hypothesis import given
from hypothesis import strategies as st

from netcompose.agent.kernel import qdisc
from netcompose.agent.kinds import impairment as agent
from netcompose.compiler.compile import compile_topology
from netcompose.compiler.impairments import impairment, queues, without
from netcompose.compiler.reachability import promised
from netcompose.resources import HostFacts, Impairment, Observation, units
from netcompose.topology.model import Host
from netcompose.topology.model import Impairment as Spec

PATH = ("links", 0, "impairment")
SLOW, LATE = Spec(path=PATH, rate="10mbit"), Spec(path=(*PATH, 1), delay="10ms")


def made(mtu: int = 1500, **spec) -> Impairment | None:
    return impairment(Spec(path=PATH, **spec), mtu)


def cable(a: Spec | None = None, b: Spec | None = None, name: str = "x"):
    found = link(f"a:{name}", f"b:{name}", addresses=("10.0.0.1/30", "10.0.0.2/30"))
    return replace(found, a=replace(found.a, impairment=a), b=replace(found.b, impairment=b))


AB = container("a", network_mode="none"), container("b", network_mode="none")


def test_a_rate_alone_is_tbfs():
    assert made(rate="100mbit") == Impairment("tbf", rate="100mbit", burst="500000b", limit="1125000b")


def test_a_slow_rate_still_lets_the_largest_packet_through():
    for mtu in (1500, 9000, 65535):
        slow = made(mtu, rate="64kbit")
        assert units.size(slow.burst) >= mtu + 18
        assert units.size(slow.limit) >= units.size(slow.burst) + 10 * mtu


def test_burst_and_limit_as_written():
    assert made(rate="100mbit", burst="32kb", limit=100) == Impairment(
        "tbf", rate="100mbit", burst="32kb", limit=f"{100 * 1518}b"
    )


def test_everything_else_is_netems_the_rate_too():
    assert made(delay="10ms", rate="1000kbit") == Impairment("netem", delay="10ms", rate="1mbit", limit="1000 packets")
    assert made(loss="0.10%") == Impairment("netem", loss="0.1%", limit="10000 packets")
    every = {
        "delay": "10ms",
        "jitter": "2ms",
        "loss": "1%",
        "duplicate": "2%",
        "reorder": "3%",
        "corrupt": "4%",
        **{f"{key}_correlation": "5%" for key in ("delay", "loss", "duplicate", "reorder", "corrupt")},
    }
    assert made(**every, limit=7) == Impairment("netem", **every, limit="7 packets")


@pytest.mark.parametrize("spec", [{}, {"delay": "0ms"}, {"loss": "0%", "delay": "0s", "jitter": "0us"}, {"limit": 5}])
def test_zeros_are_nothing(spec):
    assert made(**spec) is None


def test_a_long_fat_link_has_room_for_what_is_under_way():
    def room(**spec):
        return int(made(**spec).limit.split()[0])

    assert room(delay="10ms", rate="100mbit") == room(delay="20ms", rate="100mbit") == 1000
    assert room(delay="100ms", rate="1gbit") >= 2 * 100e-3 * 125e6 / 1500
    assert room(delay="10ms") == 10_000
    assert room(delay="1s") >= 2 * 125e6 / 1500


written = st.fixed_dictionaries(
    {},
    optional={
        "delay": st.from_regex(r"[1-9][0-9]{0,2}(\.[0-9]{1,4})?(us|ms|s)", fullmatch=True),
        "jitter": st.from_regex(r"[1-9][0-9]{0,2}(\.[0-9]{1,4})?(us|ms)", fullmatch=True),
        "rate": st.from_regex(r"[1-9][0-9]{0,2}(\.[0-9]{1,4})?[kmg]bit", fullmatch=True),
        "limit": st.integers(1, 10_000),
        **{
            key: st.from_regex(r"[0-9]{1,2}(\.[0-9]{1,9})?%", fullmatch=True)
            for key in ("loss", "duplicate", "reorder", "corrupt", "delay_correlation", "loss_correlation")
        },
    },
)


class Kernel:
    """Gives back the queue that a message made, as a dump does."""

    def __init__(self, body: bytes) -> None:
        self.body = body

    def dump(self, kind: int, body: bytes) -> list[bytes]:
        return [self.body]


@given(written, st.sampled_from([1500, 9000, 65535]))
def test_what_was_asked_for_is_what_is_read(spec, mtu):
    """After `up` there is nothing to plan: through the message and back it is the same, whatever was written."""
    desired = made(mtu, **spec)
    if desired is None:
        return
    (live,) = qdisc.roots(Kernel(agent.message(7, desired).body)).values()
    read = agent.read(live)
    if not desired.reorder:  # netem does not keep the correlation of what is not there
        desired = replace(desired, reorder_correlation=None)
    assert read == desired


def test_one_for_each_end_whatever_their_order_in_the_file():
    veth = compiled(*AB, cable(SLOW, LATE)).resources[HOST]["link/a.x-b.x"]
    assert (veth.end.impairment.qdisc, veth.peer.impairment.qdisc) == ("tbf", "netem")
    turned = link("b:x", "a:x", addresses=("10.0.0.2/30", "10.0.0.1/30"))
    turned = replace(turned, a=replace(turned.a, impairment=LATE), b=replace(turned.b, impairment=SLOW))
    assert compiled(*AB, turned).resources[HOST]["link/a.x-b.x"] == veth


def test_what_leaves_a_container_and_what_arrives():
    net = network("n", "10.0.0.0/24")
    veth = compiled(net, container("w", ("n", {"impairment": SLOW, "ingress": LATE}))).resources[HOST][
        "interface/w.eth0"
    ]
    assert (veth.end.impairment.rate, veth.peer.impairment.delay) == ("10mbit", "10ms")
    assert veth.needs() == ("netem", "tbf")
    assert compiled(net, container("w", "n")).resources[HOST]["interface/w.eth0"].needs() == ()


def test_the_feature_is_asked_for_with_the_line_of_the_impairment():
    desired = compiled(*AB, cable(None, LATE))
    assert desired.needs_by_host() == {HOST: ("netem",)}
    asker = desired.needs[HOST]["netem"]
    assert (asker.path, asker.what) == ((*PATH, 1), "the impairment of link a:x <-> b:x")
    live = {HOST: Observation(resources=desired.resources[HOST])}
    assert compile_topology(topology(*AB, cable(None, LATE)), live).needs == {}
    net = network("n", "10.0.0.0/24")
    asker = compiled(net, container("w", ("n", {"ingress": SLOW}))).needs[HOST]["tbf"]
    assert (asker.path, asker.what) == (PATH, "the impairment of container 'w' on network 'n'")
    assert compiled(*AB, cable()).needs == {}


def test_a_rehearsal_leaves_out_what_the_kernel_lacks():
    world = topology(*AB, cable(SLOW, LATE), network("n"), container("w", ("n", {"impairment": LATE, "ingress": SLOW})))
    assert queues(world) == ("netem", "tbf")
    kept, left_out = without(world, {"netem"})
    assert left_out == ["the impairment of container 'w' on network 'n'", "the impairment of link a:x <-> b:x"]
    assert queues(kept) == ("tbf",)
    assert without(world, set()) == (world, [])


def test_a_link_that_loses_everything_promises_nothing():
    def reached(*things):
        return {(p.source, p.target) for p in promised(compiled(*things).resources[HOST]) if p.reaches}

    cut = Spec(path=PATH, loss="100%")
    assert reached(*AB, cable(LATE, SLOW)) == {("a", "b"), ("b", "a")}
    assert reached(*AB, cable(cut, None)) == set()
    assert reached(*AB, cable(None, cut)) == set()
    net = network("n", "10.0.0.0/24")
    others = container("w", "n"), container("v", "n")
    assert reached(net, *others, container("u", ("n", {"ingress": cut}))) == {("w", "v"), ("v", "w")}


def test_what_runs_between_hosts_is_impaired_like_anything_else():
    hosts = {name: Host(name=name, path=(), underlay=f"192.0.2.{i}") for i, name in enumerate(("one", "two"), 1)}
    live = {
        name: Observation(facts=HostFacts(interface_addresses={"e": (host.underlay + "/24",)}))
        for name, host in hosts.items()
    }
    over, routed = network("over", "10.9.0.0/24", driver="overlay"), network("flat", "10.8.0.0/16", driver="routed")
    things = [over, routed, container("a", ("over", {"impairment": SLOW}), host="one")]
    things += [container("b", ("flat", {"ingress": SLOW}), host="two"), cable(LATE, SLOW)]
    things += [container("c", "over", host="two")]
    things[-2] = replace(things[-2], a=replace(things[-2].a, container="a"), b=replace(things[-2].b, container="b"))
    desired = compile_topology(topology(*things, hosts=hosts), live)
    assert desired.problems == ()
    one, two = desired.resources["one"], desired.resources["two"]
    assert (one["link/a.x-b.x"].end.impairment.qdisc, two["link/a.x-b.x"].end.impairment.qdisc) == ("netem", "tbf")
    assert one["interface/a.eth0"].end.impairment.qdisc == "tbf" == two["interface/b.eth0"].peer.impairment.qdisc
    # The line of the impairment is told for its queue, the line of the cable for the tunnel, each host's own.
    asked = desired.needs["one"]
    assert asked["netem"].what == "the impairment of link a:x <-> b:x"
    assert asked["vxlan"].what == "network 'over'"
    assert set(desired.needs["two"]) >= {"tbf", "vxlan", "bridge", "nft", "network namespaces", "veth"}
    assert "netem" not in desired.needs["two"]


def test_what_is_up_on_a_host_is_not_asked_for_again():
    hosts = {name: Host(name=name, path=()) for name in ("one", "two")}
    things = [network("lan", "10.8.0.0/24"), container("a", "lan", host="one")]
    world = topology(*things, hosts=hosts)
    live = {name: Observation() for name in hosts}
    desired = compile_topology(world, live)
    assert set(desired.needs["one"]) == {"bridge", "nft", "network namespaces", "veth"}
    assert desired.needs.get("two", {}) == {}
    live["one"] = Observation(resources=desired.resources["one"])
    assert not compile_topology(world, live).needs.get("one")
    # One host alone shows what it lacks by itself, and is put back.
    alone = topology(*[replace(things[1], host="local"), things[0]])
    assert compile_topology(alone, {HOST: Observation()}).needs == {}
