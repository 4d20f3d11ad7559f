"""What others do on a host that gets in a topology's way is told by ``hosts`` and by ``plan``, and left alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support import cli, run, snapshot

from netcompose.transports.sandbox import Sandbox

TOPOLOGY = "name: campus\nnetworks: {a: {subnets: [10.30.1.0/24]}}\ncontainers: {c: {networks: [a]}}\n"
NETWORKD = (
    "mkdir -p /run/systemd/netif /etc/systemd/network /etc/systemd/networkd.conf.d; touch /run/systemd/netif/state"
)
LOGIND = "mkdir -p /run/systemd/sessions /etc/systemd/logind.conf.d"

#: What is done to the host -> the beginning of what is said about it.
OTHERS = {
    "firewalld": ("nft add table inet firewalld", "firewalld rejects what is forwarded"),
    "forward-drops": (
        "nft add table ip filter; nft 'add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }'",
        "the host's iptables drops what is forwarded",
    ),
    "forward-drops-ipv6": (
        "nft add table ip6 filter; nft 'add chain ip6 filter FORWARD { type filter hook forward priority 0; policy drop; }'",
        "the host's ip6tables drops what is forwarded",
    ),
    "logind": (
        # Who logged in here is root, who is left in peace unless somebody else is named.
        f"{LOGIND}; printf '[Login]\nKillUserProcesses=yes\nKillExcludeUsers=lab\n' >/etc/systemd/logind.conf.d/a.conf",
        "systemd-logind ends what root has started when the session ends (KillUserProcesses=yes)",
    ),
    "networkd": (NETWORKD, "systemd-networkd removes routes and routing rules that it does not know"),
    "networkd-half-told": (
        f"{NETWORKD}; printf '[Network]\nManageForeignRoutes=no\n' >/etc/systemd/networkd.conf.d/a.conf",
        "systemd-networkd removes routing rules that it does not know",
    ),
    "networkd-takes-all": (
        f"{NETWORKD}; printf '[Match]\nName=*\n[Network]\nDHCP=yes\n' >/etc/systemd/network/all.network;"
        "printf '[Network]\nManageForeignRoutes=no\nManageForeignRoutingPolicyRules=no\n' >/etc/systemd/networkd.conf",
        "systemd-networkd takes over every interface by /etc/systemd/network/all.network",
    ),
}


@pytest.mark.parametrize("case", OTHERS)
def test_what_interferes_is_named_and_not_touched(host: Sandbox, tmp_path: Path, case: str) -> None:
    command, sentence = OTHERS[case]
    run(host, "sh", "-c", command)
    before = snapshot(host)
    file = tmp_path / "topology.yaml"
    file.write_text(TOPOLOGY)

    (told,) = json.loads(cli(host, "hosts", "--output", "json", file=file).stdout)[0]["interferes"]
    assert told.startswith(sentence)
    planned = cli(host, "plan", "--output", "json", file=file)
    assert f"note: host 'local': {told}\n" in planned.stderr
    assert json.loads(planned.stdout)["changes"]
    assert snapshot(host) == before


@pytest.mark.parametrize(
    "command",
    [
        "true",
        "nft add table ip filter; nft 'add chain ip filter FORWARD { type filter hook forward priority 0; }'",
        # The folder is there on every host with systemd.
        "mkdir -p /run/systemd/netif/leases",
        f"{LOGIND}; printf '[Login]\nKillUserProcesses=yes\n' >/etc/systemd/logind.conf.d/a.conf",
        f"{NETWORKD}; printf '[Network]\nManageForeignRoutes=no\nManageForeignRoutingPolicyRules=no\n'"
        " >/etc/systemd/networkd.conf.d/a.conf; printf '[Match]\nName=en*\n' >/etc/systemd/network/lan.network",
    ],
    ids=["nothing", "forward-accepts", "systemd-without-networkd", "logind-spares-root", "networkd-told"],
)
def test_what_does_not_interfere_is_not_mentioned(host: Sandbox, tmp_path: Path, command: str) -> None:
    run(host, "sh", "-c", command)
    file = tmp_path / "topology.yaml"
    file.write_text(TOPOLOGY)
    assert json.loads(cli(host, "hosts", "--output", "json", file=file).stdout)[0]["interferes"] == []
    assert "note: host 'local'" not in cli(host, "plan", file=file).stderr


def test_a_topology_without_a_network_is_not_bothered(host: Sandbox, tmp_path: Path) -> None:
    run(host, "nft", "add", "table", "inet", "firewalld")
    file = tmp_path / "topology.yaml"
    file.write_text("name: campus\ncontainers: {c: {network_mode: none}}\n")
    assert "firewalld" not in cli(host, "plan", file=file).stderr
