"""Who finds whom by name: the ``hosts`` and ``resolv.conf`` files of every container (hosts(5), resolv.conf(5)).

A container that asks the topology's name server (dns.py) has its own names in its hosts file and the server's address
in its resolv.conf. One that reaches no server finds all of its peers in its hosts file. A network's lines are built
once and shared then: with a thousand containers on a network each file has a thousand lines, so a file that needs
nothing of its own is one string for all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from netcompose.compiler.numbers import parse
from netcompose.compiler.shapes import NOT_OURS, Interface, Interfaces
from netcompose.resources import HostFacts
from netcompose.topology.model import Attachment, Container, Topology
from netcompose.topology.source import Problem

#: What Docker Engine writes at the top of every hosts file.
_LOCALHOST = """\
127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::\tip6-localnet
ff00::\tip6-mcastprefix
ff02::1\tip6-allnodes
ff02::2\tip6-allrouters
"""

#: The public resolvers that Docker Engine falls back to when the host's are all loopback ones.
PUBLIC = {4: ("8.8.8.8", "8.8.4.4"), 6: ("2001:4860:4860::8888", "2001:4860:4860::8844")}


class _Block(NamedTuple):
    """One network's lines, and how many of its containers go by each name."""

    text: str
    claims: Mapping[str, int]


class _Peers(NamedTuple):
    """What is known of one container for those who look for it: its interfaces by network and by cable, and the other
    ends of its cables."""

    networks: dict[str, Interface]
    cables: list[Interface]
    far: list[Interface]


