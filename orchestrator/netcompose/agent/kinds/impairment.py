"""Impairments of interfaces: the kernel's numbers as the texts of a resource, and back."""

from __future__ import annotations

from typing import Any, Callable, Iterator, Mapping, Optional

from netcompose.agent.kernel import qdisc
from netcompose.agent.kernel.netlink import GONE, Message
from netcompose.agent.operations import Netlink, Operation
from netcompose.resources import Impairment, units

_Codec = tuple[Callable[[int], str], Callable[[str], int]]
_TIME: _Codec = (units.time_text, units.nanoseconds)
_SHARE: _Codec = (units.share_text, units.share)
_RATE: _Codec = (units.rate_text, units.bytes_per_second)

#: The parameters of a netem but its limit, by their common name in the resource and in the message.
_NETEM: Mapping[str, _Codec] = {
    "delay": _TIME,
    "jitter": _TIME,
    "delay_correlation": _SHARE,
    "loss": _SHARE,
    "loss_correlation": _SHARE,
    "duplicate": _SHARE,
    "duplicate_correlation": _SHARE,
    "reorder": _SHARE,
    "reorder_correlation": _SHARE,
    "corrupt": _SHARE,
    "corrupt_correlation": _SHARE,
    "rate": _RATE,
}


def read(live: qdisc.Qdisc) -> Impairment:
    """What is live, as a resource says it."""
    extras = ", ".join(live.extras) or None
    if isinstance(live, qdisc.Tbf):
        return Impairment(
            qdisc="tbf",
            rate=units.rate_text(live.rate),
            burst=units.size_text(live.burst),
            limit=units.size_text(live.limit),
            extras=extras,
        )
    values = {name: text(getattr(live, name)) for name, (text, _) in _NETEM.items() if getattr(live, name)}
    return Impairment(qdisc="netem", limit="{} packets".format(live.limit), extras=extras, **values)


def message(index: int, impairment: Impairment) -> Message:
    """The message that gives an interface its impairment, or changes the one that it has."""
    limit = impairment.limit or "0"
    if impairment.qdisc == "tbf":
        rate = units.bytes_per_second(impairment.rate or "")
        return qdisc.put(index, qdisc.Tbf(rate, units.size(impairment.burst or "0b"), units.size(limit)))
    values: dict[str, Any] = {
        name: number(getattr(impairment, name) or "")
        for name, (_, number) in _NETEM.items()
        if getattr(impairment, name)
    }
    return qdisc.put(index, qdisc.Netem(limit=int(limit.partition(" ")[0]), **values))


def change(netns: str, index: int, live: Optional[Impairment], desired: Optional[Impairment]) -> Iterator[Operation]:
    """Carry out a difference, without touching the interface itself.

    What somebody added by hand stays through a change of parameters, so it goes with the whole queue.
    """
    if live is not None and (desired is None or live.extras):
        yield Netlink(netns, qdisc.remove(index), GONE)
    if desired is not None:
        yield Netlink(netns, message(index, desired))
