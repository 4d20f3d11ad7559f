"""The gatekeeper's working half with a fault: ``python gate_fault.py TOPOLOGY N NOTE``.

It is killed after the N-th operation of wiring containers again that were started by somebody else (see
tests/kernel/faults.py for what an operation is); with 0 it is not. ``NOTE`` is a file that has its process, once it
listens.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "kernel"))

from faults import Faults


class _Log:
    @staticmethod
    def note(text: str, at: float) -> None:
        print(text, file=sys.stderr, flush=True)


def main(topology: str, number: str, note: str) -> None:
    from netcompose.agent.runtimes import gatekeeper, rewire

    faults = Faults("kill", int(number), 0)
    faults.active = False
    faults.install()
    whole = rewire.rewire

    def faulty(*arguments: Any) -> None:
        faults.active = True
        try:
            whole(*arguments)
        finally:
            faults.active = False

    rewire.rewire = faulty
    listening = gatekeeper._Gatekeeper(topology, _Log())  # type: ignore[arg-type]
    Path(note).write_text(str(os.getpid()))
    listening.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
