"""VLANs and ipvlan on a distribution's kernel, with a real second card as the parent."""

from __future__ import annotations

from collections.abc import Callable

from support import Example, run


def test_two_vlans_of_one_parent(example: Callable[[str], Example]) -> None:
    shown = example("macvlan-vlan")
    print(run(shown.host, "ip", "-d", "link"))
    shown.ping("both", "192.168.10.11")


def test_ipvlan(example: Callable[[str], Example]) -> None:
    shown = example("ipvlan")
    print(run(shown.host, "ip", "-d", "link"))
    shown.ping("web1", "192.168.60.12")
    shown.ping("up", "192.168.62.11")
