"""What the tests of networks on a parent share: a topology of two containers on the host's ``eth1``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from support import Example, snapshot

from netcompose.transports.sandbox import Sandbox

ROUTER = "192.168.50.1"


class Topology(Example):
    """A topology of a test's own, on a host whose untouched state is known."""

    def __init__(self, host: Sandbox, folder: Path, text: str, name: str = "t") -> None:
        self.host = host
        self.name = name
        self.file = folder / f"{name}.yaml"
        self.file.write_text(f"name: {name}\n{text}")
        self.before = snapshot(host)


MODES = """
parents: {lan: {interface: eth1}}
networks: {phys: {driver: macvlan, parent: lan, MODE, subnets: [{subnet: 192.168.50.0/24, gateway: 192.168.50.1}]}}
containers:
  a: {networks: {phys: {ipv4_address: 192.168.50.11}}}
  b: {networks: {phys: {ipv4_address: 192.168.50.12}}}
"""


def changed_paths(change: dict[str, Any], prefix: str = "") -> set[str]:
    """Which attributes a change of a plan is about."""
    found = set()
    before, after = change["before"], change["after"]
    for key in after:
        if isinstance(after[key], dict):
            found |= changed_paths({"before": before[key], "after": after[key]}, f"{prefix}{key}.")
        elif before[key] != after[key] and key not in ("ifindex", "users"):
            found.add(prefix + key)
    return found
