"""What a topology needs in Docker's packet filter, on a host that has one.

The rules match by interface group, which every interface of a topology carries, so there are as many of them for two
networks as for two hundred. They take nothing from Docker's networks: what leaves ours for one of Docker's bridges is
still what Docker's own chains accept (published ports) or drop.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from netcompose.resources import DockerUser, Observation
from netcompose.resources.names import group

_USER = "DOCKER-USER"
#: Docker's list of its bridges with a drop for each, until version 28; later ones drop in ``DOCKER`` itself.
_ISOLATION = "DOCKER-ISOLATION-STAGE-2"


def accepts(topology: str, live: Observation | None) -> Iterator[DockerUser]:
    """The rules for each family in which Docker filters."""
    chains = live.facts.docker_chains if live is not None else {}
    rules = {
        # Older versions have no DOCKER-USER for IPv6; there the rules stand in FORWARD itself.
        f"{program} {_USER if _USER in names else 'FORWARD'}": tuple(_rules(group(topology), names))
        for program, names in sorted(chains.items())
    }
    if rules:
        yield DockerUser(id=f"docker-user/{topology}", rules=rules)


def _rules(number: int, chains: Collection[str]) -> Iterator[str]:
    into, out = (f"-m devgroup --{side}-group {number:#x}" for side in ("dst", "src"))
    # What goes into our networks is for our own table to judge.
    yield f"{into} -j ACCEPT"
    yield f"{out} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"
    # What leaves them passes unless it is for a network of Docker's: those have the say on what they let in.
    yield f"{out} -j DOCKER"
    if _ISOLATION in chains:
        yield f"{out} -j {_ISOLATION}"
    yield f"{out} -j ACCEPT"
