"""A topology edited in single ways: the plan names just that edit, and nothing else is touched when it is made.

Every object has a reading by foreign tools (interface index, counters, carrier changes, namespace inode, inode and
times of a file, process id and start). An edit says which addresses and attributes its plan has, and with that whose
readings may change; those of all other objects stay, and counters never go back to a start.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from proof_host import ProofHost, edited

BASE: dict[str, Any] = {
    "name": "campus",
    "networks": {
        "front": {"subnets": ["172.30.0.0/24", "fd00:30::/64"]},
        "back": {"subnets": ["172.31.0.0/24"]},
    },
    "containers": {
        "web": {
            "command": ["sleep", "2001"],
            "environment": {"MODE": "one"},
            "sysctls": {"net.ipv4.ip_forward": "1"},
            "networks": {
                "front": {
                    "ipv4_address": "172.30.0.10",
                    "ipv6_address": "fd00:30::10",
                    "aliases": ["www"],
                    "gw_priority": 1,
                },
                "back": {"ipv4_address": "172.31.0.10"},
            },
        },
        "db": {
            "command": ["sleep", "2002"],
            "networks": {"back": {"ipv4_address": "172.31.0.20"}},
            "exec": [["ip", "link", "set", "lo", "mtu", "60000"]],
        },
        "plain": {"networks": {"front": {"ipv4_address": "172.30.0.30", "ipv6_address": "fd00:30::30"}}},
        "r1": {"network_mode": "none", "routes": [{"to": "10.77.0.0/16", "via": "10.1.0.2"}]},
        "r2": {"network_mode": "none", "command": ["sleep", "2003"]},
        "side": {"network_mode": "container:web", "command": ["sleep", "2004"]},
        "outer": {"network_mode": "host", "command": ["sleep", "2005"]},
    },
    "links": [{"endpoints": ["r1:eth1", "r2:eth1"], "addresses": ["10.1.0.1/30", "10.1.0.2/30"]}],
}

WEB, DB, PLAIN = "interface/web.eth0", "interface/db.eth0", "interface/plain.eth0"
CABLE = "link/r1.eth1-r2.eth1"
HOSTS = {name: f"file/{name}/hosts" for name in ("web", "db", "plain", "r1", "r2", "side")}


def told(*networks: str, clients: bool = False) -> dict[str, str]:
    """What the name server reads again: names of networks, and with ``clients`` also who may see which."""
    files = [f"{network}.names" for network in networks] + ["unbound.conf"] * clients
    found = {f"file/@dns/unbound/{name}": "content" for name in files}
    return {**found, "process/@dns": " ".join(f"reads.{name}" for name in files)}


@dataclass(frozen=True)
class Edit:
    """``changes`` maps a resource to what its plan says: paths of attributes, or ``+`` new, ``-`` gone, and ``!``
    before paths that force a new object. ``also`` are readings that change with it by the kernel's own rules."""

    name: str
    path: str
    value: Any
    changes: dict[str, str]
    also: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.name


