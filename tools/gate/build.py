"""Builds the gate for every architecture and writes ``agent/runtimes/gatebinary.py``: ``python tools/gate/build.py``.

For developers; needs gcc and gcc-aarch64-linux-gnu. The result is committed, so that users and hosts need no compiler,
and a test builds it again and compares where the compilers are.
"""

from __future__ import annotations

import base64
import subprocess
import tempfile
import textwrap
from pathlib import Path

HERE = Path(__file__).parent
TARGET = HERE.parents[1] / "orchestrator/netcompose/agent/runtimes/gatebinary.py"
#: Machine (uname(2)) -> compiler.
COMPILERS = {"x86_64": "x86_64-linux-gnu-gcc", "aarch64": "aarch64-linux-gnu-gcc"}
#: What it was last built with: another version gives other bytes.
VERSION = "12.2.0"
_FLAGS = (
    "-Os -static -nostdlib -nostartfiles -ffreestanding -fno-stack-protector -fno-asynchronous-unwind-tables"
    " -fno-ident -fno-pie -no-pie -fno-builtin -fno-tree-loop-distribute-patterns -Wall -Wextra -Werror"
    " -Wl,--build-id=none,-z,norelro,-z,noexecstack,-z,noseparate-code,-z,max-page-size=4096 -s"
)
_HEADER = '''\
# Built from tools/gate/gate.c by `python tools/gate/build.py`; do not edit.
"""The gate: the program that image containers start with (see gate.py), by machine, as base64 of zlib."""

from __future__ import annotations

from typing import Mapping

PROGRAMS: Mapping[str, str] = {
'''


def build(machine: str) -> bytes:
    """The program for one machine."""
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder, "gate")
        subprocess.run([COMPILERS[machine], *_FLAGS.split(), "-o", str(made), str(HERE / "gate.c")], check=True)
        return made.read_bytes()


def main() -> None:
    """Write the module."""
    import zlib

    text = _HEADER
    for machine in COMPILERS:
        lines = textwrap.wrap(base64.b64encode(zlib.compress(build(machine), 9)).decode(), 100)
        text += f'    "{machine}": (\n' + "".join(f'        "{line}"\n' for line in lines) + "    ),\n"
    TARGET.write_text(text + "}\n")


if __name__ == "__main__":
    main()
