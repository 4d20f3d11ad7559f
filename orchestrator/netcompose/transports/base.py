"""What the executor and the commands know of a host: some fifteen methods, wherever it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from netcompose.planner.plan import Change
from netcompose.resources import ContainerState, EngineNetwork, ExecTarget, Observation

#: Called with (changes done, changes in all, the last one's address).
Progress = Callable[[int, int, str], None]


class Connection(Protocol):
    """One host's agent. Implemented by the Agent itself, in this process, and by ``RemoteAgent`` over a stream.

    Every method raises the errors of errors.py; one that goes over a stream also ``HostUnreachable`` when the peer is
    gone or silent, and ``ProtocolError`` when it is not understood.
    """

    def hello(self) -> dict[str, Any]:
        """Who answers: ``version``, ``python``, ``pid``, and ``time``, its clock in seconds since the epoch."""

    def features(self, names: Sequence[str] = ()) -> dict[str, str]:
        """What the host's kernel and programs can do: feature -> empty, or why not; all, or those of ``names``."""

    def observe(self, topology: str, parents: Sequence[str] = (), images: Sequence[str] = ()) -> Observation:
        """The host as it is, as far as it concerns this topology, with the facts of these interfaces and images (an
        empty name among them: look at the engine in any case)."""

    def owners(self, inodes: Sequence[int]) -> dict[int, str]:
        """Which processes have these sockets, in words."""

    def lock(self, topology: str, owner: str) -> None:
        """Keep other runs off the host until :meth:`unlock` or the end of the connection."""

    def unlock(self) -> None:
        """End the run."""

    def arm(self, topology: str, changes: Sequence[Change], token: str, seconds: float) -> None:
        """Before the first change: start the process on the host that takes an unconfirmed run back by itself, when the
        agent is gone or is asked for nothing for so many seconds. ``token`` names the run to later connections."""

    def settle(self, token: str, what: str) -> str:
        """Ask the watchdog of a run that another connection has armed: ``ready``, ``confirm`` or ``roll back``; the
        answer is ``ready``, ``confirmed``, ``rolled back``, or ``gone`` (see agent/watchdog.py)."""

    def apply(self, topology: str, changes: Sequence[Change] | None, progress: Progress | None = None) -> None:
        """Carry out this host's changes (None: those that were armed); nothing is put back by itself when one fails."""

    def confirm(self) -> None:
        """The run is verified and stays."""

    def rollback(self) -> None:
        """Bring everything that the run touched back to what it was."""

    def states(self, topology: str) -> list[ContainerState]:
        """The state of every container's process."""

    def run(
        self, topology: str, target: ExecTarget, argv: Sequence[str], timeout: float = 60.0
    ) -> tuple[int, bytes, bytes]:
        """Run a command in a container: exit status, stdout, stderr. ``timeout`` is in seconds."""

    def run_many(
        self, topology: str, jobs: Sequence[tuple[ExecTarget, Sequence[str]]], timeout: float = 60.0
    ) -> list[tuple[int, bytes, bytes]]:
        """Run one command in each of many containers side by side; the answers in the order of the jobs."""

    def logs(
        self, topology: str, container: str, tail: int | None = None, since: float = 0.0, timestamps: bool = False
    ) -> bytes:
        """What a container's command has printed, from ``since`` (seconds since the epoch) on."""

    def images(self, names: Sequence[str]) -> dict[str, str]:
        """The ids of images that the host's engine has, by name; empty for those that it does not have."""

    def unreachable_images(self, names: Sequence[str]) -> dict[str, str]:
        """Why the host's engine cannot pull images, by name; empty for those that it can."""

    def engine_networks(self, names: Sequence[str]) -> dict[str, EngineNetwork]:
        """Networks of the host's engine by name, with what is in the way of joining one."""

    def pull_image(self, name: str, progress: Progress | None = None) -> str:
        """Have the host's engine pull an image; its id. ``progress`` counts bytes."""

    def load_image(self, stream: Iterator[bytes]) -> str:
        """Have the host's engine load an archive of images; what it says. What the stream raises ends it, and the
        engine takes nothing."""

    def tag_image(self, id: str, name: str) -> None:
        """Give an image of the host's engine one more name."""

    def close(self) -> None:
        """End the connection; an unconfirmed run is rolled back, and the lock is given back."""
