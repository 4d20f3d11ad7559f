"""Who is disturbed at a distance, and what is left to the program in a container."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from netcompose.planner.fingerprint import ABSENT, fingerprint
from netcompose.planner.planner import make_plan
from netcompose.resources import Container, End, Namespace, Observation, Resource, Route, Start, Veth, Vxlan

HOST = "local"
OWNER = End("owner", "eth1", "02:00:00:00:00:01")
FAR = End("far", "eth1", "02:00:00:00:00:02")


def test_who_hangs_on_what_hangs_on_it_is_disturbed() -> None:
    """owner has the namespace of guest, an engine's container, and a cable to far."""
    guest = Container("container/guest", container="guest", name="t-guest", image="i:1", image_id="sha256:1")
    live: dict[str, Resource] = {
        item.id: item
        for item in (
            guest,
            Namespace("namespace/owner", "owner", "t-owner", of="container/guest"),
            Namespace("namespace/far", "far", "t-far"),
            Veth("link/far.eth1-owner.eth1", end=OWNER, peer=FAR),
        )
    }
    desired = {**live, guest.id: replace(guest, working_dir="/srv")}
    plan = make_plan("t", {HOST: desired}, {HOST: Observation(resources=live)})
    changes = {change.id: change for change in plan.changes}
    assert changes[guest.id].actions == ("delete", "create")
    assert changes["link/far.eth1-owner.eth1"].actions == ("delete", "create"), "it is in a namespace that goes"
    assert changes["namespace/owner"].actions == ("delete", "create"), "which says what becomes of the owner"
    assert {(item.container, item.how) for item in changes[guest.id].disturbs} == {
        ("guest", "outage"),
        ("far", "outage"),
    }


def test_a_program_starts_after_its_container_and_again_when_that_is_replaced() -> None:
    guest = Container("container/guest", container="guest", name="t-guest", image="i:1", image_id="sha256:1")
    start = Start("start/guest", container="guest", after=("namespace/guest",))
    live: dict[str, Resource] = {guest.id: guest, start.id: start}
    plan = make_plan(
        "t", {HOST: {**live, guest.id: replace(guest, working_dir="/")}}, {HOST: Observation(resources=live)}
    )
    stages = {(change.id, action): change.stage for change in plan.changes for action in change.actions}
    assert stages["container/guest", "create"] < stages["start/guest", "create"]
    assert [need.id for need in start.requires()] == ["container/guest", "namespace/guest"]


def test_a_live_object_is_another_when_what_a_plan_compares_is() -> None:
    veth = Veth("link/far.eth1-owner.eth1", end=OWNER, peer=FAR)
    assert fingerprint(None) == ABSENT != fingerprint(veth)
    for change in ({"mtu": 1400}, {"addresses": ("10.0.0.1/30",)}, {"mac": FAR.mac}):
        assert fingerprint(replace(veth, end=replace(OWNER, **change))) != fingerprint(veth)
    # An index is the kernel's own affair, and tells nothing of what was changed.
    assert fingerprint(replace(veth, end=replace(OWNER, ifindex=7))) == fingerprint(veth)
    assert fingerprint(replace(veth, id="link/other")) != fingerprint(veth)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (["image_id"], "image_id"),
        (["image_id", "user"], "image_id and user"),
        (["image_id", "user", "command", "hostname"], "image_id, command, user and hostname"),
        (["image_id", "user", "command", "hostname", "stack"], "image_id, stack, command and 2 more"),
    ],
)
def test_a_reason_names_four_attributes_at_most(changed: list[str], words: str) -> None:
    guest = Container("container/guest", container="guest", name="t-guest", image="i:1", image_id="sha256:1")
    other: dict[str, Any] = {name: ("x",) if name == "command" else "x" for name in changed}
    plan = make_plan("t", {HOST: {guest.id: replace(guest, **other)}}, {HOST: Observation(resources={guest.id: guest})})
    assert plan.changes[0].reason.startswith(f"{words} cannot change in place: ")


def test_addresses_of_an_end_that_addresses_itself_are_no_difference() -> None:
    wanted = Veth("link/far.eth1-owner.eth1", end=replace(OWNER, self_addressed=True), peer=FAR)
    given = replace(OWNER, addresses=("10.0.0.1/30",), routes=(Route("0.0.0.0/0", "10.0.0.2"),))
    spaces = {f"namespace/{name}": Namespace(f"namespace/{name}", name, f"t-{name}") for name in ("owner", "far")}

    def changed(live: Veth, desired: Veth) -> list[str]:
        before, after = {**spaces, live.id: live}, {**spaces, desired.id: desired}
        plan = make_plan("t", {HOST: after}, {HOST: Observation(resources=before)})
        return [found.path for change in plan.changes for found in change.differences]

    assert changed(replace(wanted, end=given), wanted) == []
    assert changed(replace(wanted, end=replace(given, mtu=1400)), wanted) == ["end.mtu"]
    turned = Veth(wanted.id, end=FAR, peer=wanted.end)
    assert changed(replace(turned, peer=given), turned) == []
    # A cable to another host that becomes one to a neighbour: the old one has no second end to look at.
    tunnel = Vxlan(wanted.id, end=given, vni=1, port=4789, local="192.0.2.1", remote="192.0.2.2")
    plan = make_plan(
        "t", {HOST: {**spaces, wanted.id: wanted}}, {HOST: Observation(resources={**spaces, wanted.id: tunnel})}
    )
    (change,) = plan.changes
    assert change.actions == ("delete", "create") and change.after == wanted
    # The other end is the file's.
    moved = replace(wanted, end=given, peer=replace(FAR, addresses=("10.0.0.2/30",)))
    assert changed(moved, wanted) == ["peer.addresses"]
    assert changed(replace(wanted, end=given), replace(wanted, end=OWNER)) == ["end.addresses", "end.routes"]
