"""What only one object can have, exchanged by two that stay: in one plan, without either being made anew."""

from __future__ import annotations

import json
from pathlib import Path

from segment import plug, shown
from support import cli, run, until

from netcompose.transports.sandbox import Sandbox

ONE, TWO, THREE = "02:00:00:00:50:11", "02:00:00:00:50:12", "02:00:00:00:50:13"
TOPOLOGY = """
name: t
parents: {{lan: {{interface: eth1}}}}
networks: {{phys: {{driver: macvlan, parent: lan, subnets: [192.168.50.0/24]}}}}
containers:
  a: {{networks: {{phys: {{ipv4_address: 192.168.50.11, mac_address: "{a}"}}}}}}
  b: {{networks: {{phys: {{ipv4_address: 192.168.50.12, mac_address: "{b}"}}}}}}
  c: {{networks: {{phys: {{ipv4_address: 192.168.50.13, mac_address: "{c}"}}}}}}
"""


def test_macvlans_of_one_parent_exchange_their_mac_addresses(tmp_path: Path) -> None:
    """The kernel has no two with the same address on a parent, not for a moment: all three pass theirs on."""
    file = tmp_path / "topology.yaml"
    with Sandbox("server4") as host:
        plug(host)
        file.write_text(TOPOLOGY.format(a=ONE, b=TWO, c=THREE))
        cli(host, "up", file=file)
        before = {name: shown(host, "eth0", f"t-{name}")["ifindex"] for name in "abc"}
        file.write_text(TOPOLOGY.format(a=TWO, b=THREE, c=ONE))
        planned = json.loads(cli(host, "plan", "--output", "json", file=file).stdout)["changes"]
        assert [(change["actions"], change["address"]) for change in planned] == [
            (["update"], f"local/interface/{name}.eth0") for name in "abc"
        ]
        cli(host, "up", file=file)
        after = {name: shown(host, "eth0", f"t-{name}") for name in "abc"}
        assert {name: link["address"] for name, link in after.items()} == {"a": TWO, "b": THREE, "c": ONE}
        assert {name: link["ifindex"] for name, link in after.items()} == before
        until(lambda: host.run(["ip", "netns", "exec", "t-a", "ping", "-c1", "-W1", "192.168.50.12"]).returncode == 0)
        run(host, "ip", "netns", "exec", "t-b", "ping", "-c1", "-W5", "192.168.50.13")
        cli(host, "down", file=file)
