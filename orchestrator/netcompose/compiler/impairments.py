"""Impairments: what the file asks of a link or an interface, at the kernel's resolution and with its defaults."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from netcompose.compiler.shapes import Asker, Interface
from netcompose.resources import Impairment, units
from netcompose.topology.model import Attachment, Container, Link, Topology
from netcompose.topology.model import Impairment as Spec

#: The features of a host that impairments take: the queueing disciplines.
QUEUES = ("netem", "tbf")
#: Everything that only netem does, by its name in the file and in the resource.
_TIMES = ("delay", "jitter")
_SHARES = (
    "delay_correlation",
    "loss",
    "loss_correlation",
    "duplicate",
    "duplicate_correlation",
    "reorder",
    "reorder_correlation",
    "corrupt",
    "corrupt_correlation",
)

#: An Ethernet header with a VLAN tag: what a queue counts beside the MTU.
_HEADER = 18
#: What may be sent at once lasts this long at the rate. A timer that is later costs the rate what it was late: on a
#: virtual machine whose host was busy, 10 ms kept 87 % of a rate, 20 ms 95 %, 40 ms 99 %.
_BURST_NANOSECONDS = 40_000_000
#: How long a packet may wait for its turn when nothing but the rate holds it back, and how many at least may wait.
_WAIT_NANOSECONDS = 50_000_000
_FEWEST_PACKETS = 10
#: netem's own default (sch_netem.c), enough for a slow link; without a rate it has to hold what a fast sender sends
#: during the delay.
_PACKETS, _PACKETS_WITHOUT_RATE = 1000, 10_000
#: Without a rate the queue is made for a gigabit, in bytes a second.
_ASSUMED_RATE = 125_000_000
_USUAL_PACKET = 1500
#: 32 bits hold the limit of either.
_MOST = (1 << 32) - 1


def impairment(spec: Spec | None, mtu: int) -> Impairment | None:
    """The impairment of an interface with this MTU; None if there is none, or it says nothing but zeros.

    A rate alone is kept by tbf, which every kernel has that has packet schedulers at all. Anything else takes netem,
    and then the rate is netem's as well: measured in its own queue it is as exact, and a second queue below it would
    drop what netem has delayed already.
    """
    if spec is None:
        return None
    numbers = {key: units.nanoseconds(getattr(spec, key)) for key in _TIMES if getattr(spec, key)}
    shares = {key: units.share(getattr(spec, key)) for key in _SHARES if getattr(spec, key)}
    rate = units.bytes_per_second(spec.rate) if spec.rate else 0
    texts = {key: units.time_text(value) for key, value in numbers.items() if value}
    texts |= {key: units.share_text(value) for key, value in shares.items() if value}
    if texts:
        held = numbers.get("delay", 0) + numbers.get("jitter", 0)
        packets = spec.limit or _packets(held, rate)
        shown = units.rate_text(rate) if rate else None
        return Impairment(qdisc="netem", rate=shown, limit=f"{packets} packets", **texts)
    if not rate:
        return None
    frame = mtu + _HEADER
    burst = units.size(spec.burst) if spec.burst else max(frame, rate * _BURST_NANOSECONDS // 10**9)
    burst = units.burst_bytes(units.burst_ticks(burst, rate), rate)
    waiting = max(_FEWEST_PACKETS * frame, rate * _WAIT_NANOSECONDS // 10**9)
    limit = min(spec.limit * frame if spec.limit else burst + waiting, _MOST)
    return Impairment(
        qdisc="tbf", rate=units.rate_text(rate), burst=units.size_text(burst), limit=units.size_text(limit)
    )


def _packets(held: int, rate: int) -> int:
    """Twice what is under way at full speed in the nanoseconds for which packets are held back, at least the default;
    in steps of two, so that a small change of the delay leaves it alone."""
    under_way = held * (rate or _ASSUMED_RATE) // (10**9 * _USUAL_PACKET)
    packets = _PACKETS if rate else _PACKETS_WITHOUT_RATE
    while packets < 2 * under_way:
        packets *= 2
    return min(packets, _MOST)


def impairments(interface: Interface, mtu: int) -> tuple[Impairment | None, Impairment | None]:
    """Of what leaves a container through its interface on a network, and of what arrives."""
    found = interface.attachment
    if found is None or (found.impairment is None and found.ingress is None):
        return None, None
    return impairment(found.impairment, mtu), impairment(found.ingress, mtu)


def of_attachment(interface: Interface) -> Asker | None:
    """What asks for the impairment of a container's interface on a network, None if nothing does."""
    found = interface.attachment
    spec = found and (found.impairment or found.ingress)
    return Asker(spec.path, _interface_words(interface.container, interface.network)) if spec else None


def of_link(link: Link) -> Asker | None:
    """What asks for the impairment of a link, None if nothing does."""
    spec = link.a.impairment or link.b.impairment
    return Asker(spec.path, _link_words(link)) if spec else None


def _interface_words(container: str, network: str) -> str:
    return f"the impairment of container {container!r} on network {network!r}"


def _link_words(link: Link) -> str:
    a, b = link.a, link.b
    return f"the impairment of link {a.container}:{a.interface} <-> {b.container}:{b.interface}"


def queues(topology: Topology) -> tuple[str, ...]:
    """The kinds of queueing disciplines that the topology's impairments take: features of a host."""
    specs = [s for c in topology.containers.values() for item in c.networks for s in (item.impairment, item.ingress)]
    specs += [end.impairment for link in topology.links for end in (link.a, link.b)]
    return tuple(sorted({made.qdisc for spec in specs if (made := impairment(spec, 1500)) is not None}))


def without(topology: Topology, lacking: Collection[str]) -> tuple[Topology, list[str]]:
    """The topology without the impairments that take a queueing discipline which the host lacks (``netem``), and what
    was left out in words. For rehearsals alone: everybody else is refused."""
    left_out: list[str] = []

    def kept(spec: Spec | None, words: str) -> Spec | None:
        made = impairment(spec, 1500)
        if made is None or made.qdisc not in lacking:
            return spec
        left_out.append(words)
        return None

    def attachment(container: Container, item: Attachment) -> Attachment:
        words = _interface_words(container.name, item.network)
        return replace(item, impairment=kept(item.impairment, words), ingress=kept(item.ingress, words))

    containers = {
        name: replace(container, networks=tuple(attachment(container, item) for item in container.networks))
        for name, container in topology.containers.items()
    }
    links = []
    for link in topology.links:
        a, b = (replace(end, impairment=kept(end.impairment, _link_words(link))) for end in (link.a, link.b))
        links.append(replace(link, a=a, b=b))
    if not left_out:
        return topology, []
    return replace(topology, containers=containers, links=tuple(links)), list(dict.fromkeys(left_out))
