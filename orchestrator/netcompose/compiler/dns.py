"""The name server of a topology on a host: who is answered what, as files for one Unbound (unbound.conf(5)).

Containers ask the gateway addresses of their bridges; the packet filter leads them to the one port of the host that it
listens on, whatever else there is on port 53. There is a view per set of networks: a container is shown the names on
its own networks only. A network's names are a file of their own, which the views of all sets that it is in include,
so that a new container on a network changes this one file.
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from operator import attrgetter
from typing import NamedTuple

from netcompose.compiler import names, names_port
from netcompose.compiler.firewall import firewall_id
from netcompose.compiler.names_port import FOLDER, MAIN, MAIN_ID
from netcompose.compiler.networks import HOST_IS_GATEWAY
from netcompose.compiler.numbers import mask, parse_prefix, parse_with_prefix, show
from netcompose.compiler.resolution import PUBLIC, names_on
from netcompose.compiler.shapes import Interface, Interfaces, Pool, PooledNetwork
from netcompose.resources import Bridge, File, HostFacts, Namespace, Observation, Process, Resource, Veth
from netcompose.resources.names import DNS_SERVICE, netns_name
from netcompose.topology.model import Container, Topology

PROCESS_ID = names_port.PROCESS_ID
#: Seconds that an answer may be kept: a container that was made anew may have another address.
_TTL = 60
_LONGEST = 253
_NAME = re.compile(r"(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?(?:\.(?!\Z)|\Z))+\Z")

_SERVER = """\
server:
    do-daemonize: no
    chroot: ""
    username: ""
    directory: ""
    pidfile: ""
    use-syslog: no
    verbosity: 1
    num-threads: 1
    module-config: "iterator"
    so-reuseport: no
    hide-version: yes
    # Answers come from the address that was asked. Whoever is not named below gets none.
    interface-automatic: yes
    access-control: 0.0.0.0/0 deny
    access-control: ::/0 deny
    rrset-roundrobin: yes
    # Small: most answers come from the views, and what is asked elsewhere is kept by those who are asked.
    msg-cache-size: 1m
    rrset-cache-size: 2m
    outgoing-range: 512
    num-queries-per-thread: 512
    cache-max-negative-ttl: 5
    # A resolver that was away is asked again soon.
    infra-host-ttl: 30
    infra-keep-probing: yes
    # Questions for everything that is not in a view are the host's resolvers' to answer, private networks included.
    do-not-query-localhost: no
    qname-minimisation: no
    unblock-lan-zones: yes
    insecure-lan-zones: yes
    local-zone: "test." nodefault
    local-zone: "home.arpa." nodefault
"""


class Service(NamedTuple):
    """The name server of one host. ``resolvers`` maps a container that has a stack of its own to the address that it
    asks; ``port`` is the one that it listens on; ``note`` says why there is no server although containers could ask
    one, or why it has moved to another port."""

    resources: tuple[Resource, ...] = ()
    resolvers: Mapping[str, str] = {}
    port: int = 0
    note: str = ""


class Zones:
    """The names on every network: they are the same on each of its hosts. ``members`` are the interfaces on each."""

    def __init__(self, topology: Topology, members: Mapping[str, Sequence[Interface]]) -> None:
        self._topology = topology
        self._members = members
        self._texts: dict[str, str] = {}

    def of(self, network: str) -> str:
        """The network's names as a file for the server."""
        text = self._texts.get(network)
        if text is None:
            lines: dict[str, None] = {}
            zone = network if _is_name(network) else ""
            # Everybody on it, on whichever host.
            for interface in sorted(self._members.get(network, ()), key=attrgetter("container")):
                if interface.attachment is not None:
                    known = names_on(self._topology.containers[interface.container], interface.attachment)
                    lines.update(dict.fromkeys(_records(known, zone, interface)))
            text = self._texts[network] = "".join(lines)
        return text


def service(
    topology: Topology,
    host: str,
    containers: Sequence[Container],
    pooled: Mapping[str, PooledNetwork],
    interfaces: Interfaces,
    *,
    zones: Zones,
    live: Observation | None,
) -> Service:
    """The server of a host and who asks it; ``containers`` and ``pooled`` are the host's own. ``live`` None: nothing is
    known of the host, so there is no server."""
    gateways = {name: pools for name, network in pooled.items() if (pools := _gateways(network))}
    clients = _clients(containers, gateways, interfaces)
    resolvers = {
        name: found
        for name, own in clients.items()
        if not topology.containers[name].dns and (found := _resolver(own, pooled, gateways))
    }
    if not resolvers or live is None:
        return Service()
    if not live.facts.name_server:
        reason = live.facts.features.get("dns", "this host has none")
        return Service(
            note=f"host {host}: no name server for the containers: {reason}; their hosts files have the names, and "
            "DNS clients such as dig get no answer for them"
        )
    port = names_port.choose(topology.name, containers, live)
    resources = tuple(_resources(topology.name, pooled, clients, zones, port=port, facts=live.facts))
    return Service(resources, resolvers, port, _moved(host, live, port))


