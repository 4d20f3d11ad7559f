"""netcompose's own processes beside the containers (``@ports``): supervised, logged and stopped as theirs are."""

from __future__ import annotations

import functools
import os
import signal
import sys
import time
from typing import Any, Optional, Sequence

from netcompose.agent import nameserver, rundir
from netcompose.agent.runtimes import output, records
from netcompose.errors import HostLacks, KernelRefused, NetcomposeError
from netcompose.resources import Process, resource_to_data
from netcompose.resources.names import DNS_SERVICE, GATEKEEPER, PUBLISHER

_MODULES = ("netcompose.agent.runtimes.publisher", "netcompose.agent.runtimes.relay")
_MAIN = "import sys\nfrom netcompose.agent.runtimes.publisher import main\nsys.exit(main(sys.argv[1:]))\n"
_FILE = "publisher.pyz"
_PORTS, _READY = "ports", "ready"
#: Seconds within which the publisher has to hold its ports.
_DEADLINE = 10.0


def started_apart(topology: str, process: Process, directory: str) -> bool:
    """Start a service that is a process of the host instead of one in namespaces of its own; False for others."""
    if process.command[:1] != (GATEKEEPER,):
        return False
    from netcompose.agent.runtimes import gatekeeper

    record = {"process": resource_to_data(process), "stop_signal": int(signal.SIGTERM), "netns": []}
    gatekeeper.start(topology, process, directory, record)
    return True


def command(process: Process, directory: str) -> Sequence[str]:
    """What is run for a process; netcompose's own program is put into its run directory, which has to be there."""
    if process.command[:1] != (PUBLISHER,):
        return process.command
    path = os.path.join(directory, _FILE)
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(fd, "wb") as file:
        file.write(_archive())
    _write_ports(process, directory)
    return (sys.executable, "-I", "-S", path, directory)


@functools.lru_cache(maxsize=1)
def _archive() -> bytes:
    """The publisher as a zip archive, which Python runs as it is (zipapp): one plain file, wherever this package is."""
    import importlib.util
    import io
    import zipfile

    files = {"__main__.py": _MAIN}
    for name in _MODULES:
        spec = importlib.util.find_spec(name)
        loader: Any = spec.loader if spec else None
        source = loader.get_source(name) if loader else None
        if source is None:
            raise HostLacks("the source of {} is missing from this installation".format(name))
        parts = name.split(".")
        files.update({"/".join(parts[:end]) + "/__init__.py": "" for end in range(1, len(parts))})
        files["/".join(parts) + ".py"] = source
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for path in sorted(files):
            archive.writestr(zipfile.ZipInfo(path), files[path])
    return made.getvalue()


def _write_ports(process: Process, directory: str) -> None:
    """The file that the publisher reads, the same one as before."""
    text = "".join("{}={}\n".format(where, process.reads[where]) for where in sorted(process.reads)).encode()
    fd = os.open(os.path.join(directory, _PORTS), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    rundir.write_through(fd, text)


def before_reload(process: Process, directory: str) -> int:
    """Make ready what a server is going to read again; what :func:`failure` is to be given after the reload."""
    if process.container == DNS_SERVICE:
        return nameserver.said(directory)
    if process.command[:1] == (PUBLISHER,):
        _write_ports(process, directory)
        return _said(directory)[0]
    return 0


def _said(directory: str) -> tuple[int, str]:
    """When the publisher last read its ports, 0 for not yet, and why it could not take them."""
    try:
        with open(os.path.join(directory, _READY), encoding="utf-8") as file:
            when, failure, *_ = (file.read() + "\n\n").split("\n")
    except FileNotFoundError:
        return 0, ""
    return (int(when), failure) if when.isdigit() else (0, "")


def failure(process: Process, directory: str, before: int = 0) -> Optional[NetcomposeError]:
    """None when a started process does its service (others than netcompose's own: at once), else why it does not."""
    if process.container == DNS_SERVICE:
        return nameserver.failure(process, directory, before)
    if process.command[:1] != (PUBLISHER,):
        return None
    end = time.monotonic() + _DEADLINE
    while True:
        when, words = _said(directory)
        if when not in (0, before):
            break
        state = records.read(directory, records.STATE) or {}
        if state.get("status") == "exited" or time.monotonic() > end:
            words = b"".join(output.read(directory, tail=1)).decode(errors="replace").strip()
            words = words.removeprefix("netcompose: ") or "the published ports could not be taken"
            break
        time.sleep(0.002)
    if not words:
        return None
    return KernelRefused(words, object_id=process.id, hint="ss -tulpn shows who has which port")
