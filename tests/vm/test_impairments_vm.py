"""S16 with impairments on a kernel that has netem: what is asked for is measured, and changes while links stay.

Oracles: ping's times and counts, iperf3's rate, tc's words, ip's counters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from impaired import Written, by_hand, has_netem, rate, root, round_trip
from support import EXAMPLES, Example, Inventory, cli, inventory, touched
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


def up(shown: Example) -> None:
    """That nothing is left to plan is what `up` itself looks for; a machine that is emulated does it once only."""
    cli(shown.host, "up", file=shown.file)


def options(shown: Example, container: str = "r1") -> dict:
    queue = root(shown, container, "eth1")
    assert queue["kind"] == "netem"
    return queue["options"]


def test_s16_delay_and_rate_are_as_asked(example: Callable[[str], Example]) -> None:
    bad = example("impairments")
    # Both ends hold back what they send.
    assert abs(round_trip(bad, "r1", "10.18.1.2", 50) - 50) < 50 * 0.15
    for source, target, address in (("r1", "r2", "10.18.1.2"), ("r2", "r1", "10.18.1.1")):
        measured = rate(bad, source, target, address, 10e6)
        assert abs(measured - 10e6) < 1e6, f"{source} -> {target}: {measured / 1e6:.1f} mbit"
    # The other link has 50 ms in one direction alone, give or take 5.
    assert abs(round_trip(bad, "r2", "10.18.2.2", 50, 60) - 50) < 50 * 0.15
    for source, target, address, asked in (
        ("customer", "server", "10.18.0.10", 1e6),
        ("server", "customer", "10.18.0.20", 8e6),
    ):
        measured = rate(bad, source, target, address, asked)
        assert abs(measured - asked) < asked / 10, f"{source} -> {target}: {measured / 1e6:.2f} mbit"
    r2, r3 = options_of(bad, "r2", "eth2"), options_of(bad, "r3", "eth1")
    assert r2["delay"] == {"delay": 0.05, "jitter": 0.005, "correlation": pytest.approx(0.25)}
    assert r2["loss-random"] == {"loss": pytest.approx(0.005), "correlation": 0}
    assert r3["loss-random"] == {"loss": pytest.approx(0.01), "correlation": pytest.approx(0.25)}
    assert r3["duplicate"] == {"duplicate": pytest.approx(0.001), "correlation": 0}
    assert r3["corrupt"] == {"corrupt": pytest.approx(0.0001), "correlation": 0}
    assert "delay" not in r3


def options_of(shown: Example, container: str, interface: str) -> dict:
    return root(shown, container, interface)["options"]


#: Parameters one after the other, and what tc says of the interface then: (share, correlation) of what has both.
STEPS: list[tuple[str, dict]] = [
    (
        "delay: 2ms, jitter: 500us, delay_correlation: 50%, loss: 1%, loss_correlation: 25%, duplicate: 2%, "
        "duplicate_correlation: 5%, reorder: 10%, reorder_correlation: 30%, corrupt: 3%, corrupt_correlation: 7%, "
        "rate: 40gbit, limit: 77",
        {
            "delay": {"delay": 0.002, "jitter": 0.0005, "correlation": 0.5},
            "loss-random": {"loss": 0.01, "correlation": 0.25},
            "duplicate": {"duplicate": 0.02, "correlation": 0.05},
            "reorder": {"reorder": 0.1, "correlation": 0.3},
            "corrupt": {"corrupt": 0.03, "correlation": 0.07},
            "rate": 40 * 10**9 // 8,
            "limit": 77,
        },
    ),
    (
        "delay: 3ms, jitter: 1ms, delay_correlation: 10%, loss: 2%, duplicate: 4%, reorder: 5%, corrupt: 1%, "
        "rate: 10gbit, limit: 99",
        {
            "delay": {"delay": 0.003, "jitter": 0.001, "correlation": 0.1},
            "loss-random": {"loss": 0.02, "correlation": 0},
            "duplicate": {"duplicate": 0.04, "correlation": 0},
            "reorder": {"reorder": 0.05, "correlation": 0},
            "corrupt": {"corrupt": 0.01, "correlation": 0},
            "rate": 10 * 10**9 // 8,
            "limit": 99,
        },
    ),
    ("delay: 3ms", {"delay": {"delay": 0.003, "jitter": 0, "correlation": 0}, "limit": 10_000}),
]


def test_every_parameter_changes_while_the_link_stays(bring: Bring) -> None:
    """A change asks for what differs alone; the queue stays the same, interfaces and counters are left alone."""
    parameters = "delay: 1ms, limit: 1234"
    bad = bring(parameters)
    before = root(bad, "r1", "eth1")
    bad.settle()
    links = inventory(bad.host, "bad")
    for wanted, expected in STEPS:
        again(bad, wanted)
        (change,) = bad.plan()
        assert (change["address"], change["actions"]) == (LINK, ["update"])
        old, new = (dict(part.split(": ") for part in text.split(", ")) for text in (parameters, wanted))
        asked = {key for key in {*old, *new} if old.get(key) != new.get(key)}
        assert {item["path"] for item in change["differences"]} == {f"end.impairment.{key}" for key in asked}
        parameters = wanted
        up(bad)
        now = root(bad, "r1", "eth1")
        assert (now["kind"], now["handle"]) == ("netem", before["handle"]) and now["packets"] >= before["packets"]
        told = now["options"]
        for key in ("delay", "loss-random", "duplicate", "reorder", "corrupt"):
            assert (key in told) == (key in expected), (wanted, told)
            for name, value in expected.get(key, {}).items():
                # tc shows times and shares cut off.
                assert told[key][name] == pytest.approx(value, rel=0.005), (wanted, key, name)
        assert told["limit"] == expected["limit"]
        assert told.get("rate", {}).get("rate", 0) == expected.get("rate", 0)
    assert changed(links, inventory(bad.host, "bad")) == set()


def changed(before: Inventory, after: Inventory) -> set[str]:
    """What is not as it was; the kernel's own threads come and go."""
    return {name for name in touched(before, after) if not name.startswith("process ")}


