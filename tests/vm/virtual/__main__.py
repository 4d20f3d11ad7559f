"""``python -m virtual [-n MACHINES] [COMMAND...]`` in tests/vm: machines by hand. Without a command, a shell in the first."""

from __future__ import annotations

import argparse
import contextlib
import sys

from virtual.loop import Segment
from virtual.machine import Machine


def main() -> int:
    """Boot, run the command with this terminal's input and output, switch off; the command's exit status."""
    parser = argparse.ArgumentParser(prog="python -m virtual", description=__doc__)
    parser.add_argument("-n", type=int, default=1, metavar="MACHINES", help="how many, on one segment")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="default: sh")
    options = parser.parse_args()
    segment = Segment()
    with contextlib.ExitStack() as stack:
        machines = [
            stack.enter_context(Machine(f"server{n + 3}", segment=segment, number=n)) for n in range(1, options.n + 1)
        ]
        for machine in machines:
            sys.stderr.write(
                f"{machine.name}: Linux {machine.release}, {machine.seconds:.1f} s, SSH at {machine.ssh_port}\n"
            )
        return machines[0].popen(options.command or ["sh", "-i"]).wait()


if __name__ == "__main__":
    sys.exit(main())
