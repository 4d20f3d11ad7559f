"""The same stack by Docker and by netcompose, measured by the same program from every place, compared cell by cell.

A difference is a defect, or one of those below, each of which docs/docker-differences.md explains under its title.
"""

from __future__ import annotations

import contextlib
import functools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import NamedTuple

import matrix
from engine import OUTSIDE4, OUTSIDE6, ROOT, Engine, add_outside, need_docker, put_probe, settle
from matrix import CONTAINERS, HOST, OUTSIDE, Matrix
from support import cli, until

from netcompose.transports.sandbox import Sandbox

STACK = Path(__file__).parent / "stack"
#: Measures all cells, or the given ones.
Ask = Callable[..., Matrix]
DOCUMENT = Path(__file__).parents[2] / "docs" / "docker-differences.md"
NOTHING = "-"


class Cell(NamedTuple):
    """One measured thing: from where, what (``tcp6 web.front 80``), and the two answers."""

    place: str
    name: str
    docker: str
    netcompose: str

    @property
    def what(self) -> str:
        return self.name.split()[0]

    @property
    def target(self) -> str:
        return self.name.split()[1]

    @property
    def network(self) -> str:
        """The network that the target is on, if it is a container or a gateway."""
        return self.target.partition(".")[2]

    @property
    def own_networks(self) -> frozenset[str]:
        return frozenset(CONTAINERS.get(self.place, ()))

    @property
    def asks_the_host(self) -> bool:
        """A container asks one of the host's addresses."""
        return self.place in CONTAINERS and (self.target == HOST or self.target.startswith("gateway."))

    @property
    def server(self) -> str:
        """Who answered, if both answers are by the same server, which sees different clients."""
        one, two = (answer.partition(" sees ") for answer in (self.docker, self.netcompose))
        return one[0] if one[1] and one[0] == two[0] else ""


#: Title in the document -> what it explains.
DIFFERENCES: dict[str, Callable[[Cell], bool]] = {
    "A server sees the container that asks through a published port": lambda cell: (
        cell.asks_the_host
        and bool(cell.server)
        and " sees gateway." in cell.docker
        and cell.netcompose in {f"{cell.server} sees {cell.place}.{network}" for network in cell.own_networks}
    ),
    "Published UDP ports work from containers": lambda cell: (
        cell.asks_the_host and cell.what.startswith("udp") and cell.docker == NOTHING
    ),
    "Another network's gateway address does not answer": lambda cell: (
        cell.asks_the_host
        and cell.target != HOST
        and cell.network not in cell.own_networks
        and cell.netcompose == NOTHING
    ),
    "An internal network does not reach the host": lambda cell: (
        cell.asks_the_host
        and cell.own_networks == {"inner"}
        and cell.target in (HOST, "gateway.inner")
        and cell.netcompose == NOTHING
    ),
    "IPv6 works inside an internal network": lambda cell: (
        cell.own_networks == {"inner"} and cell.network == "inner" and cell.what[-1] == "6" and cell.docker == NOTHING
    ),
    "A route to a container's address is no way around publishing": lambda cell: (
        cell.place == OUTSIDE and cell.target.partition(".")[0] in CONTAINERS and cell.netcompose == NOTHING
    ),
    "A server sees the address that the host asks from": lambda cell: (
        cell.place == HOST
        and cell.target.startswith("gateway.")
        and bool(cell.server)
        and cell.netcompose == f"{cell.server} sees {cell.target}"
    ),
    "A name has all of its addresses": lambda cell: (
        cell.what[:-1] in ("resolve", "dig") and set(cell.docker.split()) < set(cell.netcompose.split())
    ),
}


@contextlib.contextmanager
def docker_world() -> Iterator[Ask]:
    """The stack by Docker."""
    need_docker()
    with Sandbox("docker") as host, Engine(host) as engine:
        put_probe(host)
        _outside(host)
        engine.make_image()
        engine.compose(str(STACK / "compose.yaml"), "up", "--detach")

        def inside(container: str, argv: list[str], text: str) -> CompletedProcess[str]:
            return engine.docker("exec", "--interactive", container, *argv, check=False, input=text)

        yield _ready(host, inside)