def test_packets_are_lost_doubled_and_overtake(bring: Bring) -> None:
    bad = bring("loss: 30%")
    ping = ["ping", "-n", "-q", "-i", "0.002", "-W", "1", "-c", "500", "10.18.1.2"]
    lost = 100 - int(_summary(bad, ping)["received"]) / 5
    assert 20 < lost < 40
    again(bad, "duplicate: 50%")
    up(bad)
    doubled = int(_summary(bad, ping)["duplicates"])
    assert 170 < doubled < 330
    again(bad, "delay: 20ms, reorder: 40%")
    up(bad)
    # Those that overtake are not delayed.
    told = bad.inside("r1", "ping", "-n", "-i", "0.05", "-c", "100", "10.18.1.2")
    times = [float(line.split("time=")[1].split()[0]) for line in told.splitlines() if "time=" in line]
    fast = sum(time < 10 for time in times)
    assert len(times) == 100 and 20 < fast < 60
    again(bad, "corrupt: 100%")
    up(bad)
    # One bit of the 98 bytes: where the sender's hardware address is, nobody minds.
    assert int(_summary(bad, ping)["received"]) < 150


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
        ("change dev eth1 root netem delay 9ms limit 10000 slot 1ms 2ms", "end.impairment.extras: slot -> (unset)"),
        ("replace dev eth1 root tbf rate 5mbit burst 9kb limit 9000", "end.impairment.qdisc: tbf -> netem"),
        ("del dev eth1 root", "end.impairment.delay: (unset) -> 5ms"),
    ):
        by_hand(bad, "r1", words)
        assert line in cli(bad.host, "plan", file=bad.file).stdout, words
        up(bad)
        assert options(bad) == wanted, words
    # A queue below ours, which a change of parameters would leave there; one on an end that nothing is asked of.
    handle = root(bad, "r1", "eth1")["handle"]
    by_hand(bad, "r1", f"add dev eth1 parent {handle}1 tbf rate 5mbit burst 9kb limit 9000")
    by_hand(bad, "r2", "add dev eth1 root netem loss 5%")
    told = cli(bad.host, "plan", file=bad.file).stdout
    assert "end.impairment.extras: child tbf -> (unset)" in told
    assert "peer.impairment.loss: 5% -> (unset)" in told
    up(bad)
    assert options(bad) == wanted
    assert root(bad, "r2", "eth1")["kind"] == "noqueue"


def test_a_rate_alone_becomes_a_delay_and_back(bring: Bring) -> None:
    bad = bring("rate: 6mbit")
    assert root(bad, "r1", "eth1")["kind"] == "tbf"
    bad.settle()
    links = inventory(bad.host, "bad")
    again(bad, "rate: 6mbit, delay: 40ms")
    up(bad)
    assert options(bad)["rate"]["rate"] == 6_000_000 // 8
    assert abs(round_trip(bad, "r1", "10.18.1.2", 40) - 40) < 6
    assert abs(rate(bad, "r1", "r2", "10.18.1.2", 6e6) - 6e6) < 6e5
    again(bad, "rate: 6mbit")
    up(bad)
    assert root(bad, "r1", "eth1")["kind"] == "tbf"
    assert abs(rate(bad, "r1", "r2", "10.18.1.2", 6e6) - 6e6) < 6e5
    assert changed(links, inventory(bad.host, "bad")) == set()


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
