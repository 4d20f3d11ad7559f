"""Who is disturbed at a distance, and what is left to the program in a container."""

from __future__ import annotations

from dataclasses import replace

from netcompose.planner.planner import make_plan
from netcompose.resources import Container, End, Namespace, Observation, Resource, Route, Veth

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
    assert changes["namespace/owner"].actions == ("delete", "create"), "which says what becomes of the owner"
    assert {(item.container, item.how) for item in changes[guest.id].disturbs} == {
        ("guest", "outage"),
        ("far", "outage"),
    }


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
    # The other end is the file's.
    moved = replace(wanted, end=given, peer=replace(FAR, addresses=("10.0.0.2/30",)))
    assert changed(moved, wanted) == ["peer.addresses"]
    assert changed(replace(wanted, end=given), replace(wanted, end=OWNER)) == ["end.addresses", "end.routes"]