@contextlib.contextmanager
def netcompose_world() -> Iterator[Ask]:
    """The stack by netcompose, on a host without any Docker."""
    with Sandbox("native") as host:
        host.run(["mount", "-t", "tmpfs", "probe", ROOT], check=True)
        put_probe(host)
        _outside(host)
        cli(host, "up", file=STACK / "topology.yaml")

        def inside(container: str, argv: list[str], text: str) -> CompletedProcess[str]:
            return host.run(["ip", "netns", "exec", f"differential-{container}", *argv], input=text)

        yield _ready(host, inside)


def _outside(host: Sandbox) -> None:
    add_outside(host)
    host.popen(["ip", "netns", "exec", OUTSIDE, "/usr/bin/python3", matrix.PROBE, "serve", OUTSIDE, "8000", "8000"])


def _ready(host: Sandbox, inside: matrix.Inside) -> Ask:
    """Wait for everything that takes a moment to come into use."""
    settle(host)
    question = json.dumps({"": ["tcp", "127.0.0.1", "80"]})
    for container in CONTAINERS:
        until(lambda name=container: f"{name} sees" in inside(name, matrix.ASK, question).stdout)
    for address in (OUTSIDE4, OUTSIDE6):
        until(lambda target=address: host.run(["ping", "-c", "1", "-W", "1", target]).returncode == 0)
    return functools.partial(matrix.measure, host, inside)


def _different(docker: Matrix, netcompose: Matrix) -> Iterator[Cell]:
    for (place, name), answer in docker.items():
        if answer != netcompose[place, name]:
            yield Cell(place, name, answer, netcompose[place, name])


def _unexplained(docker: Matrix, netcompose: Matrix) -> Iterator[Cell]:
    for cell in _different(docker, netcompose):
        if not any(explains(cell) for explains in DIFFERENCES.values()):
            yield cell


def test_docker_and_netcompose_agree_but_for_what_is_documented() -> None:
    with docker_world() as ask_docker, netcompose_world() as ask_netcompose:
        docker, netcompose = ask_docker(), ask_netcompose()
        assert docker.keys() == netcompose.keys()
        # On a busy machine an answer may be late: what is different without a reason is asked again.
        for _ in range(2):
            again = {(cell.place, cell.name) for cell in _unexplained(docker, netcompose)}
            docker.update(ask_docker(again))
            netcompose.update(ask_netcompose(again))

    _is_worth_comparing(docker)
    unexplained = list(_unexplained(docker, netcompose))
    assert not unexplained, "\n".join(map(str, unexplained))
    different = list(_different(docker, netcompose))
    gone = [title for title, explains in DIFFERENCES.items() if not any(map(explains, different))]
    assert not gone, "these are no differences any more: take them out"


def test_the_document_has_each_difference_under_its_title() -> None:
    text = DOCUMENT.read_text()
    measured = text.partition("## Measured\n")[2].partition("\n## ")[0]
    assert {line[4:] for line in measured.splitlines() if line.startswith("### ")} == set(DIFFERENCES)


def _is_worth_comparing(docker: Matrix) -> None:
    """Docker's side shows what the stack is made to show: a probe that measures nothing finds no difference either."""
    expected = {
        ("web", "ping4 app.front"): "answers",
        ("web", "ping6 app.front"): "answers",
        ("web", "ping4 db.back"): NOTHING,
        ("app", "tcp4 db.back 80"): "db sees app.back",
        ("web", "resolve4 app"): "app.front",
        ("web", "resolve4 nobody"): NOTHING,
        ("quiet1", "ping4 quiet2.quiet"): NOTHING,
        ("vault1", "ping4 vault2.inner"): "answers",
        ("vault1", "tcp4 outside 8000"): NOTHING,
        ("web", "tcp4 outside 8000"): "outside sees host",
        ("web", "udp6 outside 8000"): "outside sees host",
        # A published port from outside, from the host's own address, from 127.0.0.1, from another container and itself.
        (OUTSIDE, "tcp4 host 8080"): "web sees outside",
        (OUTSIDE, "udp6 host 5353"): "web sees outside",
        (HOST, "tcp4 host 8080"): "web sees host",
        (HOST, "tcp4 lo 8080"): "web sees gateway.front",
        (HOST, "tcp6 lo 8080"): "web sees gateway.front",
        ("db", "tcp4 host 8080"): "web sees gateway.front",
        ("web", "tcp4 host 8080"): "web sees gateway.front",
        (OUTSIDE, "tcp4 host 9091"): NOTHING,
        (HOST, "tcp4 lo 9091"): "db sees gateway.back",
    }
    assert {cell: docker[cell] for cell in expected} == expected
