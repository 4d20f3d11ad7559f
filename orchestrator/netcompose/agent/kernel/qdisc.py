"""Queueing disciplines: netem and tbf at the root of an interface, as requests and as decoded dumps.

Numbers are the kernel's ABI (include/uapi/linux/pkt_sched.h, rtnetlink.h; tc-netem(8), tc-tbf(8)). Times are in
nanoseconds, shares are parts of 2^32 - 1, rates are in bytes a second.
"""

from __future__ import annotations

import struct
from typing import Callable, Mapping, NamedTuple, Union

from netcompose.agent.kernel.netlink import (
    NLM_F_CREATE,
    NLM_F_REPLACE,
    Message,
    Socket,
    attr,
    attr_text,
    attributes,
)
from netcompose.resources.units import TICK, burst_bytes, burst_ticks

RTM_NEWQDISC, RTM_DELQDISC, RTM_GETQDISC = 36, 37, 38
_TC_H_ROOT = 0xFFFFFFFF
_TCA_KIND, _TCA_OPTIONS = 1, 2

_TCA_NETEM_CORR, _TCA_NETEM_REORDER, _TCA_NETEM_CORRUPT, _TCA_NETEM_LOSS = 1, 3, 4, 5
_TCA_NETEM_RATE, _TCA_NETEM_ECN, _TCA_NETEM_RATE64 = 6, 7, 8
_TCA_NETEM_LATENCY64, _TCA_NETEM_JITTER64, _TCA_NETEM_SLOT = 10, 11, 12
_TCA_TBF_PARMS, _TCA_TBF_RATE64 = 1, 4

_TCMSG = struct.Struct("=BxxxiIII")
_NETEM_QOPT = struct.Struct("=6I")  # latency in ticks, limit, loss, gap, duplicate, jitter in ticks
_NETEM_CORR = struct.Struct("=3I")
_NETEM_PAIR = struct.Struct("=2I")
_NETEM_RATE = struct.Struct("=IiIi")
_S64, _U64 = struct.Struct("=q"), struct.Struct("=Q")
#: tc_tbf_qopt is two of tc_ratespec (cell_log, linklayer, overhead, cell_align, mpu, rate), of which the second is
#: that of the peak, then limit, buffer in ticks, mtu.
_RATESPEC = struct.Struct("=BBHhHI")
_TBF_REST = struct.Struct("=III")

_U32_MOST = 0xFFFFFFFF
#: With a link layer named, the kernel computes times itself and asks for no table of them (tbf_change).
_LINKLAYER_ETHERNET = 1


class Netem(NamedTuple):
    """The parameters of a netem; 0 is "nothing of it". ``limit`` counts packets. ``extras`` are the names of what
    else is set and not read here."""

    limit: int
    delay: int = 0
    jitter: int = 0
    delay_correlation: int = 0
    loss: int = 0
    loss_correlation: int = 0
    duplicate: int = 0
    duplicate_correlation: int = 0
    reorder: int = 0
    reorder_correlation: int = 0
    corrupt: int = 0
    corrupt_correlation: int = 0
    rate: int = 0
    extras: tuple[str, ...] = ()


class Tbf(NamedTuple):
    """The parameters of a token bucket filter: ``burst`` and ``limit`` are in bytes."""

    rate: int
    burst: int
    limit: int
    extras: tuple[str, ...] = ()


Qdisc = Union[Netem, Tbf]


# --- requests ---------------------------------------------------------------------------------------------------


def put(index: int, qdisc: Qdisc) -> Message:
    """Make it the root of an interface. One of the same kind that is there is changed and keeps its queue and its
    counters; another is replaced."""
    kind, options = ("netem", _netem(qdisc)) if isinstance(qdisc, Netem) else ("tbf", _tbf(qdisc))
    body = _root(index) + attr_text(_TCA_KIND, kind) + attr(_TCA_OPTIONS, options)
    return Message(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE, body)


def remove(index: int) -> Message:
    """Remove the root of an interface, which gets the kernel's default in its place."""
    return Message(RTM_DELQDISC, 0, _root(index))


def _root(index: int) -> bytes:
    return _TCMSG.pack(0, index, 0, _TC_H_ROOT, 0)