class Resolution:
    """The files' contents. Built once for a topology, then asked for each container.

    ``owners`` maps every container to the one whose stack it has (itself, or empty for the host's);
    ``default_networks`` maps a container and family to the network that its default route uses; ``resolvers`` maps
    containers to the address of the name server that answers them, without those that ask servers of their own.
    """

    def __init__(
        self,
        topology: Topology,
        interfaces: Interfaces,
        owners: Mapping[str, str],
        default_networks: Mapping[str, Mapping[int, str]],
        resolvers: Mapping[str, str] | None = None,
    ) -> None:
        self._topology = topology
        self._owners = owners
        self._default_networks = default_networks
        self._resolvers = resolvers or {}
        self._peers: dict[str, _Peers] = {}
        self._index(interfaces)
        self._blocks = self._build_blocks()
        self._whole: dict[str, str] = {}
        #: The networks whose names the name server knows: on macvlan and ipvlan nobody reaches it.
        self._served = {network.name for network in topology.networks.values() if network.driver not in NOT_OURS}
        #: Whose text others need again: those whose network stack is joined.
        self._joined = {owner for name, owner in owners.items() if owner != name}
        self._texts: dict[tuple[str, bool], str] = {}
        self._kept: dict[tuple[bool, tuple[str, ...], tuple[str, ...], tuple[str, ...]], str] = {}
        self.problems: list[Problem] = []

    def _index(self, interfaces: Interfaces) -> None:
        by_cable: dict[str, list[Interface]] = {}
        for container, own in interfaces.items():
            peers = self._peers[container] = _Peers({}, [], [])
            for interface in own:
                if interface.network:
                    peers.networks[interface.network] = interface
                else:
                    peers.cables.append(interface)
                    by_cable.setdefault(interface.id, []).append(interface)
        for ends in by_cable.values():
            for end in ends:
                self._peers[end.container].far.extend([far for far in ends if far is not end])

    def _build_blocks(self) -> dict[str, _Block]:
        lines: dict[str, list[tuple[str, str]]] = {}
        claims: dict[str, dict[str, int]] = {}
        for name, peers in self._peers.items():
            container = self._topology.containers[name]
            for attachment in container.networks:
                interface = peers.networks[attachment.network]
                names = names_on(container, attachment)
                text = " ".join(names)
                block = "".join([f"{address.text}\t{text}\n" for address in interface.addresses])
                lines.setdefault(attachment.network, []).append((name, block))
                count = claims.setdefault(attachment.network, {})
                for known in names:
                    count[known] = count.get(known, 0) + 1
        return {
            network: _Block("".join([block for _, block in sorted(found)]), claims[network])
            for network, found in lines.items()
        }

    def files(self, container: Container, facts: HostFacts) -> tuple[str, str]:
        """The ``hosts`` and ``resolv.conf`` files of a container, joined ones included; ``facts`` are its host's."""
        owner = self._owners[container.name]
        # The address of the topology's name server as the container knows it, empty if it asks none.
        resolver = "" if container.dns else self._resolvers.get(owner, "")
        return self._hosts(container, owner, bool(resolver)), self._resolv_conf(container, owner, resolver, facts)

    def _hosts(self, container: Container, owner: str, served: bool) -> str:
        name = container.name
        joined = name in self._joined
        text = self._texts.get((name, served)) if joined else None
        if text is None:
            peers = self._peers[owner]
            if owner == name:
                text = self._base(container, peers, served)
            else:
                text = self._hosts(self._topology.containers[owner], owner, served)
                text += self._own_lines(peers, _own_names(container))
            text += self._additions(container, owner)
            if joined:
                self._texts[name, served] = text
        return text

    def _base(self, container: Container, peers: _Peers, served: bool) -> str:
        """Localhost, the container itself, and its peers: those on cables, and on its networks if nobody else tells."""
        networks = sorted([name for name in peers.networks if name not in self._served] if served else peers.networks)
        far = self._cable_lines(container.name, peers)
        names = _own_names(container)
        if len(networks) == 1 and not far and not peers.cables:
            # The network's block says it all, unless somebody else on the network goes by this container's name.
            network = networks[0]
            block = self._blocks[network]
            if all(block.claims[known] == 1 for known in names):
                if network not in self._whole:
                    self._whole[network] = _LOCALHOST + block.text
                return self._whole[network]
        blocks = [self._blocks[network].text for network in networks]
        return "".join((_LOCALHOST, self._own_lines(peers, names), *blocks, *far))

    def _own_lines(self, peers: _Peers, names: Sequence[str]) -> str:
        text = " ".join(names)
        addresses = [address.text for interface in self._ordered(peers) for address in interface.addresses]
        # Debian's convention for a host without an address of its own, so that its name resolves all the same.
        return "".join([f"{address}\t{text}\n" for address in addresses or ["127.0.1.1"]])

    def _ordered(self, peers: _Peers) -> list[Interface]:
        networks = list(peers.networks.values())
        if len(networks) > 1:
            networks = [peers.networks[name] for name in sorted(peers.networks)]
        return networks + (sorted(peers.cables, key=_by_name) if len(peers.cables) > 1 else peers.cables)

    def _cable_lines(self, name: str, peers: _Peers) -> list[str]:
        lines: list[str] = []
        for far in sorted(peers.far, key=lambda end: (end.container, end.name)):
            if far.container == name or not peers.networks.keys().isdisjoint(self._peers[far.container].networks):
                continue
            text = " ".join(_own_names(self._topology.containers[far.container]))
            lines += [f"{address.text}\t{text}\n" for address in far.addresses]
        return lines

    def _additions(self, container: Container, owner: str) -> str:
        if not container.links and not container.extra_hosts:
            return ""
        lines = []
        for link in sorted(container.links, key=lambda link: (link.alias, link.container)):
            addresses = self._addresses_towards(owner, self._owners.get(link.container, ""))
            if not addresses:
                message = f"container {link.container!r} has no address of its own that {link.alias!r} could stand for"
                hint = "link to a container that joins a network, or whose point-to-point link has addresses"
                self.problems.append(self._topology.source.problem(message, link.path, hint=hint))
            lines += [f"{address}\t{link.alias}\n" for address in addresses]
        for host, target in sorted(container.extra_hosts):
            for address in self._extra_addresses(container, owner, target):
                lines.append(f"{address}\t{host}\n")
        return "".join(lines)

    def _addresses_towards(self, owner: str, target: str) -> list[str]:
        """The addresses of ``target`` as ``owner`` knows it: on shared networks, else over cables, else all."""
        if target not in self._peers:
            return []
        if target == owner:
            return ["127.0.0.1", "::1"]
        theirs = self._peers[target].networks
        shared = [theirs[network] for network in sorted(self._peers[owner].networks) if network in theirs]
        cables = sorted((far for far in self._peers[owner].far if far.container == target), key=_by_name)
        for choice in (shared, cables, self._ordered(self._peers[target])):
            addresses = [address.text for interface in choice for address in interface.addresses]
            if addresses:
                return addresses
        return []

    def _extra_addresses(self, container: Container, owner: str, target: str) -> list[str]:
        if target != "host-gateway":
            return [target]
        found = []
        for family, network in sorted(self._default_networks.get(owner, {}).items()):
            address = next(a for a in self._peers[owner].networks[network].addresses if a.family == family)
            if address.gateway:
                found.append(address.gateway)
        if not found:
            message = f"container {container.name!r} has no gateway that host-gateway could stand for"
            hint = "join a network that is not internal, or write the address"
            path = (*container.path, "extra_hosts")
            self.problems.append(self._topology.source.problem(message, path, hint=hint))
        return found

    def _resolv_conf(self, container: Container, owner: str, resolver: str, facts: HostFacts) -> str:
        inherited = container if owner == container.name else self._topology.containers[owner]
        servers: Iterable[str] = (resolver,) if resolver else container.dns or inherited.dns
        if not servers:
            servers = [server for server in facts.nameservers if _usable(server)]
        if not servers:
            addresses = (a for interface in self._ordered(self._peers[owner]) for a in interface.addresses)
            servers = PUBLIC[4] + (PUBLIC[6] if any(a.family == 6 for a in addresses) else ())
        search: Sequence[str] = container.dns_search or inherited.dns_search or facts.search
        options: Sequence[str] = container.dns_options or inherited.dns_options or facts.resolver_options
        # Most containers of a host have the same text: it is made and kept once.
        key = (bool(resolver), tuple(servers), tuple(search), tuple(options))
        text = self._kept.get(key)
        if text is None:
            text = self._kept[key] = _resolv_conf_text(*key)
        return text


