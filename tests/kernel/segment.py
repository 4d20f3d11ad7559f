"""A physical segment for a throw-away host: its ``eth1`` is on a cable to a switch with a router on it."""

from __future__ import annotations

import json
from typing import Any

from support import run, settle, until

from netcompose.transports.sandbox import Sandbox

#: The router's addresses on the segments of the examples; its MAC address.
ROUTER_MAC = "02:00:00:00:00:01"
LAN = ["ip", "netns", "exec", "lan"]
#: The switch's port that eth1 is plugged into, in the namespace `lan`.
PORT = "port1"

#: Different indexes for the ends, as in outside.py.
_CABLES = f"""
ip netns add lan
ip link add eth1 index 20 type veth peer name {PORT} netns lan
sysctl -q -w net.ipv6.conf.eth1.accept_dad=0
ip netns exec lan sysctl -q -w net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.{PORT}.accept_dad=0
ip -n lan link add switch address {ROUTER_MAC} type bridge mcast_snooping 0
ip -n lan link set {PORT} master switch
ip -n lan addr add 192.168.50.1/24 dev switch
ip -n lan addr add fd00:50::1/64 dev switch nodad
ip -n lan link set lo up
ip -n lan link set {PORT} up
ip -n lan link set switch up
ip link set eth1 up
"""


def plug(host: Sandbox) -> None:
    """Lay the cables and wait until everything has settled."""
    run(host, "sh", "-ec", _CABLES)
    until(lambda: shown(host, "eth1")["operstate"] == "UP")
    for enter in ([], ["-n", "lan"]):
        until(lambda enter=enter: "fe80" in run(host, "ip", *enter, "-6", "addr"))
    settle(host)


def shown(host: Sandbox, name: str, netns: str = "") -> dict[str, Any]:
    """What ``ip -d -j link`` says of one interface."""
    (found,) = json.loads(run(host, "ip", *(["-n", netns] if netns else []), "-d", "-j", "link", "show", "dev", name))
    return dict(found)


def promiscuous(host: Sandbox, name: str = "eth1") -> bool:
    """Whether the flag is set (the counter beside it counts packet sockets and macvlans, too)."""
    return "PROMISC" in shown(host, name)["flags"]
