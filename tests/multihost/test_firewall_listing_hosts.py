"""An agent behind SSH reads an nft table that is as it was without nft. Oracle: a wrapper that notes nft's calls."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from testbed.sites import Site, wait_until

TOPOLOGY = """
name: lab
networks: {lan: {subnets: [10.5.0.0/24, "fd00:5::/64"]}}
containers:
  a: {networks: [lan], host: server1, ports: ["8080:80"], command: [sleep, "1000"], stop_grace_period: 0}
  b: {networks: [lan], host: server1}
"""
LIST, TABLE = "-j list table inet netcompose-lab", "inet netcompose-lab"


@pytest.fixture
def site(make_site) -> Site:
    return make_site(1)


def test_a_plan_over_ssh_starts_no_nft_when_nothing_changed(site: Site, tmp_path: Path) -> None:
    host = site["server1"]
    notes = host.folder / "calls"
    wrapper = host.folder / "bin" / "nft"
    wrapper.parent.mkdir()
    wrapper.write_text(f'#!/bin/sh\necho "$*" >> {notes}\nexec {shutil.which("nft")} "$@"\n')
    wrapper.chmod(0o755)
    with (host.folder / "sshd_config").open("a") as config:
        config.write(f"SetEnv PATH={wrapper.parent}:/usr/sbin:/usr/bin:/sbin:/bin\n")
    host.run("pkill", "-HUP", "-x", "sshd")
    file = tmp_path / "topology.yaml"
    file.write_text(site.document() + TOPOLOGY)

    def calls(*argv: str) -> list[str]:
        notes.write_text("")
        site.netcompose(*argv, "-f", str(file))
        return notes.read_text().splitlines()

    wait_until(lambda: ":22 " in host.run("ss", "-Htln"))
    # Written, verified, and what is listed at the end is kept.
    assert calls("up") == ["-f -", LIST, LIST]
    assert calls("plan") == []
    host.run("nft", "add", "rule", *TABLE.split(), "forward", "accept")
    assert calls("plan") == [LIST]
    # What was written is what is kept.
    assert calls("up") == [LIST, "-f -"]
    assert calls("plan") == calls("up") == []
    assert "firewall/lab" not in site.netcompose("plan", "-f", str(file)).stdout
    assert calls("down") == ["-f -"]
    assert host.run("sh", "-c", "ls /run/netcompose 2>/dev/null; true") == ""
