"""What every contender builds: containers on bridges, 100 on each, and a cable between each pair of containers.

Container number i is ``c<i>`` with ``eth0`` on bridge i // 100; ``eth1`` of c0 is cabled to ``eth1`` of c1, c2 to c3
and so on. Each container has one address and a default route, each bridge its gateway's address, each cable a /30.

The other shape is many networks: 5 containers on each, no cables, and the first container of each network publishes
port 80 as port 10000 + i of the host.
"""

from __future__ import annotations

from collections.abc import Sequence

PER_BRIDGE = 100
NAME = "bench"
#: The shape of many networks: containers on each, and the first host port; the container's port is 80.
PER_NETWORK = 5
FIRST_PUBLISHED, INSIDE = 10000, 80


def bridges(containers: int) -> int:
    """How many bridges that many containers are on."""
    return (containers + PER_BRIDGE - 1) // PER_BRIDGE


def prefix(bridge: int) -> str:
    """The first three bytes of a bridge's /24: ``10.0.7``."""
    return f"10.{bridge // 256}.{bridge % 256}"


def cable(number: int) -> tuple[str, str]:
    """The addresses of a cable's ends."""
    base = number * 4
    start = f"10.{100 + base // 65536}.{base // 256 % 256}"
    return f"{start}.{base % 256 + 1}", f"{start}.{base % 256 + 2}"


def topology(containers: int, *, mac_of_first: str = "") -> str:
    """The YAML. ``mac_of_first`` gives c0 this MAC address: one attribute that differs."""
    lines = [f"name: {NAME}", "networks:"]
    lines += [f"  net{number}: {{subnets: [{prefix(number)}.0/24]}}" for number in range(bridges(containers))]
    lines.append("containers:")
    for number in range(containers):
        network = f"net{number // PER_BRIDGE}"
        if number == 0 and mac_of_first:
            lines.append(f'  c0: {{networks: {{{network}: {{mac_address: "{mac_of_first}"}}}}}}')
        else:
            lines.append(f"  c{number}: {{networks: [{network}]}}")
    lines.append("links:")
    for number in range(containers // 2):
        one, two = cable(number)
        a, b = 2 * number, 2 * number + 1
        lines.append(f'  - {{endpoints: ["c{a}:eth1", "c{b}:eth1"], addresses: [{one}/30, {two}/30]}}')
    return "\n".join(lines) + "\n"


def many_networks(networks: int, *, each: int = PER_NETWORK, protocols: Sequence[str] = ("tcp",)) -> str:
    """The YAML of many networks, each with ``each`` containers and a port that is published for ``protocols``."""
    lines = [f"name: {NAME}", "networks:"]
    lines += [f"  net{number}: {{subnets: [{prefix(number)}.0/24]}}" for number in range(networks)]
    lines.append("containers:")
    for number in range(networks * each):
        network, place = divmod(number, each)
        published = ", ".join(f'"{FIRST_PUBLISHED + network}:{INSIDE}/{protocol}"' for protocol in protocols)
        ports = f", ports: [{published}]" if place == 0 else ""
        address = f"{prefix(network)}.{2 + place}"
        lines.append(f"  c{number}: {{networks: {{net{network}: {{ipv4_address: {address}}}}}{ports}}}")
    return "\n".join(lines) + "\n"


def many_hosts(hosts: int, each: int, overlay: int, *, first_masquerades: bool = True) -> str:
    """The YAML of ``each`` containers on each of ``hosts`` hosts. All of ``overlay`` neighbouring hosts are on one
    overlay network; the first of a host is on a bridge of the host's own as well and publishes a port; every second
    container has a cable to the next, which leaves the host where they are on different ones. ``first_masquerades`` is
    one attribute that can differ."""
    overlays = -(-hosts // overlay)
    # Room for a thousand containers each, or for sixty thousand on the only one.
    rooms = ["10.0.0.0/16"] if overlays == 1 else [f"10.{n // 64}.{n % 64 * 4}.0/22" for n in range(overlays)]
    lines = [f"name: {NAME}", "hosts:"]
    lines += [f"  h{host}: {{address: 172.16.{host // 250}.{host % 250 + 1}}}" for host in range(hosts)]
    lines.append("networks:")
    lines += [f"  over{number}: {{driver: overlay, subnets: [{room}]}}" for number, room in enumerate(rooms)]
    for host in range(hosts):
        more = ", masquerade: false" if host == 0 and not first_masquerades else ""
        lines.append(f"  out{host}: {{subnets: [192.168.0.0/24]{more}}}")
    lines.append("containers:")
    for number in range(hosts * each):
        host, place = divmod(number, each)
        own = f', out{host}], ports: ["8080:80"' if place == 0 else ""
        lines.append(f"  c{number}: {{host: h{host}, networks: [over{host // overlay}{own}]}}")
    lines.append("links:")
    for number in range(1, hosts * each - 1, 2):
        lines.append(f'  - {{endpoints: ["c{number}:eth7", "c{number + 1}:eth7"]}}')
    return "\n".join(lines) + "\n"


def on_hosts(hosts: int, each: int, *, mac_of_first: str = "") -> str:
    """The YAML, without its ``hosts:``, of ``each`` containers on each of the hosts server1, server2, ..., on a bridge
    of the host's own. ``mac_of_first`` gives the very first container this MAC address."""
    lines = [f"name: {NAME}", "networks:"]
    lines += [f"  net{number}: {{subnets: [{prefix(number)}.0/24]}}" for number in range(hosts)]
    lines.append("containers:")
    for number in range(hosts * each):
        host = number // each
        joined = f'{{net{host}: {{mac_address: "{mac_of_first}"}}}}' if mac_of_first and not number else f"[net{host}]"
        lines.append(f"  c{number}: {{host: server{host + 1}, networks: {joined}}}")
    return "\n".join(lines) + "\n"


def one_line_summary() -> str:
    """For the head of the report."""
    return f"containers on bridges, {PER_BRIDGE} on each, with a cable between each pair of containers"
