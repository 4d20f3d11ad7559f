"""The command line in a throw-away host, and what foreign tools say of that host: nothing here is netcompose's view."""

from __future__ import annotations

import difflib
import json
import re
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import forkserver
import readings

from netcompose.transports.sandbox import Sandbox

EXAMPLES = Path(__file__).parents[2] / "examples"
NETCOMPOSE = [sys.executable, "-m", "netcompose"]


def cli(
    host: Sandbox,
    *argv: str,
    file: str | Path | None = None,
    status: int | None = 0,
    **options: Any,
) -> CompletedProcess[str]:
    """netcompose inside, which has to end with ``status`` (None: with any). No traceback, whatever was asked."""
    words = [argv[0], *([] if file is None else ["-f", str(file)]), *argv[1:]]
    if isinstance(host, Sandbox):
        done = forkserver.run(host, "-m", "netcompose", *words, **options)
    else:
        # A virtual machine.
        done = host.run([*NETCOMPOSE, *words], **options)
    assert "Traceback" not in done.stderr, done.stderr
    assert status is None or done.returncode == status, (
        f"{argv} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
    )
    return done


def run(host: Sandbox, *argv: str, status: int = 0) -> str:
    """A foreign tool on the host; its output."""
    done = host.run(argv)
    assert done.returncode == status, f"{argv} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
    return str(done.stdout)


def snapshot(host: Sandbox) -> str:
    """Everything on the host that netcompose could leave behind or change, as text."""
    return str(_reading(host, "whole"))


def settle(host: Sandbox) -> None:
    """Wait until every IPv6 address on the host and in its named namespaces is in use."""
    _reading(host, "settle")


def _reading(host: Sandbox, name: str, *argv: str) -> Any:
    """What foreign tools say inside (see readings.py)."""
    if isinstance(host, Sandbox):
        done = forkserver.run(host, "-c", "import readings; readings.main()", name, *argv)
    else:
        done = host.run([sys.executable, readings.__file__, name, *argv])
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def assert_same(host: Sandbox, before: str, seconds: float = 5.0) -> None:
    """The host is as it was, byte by byte. The kernel ends a deleted namespace's devices in its own time."""
    end = time.monotonic() + seconds
    while (after := snapshot(host)) != before:
        if time.monotonic() > end:
            different = difflib.unified_diff(
                before.splitlines(), after.splitlines(), "before", "after", lineterm="", n=2
            )
            raise AssertionError("\n".join(different))
        time.sleep(0.1)


