"""Leave a host as it was found: what was made for a run or for the host as a whole goes with the last user."""

from __future__ import annotations

import contextlib
import os

from netcompose.agent import listing, rundir
from netcompose.agent.kernel import namespaces
from netcompose.agent.kinds.file import NETNS_FILES
from netcompose.agent.runtimes import engineshow, gate
from netcompose.agent.runtimes import namespace as runtime
from netcompose.resources.names import netns_name

_HOST_RECORD = os.path.join(rundir.ROOT, "host.json")


def settle(topology: str) -> None:
    """A run is done and stays: what a killed wiring of containers has kept for the next one is of no use any more."""
    gate.forget_wiring(topology)
    tidy(topology)


def tidy(topology: str) -> None:
    """Forget containers of which nothing is left, drop empty folders; after the last topology restore the host."""
    for container in rundir.known_containers(topology):
        name = netns_name(topology, container)
        folder = os.path.join(NETNS_FILES, name)
        with contextlib.suppress(OSError):
            for inner in os.scandir(folder):
                os.rmdir(inner.path)
            os.rmdir(folder)
        if not os.path.lexists(os.path.join(namespaces.NETNS_DIR, name)) and not os.path.lexists(folder):
            rundir.forget_container(topology, container)
    runtime.sweep(topology)
    if gate.used(topology):
        engineshow.tidy(topology)
    listing.tidy(topology)
    rundir.prune(topology)
    if rundir.topologies():
        return
    made = rundir.read_json(_HOST_RECORD)
    if made:
        namespaces.restore_directory(bool(made.get("netns_folder")), bool(made.get("netns_mount")))
        if made.get("files_folder"):
            with contextlib.suppress(OSError):
                os.rmdir(NETNS_FILES)
        rundir.remove(_HOST_RECORD)