def _netem(netem: Netem) -> bytes:
    """Everything is named, also what is 0: a change keeps what the message lacks (netem_change)."""
    delay, jitter = (min(time // TICK, _U32_MOST) for time in (netem.delay, netem.jitter))
    # A gap of 1 lets every packet overtake with the share of TCA_NETEM_REORDER; 0 is without reordering.
    gap = 1 if netem.reorder else 0
    correlations = _NETEM_CORR.pack(netem.delay_correlation, netem.loss_correlation, netem.duplicate_correlation)
    return (
        _NETEM_QOPT.pack(delay, netem.limit, netem.loss, gap, netem.duplicate, jitter)
        + attr(_TCA_NETEM_CORR, correlations)
        + attr(_TCA_NETEM_REORDER, _NETEM_PAIR.pack(netem.reorder, netem.reorder_correlation))
        + attr(_TCA_NETEM_CORRUPT, _NETEM_PAIR.pack(netem.corrupt, netem.corrupt_correlation))
        + attr(_TCA_NETEM_RATE, _NETEM_RATE.pack(min(netem.rate, _U32_MOST), 0, 0, 0))
        + (attr(_TCA_NETEM_RATE64, _U64.pack(netem.rate)) if netem.rate > _U32_MOST else b"")
        + attr(_TCA_NETEM_LATENCY64, _S64.pack(netem.delay))
        + attr(_TCA_NETEM_JITTER64, _S64.pack(netem.jitter))
    )


def _tbf(tbf: Tbf) -> bytes:
    rate = _RATESPEC.pack(0, _LINKLAYER_ETHERNET, 0, 0, 0, min(tbf.rate, _U32_MOST))
    rest = _TBF_REST.pack(tbf.limit, burst_ticks(tbf.burst, tbf.rate), 0)
    return attr(_TCA_TBF_PARMS, rate + bytes(_RATESPEC.size) + rest) + (
        attr(_TCA_TBF_RATE64, _U64.pack(tbf.rate)) if tbf.rate > _U32_MOST else b""
    )


# --- dumps ------------------------------------------------------------------------------------------------------


def roots(socket: Socket) -> dict[int, Qdisc]:
    """Every netem and tbf at the root of an interface of the socket's namespace, by interface index."""
    found: dict[int, Qdisc] = {}
    handles: set[tuple[int, int]] = set()
    children: list[tuple[int, int, str]] = []
    for data in socket.dump(RTM_GETQDISC, _TCMSG.pack(0, 0, 0, 0, 0)):
        _, index, handle, parent, _ = _TCMSG.unpack_from(data, 0)
        parts = dict(attributes(data, _TCMSG.size))
        kind = parts.get(_TCA_KIND, b"").rstrip(b"\0").decode(errors="replace")
        if parent != _TC_H_ROOT:
            children.append((index, parent & 0xFFFF0000, kind))
        elif kind in _DECODERS:
            found[index] = _DECODERS[kind](parts.get(_TCA_OPTIONS, b""))
            handles.add((index, handle))
    for index, major, kind in children:
        if (index, major) in handles:
            qdisc = found[index]
            found[index] = qdisc._replace(extras=(*qdisc.extras, "child " + kind))
    return found


def _decode_netem(data: bytes) -> Netem:
    delay, limit, loss, gap, duplicate, jitter = _NETEM_QOPT.unpack_from(data, 0)
    parts = dict(attributes(data, _NETEM_QOPT.size))
    correlations = _NETEM_CORR.unpack_from(parts.get(_TCA_NETEM_CORR, bytes(_NETEM_CORR.size)))
    reorder, reorder_correlation = _NETEM_PAIR.unpack_from(parts.get(_TCA_NETEM_REORDER, bytes(_NETEM_PAIR.size)))
    corrupt, corrupt_correlation = _NETEM_PAIR.unpack_from(parts.get(_TCA_NETEM_CORRUPT, bytes(_NETEM_PAIR.size)))
    rate, *overhead = _NETEM_RATE.unpack_from(parts.get(_TCA_NETEM_RATE, bytes(_NETEM_RATE.size)))
    if not gap:  # then nothing overtakes, whatever the share is
        reorder = reorder_correlation = 0
    extras = {
        "gap {}".format(gap): gap > 1,
        "loss model": _TCA_NETEM_LOSS in parts,
        "rate overhead": any(overhead),
        "ecn": any(parts.get(_TCA_NETEM_ECN, b"")),
        "slot": any(parts.get(_TCA_NETEM_SLOT, b"")),
    }
    return Netem(
        limit=limit,
        delay=_long(parts, _TCA_NETEM_LATENCY64, _S64, delay * TICK),
        jitter=_long(parts, _TCA_NETEM_JITTER64, _S64, jitter * TICK),
        delay_correlation=correlations[0],
        loss=loss,
        loss_correlation=correlations[1],
        duplicate=duplicate,
        duplicate_correlation=correlations[2],
        reorder=reorder,
        reorder_correlation=reorder_correlation,
        corrupt=corrupt,
        corrupt_correlation=corrupt_correlation,
        rate=_long(parts, _TCA_NETEM_RATE64, _U64, rate),
        extras=tuple(name for name, is_set in extras.items() if is_set),
    )


def _decode_tbf(data: bytes) -> Tbf:
    parts = dict(attributes(data, 0))
    parameters = parts[_TCA_TBF_PARMS]
    _, _, overhead, _, _, short_rate = _RATESPEC.unpack_from(parameters, 0)
    peak = _RATESPEC.unpack_from(parameters, _RATESPEC.size)[5]
    limit, ticks, _ = _TBF_REST.unpack_from(parameters, 2 * _RATESPEC.size)
    rate = _long(parts, _TCA_TBF_RATE64, _U64, short_rate)
    extras = {"overhead": overhead > 0, "peakrate": peak > 0}
    return Tbf(rate, burst_bytes(ticks, rate), limit, tuple(name for name, is_set in extras.items() if is_set))


def _long(parts: Mapping[int, bytes], attribute: int, layout: struct.Struct, short: int) -> int:
    """The 64-bit form of a number where the kernel gives it, else the one that fits into 32 bits."""
    value: int = layout.unpack(parts[attribute])[0] if attribute in parts else short
    return value


_DECODERS: Mapping[str, Callable[[bytes], Qdisc]] = {"netem": _decode_netem, "tbf": _decode_tbf}
