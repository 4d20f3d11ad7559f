"""The topology as the user meant it: frozen dataclasses, one shape per thing, defaults filled in.

This is what :mod:`netcompose.topology.build` makes of a valid document and what the compiler reads. Short forms
of the language are already expanded here (a list of networks is a mapping, ``"db:database"`` is a pair). ``path`` is
where the thing stands in the document, for messages with file:line:column.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from netcompose.topology.source import Path, Source


@dataclass(frozen=True)
class Host:
    """A machine that containers run on. ``address`` empty and name ``local``: this one. ``port`` None: what OpenSSH's
    configuration says, else 22."""

    name: str
    path: Path
    address: str = ""
    user: str = ""
    port: int | None = None
    identity_file: str = ""
    agent: bool = True
    proxy_jump: str = ""
    become: str = ""
    connect_timeout: float = 10.0
    command_timeout: float = 60.0
    keepalive: float = 15.0
    underlay: str = ""
    runtime: str = ""


@dataclass(frozen=True)
class Parent:
    """An interface that exists on the hosts. ``interface`` maps host name to interface name; the key ``""`` is
    for every host that is not named. ``vlan`` 0: none."""

    name: str
    path: Path
    interface: Mapping[str, str] = field(default_factory=dict)
    vlan: int = 0
    promiscuous: bool = False
    mtu: int = 0


@dataclass(frozen=True)
class Subnet:
    """An address range of a network. Strings are canonical (``ipaddress`` form); empty where not given."""

    name: str
    path: Path
    subnet: str
    gateway: str = ""
    ip_range: str = ""
    aux_addresses: Mapping[str, str] = field(default_factory=dict)


#: The driver of networks that are an engine's.
EXTERNAL = "external"


@dataclass(frozen=True)
class Network:
    """A network that containers join. With ``external`` its driver is EXTERNAL, and it is ``external_name`` on the
    host, or has its own name there. ``mtu`` 0: the driver's default. ``mode``, ``flag`` and ``sources`` (MAC
    addresses) are the driver's."""

    name: str
    path: Path
    driver: str = "bridge"
    subnets: tuple[Subnet, ...] = ()
    mtu: int = 0
    internal: bool = False
    parent: str = ""
    mode: str = ""
    flag: str = ""
    sources: tuple[str, ...] = ()
    host_access: bool = False
    vni: int = 0
    port: int = 0
    encrypted: bool = False
    icc: bool = True
    masquerade: bool = True
    isolated: bool = True
    external: bool = False
    external_name: str = ""


@dataclass(frozen=True)
class Impairment:
    """What a link does to packets in one direction; empty strings where not asked for. Units as written. ``limit`` is
    in packets, 0 for the default."""

    path: Path
    delay: str = ""
    jitter: str = ""
    delay_correlation: str = ""
    loss: str = ""
    loss_correlation: str = ""
    duplicate: str = ""
    duplicate_correlation: str = ""
    reorder: str = ""
    reorder_correlation: str = ""
    corrupt: str = ""
    corrupt_correlation: str = ""
    rate: str = ""
    burst: str = ""
    limit: int = 0


@dataclass(frozen=True)
class Attachment:
    """A container's interface on a network. Empty strings: chosen automatically. ``impairment`` is of the packets that
    leave the container, ``ingress`` of those that arrive."""

    network: str
    path: Path
    ipv4_address: str = ""
    ipv6_address: str = ""
    mac_address: str = ""
    aliases: tuple[str, ...] = ()
    interface_name: str = ""
    gw_priority: int = 0
    impairment: Impairment | None = None
    ingress: Impairment | None = None


@dataclass(frozen=True)
class RouteSpec:
    """A static route of a container; ``to`` and ``via`` canonical; ``via`` empty with ``interface`` given: on-link."""

    path: Path
    to: str
    via: str = ""
    interface: str = ""
    metric: int = 0


@dataclass(frozen=True)
class NameLink:
    """``links: ["db:database"]``: another container by a second name, in this container only."""

    path: Path
    container: str
    alias: str


@dataclass(frozen=True)
class Port:
    """A published port. ``host_port`` 0: a free one is chosen. Ranges are expanded to one Port each."""

    path: Path
    container_port: int
    host_port: int = 0
    host_address: str = ""
    protocol: str = "tcp"


@dataclass(frozen=True)
class Container:
    """A container. ``network_mode`` is ``networks``, ``none``, ``host`` or ``container``; with the last, ``joins``
    names the container whose stack is shared. ``image`` empty: native. ``engine`` has the keys that only an image
    container understands, as written, for the runtime that takes them."""

    name: str
    path: Path
    host: str
    hostname: str
    image: str = ""
    command: tuple[str, ...] = ()
    network_mode: str = "networks"
    joins: str = ""
    networks: tuple[Attachment, ...] = ()
    ports: tuple[Port, ...] = ()
    links: tuple[NameLink, ...] = ()
    dns: tuple[str, ...] = ()
    dns_search: tuple[str, ...] = ()
    dns_options: tuple[str, ...] = ()
    extra_hosts: tuple[tuple[str, str], ...] = ()
    sysctls: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    working_dir: str = ""
    user: str = ""
    restart: str = "no"
    stop_signal: str = "SIGTERM"
    stop_grace_period: float = 10.0
    routes: tuple[RouteSpec, ...] = ()
    exec: tuple[tuple[str, ...], ...] = ()
    engine: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class LinkEnd:
    """One end of a point-to-point link: ``r1:eth1``. ``addresses`` are ``address/prefix`` strings, canonical."""

    path: Path
    container: str
    interface: str
    addresses: tuple[str, ...] = ()
    mac_address: str = ""
    impairment: Impairment | None = None


@dataclass(frozen=True)
class Link:
    """A cable between two containers. ``mtu`` 0: 1500, or what the underlay leaves between hosts."""

    path: Path
    a: LinkEnd
    b: LinkEnd
    mtu: int = 0


@dataclass(frozen=True)
class Topology:
    """A whole valid document. Mappings keep the order of the file; ``source`` finds positions for messages."""

    name: str
    hosts: Mapping[str, Host]
    parents: Mapping[str, Parent]
    subnets: Mapping[str, Subnet]
    networks: Mapping[str, Network]
    containers: Mapping[str, Container]
    links: tuple[Link, ...]
    source: Source = field(compare=False, repr=False)
