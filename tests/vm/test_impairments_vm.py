"""S16 with impairments on a kernel that has netem: what is asked for is measured, and changes while links stay.

Oracles: ping's times and counts, iperf3's rate, tc's words, ip's counters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from impaired import Written, by_hand, has_netem, rate, root, round_trip
from support import EXAMPLES, Example, cli, inventory, touched
from virtual.machine import Machine

LINK = "local/link/r1.eth1-r2.eth1"
TEXT = """\
containers:
  r1: {network_mode: none}
  r2: {network_mode: none}
links:
  - endpoints: ["r1:eth1", "r2:eth1"]
    addresses: [10.18.1.1/30, 10.18.1.2/30]
    impairment: [{PARAMETERS}, null]
"""
Bring = Callable[[str], Example]


@pytest.fixture
def bring(host: Machine, tmp_path: Path) -> Iterator[Bring]:
    """A cable with the parameters given for what r1 sends; at the end the host has to be as it was."""
    assert has_netem(host)
    running: list[Example] = []

    def bring_up(parameters: str) -> Example:
        shown = Written(host, "bad", tmp_path, TEXT.replace("PARAMETERS", parameters))
        running.append(shown)
        shown.up()
        return shown

    yield bring_up
    for shown in running:
        shown.down()


def again(shown: Example, parameters: str) -> None:
    """Other parameters in the file."""
    shown.file.write_text("name: bad\n" + TEXT.replace("PARAMETERS", parameters))


def options(shown: Example, container: str = "r1") -> dict:
    queue = root(shown, container, "eth1")
    assert queue["kind"] == "netem"
    return queue["options"]


def test_s16_delay_and_rate_are_as_asked(example: Callable[[str], Example]) -> None:
    bad = example("impairments")
    # Both ends hold back what they send.
    assert abs(round_trip(bad, "r1", "10.18.1.2") - 20) < 20 * 0.15
    for source, target, address in (("r1", "r2", "10.18.1.2"), ("r2", "r1", "10.18.1.1")):
        measured = rate(bad, source, target, address, 5)
        assert abs(measured - 50e6) < 5e6, f"{source} -> {target}: {measured / 1e6:.1f} mbit"
    # The other link has 30 ms in one direction alone, give or take 5.
    assert abs(round_trip(bad, "r2", "10.18.2.2", 60) - 30) < 30 * 0.15
    for source, target, address, asked in (
        ("customer", "server", "10.18.0.10", 2e6),
        ("server", "customer", "10.18.0.20", 20e6),
    ):
        measured = rate(bad, source, target, address, 5)
        assert abs(measured - asked) < asked / 10, f"{source} -> {target}: {measured / 1e6:.2f} mbit"
    r2, r3 = options_of(bad, "r2", "eth2"), options_of(bad, "r3", "eth1")
    assert r2["delay"] == {"delay": 0.03, "jitter": 0.005, "correlation": pytest.approx(0.25)}
    assert r2["loss-random"] == {"loss": pytest.approx(0.005), "correlation": 0}
    assert r3["loss-random"] == {"loss": pytest.approx(0.01), "correlation": pytest.approx(0.25)}
    assert r3["duplicate"] == {"duplicate": pytest.approx(0.001), "correlation": 0}
    assert r3["corrupt"] == {"corrupt": pytest.approx(0.0001), "correlation": 0}
    assert "delay" not in r3


def options_of(shown: Example, container: str, interface: str) -> dict:
    return root(shown, container, interface)["options"]


#: Parameters one after the other: the attribute that differs from the line before, and what tc says of it then.
STEPS: list[tuple[str, set[str], dict]] = [
    ("delay: 2ms", {"delay"}, {"delay": {"delay": 0.002, "jitter": 0, "correlation": 0}}),
    ("delay: 2ms, jitter: 500us", {"jitter"}, {"delay": {"delay": 0.002, "jitter": 0.0005, "correlation": 0}}),
    (
        "delay: 2ms, jitter: 500us, delay_correlation: 50%",
        {"delay_correlation"},
        {"delay": {"delay": 0.002, "jitter": 0.0005, "correlation": pytest.approx(0.5)}},
    ),
    ("delay: 2ms, reorder: 10%", {"jitter", "delay_correlation", "reorder"}, {"reorder": (0.1, 0)}),
    (
        "delay: 2ms, reorder: 10%, reorder_correlation: 25%",
        {"reorder_correlation"},
        {"reorder": (0.1, 0.25)},
    ),
    ("delay: 2ms, loss: 1%", {"reorder", "reorder_correlation", "loss"}, {"loss-random": (0.01, 0)}),
    ("delay: 2ms, loss: 1%, loss_correlation: 25%", {"loss_correlation"}, {"loss-random": (0.01, 0.25)}),
    ("delay: 2ms, duplicate: 2%", {"loss", "loss_correlation", "duplicate"}, {"duplicate": (0.02, 0)}),
    ("delay: 2ms, duplicate: 2%, duplicate_correlation: 5%", {"duplicate_correlation"}, {"duplicate": (0.02, 0.05)}),
    ("delay: 2ms, corrupt: 3%", {"duplicate", "duplicate_correlation", "corrupt"}, {"corrupt": (0.03, 0)}),
    ("delay: 2ms, corrupt: 3%, corrupt_correlation: 7%", {"corrupt_correlation"}, {"corrupt": (0.03, 0.07)}),
    ("delay: 2ms, limit: 77", {"corrupt", "corrupt_correlation", "limit"}, {}),
    ("delay: 2ms, limit: 77, rate: 40gbit", {"rate"}, {}),
    ("delay: 2ms, limit: 77", {"rate"}, {}),
]


def test_each_parameter_changes_while_the_link_stays(bring: Bring) -> None:
    """A change asks for that attribute alone; the queue stays the same, interfaces and counters are left alone."""
    bad = bring("delay: 1ms, loss: 0.5%, duplicate: 1%, limit: 1234")
    before = root(bad, "r1", "eth1")
    bad.settle()
    links = inventory(bad.host, "bad")
    asked = {"loss", "duplicate", "limit"}  # what the first step leaves out
    for parameters, changed, expected in STEPS:
        again(bad, parameters)
        (change,) = bad.plan()
        assert change["address"] == LINK
        assert change["actions"] == ["update"]
        found = {item["path"] for item in change["differences"]}
        assert found == {f"end.impairment.{name}" for name in changed | asked}, parameters
        asked = set()
        bad.up()
        now = root(bad, "r1", "eth1")
        assert (now["kind"], now["handle"]) == ("netem", before["handle"]) and now["packets"] >= before["packets"]
        for key, value in expected.items():
            told = now["options"][key]
            if isinstance(value, tuple):
                share = told[key.partition("-")[0]]
                assert (share, told["correlation"]) == (pytest.approx(value[0]), pytest.approx(value[1])), parameters
            else:
                assert told == value, parameters
        # What is no longer asked for is gone.
        words = {key.partition("_")[0] for key in parameters.replace(":", " ").split()}
        for key in ("reorder", "loss-random", "duplicate", "corrupt", "rate"):
            assert (key in now["options"]) == (key.partition("-")[0] in words), (parameters, now["options"])
        if "limit" in words:
            assert now["options"]["limit"] == 77
        if "rate" in words:
            assert now["options"]["rate"]["rate"] == 40 * 10**9 // 8
    assert touched(links, inventory(bad.host, "bad")) == set()


def test_packets_are_lost_doubled_and_overtake(bring: Bring) -> None:
    bad = bring("loss: 30%")
    ping = ["ping", "-n", "-q", "-i", "0.002", "-W", "1", "-c", "500", "10.18.1.2"]
    lost = 100 - int(_summary(bad, ping)["received"]) / 5
    assert 20 < lost < 40
    again(bad, "duplicate: 50%")
    bad.up()
    doubled = int(_summary(bad, ping)["duplicates"])
    assert 170 < doubled < 330
    again(bad, "delay: 20ms, reorder: 40%")
    bad.up()
    # Those that overtake are not delayed.
    told = bad.inside("r1", "ping", "-n", "-i", "0.05", "-c", "100", "10.18.1.2")
    times = [float(line.split("time=")[1].split()[0]) for line in told.splitlines() if "time=" in line]
    fast = sum(time < 10 for time in times)
    assert len(times) == 100 and 20 < fast < 60
    again(bad, "corrupt: 100%")
    bad.up()
    bad.ping("r1", "10.18.1.2", reaches=False)


def _summary(shown: Example, ping: list[str]) -> dict[str, str]:
    """``500 packets transmitted, 352 received, +3 duplicates, ...`` by word."""
    argv = ["ip", "netns", "exec", f"{shown.name}-r1", *ping]
    told = shown.host.run(argv, timeout=50).stdout
    (line,) = (line for line in told.splitlines() if "transmitted" in line)
    return {part.split()[-1]: part.split()[0].lstrip("+") for part in line.split(",")}


def test_what_somebody_did_by_hand_is_shown_and_mended(bring: Bring) -> None:
    bad = bring("delay: 5ms")
    wanted = options(bad)
    for words, line in (
        ("change dev eth1 root netem delay 9ms limit 10000", "end.impairment.delay: 9ms -> 5ms"),
        ("change dev eth1 root netem delay 5ms limit 10000 slot 1ms 2ms", "end.impairment.extras: slot -> (unset)"),
        ("change dev eth1 root netem delay 5ms limit 10000 loss gemodel 1% 10%", "extras: loss model -> (unset)"),
        ("replace dev eth1 root tbf rate 5mbit burst 9kb limit 9000", "end.impairment.qdisc: tbf -> netem"),
        ("del dev eth1 root", "end.impairment.delay: (unset) -> 5ms"),
    ):
        by_hand(bad, "r1", *words.split())
        assert line in cli(bad.host, "plan", file=bad.file).stdout, words
        bad.up()
        assert options(bad) == wanted, words
    # A queue below ours, which a change of parameters would leave there.
    handle = root(bad, "r1", "eth1")["handle"]
    by_hand(bad, "r1", *f"add dev eth1 parent {handle}1 tbf rate 5mbit burst 9kb limit 9000".split())
    assert "end.impairment.extras: child tbf -> (unset)" in cli(bad.host, "plan", file=bad.file).stdout
    bad.up()
    # On an end that nothing is asked of.
    by_hand(bad, "r2", *"add dev eth1 root netem loss 5%".split())
    assert "peer.impairment.loss: 5% -> (unset)" in cli(bad.host, "plan", file=bad.file).stdout
    bad.up()
    assert root(bad, "r2", "eth1")["kind"] == "noqueue"


def test_a_rate_alone_becomes_a_delay_and_back(bring: Bring) -> None:
    bad = bring("rate: 30mbit")
    assert root(bad, "r1", "eth1")["kind"] == "tbf"
    bad.settle()
    links = inventory(bad.host, "bad")
    again(bad, "rate: 30mbit, delay: 40ms")
    bad.up()
    assert options(bad)["rate"]["rate"] == 30_000_000 // 8
    assert abs(round_trip(bad, "r1", "10.18.1.2") - 40) < 6
    assert abs(rate(bad, "r1", "r2", "10.18.1.2", 5) - 30e6) < 3e6
    again(bad, "rate: 30mbit")
    bad.up()
    assert root(bad, "r1", "eth1")["kind"] == "tbf"
    assert abs(rate(bad, "r1", "r2", "10.18.1.2", 5) - 30e6) < 3e6
    assert touched(links, inventory(bad.host, "bad")) == set()


def test_a_rehearsal_measures_with_the_impairments(host: Machine, tmp_path: Path) -> None:
    done = cli(host, "rehearse", file=_copied(tmp_path, "impairments"), timeout=200)
    assert "all as the topology promises" in done.stdout and "left out" not in done.stderr


def test_a_cut_link_is_promised_to_be_no_way(host: Machine, tmp_path: Path) -> None:
    file = tmp_path / "topology.yaml"
    file.write_text("name: bad\n" + TEXT.replace("PARAMETERS", "loss: 100%"))
    assert "all as the topology promises" in cli(host, "rehearse", file=file, timeout=200).stdout


def _copied(folder: Path, name: str) -> Path:
    file = folder / "topology.yaml"
    file.write_text((EXAMPLES / name / "topology.yaml").read_text())
    return file
