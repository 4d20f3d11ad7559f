"""An agent that is killed after one of its operations: ``python faulty_agent.py N``, N counted from the first change.

Its watchdog, which is a fork of it, is left in peace. The operations are those of the proofs (faults.py).

In the place of python3 behind an sshd: ``python -I -S faulty_agent.py FILE -I -S ... -c CODE WORD ...``, with N in FILE. The
program is CODE, with WORD ...; the faults come to it when it has imported the agent.
"""

import gc
import os
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "kernel"))


def install(at: int) -> None:
    """Have the agent in this process killed after its operation of that number."""
    from faults import Faults

    from netcompose.agent import agent

    class InThisProcess(Faults):
        """Faults of the agent alone, while it carries changes out."""

        def __init__(self) -> None:
            super().__init__("kill", at, 0)
            self.active = False
            self.process = os.getpid()

        def _around(self, name: str, operation: Any, position: int = -1) -> Any:
            if os.getpid() != self.process:
                return operation()
            return super()._around(name, operation, position)

    faults = InThisProcess()
    faults.install()
    with_faults = agent.carry_out

    def carry_out(*arguments: Any) -> None:
        """The proofs count from the start in this mode; here it is from the first change."""
        faults.active = os.getpid() == faults.process
        with_faults(*arguments)
        faults.active = False

    agent.carry_out = carry_out


def behind_sshd(file: str, *words: str) -> None:
    """Run the code of a command line; its last act before it serves is to spare the collector what it has imported."""
    spare = gc.freeze

    def freeze() -> None:
        install(int(Path(file).read_text()))
        spare()

    gc.freeze = freeze
    code = words.index("-c") + 1
    sys.argv = ["-c", *words[code + 1 :]]
    # It asks for itself as the main module.
    exec(words[code], globals())


if __name__ == "__main__":
    if len(sys.argv) > 2:
        behind_sshd(*sys.argv[1:])
    else:
        from netcompose.agent.__main__ import main

        install(int(sys.argv[1]))
        sys.exit(main())
