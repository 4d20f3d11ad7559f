"""What is built by hand with `ip` and `nft`: bridges with containers, and the path of a packet with a published port.

What somebody who knows the tools would type, and no rule more: forwarding, masquerade, one dnat.
"""

from __future__ import annotations

from collections.abc import Sequence

NET = "10.0.0"
#: The host's address on the cable to its neighbour, and the neighbour's: what is outside.
HOST, OUTSIDE = "192.0.2.1", "192.0.2.2"

#: A neighbour on its own cable.
NEIGHBOUR = f"""\
ip netns add outside
ip link add up0 type veth peer name eth0 netns outside
ip addr add {HOST}/24 dev up0
ip link set up0 up
ip -n outside addr add {OUTSIDE}/24 dev eth0
ip -n outside link set lo up
ip -n outside link set eth0 up
"""


def network(prefix: str, names: Sequence[str], first: int = 0) -> list[str]:
    """The `ip` lines for a bridge, and on it a container for each name with the addresses ``prefix``.2, .3 and on; the
    ports of the bridge are numbered from ``first``."""
    lines = ["ip link add br0 type bridge", f"ip addr add {prefix}.1/24 dev br0", "ip link set br0 up"]
    for index, name in enumerate(names):
        port = f"p{first + index}"
        lines += [
            f"ip netns add {name}",
            f"ip link add {port} type veth peer name eth0 netns {name}",
            f"ip link set {port} master br0 up",
            f"ip -n {name} link set lo up",
            f"ip -n {name} link set eth0 up",
            f"ip -n {name} addr add {prefix}.{2 + index}/24 dev eth0",
            f"ip -n {name} route add default via {prefix}.1",
        ]
    return lines


def script(published: int, inside: int) -> str:
    """The shell script for the containers ``bench-c0`` (which has the published port) and ``bench-c1``."""
    lines = ["set -e", *network(NET, ["bench-c0", "bench-c1"])]
    rules = f"""\
table ip byhand {{
    chain prerouting {{
        type nat hook prerouting priority -100; policy accept;
        iifname "up0" tcp dport {published} dnat to {NET}.2:{inside}
        iifname "up0" udp dport {published} dnat to {NET}.2:{inside}
    }}
    chain postrouting {{
        type nat hook postrouting priority 100; policy accept;
        ip saddr {NET}.0/24 oifname "up0" masquerade
    }}
    chain forward {{
        type filter hook forward priority 0; policy drop;
        ct state established,related accept
        iifname "br0" accept
        oifname "br0" ct status dnat accept
    }}
}}"""
    lines += ["echo 1 > /proc/sys/net/ipv4/ip_forward", f"nft -f - <<'END'\n{rules}\nEND"]
    return "\n".join(lines) + "\n"