def _moved(host: str, live: Observation, port: int) -> str:
    """Who has the port that the server had, if it therefore gets another one."""
    lost = names_port.lost(live)
    if lost is None:
        return ""
    item = lost.taken_by
    return (
        f"host {host}: {item.owner or 'another program'} has {lost.port}/{item.protocol}, on which the name server of "
        f"the containers listened before: it gets port {port}"
    )


def _clients(
    containers: Sequence[Container], gateways: Mapping[str, Sequence[Pool]], interfaces: Interfaces
) -> dict[str, list[Interface]]:
    """The containers of a host that are on a network on which they can ask it, with all their interfaces on networks,
    by name, in the order of the file: it tells the names on each of these."""
    clients = {}
    for container in containers:
        own = [item for item in interfaces.get(container.name, ()) if item.network]
        for item in own:
            if item.network in gateways:
                clients[container.name] = own
                break
    return clients


def _gateways(pooled: PooledNetwork) -> list[Pool]:
    return [pool for pool in pooled.pools if pool.gateway] if pooled.network.driver in HOST_IS_GATEWAY else []


def _resolver(
    own: Sequence[Interface], pooled: Mapping[str, PooledNetwork], gateways: Mapping[str, Sequence[Pool]]
) -> str:
    """The gateway that a container asks, empty if it reaches none: of the first network by name, internal ones last,
    IPv4 before IPv6. All are one server that knows the container, so another default route is no reason to change."""
    if len(own) > 1:
        own = sorted(own, key=lambda item: (pooled[item.network].network.internal, item.network))
    for interface in own:
        # IPv4 comes first among the addresses of an interface.
        for address in interface.addresses:
            for pool in gateways.get(interface.network, ()):
                if pool.family == address.family and pool.contains(address.value):
                    return pool.gateway
    return ""


def _resources(
    topology: str,
    pooled: Mapping[str, PooledNetwork],
    clients: Mapping[str, Sequence[Interface]],
    zones: Zones,
    *,
    port: int,
    facts: HostFacts,
) -> Iterator[Resource]:
    used = sorted({interface.network for own in clients.values() for interface in own})
    contents = {f"{network}.names": zones.of(network) for network in used}
    settings = (*_access(pooled, used, clients), *_views(pooled, used, clients), *_forward(facts))
    contents[MAIN] = "".join((f"    port: {port}\n", *settings))
    # What it answers as `id.server`: who asks knows which of these files it has read.
    contents[MAIN] = f'{_SERVER}    identity: "{_digest(contents[MAIN])}"\n' + contents[MAIN]
    folder = f"/etc/netns/{netns_name(topology, DNS_SERVICE)}/{FOLDER}"
    files = []
    reads = {}
    for name, content in sorted(contents.items()):
        id = names.file_id(DNS_SERVICE, f"{FOLDER}/{name}")
        files.append(File(id=id, container=DNS_SERVICE, path=f"{folder}/{name}", content=content))
        reads[name] = _digest(content)
    yield from files
    yield Process(
        id=PROCESS_ID,
        container=DNS_SERVICE,
        command=(facts.name_server, "-d", "-p", "-c", f"/etc/{FOLDER}/{MAIN}"),
        netns=netns_name(topology, DNS_SERVICE),
        user=facts.name_server_user,
        restart="always",
        stop_grace_period=2.0,
        reads=reads,
        after=(*(file.id for file in files), firewall_id(topology)),
    )


