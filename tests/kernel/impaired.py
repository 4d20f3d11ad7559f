"""What impairments do, by foreign tools: tc's words, iperf3's rate, ping's times. For hosts of every sort."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from outside import running
from support import Example, run, snapshot, until


class Written(Example):
    """A topology of a test's own, with what an example can do."""

    def __init__(self, host: Any, name: str, folder: Path, text: str) -> None:
        self.host = host
        self.name = name
        self.file = folder / "topology.yaml"
        self.file.write_text(f"name: {name}\n{text}")
        self.before = snapshot(host)


def has_netem(host: Any) -> bool:
    """Whether the host's kernel has netem, by trying; nothing stays."""
    if host.run(["tc", "qdisc", "add", "dev", "lo", "root", "netem", "delay", "1us"]).returncode:
        return False
    run(host, "tc", "qdisc", "del", "dev", "lo", "root")
    return True


def root(shown: Example, container: str, interface: str) -> dict[str, Any]:
    """The root queue of an interface, as tc tells it; with ``container`` empty, of one on the host."""
    enter = ["-n", f"{shown.name}-{container}"] if container else []
    found = json.loads(run(shown.host, "tc", *enter, "-s", "-j", "qdisc", "show", "dev", interface))
    (one,) = (item for item in found if item.get("root"))
    return dict(one)


def port(shown: Example, container: str) -> str:
    """The name of the host's end of a container's eth0, by its index as the container's end tells it."""
    (link,) = json.loads(shown.inside(container, "ip", "-j", "link", "show", "eth0"))
    links = json.loads(run(shown.host, "ip", "-j", "link"))
    return next(str(item["ifname"]) for item in links if item["ifindex"] == link["link_index"])


def by_hand(shown: Example, container: str, words: str) -> None:
    """tc qdisc ... in a container."""
    run(shown.host, "tc", "-n", f"{shown.name}-{container}", "qdisc", *words.split())


def rate(shown: Example, source: str, target: str, address: str, asked: float, tries: int = 5) -> float:
    """Bits a second that arrive when a container sends half as many again as are asked for, headers included as the queue
    counts them: 1400 bytes of UDP are a frame of 1442. (TCP would measure its own patience with a queue, too.)

    Of a few measurements the closest: a machine that is busy with other things makes one lower, and none right.
    """
    found: list[float] = []
    while len(found) < tries and not (found and abs(found[-1] - asked) < asked / 20):
        with running(shown.host, "ip", "netns", "exec", f"{shown.name}-{target}", "iperf3", "-s", "-1"):
            until(lambda: ":5201 " in shown.inside(target, "ss", "-Hltn"))
            # What is sent in the first second has the burst in it.
            options = ["-u", "-l", "1400", "-b", str(round(asked * 1.5)), "-t", "3", "-O", "1"]
            told = json.loads(shown.inside(source, "iperf3", "-J", "-c", address, *options))
        found.append(float(told["end"]["sum_received"]["bits_per_second"]) * 1442 / 1400)
    return min(found, key=lambda measured: abs(measured - asked))


def round_trip(shown: Example, source: str, address: str, asked: float, count: int = 20) -> float:
    """The median time of a ping and its answer in milliseconds; of a few measurements the closest, as with a rate."""
    found: list[float] = []
    while len(found) < 5 and not (found and abs(found[-1] - asked) < asked / 10):
        told = shown.inside(source, "ping", "-n", "-c", str(count), "-i", "0.05", "-W", "2", address)
        times = sorted(float(line.split("time=")[1].split()[0]) for line in told.splitlines() if "time=" in line)
        found.append(times[len(times) // 2])
    return min(found, key=lambda measured: abs(measured - asked))
