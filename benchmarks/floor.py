"""The floor: the kernel work of ``netcompose up``, and of its observation, with nothing around it.

A program of its own that shares no code with netcompose: ``struct``, sockets, a few system calls, no YAML, no
checks, no decoding, no verification. Whatever brings this shape up has to have the kernel do this much.

    python benchmarks/floor.py build N     make the shape of N containers (shape.py) with the marks of netcompose
    python benchmarks/floor.py dump        read links, addresses and routes of every named namespace and of the
                                           host, without decoding them
"""

from __future__ import annotations

import ctypes
import os
import resource
import socket
import struct
import subprocess
import sys

CLONE_NEWNET = 0x40000000
MS_BIND, MS_REC, MS_SHARED = 0x1000, 0x4000, 0x100000
NETNS = "/run/netns"
OWN = "/proc/thread-self/ns/net"

NEWLINK, GETLINK, NEWADDR, GETADDR, NEWROUTE, GETROUTE, NEWLINKPROP = 16, 18, 20, 22, 24, 26, 108
REQUEST, ACK, DUMP, CREATE, EXCL, REPLACE = 0x1, 0x4, 0x300, 0x400, 0x200, 0x100
ADDRESS, IFNAME, MTU, MASTER, LINKINFO, ALIAS, GROUP, NETNS_FD, EXT_MASK = 1, 3, 4, 10, 18, 20, 27, 28, 29
PROP_LIST, ALTNAME = 52 | 0x8000, 53
GROUP_NUMBER = 0x6E630001
BATCH = 128
PER_BRIDGE = 100

libc = ctypes.CDLL(None, use_errno=True)


def check(result: int) -> None:
    """Raise for a system call that failed."""
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def attr(kind: int, payload: bytes) -> bytes:
    """An attribute."""
    size = 4 + len(payload)
    return struct.pack("=HH", size, kind) + payload + b"\0" * (-size & 3)


def u32(kind: int, value: int) -> bytes:
    """An attribute that is a number."""
    return struct.pack("=HHI", 8, kind, value)


def ifinfo(index: int = 0, up: bool = False) -> bytes:
    """The fixed part of a link message."""
    return struct.pack("=BxHiII", 0, 0, index, int(up), int(up))


def message(kind: int, flags: int, body: bytes) -> bytes:
    """A request that asks for an acknowledgement."""
    padded = body + b"\0" * (-len(body) & 3)
    return struct.pack("=IHHII", 16 + len(body), kind, flags | REQUEST | ACK, 1, 0) + padded


def route_socket() -> socket.socket:
    """A netlink socket in the namespace of the calling thread."""
    opened = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    opened.setsockopt(270, 10, 1)  # NETLINK_CAP_ACK: errors without a copy of the request
    opened.setsockopt(270, 12, 1)  # NETLINK_GET_STRICT_CHK: the kernel filters dumps
    return opened


def send(to: socket.socket, messages: list[bytes]) -> None:
    """Send in batches and look at every acknowledgement."""
    for start in range(0, len(messages), BATCH):
        batch = messages[start : start + BATCH]
        to.send(b"".join(batch))
        left = len(batch)
        while left:
            data = to.recv(1 << 18)
            offset = 0
            while offset < len(data):
                length, _, _, _, _, code = struct.unpack_from("=IHHIIi", data, offset)
                if code:
                    raise OSError(-code, os.strerror(-code))
                left -= 1
                offset += (length + 3) & ~3


def mac(kind: int, number: int) -> bytes:
    """A locally administered MAC address."""
    return struct.pack("!BBI", 2, kind, number)


def address(text: str, length: int, index: int) -> bytes:
    """Give an interface an IPv4 address."""
    raw = socket.inet_aton(text)
    last = (int.from_bytes(raw, "big") | ((1 << (32 - length)) - 1)).to_bytes(4, "big")
    body = struct.pack("=BBBBI", socket.AF_INET, length, 0, 0, index) + attr(2, raw) + attr(1, raw) + attr(4, last)
    return message(NEWADDR, CREATE | REPLACE, body)


def default_route(via: str, index: int) -> bytes:
    """The default route, of netcompose's protocol number."""
    body = struct.pack("=BBBBBBBBI", socket.AF_INET, 0, 0, 0, 254, 110, 0, 1, 0)
    return message(NEWROUTE, CREATE | REPLACE, body + attr(5, socket.inet_aton(via)) + u32(4, index))


