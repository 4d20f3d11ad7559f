"""What belongs to a native container besides its network: files, commands run once, and its process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Mapping

from netcompose.resources.base import IN_PLACE, OBSERVED, REPLACE, Requirement, Resource, attribute


def _inside(namespace: str, after: tuple[str, ...]) -> tuple[Requirement, ...]:
    own = (Requirement("namespace/" + namespace),) if namespace else ()
    return own + tuple(Requirement(id, order_only=True) for id in after)


@dataclass(frozen=True)
class File(Resource):
    """``file/web1/hosts``: a text file on the host whose first line is the ownership mark.

    ``container`` is the container it serves; ``path`` is in its folder below ``/etc/netns``, or in a folder of that
    one. The mark line is added when it is written and is not part of ``content``. It is rewritten in place (the same
    inode), because running processes have it bind-mounted.
    """

    kind: ClassVar[str] = "file"

    container: str = attribute(changes=REPLACE)
    path: str = attribute(changes=REPLACE)
    content: str = attribute(changes=IN_PLACE)

    def claims(self) -> tuple[str, ...]:
        return ("path:" + self.path,)


@dataclass(frozen=True)
class Exec(Resource):
    """``exec/web1``: the commands of ``exec:``, run in order inside the container once it is wired.

    They run again when the list changes or when the namespace was replaced. ``namespace`` is the container whose
    network namespace they run in, empty for the host's; ``engine`` the name that a container engine has for the
    container, in which they run then; ``after`` are the ids of what has to be there first.
    """

    kind: ClassVar[str] = "exec"
    removal: ClassVar[str] = "none"

    container: str = attribute(changes=REPLACE)
    commands: tuple[tuple[str, ...], ...] = attribute(changes=REPLACE, why="the commands are run again, from the first")
    namespace: str = attribute(changes=REPLACE, default="", why="the container has another namespace")
    engine: str = attribute(changes=REPLACE, default="", why="they run in another kind of container")
    after: tuple[str, ...] = attribute(changes=OBSERVED, default=())

    def requires(self) -> tuple[Requirement, ...]:
        return _inside(self.namespace, self.after)

    def concerns(self) -> tuple[str, ...]:
        return (self.container,)


@dataclass(frozen=True)
class Process(Resource):
    """``process/web1``: the container's command in its own mount, UTS, IPC and PID namespaces.

    ``namespace`` is the container whose network namespace it runs in, empty for the host's (``network_mode:
    host``). ``netns`` is the name whose ``/etc/netns`` files are mounted over ``/etc``, or empty. ``restart`` is
    Compose's policy: ``no``, ``always``, ``unless-stopped``, ``on-failure`` or ``on-failure:N``.
    ``stop_grace_period`` is in seconds. ``after`` are the ids of what has to be there before it starts.

    ``reads`` is what a server reads again when it gets ``reload_signal``: the digest of each of its files by name, or
    where each socket leads (``0.0.0.0:8080/tcp``: ``172.18.0.2:80@web1``).
    """

    kind: ClassVar[str] = "process"

    container: str = attribute(changes=REPLACE)
    command: tuple[str, ...] = attribute(
        changes=REPLACE, disturbs="outage", why="a process runs what it was started with"
    )
    namespace: str = attribute(changes=REPLACE, disturbs="outage", default="", why="the network is another one")
    netns: str = attribute(changes=REPLACE, disturbs="outage", default="")
    environment: Mapping[str, str] = attribute(
        changes=REPLACE, disturbs="outage", secret=True, default_factory=dict, why="a process keeps its environment"
    )
    working_dir: str = attribute(changes=REPLACE, disturbs="outage", default="/", why="a process starts in it")
    user: str = attribute(changes=REPLACE, disturbs="outage", default="", why="a process runs as whom it was started")
    hostname: str = attribute(changes=IN_PLACE, default="")
    restart: str = attribute(changes=REPLACE, disturbs="outage", default="no", why="the policy is given at the start")
    stop_signal: str = attribute(changes=IN_PLACE, default="SIGTERM")
    stop_grace_period: float = attribute(changes=IN_PLACE, default=10.0)
    reads: Mapping[str, str] = attribute(changes=IN_PLACE, default_factory=dict)
    reload_signal: str = attribute(changes=IN_PLACE, default="SIGHUP")
    after: tuple[str, ...] = attribute(changes=OBSERVED, default=())

    def requires(self) -> tuple[Requirement, ...]:
        return _inside(self.namespace, self.after)

    def concerns(self) -> tuple[str, ...]:
        return (self.container,)
