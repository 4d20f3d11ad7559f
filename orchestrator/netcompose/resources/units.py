"""Times, shares, rates and sizes: as text that people read, and as the whole numbers that the kernel counts in.

Every ``..._text`` is the inverse of its reader: of all texts for one number it gives the same one, so that two states
are equal exactly when the kernel's numbers are. Pure and exact; no floating point.

Units are those of tc(8): ``us``, ``ms``, ``s``; ``%``; ``bit``, ``kbit``, ``mbit``, ``gbit``, ``tbit`` a second, by
thousands; ``b``, ``kb``, ``mb`` of bytes, by 1024.
"""

from __future__ import annotations

from typing import Mapping

#: The kernel's share of all packets: 32 bits of a random number (struct tc_netem_qopt of linux/pkt_sched.h).
WHOLE = (1 << 32) - 1
#: A tick of the kernel's packet schedulers in nanoseconds: PSCHED_SHIFT is 6 since Linux 2.6.31, whatever the machine
#: is, and /proc/net/psched tells the tick in its second number.
TICK = 64

_MOST_TICKS = (1 << 32) - 1
_TIMES = {"s": 10**9, "ms": 10**6, "us": 10**3}
_RATES = {"tbit": 10**12, "gbit": 10**9, "mbit": 10**6, "kbit": 10**3, "bit": 1}
_SIZES = {"mb": 1 << 20, "kb": 1 << 10, "b": 1}
#: Decimals behind the point that tell any two shares apart: 100 % / 2^32 is 0.000000023 %.
_SHARE_DECIMALS = 9


def nanoseconds(text: str) -> int:
    """``10ms`` in nanoseconds, rounded."""
    return _rounded(*_read(text, _TIMES))


def time_text(nanoseconds: int) -> str:
    """In the largest unit that is not larger than the time: ``1.5ms``."""
    return _decimal(nanoseconds, _TIMES, "us")


def share(text: str) -> int:
    """``0.1%`` as a part of WHOLE, rounded."""
    numerator, denominator = _read(text, {"%": 1})
    return _rounded(numerator * WHOLE, denominator * 100)


def share_text(part: int) -> str:
    """The shortest percentage that the kernel cannot tell from this one: ``0.1%`` for 4294967."""
    text = ""
    for decimals in range(_SHARE_DECIMALS + 1):
        scale: int = 10**decimals
        text = _point(_rounded(part * 100 * scale, WHOLE), scale) + "%"
        if share(text) == part:
            break
    return text


def bytes_per_second(text: str) -> int:
    """``100mbit`` in bytes a second, rounded: 12500000."""
    numerator, denominator = _read(text, _RATES)
    return _rounded(numerator, denominator * 8)


def rate_text(bytes_per_second: int) -> str:
    """``100mbit`` for 12500000 bytes a second."""
    return _decimal(bytes_per_second * 8, _RATES, "bit")


def size(text: str) -> int:
    """``32kb`` in bytes, rounded."""
    return _rounded(*_read(text, _SIZES))


def size_text(size: int) -> str:
    """In the largest unit that divides it: ``32kb``, ``1514b``."""
    unit, factor = next(((u, f) for u, f in _SIZES.items() if size and not size % f), ("b", 1))
    return "{}{}".format(size // factor, unit)


def burst_ticks(burst: int, rate: int) -> int:
    """How long a burst (bytes) takes at a rate (bytes a second), in ticks, rounded up: so the kernel keeps it."""
    return min(-(-burst * 10**9 // (rate * TICK)), _MOST_TICKS)


def burst_bytes(ticks: int, rate: int) -> int:
    """The burst that takes so long at a rate. What it gives stays the same through :func:`burst_ticks` and back."""
    return ticks * TICK * rate // 10**9


def _read(text: str, units: Mapping[str, int]) -> tuple[int, int]:
    """A number with its unit as an exact fraction of the smallest unit; ``ValueError`` if it is none."""
    number = text.rstrip("%abcdefghijklmnopqrstuvwxyz")
    factor = units.get(text[len(number) :])
    whole, _, decimals = number.partition(".")
    digits = whole + decimals
    if factor is None or not (digits.isascii() and digits.isdigit()):
        raise ValueError("{!r} is no number with one of the units {}".format(text, ", ".join(units)))
    return int(digits) * factor, 10 ** len(decimals)


def _rounded(numerator: int, denominator: int) -> int:
    return (2 * numerator + denominator) // (2 * denominator)


def _decimal(value: int, units: Mapping[str, int], smallest: str) -> str:
    unit = next((unit for unit, factor in units.items() if value >= factor), smallest)
    return _point(value, units[unit]) + unit


def _point(value: int, scale: int) -> str:
    """``value / scale`` in decimals; ``scale`` is a power of ten."""
    whole, rest = divmod(value, scale)
    if not rest:
        return str(whole)
    return "{}.{}".format(whole, str(rest).zfill(len(str(scale)) - 1).rstrip("0"))
