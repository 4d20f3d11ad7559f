"""What stands on a parent, under the same proofs as everything else: killed or failing after any single operation.

The parent is a cable to nowhere. VLANs and ipvlan are in tests/vm, where the kernel has them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from proof_host import KILLED, ProofHost

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
for name in far1 far2 eth1 eth2; do ip link set $name up; done
for try in $(seq 100); do
    if [ $(ip -6 addr show scope link | grep -c inet6) = 4 ] && [ -z "$(ip -6 addr show tentative)" ]; then exit 0; fi
    sleep 0.1
done
exit 1
"""


@pytest.fixture
def host(tmp_path: Path) -> Iterator[ProofHost]:
    """A throw-away host with two interfaces that parents can be."""
    with ProofHost(tmp_path) as proof:
        proof.sh(_CABLES)
        yield proof


def killed(host: ProofHost, topology: dict[str, Any], point: int) -> bool:
    done = host.cli("up", "-f", host.write(topology), fault={"mode": "kill", "at": point})
    assert done.status in (0, KILLED), done
    return done.status == KILLED


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_a_killed_up_is_repaired_by_up_or_removed_by_down(host: ProofHost, chunk: int) -> None:
    untouched = host.snapshot()
    point = chunk + 1
    while killed(host, FIRST, point):
        if (point // CHUNKS) % 2 == 0:
            host.converge(FIRST)
        host.down(FIRST)
        host.assert_same(untouched)
        point += CHUNKS
    assert point > 40
    host.down(FIRST)
    host.assert_same(untouched)


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_a_killed_change_is_finished_by_up_or_removed_by_down(host: ProofHost, chunk: int) -> None:
    untouched = host.snapshot()
    host.up(FIRST)
    point = chunk + 1
    while killed(host, SECOND, point):
        if (point // CHUNKS) % 2 == 0:
            host.converge(SECOND)
        host.down(SECOND)
        host.assert_same(untouched)
        host.up(FIRST)
        point += CHUNKS
    assert point > 20
    host.down(SECOND)
    host.assert_same(untouched)


@pytest.mark.parametrize("chunk", range(CHUNKS))
@pytest.mark.parametrize("start", ["fresh", "running"])
def test_any_failing_operation_leaves_the_host_as_it_was(host: ProofHost, start: str, chunk: int) -> None:
    if start == "running":
        host.up(FIRST)
    before = host.snapshot()
    point = chunk + 1
    topology = SECOND if start == "running" else FIRST
    while True:
        done = host.cli("up", "-f", host.write(topology), fault={"mode": "fail", "at": point})
        if not done.hit:
            assert done.status == 0, done
            break
        if done.status == 0:
            # A folder that is there already, is not empty, or not there any more, is nothing to fail for.
            assert done.hit in ("rmdir", "unlink", "mkdir"), (point, done)
            host.down(topology)
            if start == "running":
                host.up(FIRST)
            before = host.snapshot()
        else:
            assert done.status == 4 and "everything was put back" in done.err, f"{point} {done}"
        # A segment without a parent gets another MAC address when it is made anew, which nobody ever sees.
        host.assert_same(before, ignore=("address",) if start == "running" else ())
        if start == "running":
            assert not host.plan(FIRST)["changes"]
        point += CHUNKS
    assert point > 20


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
