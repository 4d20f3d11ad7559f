"""What an agent tells of its host: facts, what is live and ours, and whose the taken names are."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Mapping

from netcompose.resources.base import Resource
from netcompose.resources.parent import ParentFacts


@dataclass(frozen=True)
class Listener:
    """A socket on the host that has a port: ``protocol`` is tcp, udp or sctp; ``inode`` identifies it. ``owner`` is
    filled in on request only ("nginx (pid 812)"), because finding it means asking every process."""

    protocol: str
    address: str
    port: int
    inode: int = 0
    owner: str = ""


@dataclass(frozen=True)
class EngineNetwork:
    """A network of a container engine that containers are to join: the interface that is its ``bridge``, its
    ``subnets`` as ``(prefix, gateway)``, the addresses that its containers have as ``(address, container)``, and its
    MTU, 0 where it has none of its own. ``lacks`` says why it cannot be joined."""

    bridge: str = ""
    subnets: tuple[tuple[str, str], ...] = ()
    taken: tuple[tuple[str, str], ...] = ()
    mtu: int = 0
    lacks: str = ""


@dataclass(frozen=True)
class EngineFacts:
    """The container engine of a host, when a topology asks for one: ``runtime`` is docker or podman, empty if there is
    none, with the reason in ``lacks``. ``images`` are the ids of the images that were asked about, by reference as
    written, empty for one that the engine does not have. ``machine`` is the host's (uname(2)), for which images are
    made. From the controller come ``names``, what the engine calls images that come from files, by reference as
    written, and ``coming``, the references of those that a run brings before anything else."""

    runtime: str = ""
    version: str = ""
    lacks: str = ""
    images: Mapping[str, str] = field(default_factory=dict)
    machine: str = ""
    names: Mapping[str, str] = field(default_factory=dict)
    coming: tuple[str, ...] = ()


@dataclass(frozen=True)
class HostFacts:
    """Facts of a host that the compiler and the commands need; read without side effects.

    ``routes`` are the destination prefixes of the host's main table with their interface, as ``(prefix,
    interface)``; those through interfaces of the observed topology are left out. ``features`` are kernel and
    program features, each with an empty string when usable and the reason when not. ``interferes`` are sentences
    about what on this host is known to get in the way. ``docker_chains`` are the chains of the filter tables in which a
    Docker Engine has its own, by iptables' program. ``addresses`` are the host's own without the topology's and
    loopback's; ``listeners`` the ports in use; ``accept_ra`` the setting of each interface that has a default route by
    router advertisements. ``name_server`` is the path of a usable Unbound, empty if there is none, to be run as
    ``name_server_user`` (empty: as the agent); ``forwarders`` are the resolvers that the host itself asks, its own
    loopback ones included. ``parents`` are the interfaces that the observation was asked about, by name.
    ``interface_addresses`` are the host's own interfaces that are up, with their ``address/prefix`` strings, and
    ``mtus`` theirs; ``tunnels`` the VXLANs of others, as ``(VNI, UDP port)``. ``session`` tells of the connection that
    the agent was started over: ``peer`` and ``address`` are its two ends, and ``interface`` what it comes in by; empty
    for none. ``engine`` is what is known of the container engine.
    """

    hostname: str = ""
    kernel: str = ""
    python: str = ""
    version: str = ""
    is_root: bool = False
    nameservers: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    resolver_options: tuple[str, ...] = ()
    routes: tuple[tuple[str, str], ...] = ()
    interfaces: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    listeners: tuple[Listener, ...] = ()
    accept_ra: Mapping[str, str] = field(default_factory=dict)
    name_server: str = ""
    name_server_user: str = ""
    forwarders: tuple[str, ...] = ()
    features: Mapping[str, str] = field(default_factory=dict)
    interferes: tuple[str, ...] = ()
    docker_chains: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    parents: Mapping[str, ParentFacts] = field(default_factory=dict)
    interface_addresses: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    mtus: Mapping[str, int] = field(default_factory=dict)
    tunnels: tuple[tuple[int, int], ...] = ()
    session: Mapping[str, str] = field(default_factory=dict)
    engine: EngineFacts = field(default_factory=EngineFacts)
    memory: int = 0
    load: float = 0.0


@dataclass(frozen=True)
class Observation:
    """One host as it is: the topology's own resources by id, and the claims (:meth:`Resource.claims`) that
    objects of others hold, each with a sentence on who that is ("an interface that netcompose did not make")."""

    resources: Mapping[str, Resource] = field(default_factory=dict)
    foreign: Mapping[str, str] = field(default_factory=dict)
    facts: HostFacts = field(default_factory=HostFacts)


@dataclass(frozen=True)
class ContainerState:
    """What ``ps`` shows of a container's runtime.

    ``status`` is ``running``, ``waiting`` (started, and at the gate: its program does not run yet), ``exited``,
    ``dead`` (gone without an exit status), ``wired`` (a namespace without a command) or ``absent``. ``exit_code`` is
    None unless exited; a signal's number is negative. ``started`` and ``finished`` are seconds since the epoch, 0 if
    unknown; ``restarts`` counts what the policy did.
    """

    container: str
    status: str
    pid: int = 0
    exit_code: int = -1
    started: float = 0.0
    finished: float = 0.0
    restarts: int = 0


@dataclass(frozen=True)
class ExecTarget:
    """Where and as what a command runs inside a container: what the controller knows of it.

    ``netns`` is the name under ``/run/netns`` and ``/etc/netns``, empty for the host's own. ``environment`` is
    added to the defaults (``PATH``, ``HOME``, ``HOSTNAME``, ``TERM``); ``user`` is a name or ``uid[:gid]``. ``engine``
    is the name that a container engine has for it, empty for a native one; the engine knows the rest.
    """

    container: str
    netns: str = ""
    hostname: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    working_dir: str = "/"
    user: str = ""
    engine: str = ""