def mark(what: str) -> bytes:
    """The ownership mark."""
    return attr(ALIAS, f"netcompose:bench:{what}".encode())


def common(name: str, address: bytes) -> bytes:
    """What every interface gets in its create message."""
    return attr(IFNAME, name.encode() + b"\0") + attr(ADDRESS, address) + u32(MTU, 1500) + u32(GROUP, GROUP_NUMBER)


def second_name(name: str, what: str) -> bytes:
    """The readable second name on the host."""
    names = attr(PROP_LIST, attr(ALTNAME, f"bench-{what}".replace("/", "-").encode() + b"\0"))
    return message(NEWLINKPROP, CREATE | EXCL, ifinfo() + attr(IFNAME, name.encode() + b"\0") + names)


def alias(name: str, what: str) -> bytes:
    """Mark an interface on the host."""
    return message(NEWLINK, 0, ifinfo() + attr(IFNAME, name.encode() + b"\0") + mark(what))


def veth(fixed: bytes, first: bytes, second: bytes, index: int) -> bytes:
    """A pair of veth ends."""
    data = attr(2 | 0x8000, attr(1, ifinfo(index) + second))
    return message(NEWLINK, CREATE | EXCL, fixed + first + attr(LINKINFO | 0x8000, attr(1, b"veth\0") + data))


def prefix(bridge: int) -> str:
    """See shape.py."""
    return f"10.{bridge // 256}.{bridge % 256}"


def cable(number: int) -> tuple[str, str]:
    """See shape.py."""
    base = number * 4
    start = f"10.{100 + base // 65536}.{base // 256 % 256}"
    return f"{start}.{base % 256 + 1}", f"{start}.{base % 256 + 2}"


def namespaces(count: int) -> tuple[list[socket.socket], list[int]]:
    """Make and pin namespaces with ``lo`` up and marked; a socket and a descriptor of each."""
    os.makedirs(NETNS, exist_ok=True)
    if libc.mount(b"", NETNS.encode(), b"none", MS_SHARED | MS_REC, None):
        check(libc.mount(NETNS.encode(), NETNS.encode(), b"none", MS_BIND | MS_REC, None))
        check(libc.mount(b"", NETNS.encode(), b"none", MS_SHARED | MS_REC, None))
    home = os.open(OWN, os.O_RDONLY)
    sockets, descriptors = [], []
    for number in range(count):
        check(libc.unshare(CLONE_NEWNET))
        inside = route_socket()
        send(inside, [message(NEWLINK, 0, ifinfo(1, True) + mark(f"namespace/c{number}"))])
        target = f"{NETNS}/bench-c{number}"
        os.close(os.open(target, os.O_RDONLY | os.O_CREAT, 0o444))
        check(libc.mount(OWN.encode(), target.encode(), b"none", MS_BIND, None))
        sockets.append(inside)
        descriptors.append(os.open(OWN, os.O_RDONLY))
        check(libc.setns(home, CLONE_NEWNET))
    return sockets, descriptors


