"""What ``ps`` and ``inspect`` say of what leads to other hosts."""

from netcompose.resources import Bridge, End, Namespace, Vxlan
from netcompose.views.inspect import inspect_objects, inspect_text
from netcompose.views.ps import ps_rows

CABLE = Vxlan(
    "link/r1.eth1-r2.eth1",
    end=End("r1", "eth1", "02:00:00:00:00:01", mtu=1450, addresses=("10.1.0.1/30",)),
    vni=5000,
    port=4789,
    local="192.0.2.1",
    remote="192.0.2.2",
)
BRIDGE = Bridge("bridge/ov1", network="ov1", name="nc1", mac="02:00:00:00:00:02", mtu=1450)
TUNNEL = Vxlan(
    "tunnel/ov1",
    end=End("", "nc2", "02:00:00:00:00:03", master="bridge/ov1"),
    vni=42,
    port=4789,
    local="192.0.2.1",
    stations={"02:00:00:00:00:09": ("192.0.2.2", "10.10.0.9")},
)
LIVE = {item.id: item for item in (CABLE, BRIDGE, TUNNEL, Namespace("namespace/r1", "r1", "lab-r1"))}


def test_a_cable_to_another_host_is_shown_like_any_other() -> None:
    (row,) = ps_rows("server4", LIVE, [])
    assert row.networks == {"link:eth1": ("10.1.0.1",)}
    link = next(item for item in inspect_objects("server4", LIVE) if item["type"] == "link")
    assert link["name"] == "r1.eth1-r2.eth1" and list(link["ends"]) == ["r1:eth1"]
    assert (link["tunnel"]["vni"], link["tunnel"]["remote"]) == (5000, "192.0.2.2")


def test_an_overlay_shows_its_tunnel_and_who_is_behind_it() -> None:
    network = next(item for item in inspect_objects("server4", LIVE) if item["type"] == "network")
    assert network["driver"] == "overlay" and network["resources"] == ["bridge/ov1", "tunnel/ov1"]
    assert network["tunnel"]["stations"] == {"02:00:00:00:00:09": ["192.0.2.2", "10.10.0.9"]}
    assert "vni: 42" in inspect_text([network])
