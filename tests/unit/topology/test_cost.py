"""What loading costs: a start without the libraries that are not needed, and linear time."""

from __future__ import annotations

import subprocess
import sys

from counting import calls

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
from collections.abc import Callable
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


def test_loading_and_checking_cost_per_container() -> None:
    loaded = []
    few, many = (calls(lambda: loaded.append(load_text(big(count)))) for count in (250, 1000))  # noqa: B023
    assert many < 4.4 * few and many < 1000 * 760, (few, many)
    small, large = loaded
    assert check_all(small) == check_all(large) == []
    few, many = calls(lambda: check_all(small)), calls(lambda: check_all(large))
    assert many < 4.4 * few and many < 1000 * 260, (few, many)
