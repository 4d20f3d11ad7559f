"""A throw-away host for the proofs: netcompose's command line inside it, and what foreign tools say of it."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from netcompose.transports.sandbox import Sandbox

WORKER = str(Path(__file__).with_name("proof_worker.py"))
Snapshot = dict[str, Any]


@dataclass(frozen=True)
class Done:
    """How a command ended. ``count`` and ``hit`` tell of an injected fault (see proof_worker.py)."""

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
        self._worker = self.sandbox.popen(
            [sys.executable, WORKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        return self

    def __exit__(self, *_: object) -> None:
        assert self._worker.stdin and self._worker.stdout
        self._worker.stdin.close()
        self._worker.wait(20)
        self._worker.stdout.close()
        self.sandbox.close()

    def _ask(self, do: str, *arguments: Any) -> Any:
        assert self._worker.stdin and self._worker.stdout
        self._worker.stdin.write(json.dumps({"do": do, "arguments": arguments}) + "\n")
        self._worker.stdin.flush()
        answer = json.loads(self._worker.stdout.readline())
        assert "error" not in answer, answer["error"]
        return answer["answer"]

    def write(self, topology: Mapping[str, Any]) -> str:
        """The topology as a file."""
        file = self.folder / "topology.yaml"
        file.write_text(json.dumps(topology, indent=1))
        return str(file)

    def cli(self, *argv: str, fault: Mapping[str, Any] | None = None) -> Done:
        """netcompose with these arguments."""
        done = Done(**self._ask("cli", list(argv), None if fault is None else {"signal": 0, **fault}))
        assert "Traceback" not in done.err, done.err
        return done

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
        return dict(self._ask("snapshot", None))

    def inventory(self) -> dict[str, dict[str, Any]]:
        """Every object with its identity, age and counters."""
        return dict(self._ask("inventory"))

    def run(self, *argv: str, status: int | None = 0) -> str:
        """A foreign tool inside; its output."""
        done = self._ask("run", list(argv))
        assert status is None or done["status"] == status, done
        return str(done["out"])

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
