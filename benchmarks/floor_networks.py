"""The floor of many networks: the kernel work of ``netcompose up`` for 200 bridges with published ports.

As floor.py, a program that shares no code with netcompose: namespaces, bridges, veth pairs, addresses, default routes,
one ``nft -f`` with a table of the same size (the same sets and maps, an element with a comment for each network, port
and address), forwarding, and a process that holds the published ports, on all IPv4 and all IPv6 addresses.

    python -m benchmarks.floor_networks NETWORKS EACH

``python -m benchmarks.floor dump`` reads it.
"""

from __future__ import annotations

import os
import resource
import signal
import socket
import subprocess
import sys

from benchmarks.floor import (
    CREATE,
    EXCL,
    LINKINFO,
    MASTER,
    NETNS_FD,
    NEWLINK,
    address,
    alias,
    attr,
    common,
    default_route,
    ifinfo,
    mac,
    mark,
    message,
    namespaces,
    prefix,
    route_socket,
    second_name,
    send,
    u32,
    veth,
)

FIRST_BRIDGE = 1000000
FIRST_PUBLISHED, INSIDE = 10000, 80


def build(networks: int, each: int) -> None:
    """Everything, namespaces first."""
    inside, fds = namespaces(networks * each)
    host = route_socket()
    messages = []
    for number in range(networks):
        name, index = f"ncb{number}", FIRST_BRIDGE + number
        info = attr(LINKINFO | 0x8000, attr(1, b"bridge\0"))
        messages.append(message(NEWLINK, CREATE | EXCL, ifinfo(index, True) + common(name, mac(1, number)) + info))
        messages += [alias(name, f"bridge/net{number}"), second_name(name, f"bridge/net{number}")]
        messages.append(address(prefix(number) + ".1", 24, index))
    send(host, messages)
    messages = []
    for number, fd in enumerate(fds):
        port, what = f"ncp{number}", f"interface/c{number}.eth0"
        first = common(port, mac(2, number)) + u32(MASTER, FIRST_BRIDGE + number // each)
        second = common("eth0", mac(3, number)) + u32(NETNS_FD, fd)
        messages += [veth(ifinfo(0, True), first, second, 2), alias(port, what), second_name(port, what)]
    send(host, messages)
    for number, to in enumerate(inside):
        net = prefix(number // each)
        messages = [message(NEWLINK, 0, ifinfo(2, True) + mark(f"interface/c{number}.eth0"))]
        messages += [address(f"{net}.{2 + number % each}", 24, 2), default_route(net + ".1", 2)]
        send(to, messages)
    subprocess.run(["nft", "-f", "-"], input=table(networks, each).encode(), check=True)
    with open("/proc/sys/net/ipv4/ip_forward", "w") as file:
        file.write("1")
    hold(networks)


def table(networks: int, each: int) -> str:
    """The rules and their elements."""
    elements: dict[str, list[str]] = {name: [] for name in ("networks", "within", "gateways", "addresses", "nets")}
    own, published = [], []
    for number in range(networks):
        bridge, net, comment = f'"ncb{number}"', prefix(number), f'comment "network net{number}"'
        elements["networks"].append(f"{bridge} {comment}")
        elements["within"].append(f"{bridge} . {bridge} {comment} : accept")
        elements["gateways"].append(f"{bridge} . {net}.1 {comment}")
        elements["addresses"].append(f"{net}.1 {comment}")
        elements["nets"].append(f"{net}.0/24 {comment}")
        own.append(f"{bridge} . tcp . {FIRST_PUBLISHED + number}")
        published.append(f'tcp . {FIRST_PUBLISHED + number} comment "c{number * each}" : {net}.2 . {INSIDE}')
    joined = {name: ", ".join(found) for name, found in elements.items()}
    return f"""table inet netcompose-bench {{
        set networks {{ type ifname; elements = {{ {joined["networks"]} }} }}
        set internal {{ type ifname; }}
        set routed {{ type ifname; }}
        map within {{ type ifname . ifname : verdict; elements = {{ {joined["within"]} }} }}
        set gateways4 {{ type ifname . ipv4_addr; elements = {{ {joined["gateways"]} }} }}
        set gateways6 {{ type ifname . ipv6_addr; }}
        set gateway_addresses4 {{ type ipv4_addr; elements = {{ {joined["addresses"]} }} }}
        set gateway_addresses6 {{ type ipv6_addr; }}
        set masquerade4 {{ type ipv4_addr; flags interval; elements = {{ {joined["nets"]} }} }}
        set masquerade6 {{ type ipv6_addr; flags interval; }}
        set own_network {{ type ifname . inet_proto . inet_service; elements = {{ {", ".join(own)} }} }}
        map published4 {{ type inet_proto . inet_service : ipv4_addr . inet_service;
            elements = {{ {", ".join(published)} }} }}
        map published_on4 {{ type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service; }}
        map published6 {{ type inet_proto . inet_service : ipv6_addr . inet_service; }}
        map published_on6 {{ type ipv6_addr . inet_proto . inet_service : ipv6_addr . inet_service; }}
        chain from_internal {{ icmpv6 type {{ nd-neighbor-advert, nd-neighbor-solicit }} accept
            drop; }}
        chain forward {{ type filter hook forward priority 0; policy accept;
            iifname . oifname vmap @within
            iifname @internal drop
            oifname @internal drop
            ct state established,related accept
            iifname @routed oifname @routed accept
            oifname @networks ct status dnat accept
            oifname @networks drop; }}
        chain input {{ type filter hook input priority 0; policy accept;
            ct state established,related accept
            iifname @internal goto from_internal
            iifname "nc*" ip daddr @gateway_addresses4 iifname . ip daddr != @gateways4 drop
            iifname "nc*" ip6 daddr @gateway_addresses6 iifname . ip6 daddr != @gateways6 drop; }}
        chain published {{
            ip daddr 127.0.0.0/8 return
            ip6 daddr ::1 return
            ip6 saddr fe80::/10 return
            iifname . meta l4proto . th dport @own_network return
            dnat ip to ip daddr . meta l4proto . th dport map @published_on4
            dnat ip to meta l4proto . th dport map @published4
            dnat ip6 to ip6 daddr . meta l4proto . th dport map @published_on6
            dnat ip6 to meta l4proto . th dport map @published6; }}
        chain output {{ type nat hook output priority -100; policy accept;
            fib daddr type local meta l4proto {{ sctp, tcp, udp }} goto published; }}
        chain prerouting {{ type nat hook prerouting priority -100; policy accept;
            fib daddr type local meta l4proto {{ sctp, tcp, udp }} goto published; }}
        chain postrouting {{ type nat hook postrouting priority 100; policy accept;
            oifname "lo" return
            ip saddr @masquerade4 oifname != @networks masquerade
            ip6 saddr @masquerade6 oifname != @networks masquerade; }}
    }}
"""


def hold(networks: int) -> None:
    """Have a process hold the ports; back when it does."""
    ready, tell = os.pipe()
    if os.fork():
        os.close(tell)
        if os.read(ready, 1) != b"x":
            raise SystemExit("the published ports cannot be held")
        return
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    held = []
    for number in range(networks):
        for family, everything in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
            sock = socket.socket(family, socket.SOCK_STREAM)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind((everything, FIRST_PUBLISHED + number))
            sock.listen(512)
            held.append(sock)
    os.write(tell, b"x")
    while True:
        signal.pause()


def main(arguments: list[str]) -> int:
    """See the module's docstring."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    build(int(arguments[0]), int(arguments[1]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
