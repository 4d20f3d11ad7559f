"""netcompose's command line with a fault: ``python engine_fault.py kill|fail N ARGUMENTS ...``.

After the N-th request that changes something in the engine has been answered, the process is killed, or the request
fails as if the engine had refused it. Ends with 99 if there were fewer.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import Any

from docker.api.client import APIClient

from netcompose.cli.main import main
from netcompose.errors import EngineRefused

FEWER = 99
_ANSWERED = APIClient.send
_lock = threading.Lock()
_seen = 0


def _send(self: APIClient, request: Any, **options: Any) -> Any:
    """Every request of the SDK goes through its session's ``send``."""
    global _seen
    answer = _ANSWERED(self, request, **options)
    if request.method != "GET":
        with _lock:
            _seen += 1
            if _seen == int(sys.argv[2]):
                if sys.argv[1] == "kill":
                    os.kill(os.getpid(), signal.SIGKILL)
                raise EngineRefused(f"a fault after {request.method} {request.path_url}", status=500)
    return answer


if __name__ == "__main__":
    APIClient.send = _send  # type: ignore[method-assign]
    try:
        status = main(sys.argv[3:])
    except SystemExit as end:
        status = int(end.code or 0)
    sys.exit(FEWER if _seen < int(sys.argv[2]) else status)
