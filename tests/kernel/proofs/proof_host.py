"""A throw-away host for the proofs: netcompose's command line inside it, and what foreign tools say of it."""

from __future__ import annotations

import copy
import json
import signal
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import forkserver

from netcompose.transports.sandbox import Sandbox

Snapshot = dict[str, Any]
#: The status of a command that SIGKILL ended.
KILLED = 128 + signal.SIGKILL
_WITH_FAULT = "import faults, sys; sys.exit(faults.main(*sys.argv[1:]))"


@dataclass(frozen=True)
class Done:
    """How a command ended. ``count`` and ``hit`` tell of an injected fault (see faults.py)."""

    status: int
    out: str
    err: str
    count: int = 0
    hit: str = ""

    def __str__(self) -> str:
        return f"exit status {self.status}\n{self.out}\n{self.err}"


class ProofHost:
    """A context manager. Topologies are given as data; JSON is YAML."""

    def __init__(self, folder: Path) -> None:
        self.sandbox = Sandbox("proof")
        self.folder = folder

    def __enter__(self) -> ProofHost:
        self.sandbox.start()
        # The loopback of a host is up; and what the first command would make by the way is made before any reading.
        self.sandbox.run(["ip", "link", "set", "lo", "up"], check=True)
        return self

    def __exit__(self, *_: object) -> None:
        self.sandbox.close()

    def write(self, topology: Mapping[str, Any]) -> str:
        """The topology as a file."""
        file = self.folder / "topology.yaml"
        file.write_text(json.dumps(topology, indent=1))
        return str(file)

    def cli(self, *argv: str, fault: Mapping[str, Any] | None = None) -> Done:
        """netcompose with these arguments."""
        note = self.folder / "fault.json"
        if fault is None:
            ended = forkserver.run(self.sandbox, "-m", "netcompose", *argv)
        else:
            note.unlink(missing_ok=True)
            asked = json.dumps({"signal": 0, "note": str(note), **fault})
            ended = forkserver.run(self.sandbox, "-c", _WITH_FAULT, asked, *argv)
        told = json.loads(note.read_text()) if fault is not None and note.exists() else {}
        assert "Traceback" not in ended.stderr, ended.stderr
        return Done(ended.returncode, ended.stdout, ended.stderr, **told)

    def up(self, topology: Mapping[str, Any]) -> None:
        """``up`` that has to succeed."""
        done = self.cli("up", "-f", self.write(topology))
        assert done.status == 0, done

    def converge(self, topology: Mapping[str, Any]) -> None:
        """``up``, then an empty plan."""
        self.up(topology)
        done = self.cli("plan", "--detailed-exitcode", "-f", self.write(topology))
        assert done.status == 0, done

    def down(self, topology: Mapping[str, Any]) -> None:
        """``down`` that has to succeed."""
        done = self.cli("down", "-f", self.write(topology))
        assert done.status == 0, done

    def plan(self, topology: Mapping[str, Any]) -> dict[str, Any]:
        """The plan as data."""
        done = self.cli("plan", "--output", "json", "-f", self.write(topology))
        assert done.out, done
        return dict(json.loads(done.out))

    def snapshot(self) -> Snapshot:
        """Everything that netcompose could leave behind or change."""
        return take_snapshot(self.sandbox)

    def inventory(self) -> dict[str, dict[str, Any]]:
        """Every object with its identity, age and counters."""
        return _reading(self.sandbox, "inventory")

    def run(self, *argv: str, status: int | None = 0) -> str:
        """A foreign tool inside; its output."""
        done = self.sandbox.run(argv)
        assert status is None or done.returncode == status, done
        return str(done.stdout)

    def sh(self, script: str) -> str:
        """A script of foreign tools."""
        return self.run("sh", "-ec", script)

    def assert_same(self, before: Snapshot, *, ignore: Iterable[str] = (), seconds: float = 5.0) -> None:
        """The host is as it was. Waits for what the kernel ends in its own time (a deleted namespace's devices)."""
        end = time.monotonic() + seconds
        while True:
            different = differences(before, self.snapshot(), set(ignore))
            if not different:
                return
            assert time.monotonic() < end, "\n".join(different)


def take_snapshot(sandbox: Sandbox) -> Snapshot:
    """Everything on a host that netcompose could leave behind or change (see readings.py)."""
    return _reading(sandbox, "snapshot")


def _reading(sandbox: Sandbox, name: str) -> dict[str, Any]:
    done = forkserver.run(sandbox, "-c", "import readings; readings.main()", name)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def differences(before: Any, after: Any, ignore: set[str], path: str = "") -> list[str]:
    """Where two readings differ, as readable lines."""
    if before == after:
        return []
    if isinstance(before, dict) and isinstance(after, dict):
        found = []
        for key in sorted({*before, *after}):
            if key not in ignore:
                found += differences(before.get(key), after.get(key), ignore, f"{path}/{key}")
        return found
    if isinstance(before, list) and isinstance(after, list):
        if len(before) == len(after) and all(isinstance(item, dict) for item in before):
            found = []
            for index, (one, two) in enumerate(zip(before, after, strict=True)):
                found += differences(one, two, ignore, f"{path}[{index}]")
            return found
        gone = [f"{path}: - {item}" for item in before if item not in after]
        return gone + [f"{path}: + {item}" for item in after if item not in before] or [f"{path}: another order"]
    if isinstance(before, str) and isinstance(after, str) and "\n" in before:
        return differences(before.splitlines(), after.splitlines(), ignore, path)
    return [f"{path}: {before!r} became {after!r}"]


def edited(topology: Mapping[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy with one value changed; ``...`` removes it. The path's parts are separated by blanks."""
    changed: Any = copy.deepcopy(dict(topology))
    *parents, last = path.split()
    at = changed
    for part in parents:
        at = at[int(part)] if isinstance(at, list) else at.setdefault(part, {})
    if value is ...:
        del at[last]
    elif isinstance(at, list):
        at[int(last)] = value
    else:
        at[last] = value
    return dict(changed)
