"""Whatever live and desired are: the plan, carried out on a model of the host in its order, leads from one to the other.

The model refuses what a kernel would: an object whose requirement is not there, a name that another object still has,
the removal of something that others stand on.
"""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from netcompose.planner.plan import CREATE, DELETE, REPLACE, UPDATE, Change, Plan
from netcompose.planner.planner import make_plan
from netcompose.resources import (
    Bridge,
    End,
    Exec,
    File,
    Leftover,
    Namespace,
    Observation,
    Process,
    Resource,
    Route,
    Veth,
)

HOST = "h"
CONTAINERS = ("a", "b", "c")
NETWORKS = ("x", "y")
#: Hypothesis likes small examples; order shows in full ones.
likely = st.integers(0, 9).map(lambda number: number != 1)


@st.composite
def resources(draw: st.DrawFn, *, live: bool) -> dict[str, Resource]:
    """A consistent host: whatever a resource requires is there."""
    made: list[Resource] = []
    networks = [name for name in NETWORKS if draw(likely)]
    for name in networks:
        made.append(
            Bridge(
                id=f"bridge/{name}",
                network=name,
                name=draw(st.sampled_from((f"br{name}", f"other{name}"))),
                mac="02:00:00:00:00:01",
                mtu=draw(st.sampled_from((1400, 1500))),
            )
        )
    own: list[str] = []
    everybody: list[str] = []
    for name in CONTAINERS:
        if not draw(likely):
            continue
        joins = draw(st.sampled_from(("", "", "", *own)))
        sysctls = {"net.k": draw(st.sampled_from("01"))} if not joins and draw(st.booleans()) else {}
        made.append(Namespace(id=f"namespace/{name}", container=name, netns=f"t-{name}", joins=joins, sysctls=sysctls))
        everybody.append(name)
        if not joins:
            own.append(name)
    inside: dict[str, list[str]] = {name: [] for name in own}
    for name in own:
        for network in networks:
            if draw(likely):
                port = f"p{name}{network}"
                found = _veth(draw, f"interface/{name}.{network}", name, f"e{network}", "", port, f"bridge/{network}")
                made.append(found)
                inside[name].append(found.id)
    for one, two in (("a", "b"), ("a", "c")):
        # Both cables have the same interface name in a: one hands it to the other.
        if one in own and two in own and draw(st.booleans()) and not any("link/" in item for item in inside["a"]):
            found = _veth(draw, f"link/{one}-{two}", one, "l0", two, "l0", "")
            made.append(found)
            inside[one].append(found.id)
            inside[two].append(found.id)
    for name in everybody:
        owner = next(item for item in made if item.id == f"namespace/{name}")
        assert isinstance(owner, Namespace)
        stack = owner.joins or name
        after = tuple(inside[stack])
        if draw(st.booleans()):
            content = draw(st.sampled_from(("one", "two")))
            made.append(File(id=f"file/{name}/hosts", container=name, path=f"/etc/{name}", content=content))
            after += (f"file/{name}/hosts",)
        if draw(st.booleans()):
            commands = draw(st.sampled_from(((("true",),), (("false",),))))
            made.append(Exec(id=f"exec/{name}", container=name, commands=commands, namespace=stack, after=after))
            after += (f"exec/{name}",)
        if draw(st.booleans()):
            command = (draw(st.sampled_from(("one", "two"))),)
            made.append(Process(id=f"process/{name}", container=name, command=command, namespace=stack, after=after))
    if live:
        for name in own:
            if draw(st.booleans()) and not any(item.startswith("link/") for item in inside[name]):
                made.append(Leftover(id=f"leftover/{name}/l0", namespace=name, name="l0"))
    return {item.id: item for item in made}


def _veth(draw: st.DrawFn, id: str, container: str, name: str, other: str, port: str, master: str) -> Veth:
    mtu = draw(st.sampled_from((1400, 1500)))
    routes = (Route("0.0.0.0/0", "10.0.0.1"),) if draw(st.booleans()) else ()
    return Veth(
        id=id,
        end=End(namespace=container, name=name, mac="02:00:00:00:00:02", mtu=mtu, routes=routes),
        peer=End(namespace=other, name=port, mac="02:00:00:00:00:03", mtu=mtu, master=master),
    )


