"""The compiler's entry: topology and live state in, desired resources out."""

from __future__ import annotations

from collections.abc import Mapping

from netcompose.compiler import (
    byhost,
    containers,
    dns,
    docker_user,
    firewall,
    forwarding,
    hostchecks,
    images,
    links,
    names,
    parentchecks,
    parents,
    ports,
    slices,
    tunnels,
    unsupported,
)
from netcompose.compiler.addresses import Member, Prefix, allocate, pooled_networks
from netcompose.compiler.before import Before
from netcompose.compiler.desired import Desired
from netcompose.compiler.impairments import QUEUES, of_attachment, of_link
from netcompose.compiler.networks import DRIVERS, HOST_IS_GATEWAY, Driver
from netcompose.compiler.numbers import parse_prefix
from netcompose.compiler.resolution import Resolution
from netcompose.compiler.routes import Routes, container_routes
from netcompose.compiler.shapes import Address, Asker, Interface, Place, PooledNetwork
from netcompose.compiler.shown import ContainerView, Views, container_view, network_view
from netcompose.resources import File, HostFacts, Observation, Resource
from netcompose.topology.model import Attachment, Container, Link, Topology
from netcompose.topology.source import Problem

__all__ = ["Desired", "compile_topology"]


def compile_topology(topology: Topology, live: Mapping[str, Observation]) -> Desired:
    """Compile a valid topology for the hosts as they are.

    ``live`` has the observation of each host by name, and may lack any of them (``validate`` and ``graph`` see no
    host): automatic choices are then made as on a fresh host.
    """
    return _Compilation(topology, live).run()


