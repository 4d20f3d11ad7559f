"""Tests of tests/kernel again, on a distribution's kernel: bridges, names, firewall, ports. A few: all is slow here.

Beside its version the kernel differs in what it has, br_netfilter for one, and in that it loads what is not built in
when that is first used. And other than a throw-away host, the machine has interfaces and a server of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import outside
import pytest
import test_firewall
import test_ports
from support import Example, run
from test_dns import test_dns_clients_get_names_hostnames_aliases_and_addresses_back  # noqa: F401
from test_firewall import (  # noqa: F401
    test_s9_on_the_wire,
    test_s9_what_leaves_has_the_hosts_address_unless_the_network_says_otherwise,
)
from test_scenarios_bridges import (  # noqa: F401
    test_s1_containers_share_a_subnet_on_a_bridge_that_is_their_gateway,
    test_s5_names_hostnames_and_shared_aliases,
)
from virtual.machine import Machine

Bring = Callable[[str], Example]

_BRIDGE_NETFILTER = ("net.bridge.bridge-nf-call-iptables", "net.bridge.bridge-nf-call-ip6tables")


@pytest.fixture
def host(host: Machine) -> Iterator[Machine]:
    """A virtual machine with a neighbour, and br_netfilter loaded, as Docker and Kubernetes leave it."""
    run(host, "modprobe", "br_netfilter")
    outside.attach(host)
    yield host
    run(host, "ip", "netns", "del", "outside")
    host.run(["ip", "link", "del", "up0"])
    run(host, "modprobe", "-r", "br_netfilter")


def test_s7_who_reaches_whom_with_bridged_packets_filtered(example: Bring, host: Machine) -> None:
    assert {run(host, "sysctl", "-n", key).strip() for key in _BRIDGE_NETFILTER} == {"1"}, "as loading it leaves it"
    test_firewall.test_s7_who_reaches_whom(example, host, 1)  # type: ignore[arg-type]


@pytest.mark.parametrize("family", [4, 6])
def test_s10_published_ports_with_bridged_packets_filtered(example: Bring, host: Machine, family: int) -> None:
    test_ports.test_a_published_port_is_reached_from_everywhere(example, host, family, 1)  # type: ignore[arg-type]
