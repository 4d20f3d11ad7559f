"""What an interface does to the packets that it sends: delay, loss, rate and the like. Pure, Python 3.9."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional

from netcompose.resources.base import IN_PLACE, attribute


def _value() -> Any:
    return attribute(changes=IN_PLACE, disturbs="blip", default=None, why="packets under way may be lost or overtaken")


@dataclass(frozen=True)
class Impairment:
    """The root queueing discipline of an interface, of kind ``netem`` (tc-netem(8)) or ``tbf`` (tc-tbf(8)).

    Values are the texts of :mod:`netcompose.resources.units`, at the kernel's own resolution; None is "nothing of
    it". ``limit`` is how much may wait in the queue: packets for netem (``1000 packets``), bytes for tbf (``64kb``);
    ``burst``, of tbf alone, is how much may leave at once. ``extras`` is what somebody added by hand that netcompose
    never asks for (``slot, ecn``); None in everything that is desired.

    tbf is for a rate alone. With anything else netem paces the rate too, so that an interface has one queue.
    """

    qdisc: str = attribute(changes=IN_PLACE, disturbs="blip", why="packets that wait in the other queue are lost")
    delay: Optional[str] = _value()
    jitter: Optional[str] = _value()
    delay_correlation: Optional[str] = _value()
    loss: Optional[str] = _value()
    loss_correlation: Optional[str] = _value()
    duplicate: Optional[str] = _value()
    duplicate_correlation: Optional[str] = _value()
    reorder: Optional[str] = _value()
    reorder_correlation: Optional[str] = _value()
    corrupt: Optional[str] = _value()
    corrupt_correlation: Optional[str] = _value()
    rate: Optional[str] = _value()
    burst: Optional[str] = _value()
    limit: Optional[str] = _value()
    extras: Optional[str] = _value()
