"""Networks that are an engine's: what they are like on their host is filled in before the topology is compiled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from netcompose.errors import NetcomposeError
from netcompose.topology.model import Network, Subnet, Topology

if TYPE_CHECKING:
    from netcompose.executor.run import Executor
    from netcompose.resources import EngineNetwork, Observation
    from netcompose.topology.source import Problem


def adopt(executor: Executor, topology: Topology, live: Mapping[str, Observation]) -> tuple[Topology, list[Problem]]:
    """The topology with the subnets and bridges of its external networks, and what is in the way of joining them."""
    wanted: dict[str, dict[str, Network]] = {}
    for container in topology.containers.values():
        for attachment in container.networks:
            network = topology.networks[attachment.network]
            if network.external and container.host in live:
                wanted.setdefault(container.host, {})[network.name] = network
    if not wanted:
        return topology, []
    networks, problems = dict(topology.networks), []
    for host, of_host in wanted.items():
        names = {name: network.external_name or name for name, network in of_host.items()}
        try:
            found = executor.connection(host).engine_networks(sorted(set(names.values())))
        except NetcomposeError as error:
            problems += [_problem(topology, host, item, error.message, error.hint) for item in of_host.values()]
            continue
        for name, network in of_host.items():
            engine = found[names[name]]
            if engine.lacks:
                hint = f"make it there: docker network create {names[name]}; or leave 'external' out"
                problems.append(_problem(topology, host, network, engine.lacks, hint))
                continue
            networks[name] = _as_found(network, engine)
            problems += _taken(topology, network, engine)
    return replace(topology, networks=networks), problems


def without_consequences(problems: Sequence[Problem], absent: Sequence[Problem]) -> list[Problem]:
    """Problems without those of containers' places on networks that are not there: nothing is known of these."""
    gone = {problem.path[1] for problem in absent if problem.path[:1] == ("networks",)}
    return [
        problem for problem in problems if not (problem.path[2:3] == ("networks",) and set(problem.path[3:4]) & gone)
    ]


def _as_found(network: Network, engine: EngineNetwork) -> Network:
    subnets = []
    for prefix, gateway in engine.subnets:
        own = {
            f"{name} of the engine {index}": address
            for index, (address, name) in enumerate(engine.taken)
            if (":" in address) == (":" in prefix)
        }
        subnets.append(Subnet("", network.path, prefix, gateway=gateway, aux_addresses=own))
    return replace(network, subnets=tuple(subnets), mtu=engine.mtu, external_name=engine.bridge)


def _taken(topology: Topology, network: Network, engine: EngineNetwork) -> list[Problem]:
    """Addresses that are asked for and are not free."""
    known = dict(engine.taken)
    known.update({gateway: "the gateway" for _, gateway in engine.subnets if gateway})
    return [
        topology.source.problem(
            f"{text} is {known[text]}'s on the external network {network.name!r}",
            (*attachment.path, key),
            hint="take another address",
        )
        for container in topology.containers.values()
        for attachment in container.networks
        if attachment.network == network.name
        for key in ("ipv4_address", "ipv6_address")
        for text in (getattr(attachment, key),)
        if text in known
    ]


def _problem(topology: Topology, host: str, network: Network, message: str, hint: str) -> Problem:
    return topology.source.problem(f"host {host!r}: {message}", (*network.path, "external"), hint=hint, key=True)
