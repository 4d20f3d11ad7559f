"""``engine_alone.py SOCKET IMAGE COUNT``: containers created and started by plain requests, side by side; the seconds.

What the engine itself takes for so many containers without a network, as few requests as it can be done with.
"""

from __future__ import annotations

import http.client
import json
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

#: Requests at the same time, as netcompose has them.
SIDE_BY_SIDE = 8


class _Local(http.client.HTTPConnection):
    """HTTP over the engine's socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost")
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(self._path)


def main() -> None:
    """Create and start, then say how long that took."""
    path, image, count = sys.argv[1].removeprefix("unix://"), sys.argv[2], int(sys.argv[3])
    own = threading.local()

    def post(where: str, body: Any = None) -> Any:
        if not hasattr(own, "connection"):
            own.connection = _Local(path)
        data = json.dumps(body) if body is not None else None
        own.connection.request("POST", where, data, {"Content-Type": "application/json"})
        answer = own.connection.getresponse()
        content = answer.read()
        if answer.status >= 400:
            sys.exit(f"{where}: {answer.status} {content.decode()}")
        return json.loads(content) if content else None

    def one(number: int) -> None:
        body = {"Image": image, "HostConfig": {"NetworkMode": "none"}}
        made = post(f"/containers/create?name=alone-{count}-{number}", body)
        post(f"/containers/{made['Id']}/start")

    start = time.perf_counter()
    with ThreadPoolExecutor(max_workers=SIDE_BY_SIDE) as pool:
        list(pool.map(one, range(count)))
    print(time.perf_counter() - start)


if __name__ == "__main__":
    main()