def _digest(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def _records(known: Sequence[str], zone: str, interface: Interface) -> Iterator[str]:
    """The lines of one container on a network: its names alone and with the network's, and its addresses back.
    ``zone`` is the network's name, empty if DNS cannot carry it."""
    known = [name for name in known if _is_name(name)]
    with_network = [whole for name in known if len(whole := f"{name}.{zone}") <= _LONGEST] if zone else []
    for address in interface.addresses:
        kind = "A" if address.family == 4 else "AAAA"
        for name in (*known, *with_network):
            yield f'local-data: "{name}. {_TTL} IN {kind} {address.text}"\n'
        if known:
            yield f'local-data-ptr: "{address.text} {_TTL} {(with_network or known)[0]}"\n'


def _is_name(name: str) -> bool:
    """Whether DNS can carry it (RFC 1035, 2.3.4); underscores are fine (RFC 2181, 11)."""
    return len(name) <= _LONGEST and _NAME.match(name) is not None


def _access(
    pooled: Mapping[str, PooledNetwork], used: Sequence[str], clients: Mapping[str, Sequence[Interface]]
) -> Iterator[str]:
    """Who may ask and what they see: everybody on a network its names, a container on several those of all."""
    for network in used:
        for pool in _gateways(pooled[network]):
            yield from _client(f"{show(pool.family, pool.network)}/{pool.prefix}", _view(network))
    for own in clients.values():
        if len(own) > 1:
            view = _view(*(interface.network for interface in own))
            for interface in own:
                for address in interface.addresses:
                    yield from _client(f"{address.text}/{32 if address.family == 4 else 128}", view)


def _client(prefix: str, view: str) -> tuple[str, str]:
    return f"    access-control: {prefix} allow\n", f'    access-control-view: {prefix} "{view}"\n'


def _view(*networks: str) -> str:
    return "+".join(sorted(networks))


def _views(
    pooled: Mapping[str, PooledNetwork], used: Sequence[str], clients: Mapping[str, Sequence[Interface]]
) -> Iterator[str]:
    """A view for each network, and for each set of several that a container is on. Who is on internal networks alone
    has no way out, and none through questions for names either."""
    sets: set[tuple[str, ...]] = {(network,) for network in used}
    sets |= {tuple(sorted(interface.network for interface in own)) for own in clients.values() if len(own) > 1}
    for networks in sorted(sets):
        inside = all(pooled[network].network.internal for network in networks)
        yield f'view:\n    name: "{_view(*networks)}"\n'
        yield "    view-first: yes\n"
        yield f'    local-zone: "." {"static" if inside else "transparent"}\n'
        for network in networks:
            yield f'    include: "/etc/{FOLDER}/{network}.names"\n'


def _forward(facts: HostFacts) -> Iterator[str]:
    yield 'forward-zone:\n    name: "."\n'
    # One with a zone (fe80::1%eth0) is asked through an interface that only the host's own programs know.
    for server in [server for server in facts.forwarders if "%" not in server] or (*PUBLIC[4], *PUBLIC[6]):
        yield f"    forward-addr: {server}\n"


class _Setup(NamedTuple):
    """What a configuration says: which clients (family, network, prefix) see which view, and which files each view
    includes."""

    clients: tuple[tuple[int, int, int, str], ...]
    files: Mapping[str, tuple[str, ...]]


def told(resources: Mapping[str, Resource], container: str) -> Iterator[tuple[str, str]]:
    """``(name, address)`` of everything that the name server tells a container, as its files say; nothing if the
    container asks others."""
    main = resources.get(MAIN_ID)
    asked = resources.get(names.file_id(container, "resolv.conf"))
    namespace = resources.get(names.namespace_id(container))
    if not (isinstance(main, File) and isinstance(asked, File) and isinstance(namespace, Namespace)):
        return
    server = asked.content.partition("\n")[0].removeprefix("nameserver ") + "/"
    bridges = [item for item in resources.values() if isinstance(item, Bridge)]
    if not any(text.startswith(server) for bridge in bridges for text in bridge.addresses):
        return
    setup = _read(main.content)
    owner = namespace.joins or container
    ends = [end for item in resources.values() if isinstance(item, Veth) for end in (item.end, item.peer)]
    own = [parse_with_prefix(text)[:2] for end in ends if end.namespace == owner for text in end.addresses]
    matching = [
        (prefix, view)
        for family, network, prefix, view in setup.clients
        if any(kind == family and value & mask(family, prefix) == network for kind, value in own)
    ]
    for name in setup.files[max(matching)[1]] if matching else ():
        file = resources.get(names.file_id(DNS_SERVICE, f"{FOLDER}/{name}"))
        if isinstance(file, File):
            yield from _answers(file.content)


@functools.lru_cache(maxsize=8)
def _read(content: str) -> _Setup:
    clients = []
    files: dict[str, tuple[str, ...]] = {}
    view = ""
    for line in content.splitlines():
        key, _, value = line.strip().partition(": ")
        if key == "access-control-view":
            prefix, _, seen = value.partition(" ")
            clients.append((*parse_prefix(prefix), seen.strip('"')))
        elif key == "name":
            view = value.strip('"')
            files[view] = ()
        elif key == "include":
            files[view] = (*files[view], value.strip('"').rpartition("/")[2])
    return _Setup(tuple(clients), files)


@functools.lru_cache(maxsize=1024)
def _answers(content: str) -> tuple[tuple[str, str], ...]:
    found = []
    for line in content.splitlines():
        key, _, value = line.partition(": ")
        if key == "local-data":
            words = value.strip('"').split()
            found.append((words[0].rstrip("."), words[-1]))
    return tuple(found)
