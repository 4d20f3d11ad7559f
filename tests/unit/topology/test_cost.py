"""What loading costs: a start without the libraries that are not needed, and linear time."""

from __future__ import annotations

import subprocess
import sys
import time

from netcompose.topology.checks import check_all
from netcompose.topology.load import load_text

QUICKSTART = """
networks:
  front: {subnets: [172.18.0.0/24]}
containers:
  web1: {networks: {front: {ipv4_address: 172.18.0.10}}, command: [sleep, inf]}
  web2: {networks: [front]}
"""


def test_a_valid_file_imports_nothing_heavy() -> None:
    code = f"""
import sys
from netcompose.topology.load import load_text
load_text({QUICKSTART!r})
heavy = "jinja2 jsonschema fastjsonschema subprocess difflib shlex tempfile logging asyncio pathlib".split()
print([name for name in heavy if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def big(count: int) -> str:
    lines = ["networks:"]
    lines += [f"  net{n}: {{subnets: [10.{n}.0.0/16]}}" for n in range(10)]
    lines.append("containers:")
    for n in range(count):
        address = f"10.{n % 10}.{1 + n // 250}.{n % 250 + 1}"
        lines.append(f"  c{n}: {{networks: {{net{n % 10}: {{ipv4_address: {address}}}, net{(n + 1) % 10}: }}}}")
    lines.append("links:")
    for n in range(0, count, 2):
        lines.append(f"  - endpoints: ['c{n}:l0', 'c{n + 1}:l0']")
        subnet, first = f"10.{100 + n // 60 // 250}.{n // 60 % 250}", n % 60 * 4
        lines.append(f"    addresses: [{subnet}.{first + 1}/30, {subnet}.{first + 2}/30]")
    return "\n".join(lines) + "\n"


def test_a_thousand_containers() -> None:
    """0.1 s on an idle machine; the bounds leave room for a busy one."""
    text = big(1000)
    start = time.perf_counter()
    topology = load_text(text)
    assert time.perf_counter() - start < 2
    start = time.perf_counter()
    assert check_all(topology) == []
    assert time.perf_counter() - start < 0.5


def test_checks_are_linear() -> None:
    def seconds(count: int) -> float:
        topology = load_text(big(count))
        times = []
        for _ in range(3):
            start = time.perf_counter()
            check_all(topology)
            times.append(time.perf_counter() - start)
        return min(times)

    assert seconds(2000) < 10 * seconds(500)
