"""What stands on a parent, under the same proofs as everything else: killed or failing after any single operation.

The parent is a cable to nowhere. VLANs and ipvlan are in tests/vm, where the kernel has them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from everywhere import fails_everywhere, killed_everywhere
from proof_host import ProofHost

CHUNKS = 2

FIRST: dict[str, Any] = {
    "name": "crash",
    "parents": {"lan": {"interface": "eth1", "promiscuous": True}, "wan": {"interface": "eth2"}},
    "networks": {
        "phys": {
            "driver": "macvlan",
            "parent": "lan",
            "host_access": True,
            "subnets": [{"subnet": "192.168.50.0/24", "gateway": "192.168.50.1"}, "fd00:50::/64"],
        },
        "alone": {"driver": "macvlan", "subnets": ["192.168.51.0/24"]},
    },
    "containers": {"a": {"networks": ["phys", "alone"]}, "b": {"networks": ["phys"]}},
}

#: Changed in place, replaced, removed, new.
SECOND: dict[str, Any] = {
    "name": "crash",
    "parents": {"lan": {"interface": "eth1"}, "wan": {"interface": "eth2", "promiscuous": True}},
    "networks": {
        "phys": {"driver": "macvlan", "parent": "lan", "mode": "vepa", "mtu": 1400, "subnets": ["192.168.50.0/24"]},
        "alone": {"driver": "macvlan", "parent": "wan", "mode": "passthru", "subnets": ["192.168.51.0/24"]},
    },
    "containers": {"a": {"networks": ["phys", "alone"]}, "c": {"networks": ["phys"]}},
}

_CABLES = """
ip link add eth1 type veth peer name far1
ip link add eth2 type veth peer name far2
for name in far1 far2 eth1 eth2; do sysctl -q -w net.ipv6.conf.$name.accept_dad=0; ip link set $name up; done
for try in $(seq 100); do
    if [ $(ip -6 addr show scope link | grep -c inet6) = 4 ]; then exit 0; fi
    sleep 0.02
done
exit 1
"""


@pytest.fixture
def host(tmp_path: Path) -> Iterator[ProofHost]:
    """A throw-away host with two interfaces that parents can be."""
    with ProofHost(tmp_path) as proof:
        proof.sh(_CABLES)
        yield proof


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_a_killed_up_is_repaired_by_up_or_removed_by_down(host: ProofHost, chunk: int) -> None:
    killed_everywhere(host, FIRST, chunk=chunk, chunks=CHUNKS, least=40)


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_a_killed_change_is_finished_by_up_or_removed_by_down(host: ProofHost, chunk: int) -> None:
    killed_everywhere(host, SECOND, start=FIRST, chunk=chunk, chunks=CHUNKS, least=20)


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_any_failing_operation_of_an_up_leaves_the_host_as_it_was(host: ProofHost, chunk: int) -> None:
    fails_everywhere(host, FIRST, chunk=chunk, chunks=CHUNKS, least=20)


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_any_failing_operation_of_a_change_leaves_the_host_as_it_was(host: ProofHost, chunk: int) -> None:
    def nothing_to_change() -> None:
        assert not host.plan(FIRST)["changes"]

    # A segment without a parent gets another MAC address when it is made anew, which nobody ever sees.
    fails_everywhere(
        host, SECOND, start=FIRST, chunk=chunk, chunks=CHUNKS, least=20, ignore=("address",), also=nothing_to_change
    )


def test_going_there_is_as_having_been_there_all_along(host: ProofHost) -> None:
    """up A; up B is up B on a host that never saw A; and back."""
    host.up(SECOND)
    fresh = host.snapshot()
    host.down(SECOND)
    host.up(FIRST)
    host.converge(SECOND)
    ignore = ("ifindex", "link_index", "link", "ifi_index")
    host.assert_same(fresh, ignore=ignore)
    host.converge(FIRST)
    host.down(FIRST)