EDITS = [
    Edit(
        "mtu of a network",
        "networks front mtu",
        1400,
        {"bridge/front": "mtu", WEB: "end.mtu peer.mtu", PLAIN: "end.mtu peer.mtu"},
    ),
    Edit("mtu of a link", "links 0 mtu", 9000, {CABLE: "end.mtu peer.mtu"}),
    Edit("MAC", "containers plain networks front mac_address", "02:00:00:00:00:99", {PLAIN: "end.mac"}),
    Edit(
        "static address",
        "containers db networks back ipv4_address",
        "172.31.0.21",
        {DB: "end.addresses", HOSTS["db"]: "content", **told("back")},
    ),
    Edit(
        "second address family",
        "networks back subnets",
        ["172.31.0.0/24", "fd00:31::/64"],
        {
            "bridge/back": "addresses",
            DB: "end.addresses end.routes",
            "interface/web.eth1": "end.addresses",
            HOSTS["db"]: "content",
            HOSTS["web"]: "content",
            HOSTS["side"]: "content",
            "firewall/campus": "table.set gateway_addresses6 table.set gateways6 table.set masquerade6",
            **told("back", clients=True),
        },
    ),
    Edit(
        "alias",
        "containers web networks front aliases",
        ["www", "site"],
        told("front"),
    ),
    Edit(
        "container added",
        "containers extra",
        {"networks": {"back": {"ipv4_address": "172.31.0.50"}}},
        {
            "namespace/extra": "+",
            "interface/extra.eth0": "+",
            "file/extra/hosts": "+",
            "file/extra/resolv.conf": "+",
            **told("back"),
        },
    ),
    Edit(
        "container removed",
        "containers plain",
        ...,
        {
            "namespace/plain": "-",
            PLAIN: "-",
            "file/plain/hosts": "-",
            "file/plain/resolv.conf": "-",
            **told("front"),
        },
    ),
    Edit(
        "container joins a network",
        "containers plain networks back",
        {"ipv4_address": "172.31.0.30"},
        {
            "interface/plain.eth1": "+",
            HOSTS["plain"]: "content",
            "file/plain/resolv.conf": "content",
            **told("back", clients=True),
        },
    ),
    Edit(
        "container leaves a network",
        "containers web networks back",
        ...,
        {
            "interface/web.eth1": "-",
            HOSTS["web"]: "content",
            HOSTS["side"]: "content",
            "file/web/resolv.conf": "content",
            "file/side/resolv.conf": "content",
            **told("back", clients=True),
        },
    ),
    Edit(
        "hostname",
        "containers r2 hostname",
        "router2",
        {"process/r2": "hostname", HOSTS["r1"]: "content", HOSTS["r2"]: "content"},
    ),
    Edit("command", "containers db command", ["sleep", "3002"], {"process/db": "! command"}),
    Edit("environment", "containers web environment MODE", "two", {"process/web": "! environment.MODE"}),
    Edit(
        "sysctl changed",
        "containers web sysctls",
        {"net.ipv4.ip_forward": "0"},
        {"namespace/web": "sysctls.net.ipv4.ip_forward"},
    ),
    Edit(
        "sysctl added",
        "containers r2 sysctls",
        {"net.ipv4.conf.all.arp_ignore": "1"},
        {"namespace/r2": "sysctls.net.ipv4.conf.all.arp_ignore"},
    ),
    Edit("route", "containers r1 routes 0 to", "10.78.0.0/16", {CABLE: "end.routes"}),
    Edit(
        "default route by gw_priority",
        "containers web networks back gw_priority",
        5,
        {WEB: "end.routes", "interface/web.eth1": "end.routes"},
    ),
    Edit(
        "dns",
        "containers plain dns",
        ["192.0.2.53"],
        {"file/plain/resolv.conf": "content", HOSTS["plain"]: "content"},
    ),
    Edit("dns_search", "containers plain dns_search", ["example.org"], {"file/plain/resolv.conf": "content"}),
    Edit("extra_hosts", "containers plain extra_hosts", {"printer": "192.0.2.9"}, {HOSTS["plain"]: "content"}),
    Edit(
        "interface_name",
        "containers plain networks front interface_name",
        "uplink",
        {"interface/plain.uplink": "end.alias end.name peer.alias peer.name"},
    ),
    Edit(
        "addresses of a link",
        "links 0 addresses",
        ["10.1.0.1/29", "10.1.0.2/29"],
        {CABLE: "end.addresses peer.addresses"},
    ),
    Edit("exec", "containers db exec", [["ip", "link", "set", "lo", "mtu", "50000"]], {"exec/db": "! commands"}),
    Edit("restart policy", "containers db restart", "always", {"process/db": "! restart"}),
    Edit("grace period", "containers db stop_grace_period", "3s", {"process/db": "stop_grace_period"}),
    Edit("stop signal", "containers r2 stop_signal", "SIGINT", {"process/r2": "stop_signal"}),
    Edit("working directory", "containers r2 working_dir", "/tmp", {"process/r2": "! working_dir"}),
    Edit(
        "gateway of a subnet",
        "networks back subnets 0",
        {"subnet": "172.31.0.0/24", "gateway": "172.31.0.254"},
        {
            "bridge/back": "addresses",
            DB: "end.routes",
            "firewall/campus": "table.set gateway_addresses4 table.set gateways4",
            **{f"file/{name}/resolv.conf": "content" for name in ("web", "side", "db")},
        },
    ),
]


