"""The examples over several hosts, with real sshd between the command line and the hosts (S11, S14, S15, S16)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hosts_support import EXAMPLES, HostSnapshots, capture
from testbed.sites import Site


@pytest.fixture
def site(two_hosts: Site) -> Site:
    """The examples' two hosts."""
    return two_hosts


def inside(site: Site, file: str, container: str, *argv: str, status: int = 0) -> str:
    return site.netcompose("exec", "-f", file, container, "--", *argv, status=status).stdout


@pytest.mark.parametrize(
    ("name", "one", "other", "payload"),
    [
        ("overlay", "tools", "www", 1422),
        ("routed", "web2", "web1", 1472),
        ("links-between-hosts", "r1", "10.20.1.2", 1422),
    ],
)
def test_an_example_works_over_ssh_and_leaves_nothing(
    site: Site, name: str, one: str, other: str, payload: int
) -> None:
    file = str(EXAMPLES / name / "topology.yaml")
    before = HostSnapshots(site)
    site.netcompose("up", "-f", file)
    assert "No changes" in site.netcompose("plan", "-f", file).stdout
    # A full-size packet passes unbroken, and one byte more does not.
    inside(site, file, one, "ping", "-4", "-c1", "-W5", "-M", "do", "-s", str(payload), other)
    inside(site, file, one, "ping", "-4", "-c1", "-W1", "-M", "do", "-s", str(payload + 1), other, status=1)
    encapsulated = name != "routed"
    with capture(site["server1"].sandbox, "eth0", "udp port 4789" if encapsulated else "icmp") as lines:
        inside(site, file, one, "ping", "-c1", "-W5", other)
        assert ("VXLAN" in lines(1)[0]) is encapsulated
    site.netcompose("down", "-f", file)
    before.assert_same()


def test_macvlan_on_the_segment_of_two_hosts(site: Site) -> None:
    file = str(EXAMPLES / "macvlan-hosts" / "topology.yaml")
    before = HostSnapshots(site)

    def promiscuous(host: str) -> bool:
        return "PROMISC" in json.loads(site[host].run("ip", "-j", "link", "show", "eth0"))[0]["flags"]

    site.netcompose("up", "-f", file)
    assert "No changes" in site.netcompose("plan", "-f", file).stdout
    assert promiscuous("server1") and promiscuous("server2")
    for family in ("-4", "-6"):
        inside(site, file, "web2", "ping", family, "-c1", "-W5", "web1")
    # Neighbours on the wire: a full-size frame, the container's own MAC address, and nobody in between.
    inside(site, file, "web2", "ping", "-4", "-c1", "-W5", "-M", "do", "-s", "1472", "web1")
    assert "02:00:00:00:50:11" in inside(site, file, "web2", "ip", "neigh", "show", "192.168.50.11")
    with capture(site["server1"].sandbox, "eth0", "icmp") as lines:
        inside(site, file, "web2", "ping", "-4", "-c1", "-W5", "web1")
        assert "> 192.168.50.11: ICMP echo request" in "".join(lines(1))
    site.netcompose("down", "-f", file)
    assert not promiscuous("server1") and not promiscuous("server2")
    before.assert_same()


def test_what_an_overlay_serves_is_reached_by_name_from_another_host(site: Site) -> None:
    file = str(EXAMPLES / "overlay" / "topology.yaml")
    site.netcompose("up", "-f", file)
    # tools asks a name server, because it has a network with a gateway; web1 has its hosts file.
    assert "200" in inside(site, file, "tools", "curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "http://www/")
    assert inside(site, file, "tools", "dig", "+short", "www").strip() == "10.18.0.10"
    inside(site, file, "web1", "ping", "-c1", "-W5", "tools")


def test_hosts_of_another_site(site: Site, tmp_path: Path) -> None:
    file = tmp_path / "topology.yaml"
    text = (EXAMPLES / "overlay" / "topology.yaml").read_text()
    file.write_text(text.replace("10.99.0.1", "203.0.113.1"))
    inventory = tmp_path / "hosts.yaml"
    inventory.write_text(site.document())
    site.netcompose("up", "-f", str(file), "--hosts-file", str(inventory))
    site.netcompose(
        "exec", "-f", str(file), "--hosts-file", str(inventory), "tools", "--", "ping", "-c1", "-W5", "web1"
    )
