"""Fixtures of the tests in virtual machines. The helpers of tests/kernel work on a machine as on a throw-away host."""

from __future__ import annotations

import difflib
import importlib.util
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

_KERNEL = Path(__file__).parents[1] / "kernel"
sys.path.insert(0, str(_KERNEL))

from support import until  # noqa: E402
from virtual.booted import booted  # noqa: E402
from virtual.image import NoImage  # noqa: E402
from virtual.loop import Segment  # noqa: E402
from virtual.machine import Machine  # noqa: E402
from virtual.qemu import missing  # noqa: E402


def _kernel_fixtures() -> Any:
    spec = importlib.util.spec_from_file_location("kernel_conftest_in_vm", _KERNEL / "conftest.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


example = _kernel_fixtures().example

#: Whatever a test may have left that the next one would see.
_STATE = "ip -d link; ip addr; ip rule; ip -4 route; ip -6 route; nft list ruleset; ls -d /run/netns/* /run/netcompose /etc/netns 2>/dev/null"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """These first: workers that share tests by stealing from the end of a queue (xdist's worksteal) leave them to one
    worker and its machines, which keep a processor busy while other workers wait for the kernel. An emulated machine
    that gets a tenth of a processor is slow, not stuck: their deadline is twice that of others."""
    here = Path(__file__).parent
    items.sort(key=lambda item: not item.path.is_relative_to(here))
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.timeout(600))


class Pool:
    """The machines of a session, on one segment. Each is started for the first test that asks for it."""

    def __init__(self) -> None:
        self.segment = Segment()
        self._machines: dict[int, Machine] = {}
        self._states: dict[int, str] = {}
        self.words: list[str] = []
        self._failure = ""

    def machine(self, number: int) -> Machine:
        """Machine 1, 2, ...: named server4, server5, ... as the hosts of the examples."""
        if self._failure:
            # Another attempt would only take its time.
            pytest.fail(f"no machine started before, either: {self._failure}")
        if number not in self._machines:
            machine = Machine(f"server{number + 3}", segment=self.segment, number=number)
            try:
                machine.start()
            except Exception as error:
                self._failure = str(error)
                raise
            self._machines[number] = machine
            for card in ("eth0", "eth1"):
                until(lambda card=card: _settled(machine, card))
            self.words.append(f"{machine.name} was there with Linux {machine.release} after {machine.seconds:.1f} s")
            self._states[number] = _state(machine)
        return self._machines[number]

    def check(self) -> None:
        """A machine that is not as after its start is switched off: the next test that wants it has a new one."""
        for number, machine in list(self._machines.items()):
            try:
                different = _difference(self._states[number], _state(machine))
            except Exception as error:
                different = str(error)
            if different:
                self.words.append(f"{machine.name} was not left as it was, and was switched off:\n{different}")
                machine.close()
                del self._machines[number]

    def close(self) -> None:
        for machine in self._machines.values():
            machine.close()


def _state(machine: Machine) -> str:
    return str(machine.run(["sh", "-c", _STATE], timeout=20).stdout)


def _difference(before: str, after: str) -> str:
    """The lines that came and went, a few of them."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=0)
    return "\n".join(line[:300] for line in list(lines)[2:12])


def _settled(machine: Machine, card: str) -> bool:
    """The card's own IPv6 address is there and in use."""
    shown = json.loads(machine.run(["ip", "-6", "-j", "addr", "show", "dev", card], check=True).stdout)
    return any(found and not found.get("tentative") for item in shown for found in item.get("addr_info", []))


@pytest.fixture(scope="session")
def machines(request: pytest.FixtureRequest) -> Iterator[Pool]:
    """The session's machines. Where they cannot be had the tests are skipped, but in CI they have to be there."""
    reason = missing()
    if not reason:
        try:
            kept = booted()
        except NoImage as error:
            reason = str(error)
    if reason:
        if os.environ.get("CI") == "true":
            pytest.fail(f"no virtual machine: {reason}")
        pytest.skip(f"no virtual machine: {reason}")
    pool = Pool()
    pool.words.append(
        f"image of {kept.image.size / 1e6:.0f} MB, built in {kept.image.seconds:.1f} s, booted in {kept.seconds:.1f} s "
        "(0: from the cache)"
    )
    request.config.stash[_POOL] = pool
    yield pool
    pool.close()


_POOL = pytest.StashKey[Pool]()


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """What building and booting took."""
    if pool := config.stash.get(_POOL, None):
        terminalreporter.section("virtual machines")
        for line in pool.words:
            terminalreporter.line(line)


@pytest.fixture
def host(machines: Pool, tmp_path: Path) -> Iterator[Machine]:
    """A virtual machine in which the files of ``tmp_path`` are seen."""
    machine = machines.machine(1)
    machine.share(tmp_path)
    yield machine
    machines.check()
    machine.unshare(tmp_path)


@pytest.fixture
def pair(machines: Pool, tmp_path: Path) -> Iterator[tuple[Machine, Machine]]:
    """Two virtual machines on one segment (``eth1``)."""
    both = machines.machine(1), machines.machine(2)
    for machine in both:
        machine.share(tmp_path)
    yield both
    machines.check()
    for machine in both:
        machine.unshare(tmp_path)
