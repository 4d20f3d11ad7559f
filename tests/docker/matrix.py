"""What is measured: from every place, whom it reaches by address and by name, and as whom it is seen there."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from subprocess import CompletedProcess

from engine import HOST4, HOST6, OUTSIDE4, OUTSIDE6, ROOT

from netcompose.transports.sandbox import Sandbox

PROBE = f"{ROOT}/probe.py"
HOST, OUTSIDE = "host", "outside"
#: Container -> network -> the last part of its addresses. The gateways end in 1.
CONTAINERS: Mapping[str, Mapping[str, int]] = {
    "web": {"front": 10},
    "app": {"front": 20, "back": 20},
    "db": {"back": 10},
    "vault1": {"inner": 10},
    "vault2": {"inner": 20},
    "quiet1": {"quiet": 10},
    "quiet2": {"quiet": 20},
}
NETWORKS = {"front": 1, "back": 2, "inner": 3, "quiet": 4}
NAMES = (*CONTAINERS, "www", "web.front", "nobody")
#: Ports of the host that are published: the first three everywhere, one on the host's IPv4 address, two on 127.0.0.1.
PUBLISHED = (("tcp", 8080), ("udp", 5353), ("tcp", 7070), ("tcp", 9090), ("tcp", 9091), ("udp", 5454))

#: (place, cell) -> answer.
Matrix = dict[tuple[str, str], str]
#: Start a command in a container, with text on its standard input.
Inside = Callable[[str, list[str], str], CompletedProcess[str]]
ASK = ["/usr/bin/python3", PROBE, "ask"]


def address(network: str, last: int, family: int) -> str:
    number = NETWORKS[network]
    return f"172.20.{number}.{last}" if family == 4 else f"fd00:20:{number}::{last}"


def _labels() -> dict[str, str]:
    """Every address of the stack, and what it is called in a matrix."""
    found = {HOST4: "host", HOST6: "host", OUTSIDE4: "outside", OUTSIDE6: "outside", "127.0.0.1": "lo", "::1": "lo"}
    for family in (4, 6):
        for network in NETWORKS:
            found[address(network, 1, family)] = f"gateway.{network}"
        for container, networks in CONTAINERS.items():
            found.update((address(n, last, family), f"{container}.{n}") for n, last in networks.items())
    return found


LABELS = _labels()


def questions(place: str) -> Iterator[tuple[str, list[str]]]:
    """Everything that a place is asked, by the name of the cell."""
    for text, label in LABELS.items():
        if label == "lo":
            continue
        family = 6 if ":" in text else 4
        yield f"ping{family} {label}", ["ping", text]
        if label.partition(".")[0] in CONTAINERS:
            # The ports that its servers have, of which some are published under another number.
            yield f"tcp{family} {label} 80", ["tcp", text, "80"]
            yield f"udp{family} {label} 53", ["udp", text, "53"]
        elif label != OUTSIDE:
            for protocol, port in PUBLISHED:
                yield f"{protocol}{family} {label} {port}", [protocol, text, str(port)]
        if place in CONTAINERS and label.partition(".")[0] in CONTAINERS:
            yield f"dig{family} -x {label}", ["dig", "-x", text]
    if place == HOST:
        for family, loopback in ((4, "127.0.0.1"), (6, "::1")):
            for protocol, port in PUBLISHED:
                yield f"{protocol}{family} lo {port}", [protocol, loopback, str(port)]
    for family, text in ((4, OUTSIDE4), (6, OUTSIDE6)):
        yield f"tcp{family} outside 8000", ["tcp", text, "8000"]
        yield f"udp{family} outside 8000", ["udp", text, "8000"]
    if place in CONTAINERS:
        for name in NAMES:
            for family, record in ((4, "A"), (6, "AAAA")):
                yield f"resolve{family} {name}", ["resolve", f"ahostsv{family}", name]
                yield f"dig{family} {name}", ["dig", name, record]


def measure(host: Sandbox, inside: Inside, only: Collection[tuple[str, str]] | None = None) -> Matrix:
    """The matrix, or some cells of it, all places at once."""

    def ask(place: str) -> Matrix:
        asked = {cell: question for cell, question in questions(place) if only is None or (place, cell) in only}
        if not asked:
            return {}
        text = json.dumps(asked)
        if place == HOST:
            done = host.run(ASK, input=text)
        elif place == OUTSIDE:
            done = host.run(["ip", "netns", "exec", OUTSIDE, *ASK], input=text)
        else:
            done = inside(place, ASK, text)
        assert done.returncode == 0, f"{place}: {done.stdout}\n{done.stderr}"
        answers: dict[str, str] = json.loads(done.stdout)
        return {(place, cell): _named(answer) for cell, answer in answers.items()}

    found: Matrix = {}
    with ThreadPoolExecutor(max_workers=10) as pool:
        for part in pool.map(ask, (*CONTAINERS, HOST, OUTSIDE)):
            found.update(part)
    return found


def _named(answer: str) -> str:
    """The answer with labels in the place of addresses, which are random where nobody chose them."""
    words = [LABELS.get(word, word) for word in answer.split()]
    words = [f"address-of-{_kind(word)}" if _is_address(word) else word for word in words]
    return " ".join(sorted(words) if "sees" not in words else words)


def _is_address(word: str) -> bool:
    try:
        ipaddress.ip_address(word)
    except ValueError:
        return False
    return True


def _kind(word: str) -> str:
    return "link" if ipaddress.ip_address(word).is_link_local else "others"