class Model:
    """A host that has objects and refuses what cannot be."""

    def __init__(self, live: dict[str, Resource]) -> None:
        self.live = dict(live)

    def remove(self, change: Change) -> None:
        assert change.before is not None and change.before.id in self.live
        del self.live[change.before.id]

    def make(self, change: Change) -> None:
        assert change.after is not None
        if change.actions == UPDATE and change.before is not None:
            del self.live[change.before.id]
        taken = {claim for item in self.live.values() for claim in item.claims()}
        assert not taken & set(change.after.claims()), f"{change.id} takes a name that is still held"
        for need in change.after.requires():
            assert need.id in self.live, f"{change.id} is made before {need.id}"
        self.live[change.id] = change.after

    def stands_on_nothing(self, id: str) -> None:
        """Nobody needs what is gone now, but for those that are made anew or tied again later in the plan."""
        for item in self.live.values():
            for need in item.requires():
                assert need.id != id or need.order_only, f"{item.id} still stands on {id}"


def carried_out(plan: Plan, live: dict[str, Resource]) -> dict[str, Resource]:
    """As agent/run.py does: stage by stage, removals of a stage before what is made in it."""
    model = Model(live)
    done: set[str] = set()
    by_stage: dict[int, list[Change]] = {}
    for change in plan.changes:
        by_stage.setdefault(change.stage, []).append(change)
    for stage in sorted(by_stage):
        for change in by_stage[stage]:
            assert set(change.requires) <= done, f"{change.id} comes before what it waits for"
        for change in by_stage[stage]:
            if "delete" in change.actions:
                model.remove(change)
        for change in by_stage[stage]:
            if change.actions == DELETE:
                model.stands_on_nothing(change.id)
        for change in by_stage[stage]:
            if change.after is not None:
                model.make(change)
        done |= {change.address for change in by_stage[stage]}
    return model.live


@settings(max_examples=100, deadline=None)
@given(resources(live=True), resources(live=False))
def test_carrying_out_the_plan_leads_to_the_desired_state(
    live: dict[str, Resource], desired: dict[str, Resource]
) -> None:
    plan = make_plan("t", {HOST: desired}, {HOST: Observation(resources=live)})
    assert plan == make_plan("t", {HOST: dict(reversed(desired.items()))}, {HOST: Observation(resources=live)})
    after = carried_out(plan, live)
    assert after == desired
    assert make_plan("t", {HOST: desired}, {HOST: Observation(resources=after)}).empty
    for change in plan.changes:
        assert change.actions in (CREATE, UPDATE, REPLACE, DELETE)
        assert change.address not in change.requires


@settings(max_examples=50, deadline=None)
@given(resources(live=True))
def test_the_way_down_ends_with_nothing(live: dict[str, Resource]) -> None:
    plan = make_plan("t", {}, {HOST: Observation(resources=live)})
    assert carried_out(plan, live) == {}
    assert {change.actions for change in plan.changes} <= {DELETE}


@settings(max_examples=50, deadline=None)
@given(resources(live=False), st.data())
def test_one_changed_attribute_is_one_change(desired: dict[str, Resource], data: st.DataObject) -> None:
    """An attribute that changes in place touches its own object and no other."""
    veths = sorted(id for id, item in desired.items() if isinstance(item, Veth))
    if not veths:
        return
    id = data.draw(st.sampled_from(veths))
    veth = desired[id]
    assert isinstance(veth, Veth)
    drifted = {**desired, id: replace(veth, end=replace(veth.end, mtu=1234))}
    plan = make_plan("t", {HOST: desired}, {HOST: Observation(resources=drifted)})
    (change,) = plan.changes
    assert (change.id, change.actions, [item.path for item in change.differences]) == (id, UPDATE, ["end.mtu"])


def test_what_touches_the_connection_to_the_host_is_marked():
    from netcompose.planner.plan import SESSION
    from netcompose.resources import Bridge, HostFacts, Observation, Sysctl

    facts = HostFacts(session={"peer": "10.9.0.7", "address": "192.0.2.1", "interface": "eth1"})
    captures = Bridge("bridge/a", network="a", name="a", mac="02:00:00:00:00:01", addresses=("10.9.0.1/16",))
    beside = Bridge("bridge/b", network="b", name="b", mac="02:00:00:00:00:02", addresses=("10.8.0.1/16",))
    setting = Sysctl("sysctl/x", key="net.ipv6.conf.eth1.accept_ra", value="2")
    other = Sysctl("sysctl/y", key="net.ipv4.ip_forward", value="1")
    desired = {"h": {item.id: item for item in (captures, beside, setting, other)}}
    for live in (Observation(facts=facts), Observation()):
        plan = make_plan("t", desired, {"h": live})
        told = {(c.id, d.container, d.how) for c in plan.changes for d in c.disturbs}
        expected = {("bridge/a", SESSION, "outage"), ("sysctl/x", SESSION, "blip")} if live.facts.session else set()
        assert told == expected
        assert all("eth1 and comes from 10.9.0.7" in d.why for c in plan.changes for d in c.disturbs)