class _Compilation:
    """The steps of one compilation, and what they hand on."""

    def __init__(self, topology: Topology, live: Mapping[str, Observation]) -> None:
        self.topology = topology
        self.live = live
        self.before = Before(live)
        self.problems: list[Problem] = []
        self.moved: dict[str, dict[str, str]] = {}
        self.resources: dict[str, dict[str, Resource]] = {host: {} for host in topology.hosts}
        self.contested: dict[str, tuple[int, ...]] = {}
        self.needs: dict[str, dict[str, Asker]] = {}
        self.notes: list[str] = []
        self.names_ports: dict[str, int] = {}

    def run(self) -> Desired:
        topology = self.topology
        self.problems += unsupported.problems(topology)
        self.owners, broken = containers.stack_owners(topology)
        self.problems += broken
        self.carriers = images.carriers(topology, self.owners)
        self.problems += containers.sysctl_problems(topology, self.owners)
        self.pooled, unsettled = pooled_networks(topology, self.before, self._host_routes())
        self.problems += unsettled
        self.tunnels = tunnels.Tunnels(topology, self.live)
        self.pooled = self.tunnels.fitted(self.pooled)
        self.slices = slices.Slices(topology, self.live, self.tunnels.underlays)
        self.used = parents.networks_by_host(topology)
        self.by_host = byhost.ByHost(topology, self.used)
        self._name_interfaces()
        self._give_addresses()
        self._collect_interfaces()
        self._route()
        self._networks()
        self._links()
        self._containers()
        self._outside()
        self._check_hosts()
        for host, route in self.slices.routes():
            self._add(host, route)
        self.problems += self.slices.problems + self.tunnels.problems
        return Desired(
            topology=topology.name,
            resources=self.resources,
            problems=tuple(sorted(self.problems, key=_in_file_order)),
            moved=self.moved,
            containers=Views(topology.containers, self._container_view),
            networks=Views(self.pooled, lambda name: network_view(self.pooled[name], self.given[name])),
            contested=self.contested,
            needs=self.needs,
            notes=tuple(self.notes),
        )

    def _container_view(self, name: str) -> ContainerView:
        owner = self.owners[name]
        return container_view(self.topology.name, self.topology.containers[name], owner, self.interfaces.get(owner, ()))

    def _host_routes(self) -> list[Prefix]:
        routes = {prefix for observation in self.live.values() for prefix, _ in observation.facts.routes}
        return [parse_prefix(prefix) for prefix in sorted(routes)]

    def _add(self, host: str, resource: Resource, asker: Asker | None = None, impairment: Asker | None = None) -> None:
        """``asker`` is what of the file to name if the host lacks a feature that the resource needs, ``impairment``
        for the queues among them."""
        for feature in resource.needs() if asker else ():
            self._need(host, resource, feature, impairment if impairment and feature in QUEUES else asker)
        known = self.resources.setdefault(host, {})
        there = known.setdefault(resource.id, resource)
        if there is not resource and there != resource:
            message = f"two objects of the topology have the name {resource.id!r}"
            hint = "rename a container or an interface: container.interface has to be unique"
            self.problems.append(self.topology.source.problem(message, ("containers",), hint=hint))

    def _need(self, host: str, resource: Resource, feature: str, asker: Asker | None) -> None:
        """What is there already has shown that the host can do it."""
        live = self.live[host].resources.get(resource.id) if host in self.live else None
        if asker is not None and (live is None or feature not in live.needs()):
            self.needs.setdefault(host, {}).setdefault(feature, asker)

    def _name_interfaces(self) -> None:
        """Settle the interface names of every container that has networks of its own."""
        cables: dict[str, list[str]] = {}
        for link in self.topology.links:
            for end in (link.a, link.b):
                cables.setdefault(end.container, []).append(end.interface)
        self.interface_names: dict[str, dict[str, str]] = {}
        for container in self.topology.containers.values():
            if not container.networks:
                continue
            own = cables.get(container.name, ())
            live = {item.network: self.before.name(container.name, item.network) for item in container.networks}
            chosen = names.choose_interface_names(container.networks, own, live)
            self.interface_names[container.name] = chosen
            self._note_renames(container, live, {*chosen.values(), *own})

    def _note_renames(self, container: Container, live: Mapping[str, str], desired: set[str]) -> None:
        for attachment in container.networks:
            old, new = live[attachment.network], attachment.interface_name
            if old and new and old != new and old not in desired:
                moved = self.moved.setdefault(container.host, {})
                moved[names.interface_id(container.name, new)] = names.interface_id(container.name, old)

    def _give_addresses(self) -> None:
        members: dict[tuple[str, str], list[Member]] = {}
        for container in self.topology.containers.values():
            for attachment in container.networks:
                name = self.interface_names[container.name][attachment.network]
                live = self.before.addresses(container.name, attachment.network, name)
                part = (attachment.network, container.host if attachment.network in self.slices.spans else "")
                members.setdefault(part, []).append(Member(container.name, attachment, live))
        for host, name in self.used:
            shared = self.topology.networks[name]
            if shared.host_access:
                live = self.before.shim_addresses(name, host)
                shim = Member(parents.shim_name(host), Attachment(name, shared.path), live)
                members.setdefault((name, ""), []).append(shim)
        self.given: dict[str, dict[str, tuple[Address, ...]]] = {}
        for network, settled in list(self.pooled.items()):
            self.pooled[network] = parents.reserve(self.topology, settled, self.used, self.live)
            self.given[network] = {}
            for host in self.slices.spans.get(network, [""]):
                given, problems = allocate(self.topology, self._at(host, network), members.get((network, host), ()))
                self.given[network].update(given)
                self.problems += problems

    def _at(self, host: str, network: str) -> PooledNetwork:
        """A network as a host has it."""
        pooled = self.pooled[network]
        return self.slices.at(host, pooled) if network in self.slices.spans else pooled

    def _collect_interfaces(self) -> None:
        """Every container's interfaces: its networks first, then its link ends."""
        self.interfaces: dict[str, list[Interface]] = {}
        for container in self.topology.containers.values():
            if self.owners[container.name] == container.name:
                self.interfaces[container.name] = [
                    self._interface(container, index) for index in range(len(container.networks))
                ]
        self.cables: list[tuple[Link, tuple[Interface, Interface]]] = []
        for link in self.topology.links:
            ends = links.interfaces(self.topology, link)
            self.cables.append((link, ends))
            for end in ends:
                if end.container in self.interfaces:
                    self.interfaces[end.container].append(end)
                else:
                    self._no_stack(link, end.container)

    def _no_stack(self, link: Link, container: str) -> None:
        message = f"a link ends in container {container!r}, which has no network stack of its own"
        hint = "give it networks or network_mode: none"
        self.problems.append(self.topology.source.problem(message, link.path, hint=hint))

    def _interface(self, container: Container, index: int) -> Interface:
        attachment = container.networks[index]
        name = self.interface_names[container.name][attachment.network]
        network = self.topology.networks[attachment.network]
        return Interface(
            id=names.interface_id(container.name, name),
            container=container.name,
            name=name,
            network=attachment.network,
            mac=attachment.mac_address.lower() or names.mac(self.topology.name, container.name, attachment.network),
            addresses=self.given[attachment.network][container.name],
            gw_priority=attachment.gw_priority,
            attachment=attachment,
            routed_by_host=network.mode in ("l3", "l3s") and not network.internal,
        )

    def _route(self) -> None:
        self.routes: dict[str, Routes] = {}
        for name, interfaces in self.interfaces.items():
            self.routes[name], problems = container_routes(self.topology, self.topology.containers[name], interfaces)
            self.problems += problems
        self.defaults = {name: routes.default for name, routes in self.routes.items()}
        for container in self.topology.containers.values():
            if container.routes and container.name not in self.interfaces:
                message = f"container {container.name!r} has routes but no network stack of its own"
                hint = f"put them on {self.owners[container.name]!r}" if self.owners[container.name] else "remove them"
                path = (*container.path, "routes")
                self.problems.append(self.topology.source.problem(message, path, hint=hint, key=True))

    def _networks(self) -> None:
        """The networks' own objects on each host that uses them, and the interfaces of the containers on them."""
        self.members = byhost.members(self.interfaces)
        used: dict[tuple[str, str], tuple[Driver, PooledNetwork, Place, Asker]] = {}
        for host, network in self.used:
            pooled = self._at(host, network)
            place = parents.place(self.topology, host, pooled.network, self.live, self.given[network])
            if pooled.network.driver in DRIVERS:
                driver, asks = DRIVERS[pooled.network.driver], _network_asks(pooled)
                used[host, network] = driver, pooled, place, asks
                for resource in driver.shared(self.topology.name, pooled, place):
                    self._add(host, resource, asks)
        for network in self.tunnels.spans:
            for host, tunnel in self.tunnels.overlay(self.pooled[network], self.members.get(network, ())):
                self._add(host, tunnel, _network_asks(self.pooled[network]))
        for host in self.topology.hosts if self.topology.parents else ():
            on = [self.topology.networks[network] for network in self.by_host.networks(host)]
            for resource, asker in parents.resources(self.topology, host, on, self.live):
                self._add(host, resource, asker)
        for (name, interfaces), routes in zip(self.interfaces.items(), self.routes.values(), strict=True):
            host = self.topology.containers[name].host
            for interface in interfaces:
                found = used.get((host, interface.network))
                if found is not None:
                    driver, pooled, place, asks = found
                    own_routes = routes.by_interface.get(interface.name, ())
                    for resource in driver.attached(self.topology.name, pooled, interface, own_routes, place):
                        self._add(host, resource, asks, of_attachment(interface))

    def _links(self) -> None:
        for link, ends in self.cables:
            if all(end.container in self.interfaces for end in ends):
                routes = {end.container: self.routes[end.container].by_interface for end in ends}
                if self.tunnels.crosses(link):
                    for at, tunnel in self.tunnels.cable(link, ends, routes):
                        self._add(at, tunnel, links.asker(link), of_link(link))
                    continue
                host = self.topology.containers[ends[0].container].host
                cable = links.cable(self.topology.name, link, ends, routes)
                self._add(host, cable, links.asker(link), of_link(link))

    def _containers(self) -> None:
        resolvers = self._name_servers()
        resolution = Resolution(self.topology, self.interfaces, self.owners, self.defaults, resolvers)
        for container in self.topology.containers.values():
            self._container(container, resolution)
        self.problems += resolution.problems

    def _name_servers(self) -> dict[str, str]:
        """Each host's name server; container -> the address at which it asks the one of its host."""
        resolvers: dict[str, str] = {}
        zones = dns.Zones(self.topology, self.members)
        for host in self.topology.hosts:
            own, live = self.by_host.containers(host), self.live.get(host)
            pooled = {name: self._at(host, name) for name in self.by_host.networks(host)}
            found = dns.service(self.topology, host, own, pooled, self.interfaces, zones=zones, live=live)
            self.names_ports[host] = found.port
            for resource in found.resources:
                self._add(host, resource)
            resolvers.update(found.resolvers)
            if found.note:
                self.notes.append(found.note)
        return resolvers

    def _container(self, container: Container, resolution: Resolution) -> None:
        topology, name, host = self.topology.name, container.name, container.host
        owner = self.owners[name]
        files: tuple[File, ...] = ()
        if owner:
            facts = self.live[host].facts if host in self.live else HostFacts()
            self._add(host, containers.namespace(topology, container, owner, self.carriers.get(name, "")))
            files = containers.files(topology, name, *resolution.files(container, facts))
            for file in files:
                self._add(host, file)
        if container.image or container.exec or container.command:
            after = [interface.id for interface in self.interfaces[owner]] if owner else []
            after += [file.id for file in files]
            if owner and dns.PROCESS_ID in self.resources[host]:
                after.append(dns.PROCESS_ID)
            made = containers.programs(topology, container, owner, after)
            if container.image:
                made = images.resources(
                    self.topology,
                    container,
                    owner,
                    self.live.get(host),
                    files=files,
                    after=after,
                    carrier=self.carriers.get(owner, ""),
                )
                if images.is_wired(container) or owner in self.carriers:
                    self._add(host, images.gatekeeper())
            for resource in made:
                self._add(host, resource)

    def _outside(self) -> None:
        """Each host's packet filter and forwarding, and the ports that it publishes."""
        topology = self.topology
        self.problems += firewall.contradictions(topology)
        publish = [name for name, own in topology.containers.items() if own.ports and name in self.interfaces]
        filtered = {name: [item for item in self.interfaces[name] if self._has_gateway(item)] for name in publish}
        for host, resources in list(self.resources.items()):
            bridges = [id.partition("/")[2] for id in resources if id.startswith("bridge/")]
            # Docker has the kernel show its filter what passes a bridge, too, and drops what it does not know.
            for accept in docker_user.accepts(topology.name, self.live.get(host)) if bridges else ():
                self._add(host, accept)
            networks = [self._at(host, name) for name in bridges if self._is_gateway(name)]
            if not networks:
                continue
            own = self.by_host.containers(host)
            found = ports.publish(topology, host, own, filtered, self.defaults, live=self.live.get(host))
            self.problems += found.problems
            self.contested[host] = found.contested
            self._add(host, firewall.firewall(topology.name, networks, found.published, self.names_ports.get(host, 0)))
            if host in self.live:
                self.notes += [f"host {host!r}: {sentence}" for sentence in self.live[host].facts.interferes]
            for sysctl in forwarding.sysctls(topology.name, networks, self.live.get(host)):
                self._add(host, sysctl)
            if found.published:
                self._add(host, ports.publisher(found.published, [firewall.firewall_id(topology.name)]))

    def _has_gateway(self, interface: Interface) -> bool:
        """True if the host is the way out of the interface's network."""
        return bool(interface.network) and self._is_gateway(interface.network)

    def _is_gateway(self, network: str) -> bool:
        return self.topology.networks[network].driver in HOST_IS_GATEWAY

    def _check_hosts(self) -> None:
        topology = self.topology
        self.problems += hostchecks.crowded_bridges(topology)
        self.problems += images.problems(topology, self.live)
        for host in topology.hosts:
            if host in self.live:
                facts = self.live[host].facts
                on = [self._at(host, network) for network in self.by_host.networks(host)]
                gateway = [item for item in on if item.network.driver in HOST_IS_GATEWAY]
                self.problems += hostchecks.taken_subnets(topology, gateway, host, facts, self.before)
                own, cables = self.by_host.containers(host), self.by_host.cables(host)
                basics = hostchecks.basics([item.network for item in on], own, cables)
                self.problems += hostchecks.lacking(topology, host, basics, facts.features)
                if len(topology.hosts) > 1 and not self.live[host].resources:
                    # It has shown nothing yet, and what it lacks is to be known before another host is changed.
                    asked = {name: asker for name, asker in basics.items() if name not in facts.features}
                    self.needs[host] = {**asked, **self.needs.get(host, {})}
                if facts.parents:
                    site = parentchecks.Site(topology, host, self.live, self.resources[host])
                    self.problems += parentchecks.problems(site, on, self.given)


def _network_asks(pooled: PooledNetwork) -> Asker:
    return Asker(pooled.network.path, f"network {pooled.network.name!r}")


def _in_file_order(problem: Problem) -> tuple[int, int]:
    if problem.position is None:
        return (0, 0)
    return (problem.position.line, problem.position.column)