def build(count: int) -> None:
    """Everything, namespaces first."""
    inside, fds = namespaces(count)
    host = route_socket()
    bridges = (count + PER_BRIDGE - 1) // PER_BRIDGE
    messages = []
    for number in range(bridges):
        name, index = f"ncb{number}", 1000000 + number
        info = attr(LINKINFO | 0x8000, attr(1, b"bridge\0"))
        messages.append(message(NEWLINK, CREATE | EXCL, ifinfo(index, True) + common(name, mac(1, number)) + info))
        messages += [alias(name, f"bridge/net{number}"), second_name(name, f"bridge/net{number}")]
        messages.append(address(prefix(number) + ".1", 24, index))
    send(host, messages)
    messages = []
    for number, fd in enumerate(fds):
        port, what = f"ncp{number}", f"interface/c{number}.eth0"
        first = common(port, mac(2, number)) + u32(MASTER, 1000000 + number // PER_BRIDGE)
        second = common("eth0", mac(3, number)) + u32(NETNS_FD, fd)
        messages += [veth(ifinfo(0, True), first, second, 2), alias(port, what), second_name(port, what)]
    for number in range(count // 2):
        one, two = (
            common("eth1", mac(4, 2 * number + side)) + u32(NETNS_FD, fds[2 * number + side]) for side in (0, 1)
        )
        messages.append(veth(ifinfo(3), one, two, 3))
    send(host, messages)
    for number, to in enumerate(inside):
        net = prefix(number // PER_BRIDGE)
        messages = [message(NEWLINK, 0, ifinfo(2, True) + mark(f"interface/c{number}.eth0"))]
        messages += [address(f"{net}.{2 + number % PER_BRIDGE}", 24, 2), default_route(net + ".1", 2)]
        if number // 2 < count // 2:
            cabled = mark(f"link/c{number & ~1}.eth1-c{number | 1}.eth1")
            messages.append(message(NEWLINK, 0, ifinfo(3, True) + cabled))
            messages.append(address(cable(number // 2)[number % 2], 30, 3))
        send(to, messages)
    firewall(bridges)


def firewall(bridges: int) -> None:
    """One ``nft -f`` with the sets and rules that keep the networks apart and masquerade them, then forwarding."""
    names = ", ".join(f"ncb{number}" for number in range(bridges))
    pairs = ", ".join(f"ncb{number} . ncb{number} : accept" for number in range(bridges))
    gateways = ", ".join(f"ncb{number} . {prefix(number)}.1" for number in range(bridges))
    own = ", ".join(f"{prefix(number)}.1" for number in range(bridges))
    nets = ", ".join(f"{prefix(number)}.0/24" for number in range(bridges))
    table = f"""table inet netcompose-bench {{
        set networks {{ type ifname; elements = {{ {names} }} }}
        map within {{ type ifname . ifname : verdict; elements = {{ {pairs} }} }}
        set gateways4 {{ type ifname . ipv4_addr; elements = {{ {gateways} }} }}
        set gateway_addresses4 {{ type ipv4_addr; elements = {{ {own} }} }}
        set masquerade4 {{ type ipv4_addr; flags interval; elements = {{ {nets} }} }}
        chain input {{ type filter hook input priority 0; policy accept;
            ct state established,related accept
            iifname "nc*" ip daddr @gateway_addresses4 iifname . ip daddr != @gateways4 drop; }}
        chain forward {{ type filter hook forward priority 0; policy accept;
            iifname . oifname vmap @within
            ct state established,related accept
            oifname @networks ct status dnat accept
            oifname @networks drop; }}
        chain postrouting {{ type nat hook postrouting priority 100; policy accept;
            ip saddr @masquerade4 oifname != @networks masquerade; }}
    }}"""
    subprocess.run(["nft", "-f", "-"], input=table.encode(), check=True)
    with open("/proc/sys/net/ipv4/ip_forward", "w") as file:
        file.write("1")


def read(to: socket.socket, kind: int, body: bytes) -> int:
    """One dump, undecoded; the number of bytes."""
    to.send(struct.pack("=IHHII", 16 + len(body), kind, REQUEST | DUMP, 1, 0) + body)
    size = 0
    while True:
        data = to.recv(1 << 18)
        size += len(data)
        # The end comes in a packet of its own, or behind the last message: NLMSG_ERROR is 2, NLMSG_DONE 3.
        if struct.unpack_from("=IH", data)[1] in (2, 3) or struct.unpack_from("=IH", data, len(data) - 20)[1] == 3:
            return size


def dump() -> int:
    """Links without statistics, addresses, routes of the main table of both families, in every namespace."""
    home = os.open(OWN, os.O_RDONLY)
    requests = [(GETLINK, ifinfo() + u32(EXT_MASK, 8)), (GETADDR, struct.pack("=BBBBI", 0, 0, 0, 0, 0))]
    requests += [
        (GETROUTE, struct.pack("=BBBBBBBBI", family, 0, 0, 0, 254, 0, 0, 0, 0))
        for family in (socket.AF_INET, socket.AF_INET6)
    ]
    to = route_socket()
    size = sum(read(to, kind, body) for kind, body in requests)
    for name in sorted(os.listdir(NETNS)):
        fd = os.open(f"{NETNS}/{name}", os.O_RDONLY)
        check(libc.setns(fd, CLONE_NEWNET))
        to = route_socket()
        size += sum(read(to, kind, body) for kind, body in requests)
        to.close()
        os.close(fd)
    check(libc.setns(home, CLONE_NEWNET))
    return size


def main(arguments: list[str]) -> int:
    """See the module's docstring."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if arguments[0] == "build":
        build(int(arguments[1]))
    else:
        print(dump(), "bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
