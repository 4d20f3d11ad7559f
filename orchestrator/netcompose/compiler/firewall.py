"""The nft table of a topology on a host, in nft's own language, as its agent reads it back.

What a packet costs does not grow with the number of networks or ports: every decision is one look-up in a set or a
map by interface name, address or port. The rules are always the same; networks and ports are their elements, each
with a comment that says which one it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from netcompose.compiler import names
from netcompose.compiler.numbers import show
from netcompose.compiler.ports import ANY, Published, is_loopback
from netcompose.compiler.shapes import Pool, PooledNetwork
from netcompose.resources import Firewall
from netcompose.resources.names import host_interface_name, table_name
from netcompose.topology.model import Topology
from netcompose.topology.source import Problem

#: nft keeps a comment in 128 bytes, the end included (libnftnl).
_LONGEST_COMMENT = 127

Table = dict[str, tuple[str, ...]]

_FORWARD = (
    "type filter hook forward priority 0; policy accept",
    # With br_netfilter, what a bridge passes from port to port comes by here too.
    "iifname . oifname vmap @within",
    'iifname @internal drop comment "nothing leaves an internal network"',
    'oifname @internal drop comment "nothing enters an internal network"',
    "ct state established,related accept",
    'iifname @routed oifname @routed accept comment "networks with isolated: false"',
    'oifname @networks ct status dnat accept comment "published ports"',
    'oifname @networks drop comment "from elsewhere only what is published"',
)
_INPUT = (
    "type filter hook input priority 0; policy accept",
    "ct state established,related accept",
    "iifname @internal goto from_internal",
    'iifname "nc*" ip daddr @gateway_addresses4 iifname . ip daddr != @gateways4 drop '
    'comment "the gateway of another network"',
    'iifname "nc*" ip6 daddr @gateway_addresses6 iifname . ip6 daddr != @gateways6 drop '
    'comment "the gateway of another network"',
)
#: The sets of every table.
_SETS = {
    "networks": "type ifname",
    "internal": "type ifname",
    "routed": "type ifname",
    "gateways4": "type ifname . ipv4_addr",
    "gateways6": "type ifname . ipv6_addr",
    "gateway_addresses4": "type ipv4_addr",
    "gateway_addresses6": "type ipv6_addr",
    "masquerade4": "type ipv4_addr; flags interval",
    "masquerade6": "type ipv6_addr; flags interval",
}
#: Questions for names go to the gateway's port 53; behind it is the port that the name server listens on.
_TO_NAMES = (
    'iifname . ip daddr @gateways4 meta l4proto {{ tcp, udp }} th dport {} {} comment "names"',
    'iifname . ip6 daddr @gateways6 meta l4proto {{ tcp, udp }} th dport {} {} comment "names"',
)
_FROM_INTERNAL = (
    'icmpv6 type { nd-neighbor-advert, nd-neighbor-solicit } accept comment "neighbour discovery"',
    "drop",
)
_POSTROUTING = (
    "type nat hook postrouting priority 100; policy accept",
    # A gateway's address is in its network too, and the host may use it to talk to itself.
    'oifname "lo" return comment "what stays on the host keeps its address"',
    "ip saddr @masquerade4 oifname != @networks masquerade",
    "ip6 saddr @masquerade6 oifname != @networks masquerade",
)
_PUBLISHED = (
    "",
    # Loopback and link-local addresses cannot leave the host they are on: the publisher's own sockets answer.
    "ip daddr 127.0.0.0/8 return",
    "ip6 daddr ::1 return",
    "ip6 saddr fe80::/10 return",
    # A bridge with br_netfilter sends nothing back through the port it came from, nor between isolated ports.
    'iifname . meta l4proto . th dport @own_network return comment "from the same network: the publisher answers"',
    "dnat ip to ip daddr . meta l4proto . th dport map @published_on4",
    "dnat ip to meta l4proto . th dport map @published4",
    "dnat ip6 to ip6 daddr . meta l4proto . th dport map @published_on6",
    "dnat ip6 to meta l4proto . th dport map @published6",
)
_TO_PUBLISHED = "fib daddr type local meta l4proto { sctp, tcp, udp } goto published"


def firewall(
    topology: str, networks: Sequence[PooledNetwork], published: Sequence[Published], names_port: int = 0
) -> Firewall:
    """The table for the bridge networks and the published ports of one host; ``names_port`` is its name server's."""
    name = table_name(topology)
    joined = [item.network.name for item in networks]
    bridges = {network: host_interface_name(topology, names.bridge_id(network)) for network in joined}
    table = _networks(networks, bridges)
    table["chain forward"] = (_FORWARD[0], *_between_hosts(networks, bridges), *_FORWARD[1:])
    table["chain input"] = _INPUT
    names_allowed = [rule.format(names_port, "accept") for rule in _TO_NAMES] if names_port else []
    table["chain from_internal"] = ("", *names_allowed, *_FROM_INTERNAL)
    table["chain postrouting"] = (_POSTROUTING[0], *_unmasked(networks), *_POSTROUTING[1:])
    arriving = [rule.format(53, f"dnat to :{names_port}") for rule in _TO_NAMES] if names_port else []
    if published:
        arriving.append(_TO_PUBLISHED)
        table.update(_ports(published, bridges))
        table["chain published"] = _PUBLISHED
        table["chain output"] = ("type nat hook output priority -100; policy accept", _TO_PUBLISHED)
    if arriving:
        table["chain prerouting"] = ("type nat hook prerouting priority -100; policy accept", *arriving)
    return Firewall(id=firewall_id(topology), name=name, table=table)