def renamed_network() -> dict[str, Any]:
    """``front`` is called ``edge``; its addresses stay as they are written."""
    topology = edited(BASE, "networks edge", BASE["networks"]["front"])
    del topology["networks"]["front"]
    for name in ("web", "plain"):
        networks = topology["containers"][name]["networks"]
        networks["edge"] = networks.pop("front")
    return topology


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProofHost]:
    """The base topology, up; its counters are not zero."""
    with ProofHost(tmp_path_factory.mktemp("edits")) as host:
        yield host


@pytest.mark.parametrize("edit", EDITS, ids=str)
def test_a_single_edit_is_all_that_is_planned_and_touched(running: ProofHost, edit: Edit) -> None:
    running.converge(BASE)
    running.sh(
        "ip netns exec campus-web ping -qc 3 -i 0.01 172.30.0.30; ip netns exec campus-web ping -qc 3 -i 0.01 172.31.0.20;"
        "ip netns exec campus-r1 ping -qc 3 -i 0.01 10.1.0.2"
    )
    topology = edited(BASE, edit.path, edit.value)
    plan = running.plan(topology)
    assert {change["id"]: said(change) for change in plan["changes"]} == edit.changes
    before = running.inventory()
    running.converge(topology)
    assert_untouched(before, running.inventory(), plan, edit)


def said(change: dict[str, Any]) -> str:
    """A change in the words of :class:`Edit`."""
    if change["actions"] == ["create"]:
        return "+"
    if change["actions"] == ["delete"]:
        return "-"
    paths = " ".join(sorted(difference["path"] for difference in change["differences"]))
    return f"! {paths}" if "create" in change["actions"] else paths


def readings_of(change: dict[str, Any]) -> Iterator[str]:
    """The readings that a change of this resource may touch."""
    for resource in (change["before"], change["after"]):
        if resource is None:
            continue
        kind = resource["kind"]
        if kind == "namespace":
            yield f"namespace {resource['netns']}"
            yield f"link {resource['netns']}/lo"
            yield f"routes {resource['netns']}/lo"
        elif kind == "file":
            yield f"file {resource['path']}"
        elif kind == "process":
            yield f"process {' '.join(resource['command'])}"
            yield f"process nc-{resource['container']}"
        elif kind == "exec":
            yield f"link campus-{resource['container']}/lo"
        elif kind == "bridge":
            yield f"link /campus-bridge-{resource['network']}"
            yield f"routes /{resource['name']}"
        elif kind == "veth":
            for end in (resource["end"], resource["peer"]):
                netns = f"campus-{end['namespace']}" if end["namespace"] else ""
                yield f"link {netns}/{end['name']}"
                yield f"routes {netns}/{end['name']}"
            yield f"link /campus-{resource['id'].replace('/', '-')}"


def assert_untouched(
    before: dict[str, dict[str, Any]], after: dict[str, dict[str, Any]], plan: dict[str, Any], edit: Edit
) -> None:
    touched = {reading for change in plan["changes"] for reading in readings_of(change)} | set(edit.also)
    for name in sorted({*before, *after} - touched):
        old, new = dict(before.get(name, {})), dict(after.get(name, {}))
        # Others still talk (the kernel's own neighbour discovery): counters go on, and only a new object starts again.
        old_counters, new_counters = old.pop("counters", {}), new.pop("counters", {})
        assert new == old, name
        assert all(new_counters[key] >= value for key, value in old_counters.items()), name
