"""Quantities: what people write, what the kernel counts, and that there is one text for each number."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from netcompose.resources import units

TIMES = ("us", "ms", "s")
RATES = ("bit", "kbit", "mbit", "gbit", "tbit")
numbers = st.from_regex(r"[0-9]{1,6}(\.[0-9]{1,9})?", fullmatch=True)


@pytest.mark.parametrize(
    ("text", "value", "again"),
    [
        ("10ms", 10_000_000, "10ms"),
        ("1500us", 1_500_000, "1.5ms"),
        ("0.25s", 250_000_000, "250ms"),
        ("60s", 60 * 10**9, "60s"),
        ("0.0005us", 1, "0.001us"),
        ("0.5us", 500, "0.5us"),
        ("0ms", 0, "0us"),
    ],
)
def test_times(text: str, value: int, again: str) -> None:
    assert units.nanoseconds(text) == value
    assert units.time_text(value) == again


@pytest.mark.parametrize(
    ("text", "value", "again"),
    [
        ("0.1%", 4294967, "0.1%"),
        ("50%", 2147483648, "50%"),
        ("100%", 2**32 - 1, "100%"),
        ("100.00%", 2**32 - 1, "100%"),
        ("0%", 0, "0%"),
        ("33.333%", 1431641448, "33.333%"),
        ("0.00000003%", 1, "0.00000002%"),
    ],
)
def test_shares(text: str, value: int, again: str) -> None:
    assert units.share(text) == value
    assert units.share_text(value) == again


@pytest.mark.parametrize(
    ("text", "value", "again"),
    [
        ("100mbit", 12_500_000, "100mbit"),
        ("1000kbit", 125_000, "1mbit"),
        ("1.5gbit", 187_500_000, "1.5gbit"),
        ("8bit", 1, "8bit"),
        ("1234567bit", 154_321, "1.234568mbit"),  # the kernel counts whole bytes
        ("2tbit", 250_000_000_000, "2tbit"),
    ],
)
def test_rates(text: str, value: int, again: str) -> None:
    assert units.bytes_per_second(text) == value
    assert units.rate_text(value) == again


@pytest.mark.parametrize(
    ("text", "value", "again"), [("32kb", 32768, "32kb"), ("1.5kb", 1536, "1536b"), ("2048kb", 2 << 20, "2mb")]
)
def test_sizes(text: str, value: int, again: str) -> None:
    assert units.size(text) == value
    assert units.size_text(value) == again
    assert units.size_text(0) == "0b" and units.size("0b") == 0


@given(st.integers(0, 2**63 - 1))
def test_every_time_has_one_text(value: int) -> None:
    assert units.nanoseconds(units.time_text(value)) == value


@given(st.integers(0, 2**32 - 1))
@example(1)
@example(2**32 - 2)
def test_every_share_has_one_text(value: int) -> None:
    text = units.share_text(value)
    assert units.share(text) == value
    assert abs(Decimal(text[:-1]) / 100 * (2**32 - 1) - value) <= Decimal("0.5")


@given(st.integers(0, 2**64 - 1))
def test_every_rate_has_one_text(value: int) -> None:
    assert units.bytes_per_second(units.rate_text(value)) == value


@given(st.integers(0, 2**32 - 1))
def test_every_size_has_one_text(value: int) -> None:
    assert units.size(units.size_text(value)) == value


@given(numbers, st.sampled_from(TIMES))
def test_a_written_time_is_rounded_to_nanoseconds_once(number: str, unit: str) -> None:
    exact = Decimal(number) * {"us": 1000, "ms": 10**6, "s": 10**9}[unit]
    value = units.nanoseconds(number + unit)
    assert abs(value - exact) <= Decimal("0.5")
    assert units.time_text(units.nanoseconds(units.time_text(value))) == units.time_text(value)


@given(numbers, st.sampled_from(RATES))
def test_a_written_rate_is_rounded_to_bytes_once(number: str, unit: str) -> None:
    exact = Decimal(number) * 10 ** (3 * RATES.index(unit)) / 8
    assert abs(units.bytes_per_second(number + unit) - exact) <= Decimal("0.5")


@pytest.mark.parametrize("text", ["", "ms", "10", "10 ms", "-1ms", "1e3ms", "10%", "1.2.3ms", "٣ms"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match="is no number with one of the units"):
        units.nanoseconds(text)


@given(st.integers(1, 2**32 - 1), st.integers(125, 10**14 // 8))
def test_a_burst_is_kept_as_time_and_stays_the_same(burst: int, rate: int) -> None:
    """What the kernel gives back is what was sent, so that there is nothing to plan."""
    kept = units.burst_bytes(units.burst_ticks(burst, rate), rate)
    assert units.burst_bytes(units.burst_ticks(kept, rate), rate) == kept
    if units.burst_ticks(burst, rate) < 2**32 - 1:
        assert burst <= kept <= burst + rate * units.TICK / 10**9
    else:
        assert kept <= burst


def test_the_tick_is_this_kernels() -> None:
    with open("/proc/net/psched") as file:
        assert int(file.read().split()[1], 16) == units.TICK
