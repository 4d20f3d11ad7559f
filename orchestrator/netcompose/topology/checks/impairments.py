"""Impairments: what goes together, and what the kernel's queues can hold."""

from __future__ import annotations

import re
from collections.abc import Iterator

from netcompose.topology.model import Impairment, Topology
from netcompose.topology.source import Problem

#: What a parameter is nothing without.
_NEEDS = {
    "jitter": ("delay",),
    "delay_correlation": ("jitter",),
    "loss_correlation": ("loss",),
    "duplicate_correlation": ("duplicate",),
    "reorder": ("delay",),
    "reorder_correlation": ("reorder",),
    "corrupt_correlation": ("corrupt",),
    "burst": ("rate",),
    "limit": ("delay", "rate"),
}
_EXAMPLES = {"delay": "10ms", "jitter": "2ms", "rate": "100mbit"}
_NETEM = ("delay", "loss", "duplicate", "corrupt")
_SHARES = tuple(name for key in (*_NETEM, "reorder") for name in (key, f"{key}_correlation") if name != "delay")

_UNITS = {
    "us": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "%": 1.0,
    "bit": 1.0,
    "kbit": 1e3,
    "mbit": 1e6,
    "gbit": 1e9,
    "tbit": 1e12,
    "b": 1.0,
    "kb": 1024.0,
    "mb": 1048576.0,
}
_LONGEST_DELAY = 3600.0
#: INT_MAX nanoseconds: netem cuts off what is above (netem_change of sch_netem.c).
_LONGEST_JITTER = 2.147483647
_RATES = (1e3, 1e14)
#: A burst is kept as the time that it takes, in 32 bits of 64 ns each.
_LONGEST_BURST = 274.0
#: An Ethernet header with a VLAN tag, which a burst has to hold beside the MTU.
_HEADER = 18


def check_impairments(topology: Topology) -> Iterator[Problem]:
    """Every impairment once, also one that is for both ends of a link."""
    for container in topology.containers.values():
        for attachment in container.networks:
            network = topology.networks.get(attachment.network)
            mtu = network.mtu if network else 0
            for impairment in (attachment.impairment, attachment.ingress):
                if impairment is not None:
                    yield from _check(topology, impairment, mtu or 1500)
            if attachment.ingress is not None and network is not None and network.driver in ("macvlan", "ipvlan"):
                message = f"what arrives on a {network.driver} network cannot be impaired"
                hint = "there is no port on the host that sends it: impair what the others send"
                yield topology.source.problem(message, attachment.ingress.path, hint=hint)
    for link in topology.links:
        for impairment in dict.fromkeys((link.a.impairment, link.b.impairment)):
            if impairment is not None:
                yield from _check(topology, impairment, link.mtu or 1500)


def _check(topology: Topology, impairment: Impairment, mtu: int) -> Iterator[Problem]:
    def problem(key: str, message: str, hint: str, *, at_key: bool = False) -> Problem:
        return topology.source.problem(message, (*impairment.path, key), hint=hint, key=at_key)

    for key, needed in _NEEDS.items():
        if getattr(impairment, key) and not any(_value(impairment, other) for other in needed):
            message = f"'{key}' needs a " + " or a ".join(f"'{other}'" for other in needed)
            example = f"{needed[0]}: {_EXAMPLES.get(needed[0], '1%')}"
            yield problem(key, message, f"add for example  {example}", at_key=True)
    for key in _SHARES:
        if _value(impairment, key) > 100:
            yield problem(key, f"{key} is {getattr(impairment, key)}", "at most 100%")
    if _value(impairment, "delay") > _LONGEST_DELAY:
        yield problem("delay", f"the delay is {impairment.delay}", "at most 3600s")
    if _value(impairment, "jitter") > _LONGEST_JITTER:
        yield problem("jitter", f"the jitter is {impairment.jitter}", f"netem knows {_LONGEST_JITTER}s at most")
    if impairment.rate:
        yield from _check_rate(topology, impairment, mtu)


def _check_rate(topology: Topology, impairment: Impairment, mtu: int) -> Iterator[Problem]:
    rate, path = _value(impairment, "rate"), (*impairment.path, "rate")
    if not rate:
        yield topology.source.problem("the rate is 0", path, hint="use loss: 100% to cut a link")
        return
    if not _RATES[0] <= rate <= _RATES[1]:
        yield topology.source.problem(f"the rate is {impairment.rate}", path, hint="from 1kbit to 100tbit")
    if not impairment.burst:
        return
    path = (*impairment.path, "burst")
    beside = [key for key in _NETEM if _value(impairment, key)]
    if beside:
        message = f"'burst' cannot stand beside '{beside[0]}'"
        hint = "leave it out: with more than a rate, netem keeps the rate without bursts"
        yield topology.source.problem(message, path, hint=hint, key=True)
    elif _value(impairment, "burst") < mtu + _HEADER:
        message = f"a burst of {impairment.burst} holds no packet of MTU {mtu}"
        yield topology.source.problem(message, path, hint=f"at least {mtu + _HEADER}b")
    elif _value(impairment, "burst") * 8 / rate > _LONGEST_BURST:
        message = f"a burst of {impairment.burst} takes more than {_LONGEST_BURST:.0f}s at {impairment.rate}"
        yield topology.source.problem(message, path, hint="make it smaller: it may leave at once")


def _value(impairment: Impairment, key: str) -> float:
    """In seconds, percent, bits a second, bytes or packets; 0 if it is not asked for."""
    written: str | int = getattr(impairment, key)
    if isinstance(written, int):
        return written
    number = re.sub("[a-z%]+$", "", written)
    return float(number) * _UNITS[written[len(number) :]] if written else 0.0