def _resolv_conf_text(served: bool, servers: Sequence[str], search: Sequence[str], options: Sequence[str]) -> str:
    """``served``: it is the topology's name server that is asked."""
    lines = [f"nameserver {server}\n" for server in servers]
    if served and not any(option.startswith("ndots:") for option in options):
        # As Docker Engine has it: a container's bare name is asked for as it is before any domain is added.
        options = [*options, "ndots:0"]
    search = [domain for domain in search if domain != "."]
    if search:
        lines.append(f"search {' '.join(search)}\n")
    if options:
        lines.append(f"options {' '.join(options)}\n")
    return "".join(lines)


def _by_name(interface: Interface) -> str:
    return interface.name


def _own_names(container: Container) -> tuple[str, ...]:
    return (container.name,) if container.hostname in ("", container.name) else (container.hostname, container.name)


def names_on(container: Container, attachment: Attachment) -> tuple[str, ...]:
    """The names of a container on a network, without repetition."""
    if not attachment.aliases:
        return (container.name,) if container.hostname in ("", container.name) else (container.name, container.hostname)
    names = [container.name, container.hostname, *sorted(attachment.aliases)]
    return tuple(dict.fromkeys(name for name in names if name))


def _usable(server: str) -> bool:
    """False for a loopback address, and for a link-local one that names an interface of the host."""
    if "%" in server:
        return False
    try:
        family, value = parse(server)
    except ValueError:
        return False
    return value >> 24 != 127 if family == 4 else value != 1
