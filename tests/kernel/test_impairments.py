"""S16 with impairments, on a kernel that has tbf at least: rates, both directions, live changes, drift. Oracles: tc,
iperf3, ip, the snapshot. What takes netem is tested in tests/vm."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from impaired import Written, by_hand, has_netem, port, rate, root
from support import EXAMPLES, Example, assert_same, cli, snapshot

from netcompose.transports.sandbox import Sandbox

TEXT = """\
networks: {lan: {subnets: [10.18.0.0/24]}}
containers:
  r1: {network_mode: none}
  r2: {network_mode: none}
  near: {networks: {lan: {ipv4_address: 10.18.0.10}}}
  far: {networks: {lan: {ipv4_address: 10.18.0.20, impairment: [{rate: 8mbit}, {rate: 24mbit}]}}}
links:
  - endpoints: ["r1:eth1", "r2:eth1"]
    addresses: [10.18.1.1/30, 10.18.1.2/30]
    impairment: {rate: 40mbit}
"""
CABLE, FAR = "local/link/r1.eth1-r2.eth1", "local/interface/far.eth0"
Bring = Callable[[], Example]


@pytest.fixture
def bring(host: Sandbox, tmp_path: Path) -> Iterator[Bring]:
    """The topology above, brought up; at the end it is taken down, and the host has to be as it was."""
    running: list[Example] = []

    def bring_up() -> Example:
        shown = Written(host, "slow", tmp_path, TEXT)
        running.append(shown)
        shown.up()
        return shown

    yield bring_up
    for shown in running:
        shown.down()


def paths(plan: list[dict]) -> dict[str, list[str]]:
    """``address -> the lines of its differences``."""
    return {item["address"]: sorted(d["path"] for d in item["differences"]) for item in plan}


def test_a_rate_alone_is_kept_by_tbf_in_each_direction(bring: Bring) -> None:
    slow = bring()
    for container in ("r1", "r2"):
        queue = root(slow, container, "eth1")
        assert (queue["kind"], queue["options"]["rate"]) == ("tbf", 40_000_000 // 8)
        assert queue["options"]["burst"] >= 1518
    assert root(slow, "far", "eth0")["options"]["rate"] == 8_000_000 // 8
    assert root(slow, "", port(slow, "far"))["options"]["rate"] == 24_000_000 // 8
    assert root(slow, "near", "eth0")["kind"] == root(slow, "", port(slow, "near"))["kind"] == "noqueue"
    for source, target, address, asked in (
        ("r1", "r2", "10.18.1.2", 40e6),
        ("r2", "r1", "10.18.1.1", 40e6),
        ("far", "near", "10.18.0.10", 8e6),
        ("near", "far", "10.18.0.20", 24e6),
    ):
        measured = rate(slow, source, target, address, asked)
        assert abs(measured - asked) < asked / 10, f"{source} -> {target}: {measured / 1e6:.1f} mbit"


def test_a_rate_changes_while_the_interface_stays(bring: Bring) -> None:
    slow = bring()
    slow.ping("r1", "10.18.1.2")
    queues = {container: root(slow, container, "eth1") for container in ("r1", "r2")}
    plan, touched = slow.change("{rate: 40mbit}", "{rate: 10mbit}")
    assert plan.actions == {CABLE: ["update"]}
    ends = {f"{end}.impairment.{name}" for end in ("end", "peer") for name in ("rate", "burst", "limit")}
    assert plan.paths(CABLE) == ends
    assert plan.disturbs == {("r1", "blip"), ("r2", "blip")}
    assert touched == set()
    for container, before in queues.items():
        now = root(slow, container, "eth1")
        assert now["options"]["rate"] == 10_000_000 // 8
        # It is the same queue: its handle is the same, and it has not started to count anew.
        assert now["handle"] == before["handle"] and now["packets"] >= before["packets"] > 0
    assert abs(rate(slow, "r1", "r2", "10.18.1.2", 10e6) - 10e6) < 1e6


def test_one_direction_changes_or_goes_and_the_other_stays(bring: Bring) -> None:
    slow = bring()
    outside = port(slow, "far")
    before = root(slow, "far", "eth0")
    plan, touched = slow.change("{rate: 24mbit}", "{rate: 6mbit, burst: 20kb, limit: 100}")
    assert plan.actions == {FAR: ["update"]} and touched == set()
    queue = root(slow, "", outside)["options"]
    # tc shows a burst rounded down, once more than the kernel does.
    assert queue["rate"] == 6_000_000 // 8 and 0 <= 20 * 1024 - queue["burst"] <= 1
    plan, touched = slow.change("[{rate: 8mbit}, {rate: 6mbit, burst: 20kb, limit: 100}]", "[{rate: 8mbit}, null]")
    assert plan.paths(FAR) == {"peer.impairment"} and touched == set()
    assert root(slow, "", outside)["kind"] == "noqueue"
    assert root(slow, "far", "eth0")["handle"] == before["handle"]


@pytest.mark.parametrize(
    ("container", "words", "address", "expected"),
    [
        ("r1", "change dev eth1 root tbf rate 5mbit burst 50000 limit 300000", CABLE, ["end.impairment.rate"]),
        ("r2", "del dev eth1 root", CABLE, ["peer.impairment." + n for n in ("burst", "limit", "qdisc", "rate")]),
        ("near", "add dev eth0 root tbf rate 5mbit burst 9kb limit 9000", "local/interface/near.eth0", None),
        ("far", "replace dev eth0 root htb", FAR, ["end.impairment." + n for n in ("burst", "limit", "qdisc", "rate")]),
    ],
    ids=("changed", "removed", "added", "another"),
)
def test_what_somebody_did_by_hand_is_shown_and_mended(
    bring: Bring, container: str, words: str, address: str, expected: list[str] | None
) -> None:
    slow = bring()
    interface = words.split()[2]
    before = root(slow, container, interface)
    by_hand(slow, container, words)
    found = paths(slow.plan())
    assert set(found) == {address}
    if expected is not None:
        assert set(expected) <= set(found[address])
    else:
        assert "impairment" in str(found[address])
        assert "end.impairment.rate: 5mbit -> (unset)" in cli(slow.host, "plan", file=slow.file).stdout
    slow.up()
    after = root(slow, container, interface)
    assert (after["kind"], after["options"]) == (before["kind"], before["options"])


def test_a_peak_rate_added_by_hand_goes(bring: Bring) -> None:
    slow = bring()
    by_hand(slow, "r1", "change dev eth1 root tbf rate 40mbit burst 50000 limit 300000 peakrate 80mbit mtu 2000")
    assert "end.impairment.extras: peakrate -> (unset)" in cli(slow.host, "plan", file=slow.file).stdout
    slow.up()
    assert "peakrate" not in root(slow, "r1", "eth1")["options"]


def test_a_failed_run_puts_the_rate_back(bring: Bring) -> None:
    slow = bring()
    before = root(slow, "r1", "eth1")["options"]
    slow.edit("{rate: 40mbit}", "{rate: 10mbit}")
    slow.edit("near: {", 'near: {exec: [["false"]], ')
    cli(slow.host, "up", file=slow.file, status=4)
    assert root(slow, "r1", "eth1")["options"] == before
    slow.edit('exec: [["false"]], ', "")
    slow.edit("{rate: 10mbit}", "{rate: 40mbit}")
    assert slow.plan() == []


def test_a_kernel_without_netem_is_told_before_any_change(host: Sandbox, tmp_path: Path) -> None:
    if has_netem(host):
        pytest.skip("this kernel has netem")
    before = snapshot(host)
    file = tmp_path / "topology.yaml"
    file.write_text("name: slow\n" + TEXT.replace("{rate: 40mbit}", "{rate: 40mbit, delay: 1ms}"))
    for command in ("plan", "up"):
        told = cli(host, command, file=file, status=3).stderr
        assert "topology.yaml:11:5: host 'local': the kernel has no sch_netem" in told
        assert "the impairment of link r1:eth1 <-> r2:eth1" in told
    assert_same(host, before)


def test_a_rehearsal_leaves_out_what_the_kernel_cannot_and_says_so(host: Sandbox) -> None:
    done = cli(host, "rehearse", file=EXAMPLES / "impairments" / "topology.yaml")
    assert "all as the topology promises" in done.stdout
    left_out = re.findall("left out: the impairment of link ([^;]*);", done.stderr)
    links = ["r1:eth1 <-> r2:eth1", "r2:eth2 <-> r3:eth1"]
    assert left_out == ([] if has_netem(host) else links)