def firewall_id(topology: str) -> str:
    """``firewall/campus``."""
    return f"firewall/{topology}"


def contradictions(topology: Topology) -> Iterator[Problem]:
    """Networks that are told to be closed and open at once."""
    for network in topology.networks.values():
        if network.internal and not network.isolated:
            message = f"network {network.name!r} is internal, so nothing can be routed to it or from it"
            hint = "remove internal: true, or isolated: false"
            yield topology.source.problem(message, (*network.path, "isolated"), hint=hint, key=True)


def _networks(networks: Sequence[PooledNetwork], bridges: dict[str, str]) -> Table:
    found: dict[str, list[str]] = {name: [] for name in _SETS}
    within = []
    for item in networks:
        network = item.network
        bridge = f'"{bridges[network.name]}"'
        comment = _comment(f"network {network.name}")
        found["networks"].append(bridge + comment)
        within.append(f"{bridge} . {bridge}{comment} : {'accept' if network.icc else 'drop'}")
        if network.internal:
            found["internal"].append(bridge + comment)
        elif not network.isolated:
            found["routed"].append(bridge + comment)
        for pool in item.pools:
            found[f"gateways{pool.family}"].append(f"{bridge} . {pool.gateway}{comment}")
            found[f"gateway_addresses{pool.family}"].append(pool.gateway + comment)
            if network.masquerade and not network.internal:
                found[f"masquerade{pool.family}"].append(_subnet(pool) + comment)
    table = {f"set {name}": (declared, *sorted(found[name])) for name, declared in _SETS.items()}
    table["map within"] = ("type ifname . ifname : verdict", *sorted(within))
    return table


def _between_hosts(networks: Sequence[PooledNetwork], bridges: dict[str, str]) -> Iterator[str]:
    """A routed network's packets from and to its other hosts pass as those within a network do. A rule or two for each,
    which is for the few networks of this kind."""
    for item in networks:
        if item.network.driver == "routed" and item.network.icc:
            comment = _comment(f"network {item.network.name} on other hosts")
            for word, subnet in _subnets(item):
                yield f'iifname "{bridges[item.network.name]}" {word} daddr {subnet} accept{comment}'
                yield f'oifname "{bridges[item.network.name]}" {word} saddr {subnet} accept{comment}'


def _unmasked(networks: Sequence[PooledNetwork]) -> Iterator[str]:
    """Between the hosts of a routed network everybody has his own address."""
    for item in networks:
        if item.network.driver == "routed":
            for word, subnet in _subnets(item):
                comment = _comment(f"network {item.network.name}")
                yield f"{word} saddr {subnet} {word} daddr {subnet} return{comment}"


def _subnets(item: PooledNetwork) -> Iterator[tuple[str, str]]:
    """``ip`` or ``ip6``, and the whole subnet."""
    for subnet in item.network.subnets:
        yield ("ip6" if ":" in subnet.subnet else "ip"), subnet.subnet


def _ports(published: Sequence[Published], bridges: dict[str, str]) -> Table:
    own: dict[str, None] = {}
    maps: dict[str, list[str]] = {"published4": [], "published_on4": [], "published6": [], "published_on6": []}
    for port in published:
        comment = _comment(port.container)
        key = f"{port.protocol} . {port.host_port}"
        own.update((f'"{bridges[network]}" . {key}', None) for network in port.networks)
        for family, target in port.targets.items():
            if is_loopback(port.host_address) or (port.family and port.family != family):
                continue
            to = f"{target} . {port.container_port}"
            if port.host_address in ANY:
                maps[f"published{family}"].append(f"{key}{comment} : {to}")
            else:
                maps[f"published_on{family}"].append(f"{port.host_address} . {key}{comment} : {to}")
    service = "inet_proto . inet_service"
    table = {"set own_network": ("type ifname . " + service, *sorted(own))}
    for family in (4, 6):
        address = f"ipv{family}_addr"
        table[f"map published{family}"] = (
            f"type {service} : {address} . inet_service",
            *sorted(maps[f"published{family}"]),
        )
        table[f"map published_on{family}"] = (
            f"type {address} . {service} : {address} . inet_service",
            *sorted(maps[f"published_on{family}"]),
        )
    return table


def _subnet(pool: Pool) -> str:
    """As nft prints it: a subnet of one address is that address."""
    address = show(pool.family, pool.network)
    return address if pool.prefix == (32 if pool.family == 4 else 128) else f"{address}/{pool.prefix}"


def _comment(text: str) -> str:
    return f' comment "{text.encode()[:_LONGEST_COMMENT].decode(errors="ignore")}"'
