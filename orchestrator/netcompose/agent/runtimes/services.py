"""netcompose's own processes beside the containers (``@ports``): supervised, logged and stopped as theirs are."""

from __future__ import annotations

import importlib.util
import os
import sys
import time
from typing import Any, Optional, Sequence

from netcompose.agent import nameserver
from netcompose.agent.runtimes import output, records
from netcompose.errors import HostLacks, KernelRefused, NetcomposeError
from netcompose.resources import Process
from netcompose.resources.names import DNS_SERVICE, PUBLISHER

_MODULE = "netcompose.agent.runtimes.publisher"
_FILE = "publisher.py"
_READY = "ready"
#: Seconds within which the publisher has to hold its ports.
_DEADLINE = 10.0


def command(process: Process, directory: str) -> Sequence[str]:
    """What is run for a process; netcompose's own program is put into its run directory, which has to be there."""
    if process.command[:1] != (PUBLISHER,):
        return process.command
    spec = importlib.util.find_spec(_MODULE)
    loader: Any = spec.loader if spec else None
    source = loader.get_source(_MODULE) if loader else None
    if source is None:
        raise HostLacks("the source of {} is missing from this installation".format(_MODULE))
    path = os.path.join(directory, _FILE)
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(fd, "w", encoding="utf-8") as file:
        file.write(source)
    return (sys.executable, "-I", "-S", path, directory, *process.command[1:])


def reload_begun(process: Process, directory: str) -> int:
    """What :func:`failure` is to be given after a reload, asked before it."""
    return nameserver.said(directory) if process.container == DNS_SERVICE else 0


def failure(process: Process, directory: str, before: int = 0) -> Optional[NetcomposeError]:
    """None when a started process does its service (others than netcompose's own: at once), else why it does not."""
    if process.container == DNS_SERVICE:
        return nameserver.failure(process, directory, before)
    if process.command[:1] != (PUBLISHER,):
        return None
    end = time.monotonic() + _DEADLINE
    while not os.path.exists(os.path.join(directory, _READY)):
        state = records.read(directory, records.STATE) or {}
        if state.get("status") == "exited" or time.monotonic() > end:
            words = b"".join(output.read(directory, tail=1)).decode(errors="replace").strip()
            return KernelRefused(
                words.removeprefix("netcompose: ") or "the published ports could not be taken",
                object_id=process.id,
                hint="ss -tulpn shows who has which port",
            )
        time.sleep(0.002)
    return None
