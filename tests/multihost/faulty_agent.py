"""An agent that is killed after one of its operations: ``python faulty_agent.py N``, N counted from the first change.

Its watchdog, which is a fork of it, is left in peace. The operations are those of the proofs (faults.py).
"""

import os
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "kernel"))

from faults import Faults

from netcompose.agent import agent
from netcompose.agent.__main__ import main


class InThisProcess(Faults):
    """Faults of the agent alone, while it carries changes out."""

    def __init__(self, at: int) -> None:
        super().__init__("kill", at, 0)
        self.active = False
        self._pid = os.getpid()

    def _around(self, name: str, operation: Any, position: int = -1) -> Any:
        if os.getpid() != self._pid:
            return operation()
        return super()._around(name, operation, position)


faults = InThisProcess(int(sys.argv[1]))
faults.install()
with_faults = agent.carry_out


def carry_out(*arguments: Any) -> None:
    """The proofs count from the start in this mode; here it is from the first change."""
    faults.active = os.getpid() == faults._pid
    with_faults(*arguments)
    faults.active = False


agent.carry_out = carry_out
sys.exit(main())
