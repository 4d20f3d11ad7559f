"""Random valid topologies from a seed: the same seed gives the same one, and neighbours share much of it.

Interfaces have names of their own, because a name that netcompose chose is kept from the live state by design, and so
are addresses that it chose; these are therefore static here where a topology is to be compared with a fresh host.
"""

from __future__ import annotations

import random
from typing import Any

CONTAINERS = ("c0", "c1", "c2", "c3", "c4")
NETWORKS = ("n0", "n1", "n2")
_KEYS = ("net.ipv4.ip_forward", "net.ipv4.conf.all.arp_ignore", "net.ipv6.conf.all.forwarding")


def topology(seed: int) -> dict[str, Any]:
    """One topology, always of the same name, so that any of them is a change of any other."""
    choose = random.Random(seed)
    networks = {name: _network(choose, index) for index, name in enumerate(NETWORKS) if choose.random() < 0.8}
    names = [name for name in CONTAINERS if choose.random() < 0.75] or ["c0"]
    containers = {name: _container(choose, int(name[1]), networks) for name in names}
    own = [name for name in names if "networks" in containers[name] or containers[name]["network_mode"] == "none"]
    for name in names:
        others = [other for other in own if other != name]
        if others and name not in own[:2] and choose.random() < 0.15:
            containers[name] = {"network_mode": f"container:{choose.choice(own[:2])}"}
    own = [name for name in own if not str(containers[name].get("network_mode", "")).startswith("container:")]
    made = {"name": "random", "networks": networks, "containers": containers, "links": _links(choose, own)}
    _impair(random.Random(f"rates of {seed}"), made)
    return {key: value for key, value in made.items() if value}


def _network(choose: random.Random, index: int) -> dict[str, Any]:
    subnets = [f"10.{choose.choice((20, 30))}.{index}.0/24"]
    if choose.random() < 0.5:
        subnets.append(f"fd00:{index}::/64")
    network: dict[str, Any] = {"subnets": subnets}
    if choose.random() < 0.4:
        network["mtu"] = choose.choice((1300, 1400, 9000))
    if choose.random() < 0.2:
        network["internal"] = True
    return network


def _container(choose: random.Random, number: int, networks: dict[str, Any]) -> dict[str, Any]:
    container: dict[str, Any] = {}
    joined = [name for name in networks if choose.random() < 0.6]
    if joined:
        container["networks"] = {name: _attachment(choose, number, name, networks[name]) for name in joined}
    else:
        container["network_mode"] = "none"
    if choose.random() < 0.4:
        container["sysctls"] = {key: choose.choice("01") for key in choose.sample(_KEYS, choose.randint(1, 3))}
    if choose.random() < 0.3:
        container["extra_hosts"] = {f"x{choose.randint(0, 3)}": "192.0.2.1"}
    if choose.random() < 0.3:
        container["dns"] = [f"192.0.2.{choose.randint(1, 9)}"]
    if joined and choose.random() < 0.3:
        subnet = networks[joined[0]]["subnets"][0]
        via = subnet.replace("0/24", "200")
        container["routes"] = [
            {
                "to": f"198.51.{choose.randint(0, 3)}.0/24",
                "via": via,
                **({"metric": 7} if choose.random() < 0.5 else {}),
            }
        ]
    return container


def _attachment(choose: random.Random, number: int, network: str, of: dict[str, Any]) -> dict[str, Any]:
    # Two names that networks pass to one another from one topology to the next.
    made: dict[str, Any] = {"interface_name": f"{choose.choice('ab')}{network}"}
    made["ipv4_address"] = of["subnets"][0].replace("0/24", str(10 + number + choose.choice((0, 50))))
    if len(of["subnets"]) > 1:
        made["ipv6_address"] = of["subnets"][1].replace("/64", f"{number + 10}")
    if choose.random() < 0.3:
        made["mac_address"] = f"02:00:00:00:{NETWORKS.index(network):02x}:{number * 2 + choose.randint(0, 1):02x}"
    if choose.random() < 0.3:
        made["gw_priority"] = choose.randint(1, 3)
    if choose.random() < 0.3:
        made["aliases"] = [f"{network}-alias"]
    return made


def _links(choose: random.Random, names: list[str]) -> list[dict[str, Any]]:
    links: list[dict[str, Any]] = []
    used: set[str] = set()
    for index in range(choose.randint(0, 3)):
        if len(names) < 2:
            break
        ends = [f"{name}:l{choose.randint(0, 1)}" for name in choose.sample(names, 2)]
        if used & set(ends):
            continue
        used.update(ends)
        link: dict[str, Any] = {"endpoints": ends}
        if choose.random() < 0.7:
            link["addresses"] = [f"10.99.{index}.1/30", f"10.99.{index}.2/30"]
        if choose.random() < 0.4:
            link["mtu"] = choose.choice((1300, 9000))
        links.append(link)
    return links


def _impair(choose: random.Random, made: dict[str, Any]) -> None:
    """Rates on some cables and interfaces, by a generator of its own."""
    attachments = [item for container in made["containers"].values() for item in container.get("networks", {}).values()]
    for thing in (*attachments, *made["links"]):
        if choose.random() < 0.3:
            thing["impairment"] = [_rate(choose), _rate(choose)]


def _rate(choose: random.Random) -> dict[str, Any] | None:
    """A rate alone, which takes no more of the kernel than tbf; or none."""
    return choose.choice((None, {"rate": "50mbit"}, {"rate": "80mbit", "burst": "64kb"}))
