"""``python -m netcompose.agent``: serve the agent on stdin and stdout, which nothing else may use."""

from __future__ import annotations

import os
import sys
from typing import Optional


def main(silence: Optional[float] = None) -> int:
    """Move the protocol's descriptors out of the way, then serve until the controller is gone (see ``serve``)."""
    read_fd, write_fd = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    # Whatever prints by mistake, here or in a child, prints to stderr and leaves the stream alone.
    os.dup2(2, 1)

    from netcompose.agent.agent import Agent
    from netcompose.agent.server import serve

    serve(Agent(), read_fd, write_fd, silence)
    return 0


if __name__ == "__main__":
    sys.exit(main())