def until(condition: Callable[[], Any], seconds: float = 10.0) -> Any:
    """The condition's value as soon as it is true."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.05)
    return value


@dataclass(frozen=True)
class Seen:
    """One object on the host: what it is, and counters that only grow while it is the same object."""

    state: Any
    counters: tuple[int, ...] = ()


Inventory = Mapping[str, Seen]


def inventory(host: Sandbox, topology: str) -> Inventory:
    """Every interface, routing table, namespace, process and container file on the host.

    An interface is named by its place and its name, a host's end by its alias's last word: ``web1 eth0``,
    ``host interface/web1.eth0``. Its carrier changes are part of its state, so one that flapped is not as before.
    A process is named by what ps(1) calls its command.
    """
    return {name: Seen(state, tuple(counters)) for name, (state, counters) in _reading(host, "seen", topology).items()}


def touched(before: Inventory, after: Inventory) -> set[str]:
    """What is not the same object in the same state any more."""
    return {
        name
        for name in {*before, *after}
        if name not in before
        or name not in after
        or before[name].state != after[name].state
        or any(now < then for then, now in zip(before[name].counters, after[name].counters, strict=True))
    }


class Example:
    """A copy of an example's topology on a host: brought up, changed, taken down. ``before`` is the untouched host."""

    def __init__(self, host: Sandbox, name: str, folder: Path) -> None:
        self.host = host
        self.name = name
        self.file = folder / "topology.yaml"
        self.file.write_text((EXAMPLES / name / "topology.yaml").read_text())
        self.before = snapshot(host)

    def up(self) -> None:
        """``up``, after which there is nothing left to plan."""
        cli(self.host, "up", file=self.file)
        plan = self.plan()
        assert plan == [], f"the plan after `up` is not empty:\n{json.dumps(plan, indent=1)}"

    def down(self) -> None:
        """``down``, after which the host is as it was."""
        cli(self.host, "down", file=self.file)
        assert_same(self.host, self.before)

    def plan(self) -> list[dict[str, Any]]:
        """The changes that ``plan`` shows."""
        return list(json.loads(cli(self.host, "plan", "--output", "json", file=self.file).stdout)["changes"])

    def edit(self, old: str, new: str) -> None:
        """Change one place of the file."""
        text = self.file.read_text()
        assert text.count(old) == 1, f"{old!r} is {text.count(old)} times in the file"
        self.file.write_text(text.replace(old, new))

    def change(self, old: str, new: str) -> tuple[Planned, set[str]]:
        """Change one place, plan, apply: the plan, and what on the host is not as it was, files of names left out."""
        self.edit(old, new)
        plan = self.plan()
        self.settle()
        before = inventory(self.host, self.name)
        self.up()
        self.settle()
        found = touched(before, inventory(self.host, self.name))
        return Planned(plan), {name for name in found if not _NAME_FILE.search(name)}

    def settle(self) -> None:
        """Wait for the kernel's own IPv6 link-local addresses, which come into use after a second."""
        settle(self.host)

    def inside(self, container: str, *argv: str, status: int = 0) -> str:
        """A foreign tool in a container's namespace, with its files (ip-netns(8))."""
        return run(self.host, "ip", "netns", "exec", f"{self.name}-{container}", *argv, status=status)

    def addresses(self, container: str, family: str = "inet") -> dict[str, list[str]]:
        """``address/prefix`` by interface, without loopback's and link-local ones."""
        found = json.loads(self.inside(container, "ip", "-j", "addr"))
        return {
            link["ifname"]: [
                f"{a['local']}/{a['prefixlen']}"
                for a in link["addr_info"]
                if a["family"] == family and a["scope"] == "global"
            ]
            for link in found
            if link["ifname"] != "lo"
        }

    def ping(self, container: str, target: str, *options: str, reaches: bool = True) -> None:
        """One packet and its answer; a few tries, for IPv6 addresses that are not in use at once."""
        argv = ["ip", "netns", "exec", f"{self.name}-{container}", "ping", "-c", "1", "-W", "1", *options, target]
        if reaches:
            until(lambda: self.host.run(argv).returncode == 0)
        else:
            done = self.host.run(argv)
            assert done.returncode != 0, done.stdout

    def names(self, container: str, name: str, database: str = "ahosts") -> set[str]:
        """The addresses of a name as programs inside get them; empty if it has none."""
        argv = ["ip", "netns", "exec", f"{self.name}-{container}", "getent", database, name]
        return {line.split()[0] for line in self.host.run(argv).stdout.splitlines()}


#: Addresses in a plan of what makes names known: containers' hosts files, and a topology's own name servers.
_NAME_FILE = re.compile(r" hosts$|^@dns .*\.names$")
_CARRIES_NAMES = re.compile(r"/file/[^/]+/hosts$|/@dns(/|$)")


class Planned:
    """What a plan says, in short."""

    def __init__(self, changes: list[dict[str, Any]]) -> None:
        self.changes = changes

    @property
    def actions(self) -> dict[str, list[str]]:
        """``address -> actions``, without what carries names: names themselves are looked up by the tests."""
        found = {change["address"]: change["actions"] for change in self.changes}
        return {address: actions for address, actions in found.items() if not _CARRIES_NAMES.search(address)}

    @property
    def disturbs(self) -> set[tuple[str, str]]:
        """``(container, how)`` of everybody who loses something."""
        return {(item["container"], item["how"]) for change in self.changes for item in change["disturbs"]}

    def paths(self, address: str) -> set[str]:
        """Which attributes of an object change. Indexes are the kernel's to choose and are never asked for."""
        (change,) = (change for change in self.changes if change["address"] == address)
        return {path for path in _different("", change["before"], change["after"]) if not path.endswith("ifindex")}


def _different(path: str, before: Any, after: Any) -> Iterable[str]:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted({*before, *after}):
            yield from _different(f"{path}.{key}".lstrip("."), before.get(key), after.get(key))
    elif before != after:
        yield path
