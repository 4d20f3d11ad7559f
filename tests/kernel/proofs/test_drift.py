"""Something is changed by hand: the plan names just that, and ``up`` mends it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from proof_host import ProofHost, edited
from test_single_edits import said

from netcompose.resources.names import host_interface_name

CAMPUS: dict[str, Any] = {
    "name": "campus",
    "networks": {"lan": {"subnets": ["10.9.0.0/24", "fd00:9::/64"]}},
    "containers": {
        "a": {
            "networks": {"lan": {"ipv4_address": "10.9.0.10", "ipv6_address": "fd00:9::10"}},
            "command": ["sleep", "4001"],
            "sysctls": {"net.ipv4.ip_forward": "1"},
            "routes": [{"to": "10.77.0.0/16", "via": "10.9.0.99"}],
            "exec": [["ip", "link", "set", "lo", "mtu", "60000"]],
        },
        "b": {"networks": {"lan": {"ipv4_address": "10.9.0.11", "ipv6_address": "fd00:9::11"}}},
    },
    "links": [{"endpoints": ["a:eth9", "b:eth9"], "addresses": ["10.1.0.1/30", "10.1.0.2/30"]}],
}
BRIDGE = host_interface_name("campus", "bridge/lan")
PORT = host_interface_name("campus", "interface/b.eth0")
FRESH_B = {
    "namespace/b": "+",
    "interface/b.eth0": "+",
    "link/a.eth9-b.eth9": "+",
}

#: What is done by hand, and what the plan says of it in the words of test_single_edits.Edit.
DRIFT: dict[str, tuple[str, dict[str, str]]] = {
    "mtu": ("ip -n campus-b link set eth0 mtu 1300", {"interface/b.eth0": "end.mtu"}),
    # A bridge follows the smallest of its ports until its own is changed.
    "mtu of the port": (f"ip link set {PORT} mtu 1300", {"interface/b.eth0": "peer.mtu"}),
    "mac": ("ip -n campus-b link set eth0 address 02:00:00:00:00:01", {"interface/b.eth0": "end.mac"}),
    "mac of the bridge": (f"ip link set {BRIDGE} address 02:00:00:00:00:01", {"bridge/lan": "mac"}),
    "address added": ("ip -n campus-b addr add 10.9.0.77/24 dev eth0", {"interface/b.eth0": "end.addresses"}),
    "address removed": (
        "ip -n campus-b addr del fd00:9::11/64 dev eth0",
        {"interface/b.eth0": "end.addresses"},
    ),
    "every address removed": (
        "ip -n campus-b addr flush dev eth0 scope global",
        {"interface/b.eth0": "end.addresses end.routes"},
    ),
    "gateway removed": (f"ip addr del 10.9.0.1/24 dev {BRIDGE}", {"bridge/lan": "addresses"}),
    "prefix length": (
        "ip -n campus-b addr add 10.9.0.11/16 dev eth0; ip -n campus-b addr del 10.9.0.11/24 dev eth0",
        {"interface/b.eth0": "end.addresses"},
    ),
    "route removed": ("ip -n campus-a route del 10.77.0.0/16", {"interface/a.eth0": "end.routes"}),
    "route added": ("ip -n campus-a route add 10.66.0.0/16 via 10.9.0.98", {"interface/a.eth0": "end.routes"}),
    "next hop": ("ip -n campus-a route replace 10.77.0.0/16 via 10.9.0.98", {"interface/a.eth0": "end.routes"}),
    "IPv6 default route": ("ip -n campus-a -6 route del default", {"interface/a.eth0": "end.routes"}),
    "master": (f"ip link set {PORT} nomaster", {"interface/b.eth0": "peer.master"}),
    "another master": (
        f"ip link add other type bridge; ip link set {PORT} master other",
        {"interface/b.eth0": "peer.master"},
    ),
    "down": ("ip -n campus-b link set eth9 down", {"link/a.eth9-b.eth9": "peer.up"}),
    # The kernel takes IPv6 addresses away with that.
    "bridge down": (f"ip link set {BRIDGE} down", {"bridge/lan": "addresses up"}),
    "loopback down": ("ip -n campus-b link set lo down", {"namespace/b": "loopback_up"}),
    "alias of the port": (f"ip link set {PORT} alias ''", {"interface/b.eth0": "peer.alias"}),
    "alias inside": ("ip -n campus-b link set eth0 alias ''", {"interface/b.eth0": "end.alias"}),
    "alias of the bridge": (f"ip link set {BRIDGE} alias ''", {"bridge/lan": "alias"}),
    "renamed inside": (
        "ip -n campus-b link set eth0 down; ip -n campus-b link set eth0 name wrong; ip -n campus-b link set wrong up",
        {"interface/b.eth0": "end.addresses end.name end.routes"},
    ),
    "sysctl": (
        "ip netns exec campus-a sysctl -qw net.ipv4.ip_forward=0",
        {"namespace/a": "sysctls.net.ipv4.ip_forward"},
    ),
    "file changed": ("echo 192.0.2.1 x >> /etc/netns/campus-b/hosts", {"file/b/hosts": "content"}),
    "file deleted": ("rm /etc/netns/campus-b/hosts", {"file/b/hosts": "+"}),
    "folder deleted": ("rm -r /etc/netns/campus-b", {"file/b/hosts": "+", "file/b/resolv.conf": "+"}),
    "process killed with its init": ("pkill -KILL -x nc-a; while pgrep -x nc-a; do :; done", {"process/a": "+"}),
    "interface deleted": ("ip -n campus-b link del eth0", {"interface/b.eth0": "+"}),
    "cable deleted": ("ip -n campus-b link del eth9", {"link/a.eth9-b.eth9": "+"}),
    # The kernel ends a namespace in its own time, and until then its cable is there.
    "namespace deleted": (
        f"ip netns del campus-b; while ip link show {PORT} >/dev/null 2>&1; do sleep 0.02; done",
        FRESH_B,
    ),
    "bridge deleted": (
        f"ip link del {BRIDGE}",
        {"bridge/lan": "+", "interface/a.eth0": "peer.master", "interface/b.eth0": "peer.master"},
    ),
}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProofHost]:
    with ProofHost(tmp_path_factory.mktemp("drift")) as host:
        yield host


@pytest.mark.parametrize("what", DRIFT)
def test_drift_is_named_and_mended(running: ProofHost, what: str) -> None:
    script, changes = DRIFT[what]
    running.converge(CAMPUS)
    before = running.snapshot()
    running.sh(script)
    plan = {change["id"]: said(change) for change in running.plan(CAMPUS)["changes"]}
    assert plan == changes
    running.converge(CAMPUS)
    running.sh("ip link del other 2>/dev/null || true")
    # What was made anew has another index.
    running.assert_same(before, ignore=("ifindex", "link_index", "files", "mounts"))


@pytest.mark.parametrize("policy", ["no", "on-failure", "always"])
def test_a_killed_command_is_an_end_and_its_policy_decides(running: ProofHost, policy: str) -> None:
    """SIGKILL of the command itself is its end; with ``no`` it has ended, which is no drift, else it runs again."""
    topology = edited(CAMPUS, "containers a restart", policy)
    running.converge(topology)
    running.sh("kill -KILL $(pgrep -xf 'sleep 4001')")
    wait_for(running, "sleep 4001", there=policy != "no")
    assert running.cli("plan", "--detailed-exitcode", "-f", running.write(topology)).status == 0


def wait_for(host: ProofHost, command: str, *, there: bool) -> None:
    end = time.monotonic() + 10
    while bool(host.run("pgrep", "-xf", command, status=None)) != there:
        assert time.monotonic() < end, f"{command}: not {'there' if there else 'gone'}"
        time.sleep(0.02)
