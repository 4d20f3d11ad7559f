"""Queueing disciplines on the wire: what the agent writes, read by pyroute2; what pyroute2 writes, read by the agent."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroute2.netlink.rtnl.tcmsg import sched_netem, sched_tbf, tcmsg

from netcompose.agent.kernel import netlink, qdisc
from netcompose.agent.kernel.qdisc import Netem, Tbf
from netcompose.resources import units

HEADER = struct.Struct("=IHHII")
ROOT = 0xFFFFFFFF
u32 = st.integers(0, 2**32 - 1)
indexes = st.integers(1, 2**31 - 1)
times = st.integers(0, 3_600 * 10**9)
jitters = st.integers(0, 2**31 - 1)
rates = st.integers(125, 10**14 // 8)

_OTHERS = {"limit": st.integers(1, 2**32 - 1), "delay": times, "jitter": jitters, "rate": st.just(0) | rates}
_SHARES = set(Netem._fields) - {*_OTHERS, "extras"}
#: Without a share that overtakes, its correlation says nothing.
netems = st.fixed_dictionaries({**_OTHERS, **dict.fromkeys(sorted(_SHARES), u32)}).map(
    lambda values: Netem(**{**values, **({} if values["reorder"] else {"reorder_correlation": 0})})
)


def tbf(rate: int, seconds: float) -> Tbf:
    """With a burst of so many seconds, as the compiler rounds it."""
    burst = units.burst_bytes(units.burst_ticks(max(1, int(rate * seconds)), rate), rate)
    return Tbf(rate, burst, 100_000)


tbfs = st.builds(tbf, rate=rates, seconds=st.floats(0.0001, 200))


class _Netem(sched_netem.options):
    """With the attributes that pyroute2 does not know (linux/pkt_sched.h)."""

    nla_map = (
        *sched_netem.options.nla_map,
        ("TCA_NETEM_ECN", "uint32"),
        ("TCA_NETEM_RATE64", "uint64"),
        ("TCA_NETEM_PAD", "none"),
        ("TCA_NETEM_LATENCY64", "int64"),
        ("TCA_NETEM_JITTER64", "int64"),
        ("TCA_NETEM_SLOT", "cdata"),
        ("TCA_NETEM_SLOT_DIST", "none"),
        ("TCA_NETEM_PRNG_SEED", "uint64"),
    )


class _Tbf(sched_tbf.options):
    nla_map = (*sched_tbf.options.nla_map, ("TCA_TBF_RATE64", "uint64"))


class _Message(tcmsg):
    @staticmethod
    def get_options(message: Any, *_: Any, **__: Any) -> Any:
        return {"netem": _Netem, "tbf": _Tbf}[message.get_attr("TCA_KIND")]


def read(message: netlink.Message) -> Any:
    """The message as pyroute2 understands it: nothing unknown, nothing cut off."""
    data = HEADER.pack(16 + len(message.body), message.type, message.flags | netlink.NLM_F_REQUEST, 1, 0) + message.body
    decoded = _Message(data)
    decoded.decode()
    assert decoded["header"]["length"] == len(data) and len(data) % 4 == 0
    assert "UNKNOWN" not in str(decoded), decoded
    return decoded


@given(indexes, netems)
def test_a_netem_is_written(index: int, netem: Netem) -> None:
    decoded = read(qdisc.put(index, netem))
    assert (decoded["header"]["type"], decoded["index"], decoded["parent"], decoded["handle"]) == (36, index, ROOT, 0)
    assert decoded["header"]["flags"] == netlink.NLM_F_REQUEST | netlink.NLM_F_CREATE | netlink.NLM_F_REPLACE
    assert decoded.get_attr("TCA_KIND") == "netem"
    options = decoded.get_attr("TCA_OPTIONS")
    assert {key: options[key] for key in ("limit", "loss", "duplicate", "gap")} == {
        "limit": netem.limit,
        "loss": netem.loss,
        "duplicate": netem.duplicate,
        "gap": int(netem.reorder > 0),
    }
    assert options["delay"] == min(netem.delay // 64, 2**32 - 1) and options["jitter"] == netem.jitter // 64
    assert options.get_attr("TCA_NETEM_LATENCY64") == netem.delay
    assert options.get_attr("TCA_NETEM_JITTER64") == netem.jitter
    correlations = options.get_attr("TCA_NETEM_CORR")
    assert [correlations[key] for key in ("delay_corr", "loss_corr", "dup_corr")] == [
        netem.delay_correlation,
        netem.loss_correlation,
        netem.duplicate_correlation,
    ]
    reorder, corrupt = options.get_attr("TCA_NETEM_REORDER"), options.get_attr("TCA_NETEM_CORRUPT")
    assert (reorder["prob_reorder"], reorder["corr_reorder"]) == (netem.reorder, netem.reorder_correlation)
    assert (corrupt["prob_corrupt"], corrupt["corr_corrupt"]) == (netem.corrupt, netem.corrupt_correlation)
    # Said also when it is 0: the kernel keeps what a change does not name.
    rate = options.get_attr("TCA_NETEM_RATE")
    assert rate["rate"] == min(netem.rate, 2**32 - 1)
    assert rate["packet_overhead"] == rate["cell_size"] == rate["cell_overhead"] == 0
    assert options.get_attr("TCA_NETEM_RATE64") == (netem.rate if netem.rate >= 2**32 else None)


@given(indexes, tbfs)
def test_a_tbf_is_written(index: int, bucket: Tbf) -> None:
    decoded = read(qdisc.put(index, bucket))
    assert (decoded["header"]["type"], decoded["index"], decoded["parent"]) == (36, index, ROOT)
    assert decoded.get_attr("TCA_KIND") == "tbf"
    options = decoded.get_attr("TCA_OPTIONS")
    parameters = options.get_attr("TCA_TBF_PARMS")
    assert parameters["rate"] == min(bucket.rate, 2**32 - 1)
    assert parameters["rate___reserved"] == 1  # the link layer: Ethernet, so that the kernel asks for no table
    assert (parameters["limit"], parameters["peak"], parameters["mtu"]) == (bucket.limit, 0, 0)
    # The kernel's unit of time is 64 ns.
    assert abs(parameters["buffer"] * 64e-9 * bucket.rate - bucket.burst) <= max(1, bucket.rate * 64e-9)
    assert options.get_attr("TCA_TBF_RATE64") == (bucket.rate if bucket.rate >= 2**32 else None)


def test_a_removal() -> None:
    decoded = read(qdisc.remove(7))
    assert (decoded["header"]["type"], decoded["index"], decoded["parent"], decoded["attrs"]) == (37, 7, ROOT, [])


# --- what the kernel says -----------------------------------------------------------------------------------------


class Dump:
    """Stands in for a socket: gives messages without their headers."""

    def __init__(self, *bodies: bytes) -> None:
        self.bodies = list(bodies)

    def dump(self, kind: int, body: bytes) -> list[bytes]:
        assert (kind, len(body)) == (38, 20)
        return self.bodies


def written(kind: str, options: Any, *, index: int = 7, parent: int = ROOT, handle: int = 0x80010000) -> bytes:
    """A message of a dump as pyroute2 encodes it, without its header."""
    message = tcmsg()
    message["index"], message["parent"], message["handle"] = index, parent, handle
    message["attrs"] = [("TCA_KIND", kind)]
    message.encode()
    options.encode()
    payload = bytes(options.data[4:])
    return bytes(message.data[16:]) + netlink.attr(2, payload)


def roots(*bodies: bytes) -> dict[int, qdisc.Qdisc]:
    return qdisc.roots(Dump(*bodies))  # type: ignore[arg-type]


def netem_options(netem: Netem, *more: tuple[str, Any], gap: int = 0) -> _Netem:
    options = _Netem()
    options["delay"], options["jitter"] = 0, 0  # the 64-bit ones count
    options["limit"], options["loss"], options["duplicate"] = netem.limit, netem.loss, netem.duplicate
    options["gap"] = gap or int(netem.reorder > 0)
    correlations = (netem.delay_correlation, netem.loss_correlation, netem.duplicate_correlation)
    options["attrs"] = [
        ("TCA_NETEM_CORR", dict(zip(("delay_corr", "loss_corr", "dup_corr"), correlations, strict=True))),
        ("TCA_NETEM_REORDER", {"prob_reorder": netem.reorder, "corr_reorder": netem.reorder_correlation}),
        ("TCA_NETEM_CORRUPT", {"prob_corrupt": netem.corrupt, "corr_corrupt": netem.corrupt_correlation}),
        ("TCA_NETEM_RATE", {"rate": min(netem.rate, 2**32 - 1)}),
        *([("TCA_NETEM_RATE64", netem.rate)] if netem.rate >= 2**32 else []),
        ("TCA_NETEM_LATENCY64", netem.delay),
        ("TCA_NETEM_JITTER64", netem.jitter),
        ("TCA_NETEM_PRNG_SEED", 12345),
        *more,
    ]
    return options


@given(netems)
def test_a_netem_is_read(netem: Netem) -> None:
    assert roots(written("netem", netem_options(netem))) == {7: netem}


def test_an_old_kernels_netem_is_read_in_ticks() -> None:
    options = _Netem()
    options["delay"], options["jitter"], options["limit"] = 156_250, 31_250, 1000
    options["loss"] = options["gap"] = options["duplicate"] = 0
    options["attrs"] = []
    assert roots(written("netem", options)) == {7: Netem(limit=1000, delay=10_000_000, jitter=2_000_000)}


@given(tbfs)
def test_a_tbf_is_read(bucket: Tbf) -> None:
    """Through the message that the agent itself writes, which pyroute2 has read above."""
    body = qdisc.put(7, bucket).body
    assert roots(body) == {7: bucket}


@pytest.mark.parametrize(
    ("more", "gap", "extra"),
    [
        ([("TCA_NETEM_ECN", 1)], 0, "ecn"),
        ([("TCA_NETEM_SLOT", struct.pack("=qqiiqq", 10**6, 10**6, 0, 0, 0, 0))], 0, "slot"),
        ([("TCA_NETEM_LOSS", None)], 0, "loss model"),
        ([("TCA_NETEM_RATE", {"rate": 5, "packet_overhead": 20})], 0, "rate overhead"),
        ([], 5, "gap 5"),
    ],
)
def test_what_netcompose_never_asks_for_is_told(more: list[tuple[str, Any]], gap: int, extra: str) -> None:
    (found,) = roots(written("netem", netem_options(Netem(limit=9, delay=5), *more, gap=gap))).values()
    assert found.extras == (extra,)


def test_a_peak_rate_is_told() -> None:
    body = bytearray(qdisc.put(7, Tbf(1_000_000, 2000, 9000)).body)
    struct.pack_into("=I", body, 20 + 8 + 4 + 4 + 12 + 8, 2_000_000)
    (found,) = roots(bytes(body)).values()
    assert found.extras == ("peakrate",)


def test_roots_alone_are_read_and_a_queue_below_one_is_told() -> None:
    netem = netem_options(Netem(limit=9, delay=5))
    others = (
        written("noqueue", _Tbf(), index=1, handle=0),
        written("htb", _Tbf(), index=2),
        written("netem", netem, index=3, parent=0x10001, handle=0x20000),  # in a class of somebody's htb
        written("ingress", _Tbf(), index=7, parent=0xFFFFFFF1, handle=0xFFFF0000),
    )
    found = roots(*others, written("netem", netem))
    assert found == {7: Netem(limit=9, delay=5)}
    below = written("tbf", _Tbf(), index=7, parent=0x80010001, handle=0x20000)
    assert roots(below, written("netem", netem)) == {7: Netem(limit=9, delay=5, extras=("child tbf",))}
