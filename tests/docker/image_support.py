"""Topologies whose containers have images, on a throw-away host with a real Docker Engine."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from engine import SOCKET, Engine
from support import NETCOMPOSE, Example, cli, until

#: An image that says what it runs: a busybox and nothing else.
SMALL = "small"
#: The same with the host's programs, which a container mounts.
PROGRAMS = "programs"
GATE = "/.netcompose/gate"
_TOOLS = "sh sleep cat echo ip ping hostname touch true false nc httpd wget id env stat ls kill trap nslookup"

#: Ends with 9 where its interface is missing: what a program sees that was run before it was wired.
NEEDS_ETH0 = "ip addr show dev eth0 | grep -q 'inet ' || exit 9"


def make_images(engine: Engine) -> None:
    """``small`` and ``programs``, without a registry."""
    script = f"""
        set -e
        mkdir -p small/bin small/etc small/tmp programs/usr programs/etc programs/tmp
        cp "$(command -v busybox)" small/bin/busybox
        for name in {_TOOLS}; do ln -sf busybox small/bin/$name; done
        tar -C small -c . | docker --host {SOCKET} import --change 'CMD ["sleep", "100000"]' - {SMALL}
        for name in bin sbin lib lib64; do if [ -e /$name ]; then ln -s usr/$name programs/$name; fi; done
        echo 'hosts: files dns' >programs/etc/nsswitch.conf
        tar -C programs -c . | docker --host {SOCKET} import --change 'CMD ["sleep", "100000"]' - {PROGRAMS}
    """
    done = engine.host.run(["sh", "-c", script], cwd="/mnt")
    assert done.returncode == 0, done.stderr
    # The engine's first container makes folders of its own below /run, the first one on the host's network pins that.
    for network in ("none", "host"):
        engine.docker("run", "--rm", "--network", network, SMALL, "true")


def with_images(text: str) -> str:
    """A topology of native containers as one of containers with images that have the host's programs."""
    keys = [f"image: {PROGRAMS}", "volumes: ['/usr:/usr:ro']", "stop_grace_period: 0"]
    lines: list[str] = []
    inside, pending = False, False
    for line in [*text.splitlines(), "end:"]:
        begins = re.match(r"  [\w-]+:", line) if inside else None
        if pending and (begins or not line.startswith(" ")):
            lines += [f"    {key}" for key in keys]
            pending = False
        if not line.startswith((" ", "#")) and line.strip():
            inside = line == "containers:"
        if begins and line.rstrip().endswith(":"):
            pending = True
        elif begins:
            lines.append(line.replace("{", "{" + ", ".join(keys) + ", ", 1))
            continue
        lines.append(line)
    return "\n".join(lines[:-1]) + "\n"


class Images:
    """One topology file on an engine's host."""

    def __init__(self, engine: Engine, folder: Path, text: str, name: str = "topology.yaml") -> None:
        self.engine = engine
        self.host = engine.host
        self.file = folder / name
        self.file.write_text(text)
        self.name = re.search(r"(?m)^name: ([\w-]+)", text)[1]  # type: ignore[index]

    def nc(self, *argv: str, status: int | None = 0, **options: Any) -> str:
        """netcompose's output."""
        return str(cli(self.host, *argv, file=self.file, status=status, **options).stdout)

    def refused(self, *argv: str, status: int) -> str:
        """What netcompose says to refuse."""
        return str(cli(self.host, *argv, file=self.file, status=status).stderr)

    def plan(self) -> list[dict[str, Any]]:
        return list(json.loads(self.nc("plan", "--output", "json"))["changes"])

    def actions(self) -> dict[str, str]:
        """Address -> actions of the plan, without the host's name."""
        return {change["address"].partition("/")[2]: "+".join(change["actions"]) for change in self.plan()}

    def up(self) -> None:
        """``up``, after which nothing is left to plan."""
        self.nc("up")
        assert self.actions() == {}

    def edit(self, old: str, new: str) -> None:
        text = self.file.read_text()
        assert text.count(old) == 1, f"{old!r} is {text.count(old)} times in the file"
        self.file.write_text(text.replace(old, new))

    def inspect(self, container: str) -> dict[str, Any]:
        """What the engine says of a container."""
        found: list[dict[str, Any]] = json.loads(self.engine.docker("inspect", f"{self.name}-{container}").stdout)
        return found[0]

    def inside(self, container: str, *argv: str, check: bool = True) -> str:
        """A command in a container by the engine's own means."""
        return str(self.engine.docker("exec", f"{self.name}-{container}", *argv, check=check).stdout)

    def pings(self, container: str, target: str) -> bool:
        """One packet and its answer."""
        return (
            self.engine.docker("exec", f"{self.name}-{container}", "ping", "-c1", "-W1", target, check=False).returncode
            == 0
        )

    def await_running(self, container: str) -> None:
        """Until its own program runs, and not the gate."""
        until(lambda: self._program(container) not in ("", GATE), 20)

    def at_the_gate(self, container: str) -> bool:
        return self._program(container) == GATE

    def _program(self, container: str) -> str:
        """What its first process runs; empty if there is none at the moment."""
        pid = self.inspect(container)["State"]["Pid"]
        return str(self.host.run(["readlink", f"/proc/{pid}/exe"]).stdout.strip()) if pid else ""

    def logs(self, container: str) -> str:
        done = self.engine.docker("logs", f"{self.name}-{container}")
        return str(done.stdout + done.stderr)


@contextlib.contextmanager
def examples_with_images(engine: Engine, folder: Path) -> Iterator[Callable[[str], Example]]:
    """Brings examples up with images in their containers; at the end nothing of them is left, in the engine neither."""
    running: list[Example] = []

    def bring_up(name: str) -> Example:
        shown = Example(engine.host, name, folder)
        running.append(shown)
        shown.file.write_text(with_images(shown.file.read_text()))
        shown.up()
        return shown

    yield bring_up
    for shown in running:
        shown.down()
    assert engine_objects(engine) == []


def engine_objects(engine: Engine) -> list[str]:
    """The engine's containers, by name, stopped ones included."""
    return sorted(engine.docker("ps", "--all", "--format", "{{.Names}}").stdout.split())


__all__ = [
    "NEEDS_ETH0",
    "NETCOMPOSE",
    "PROGRAMS",
    "SMALL",
    "Example",
    "Images",
    "engine_objects",
    "examples_with_images",
    "make_images",
    "with_images",
]
