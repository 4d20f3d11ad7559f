"""The same containers on the same hosts by what people use instead: Ansible, and one ``ssh host ip ...`` per command.

Both carry out the very commands that an administrator would type: a bridge, and for each container a namespace, a cable
to the bridge, an address and a default route. All hosts are worked on side by side.
"""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from testbed.sites import Site

from benchmarks import byhand
from benchmarks.measure import Failed
from benchmarks.shape import NAME, prefix


def commands(host: int, each: int) -> list[list[str]]:
    """The commands for one host, in their order."""
    first = host * each
    names = [f"{NAME}-c{number}" for number in range(first, first + each)]
    return [line.split() for line in byhand.network(prefix(host), names, first)]


def ansible() -> str:
    """ansible-playbook, beside this Python or on PATH; empty if it is not installed."""
    beside = Path(sys.executable).with_name("ansible-playbook")
    return str(beside) if beside.exists() else shutil.which("ansible-playbook") or ""


def write_playbook(site: Site, each: int, folder: Path) -> list[str]:
    """The command line of Ansible that builds all of it: one connection per host that stays open, pipelining, no facts
    asked for, as many workers as hosts."""
    inventory = ["[all]"]
    for number, (name, host) in enumerate(site.hosts.items()):
        inventory.append(f"{name} ansible_host={host.address} number={number}")
        lines = [shlex.join(argv) for argv in commands(number, each)]
        (folder / f"{name}.json").write_text(json.dumps({"commands": lines}))
    (folder / "inventory").write_text("\n".join(inventory) + "\n")
    (folder / "ansible.cfg").write_text(
        "[defaults]\nhost_key_checking = True\ngathering = explicit\nremote_user = root\n"
        f"forks = {len(site.hosts)}\ninterpreter_python = /usr/bin/python3\n"
        f"local_tmp = {folder}/tmp\n[ssh_connection]\npipelining = True\n"
    )
    (folder / "playbook.yaml").write_text(
        "- hosts: all\n  gather_facts: false\n"
        f"  vars_files: ['{folder}/{{{{ inventory_hostname }}}}.json']\n"
        "  tasks:\n    - ansible.builtin.command: '{{ item }}'\n      loop: '{{ commands }}'\n"
    )
    config = f"ANSIBLE_CONFIG={folder}/ansible.cfg"
    return ["env", config, ansible(), "-i", str(folder / "inventory"), str(folder / "playbook.yaml")]


def by_ssh(site: Site, each: int) -> None:
    """One ssh(1) after the other on each host, the hosts side by side."""

    def build(number: int, address: str) -> None:
        for argv in commands(number, each):
            done = site.run("ssh", "-o", "BatchMode=yes", f"root@{address}", shlex.join(argv), status=None)
            if done.returncode != 0:
                raise Failed(f"ssh {address} {shlex.join(argv)}: {done.stderr.strip()}")

    with ThreadPoolExecutor(max_workers=len(site.hosts)) as pool:
        list(pool.map(build, range(len(site.hosts)), [host.address for host in site.hosts.values()]))


def demand(site: Site, each: int) -> None:
    """A contender that did not do the work has no time: the last container of each host reaches its gateway."""
    for number, host in enumerate(site.hosts.values()):
        last = f"{NAME}-c{(number + 1) * each - 1}"
        host.run("ip", "netns", "exec", last, "ping", "-c1", "-W5", f"{prefix(number)}.1")
