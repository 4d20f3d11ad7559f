"""The agent: everything that is done on a host, behind a dozen methods that a transport can call from afar."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from typing import TYPE_CHECKING, Any, Iterator, Mapping, Optional, Sequence

from netcompose import __version__
from netcompose.agent import facts, features, housekeeping, library, listing, rundir, watchdog
from netcompose.agent.kernel import listeners
from netcompose.agent.kernel.namespaces import Namespaces
from netcompose.agent.kinds import KINDS
from netcompose.agent.lock import HostLock
from netcompose.agent.protocol import SIDE_BY_SIDE, Peer
from netcompose.agent.run import carry_out
from netcompose.agent.runtimes import engineshow, execution, gate
from netcompose.agent.runtimes import namespace as runtime
from netcompose.agent.snapshot import Snapshot, take
from netcompose.errors import HostLacks, NetcomposeError, NotPermitted, ProtocolError, RollbackFailed
from netcompose.planner.plan import Change
from netcompose.planner.planner import make_plan
from netcompose.resources import ContainerState, EngineNetwork, ExecTarget, Observation, Resource

if TYPE_CHECKING:
    from netcompose.agent.run import Progress
    from netcompose.agent.runtimes.imagestock import Arrival

#: Bytes that have to be free in /run before a run on several hosts begins.
LEAST_ROOM = 1 << 20


class Agent:
    """The agent of one host. ``host`` is its name in the topology, for messages."""

    def __init__(self, host: str = "local") -> None:
        self._host = host
        self._namespaces = Namespaces()
        self._lock = HostLock(host)
        self._topology = ""
        #: Topologies whose containers may be an engine's, although nothing is noted of them: the host was restarted.
        self._engines_of: set[str] = set()
        #: What the current run has touched: id -> the object as it was before, None if it was not there.
        self._before: dict[str, Optional[Resource]] = {}
        #: Who puts it back if this process cannot, and what it was armed for.
        self._watchdog: Optional[watchdog.Watchdog] = None
        self._armed: Sequence[Change] = ()
        #: The id that an object had before the run that has renamed it -> the one that it has now.
        self._renamed: dict[str, str] = {}
        #: Whether the end of the run is to be remembered.
        self._keeps = False
        #: The image that is arriving.
        self._arrival: Optional[Arrival] = None
        _allow_open_files()

    def known_as(self, host: str) -> None:
        """The host's name in the topology."""
        if host:
            self._host = self._lock.host = host

    @property
    def namespaces(self) -> Namespaces:
        """The named namespaces, with what is open of them."""
        return self._namespaces

    def hello(self) -> dict[str, object]:
        """Who answers: version, Python, process, and its clock in seconds since the epoch."""
        return {
            "version": __version__,
            "python": list(sys.version_info[:3]),
            "pid": os.getpid(),
            "time": time.time(),
        }

    def observe(self, topology: str, parents: Sequence[str] = (), images: Sequence[str] = ()) -> Observation:
        """The topology's resources on this host, the names that others hold, and the host's facts, those of the
        interfaces among them that the topology has as ``parents``, and of the images that it has; with an empty name
        among these the engine is looked at whatever is known of it."""
        try:
            snapshot = take(self._namespaces, topology, rundir.known_containers(topology))
            if images:
                self._engines_of.add(topology)
            snapshot.has_engine = snapshot.has_engine or bool(images)
            snapshot.told_by_facts = any(images)
            return self._observation(snapshot, parents, images)
        except PermissionError as error:
            raise NotPermitted(
                "host {}: no permission to read the network namespaces ({})".format(self._host, error.filename),
                hint="run as root (sudo netcompose ...)",
            ) from error

    @staticmethod
    def _observation(snapshot: Snapshot, parents: Sequence[str], images: Sequence[str]) -> Observation:
        found: dict[str, Resource] = {}
        foreign: dict[str, str] = {}
        for kind in KINDS.values():
            kind.observe(snapshot, found, foreign)
        return Observation(resources=found, foreign=foreign, facts=facts.read(snapshot, parents, images))

    def owners(self, inodes: Sequence[int]) -> dict[int, str]:
        """Which processes have these sockets, in words; asked only when a port is in use."""
        return listeners.owners(inodes)

    def features(self, names: Sequence[str] = ()) -> dict[str, str]:
        """What this host can do: feature -> empty, or why not; of all features, or of those asked for. What has to be
        tried is tried in a namespace that is thrown away."""
        return features.probe(self._namespaces, names)

    def lock(self, topology: str, owner: str, *, brief: bool = False) -> None:
        """Make this run the only one on this host until :meth:`unlock`; ``Locked`` names who has it. One that is
        ``brief`` is waited for a little."""
        self._lock.acquire(owner, brief=brief)
        self._topology = topology
        self._before = {}
        self._renamed = {}
        self._keeps = not brief

    def unlock(self) -> None:
        """End the run; unless it was put back, what the next reading will want to know is kept."""
        if self._keeps and self._lock.held:
            listing.keep(self._topology)
        self._lock.release()

    def arm(self, topology: str, changes: Sequence[Change], token: str, seconds: float) -> None:
        """Before :meth:`apply` of these changes: start the process that puts them back should this one, or the
        connection, be lost. ``seconds`` is how long it lets this agent be without a request; ``token`` is how a later
        connection asks for the run."""
        _need_room(self._host)
        if any(change.kind == "container" for change in changes):
            # The watchdog may need it, and cannot ask anybody.
            library.need()
        self._keep(changes)
        before = dict(self._before)
        job = watchdog.Job(
            restore=lambda: self._successor(before).rollback(),
            settle=lambda: housekeeping.settle(topology),
            unlock=self._lock.release,
            keep=self._lock.descriptors,
        )
        try:
            self._watchdog = watchdog.start(token, seconds, job)
        except OSError as error:
            raise HostLacks("host {}: no rollback could be armed: {}".format(self._host, error.strerror)) from error
        self._armed = tuple(changes)

    def _successor(self, before: dict[str, Optional[Resource]]) -> Agent:
        """An agent with descriptors of its own and this one's run, for the watchdog."""
        agent = Agent(self._host)
        agent._topology, agent._before, agent._renamed = self._topology, dict(before), dict(self._renamed)
        return agent

    def at_work(self, busy: bool) -> None:
        """A request has come, or is answered: the watchdog of an armed run is told."""
        if self._watchdog is not None:
            self._watchdog.at_work(busy)

    def settle(self, token: str, what: str) -> str:
        """Ask the watchdog of a run that another connection has armed; see :func:`watchdog.ask`."""
        return watchdog.ask(token, what)

    def apply(self, topology: str, changes: Optional[Sequence[Change]], progress: Optional[Progress] = None) -> None:
        """Carry out this host's changes (None: those that were armed). What they touch is kept for :meth:`rollback`."""
        if changes is None:
            changes = self._armed
        self._keep(changes)
        self._carry_out(topology, changes, progress)

    def _carry_out(self, topology: str, changes: Sequence[Change], progress: Optional[Progress] = None) -> None:
        from netcompose.agent.context import Context

        resources = [resource for change in changes for resource in (change.before, change.after) if resource]
        touched = {name for resource in resources for name in resource.concerns()}
        snapshot = take(self._namespaces, topology, rundir.known_containers(topology), touched)
        carry_out(Context(topology, self._namespaces, snapshot, changes, self._lock.descriptors), changes, progress)

    def _keep(self, changes: Sequence[Change]) -> None:
        for change in changes:
            if change.before is not None:
                self._before.setdefault(change.before.id, change.before.restorable())
                if change.before.id != change.id:
                    self._renamed[change.before.id] = change.id
            self._before.setdefault(change.id, None)

    def confirm(self) -> None:
        """The run is verified: forget how it was before, and clean up what no longer serves anything."""
        self._before = {}
        self._disarm()
        housekeeping.settle(self._topology)

    def rollback(self) -> None:
        """Bring everything that the run touched back to what it was, by planning from live to then.

        Raises ``RollbackFailed`` with what could not be put back.
        """
        self._keeps = False
        if not self._before:
            self._disarm()
            return
        before, self._before = self._before, {}
        try:
            # A second pass finds what the failure of the first left (an object that vanished under it).
            for _ in range(2):
                changes = self._back(before)
                if not changes:
                    break
                self._carry_out(self._topology, changes)
            left = self._back(before)
        except NetcomposeError as error:
            # An armed run stays armed: at the end of this process its watchdog tries again.
            self._before = before if self._watchdog is not None else {}
            raise RollbackFailed("host {}: {}".format(self._host, error.message), hint=error.hint) from error
        if left:
            self._before = before if self._watchdog is not None else {}
            raise RollbackFailed(
                "host {}: {} still differs from what it was".format(self._host, left[0].address),
                hint="run `netcompose plan` to see the state, then `up` or `down`",
            )
        housekeeping.tidy(self._topology)
        self._disarm()

    def _disarm(self) -> None:
        if self._watchdog is not None:
            self._watchdog.dismiss()
            self._watchdog, self._armed = None, ()

    def _back(self, before: dict[str, Optional[Resource]]) -> Sequence[Change]:
        live = self.observe(self._topology)
        desired = {id: resource for id, resource in live.resources.items() if id not in before}
        desired = {id: resource for id, resource in desired.items() if not resource.half_made}
        desired.update((id, old) for id, old in before.items() if old is not None and not old.half_made)
        return make_plan(self._topology, {self._host: desired}, {self._host: live}, {self._host: self._renamed}).changes

    def states(self, topology: str) -> list[ContainerState]:
        """The state of every container's process."""
        found = [runtime.state(topology, container) for container in runtime.containers(topology)]
        with_engine = topology in self._engines_of or gate.used(topology)
        return found + (engineshow.states(topology) if with_engine else [])

    def run(
        self, topology: str, target: ExecTarget, argv: Sequence[str], timeout: float = 60.0
    ) -> tuple[int, bytes, bytes]:
        """Run a command in a container: exit status, output, errors."""
        return execution.run_captured(topology, target, argv, timeout=timeout)

    def run_many(
        self, topology: str, jobs: Sequence[tuple[ExecTarget, Sequence[str]]], timeout: float = 60.0
    ) -> list[tuple[int, bytes, bytes]]:
        """Run one command in each of many containers side by side; the answers in the order of the jobs."""
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(max_workers=SIDE_BY_SIDE) as pool:
            return list(pool.map(lambda job: self.run(topology, job[0], job[1], timeout), jobs))

    def attach(
        self,
        topology: str,
        target: ExecTarget,
        argv: Sequence[str],
        terminal: Optional[Mapping[str, Any]],
        peer: Peer,
    ) -> int:
        """Run a command at the controller's keyboard; see :func:`attached.attach`."""
        from netcompose.agent.runtimes import attached

        return attached.attach(topology, target, argv, terminal, peer)

    def logs(
        self, topology: str, container: str, tail: Optional[int] = None, since: float = 0.0, timestamps: bool = False
    ) -> bytes:
        """What a container's command has printed, from ``since`` (seconds since the epoch) on."""
        return b"".join(execution.logs(topology, container, tail=tail, since=since, timestamps=timestamps))

    def images(self, names: Sequence[str]) -> dict[str, str]:
        """The ids of images that this host's engine has, by name; empty for those that it does not have."""
        from netcompose.agent.runtimes import imagestock

        return dict(imagestock.known(names))

    def unreachable_images(self, names: Sequence[str]) -> dict[str, str]:
        """Why the engine cannot pull images, by name; empty for those that it can."""
        from netcompose.agent.runtimes import imagestock

        return dict(imagestock.unreachable(names))

    def engine_networks(self, names: Sequence[str]) -> dict[str, EngineNetwork]:
        """Networks of this host's engine by name, with what is in the way of joining one."""
        from netcompose.agent.runtimes import enginenetwork

        return dict(enginenetwork.read(names))

    def pull_image(self, name: str, progress: Optional[Progress] = None) -> str:
        """Pull an image; its id."""
        from netcompose.agent.runtimes import imagestock

        return imagestock.pull(name, progress)

    def load_image(self, stream: Iterator[bytes]) -> str:
        """Load an archive of images; what the engine says."""
        from netcompose.agent.runtimes import imagestock

        return imagestock.load(stream)

    def take_image(self, data: bytes, *, first: bool = False, end: bool = False, abort: bool = False) -> str:
        """The same for one that arrives in pieces."""
        from netcompose.agent.runtimes import imagestock

        if first:
            self._give_up_image()
            self._arrival = imagestock.Arrival()
        if self._arrival is None:
            raise ProtocolError("a piece of an image came, and no image is being loaded")
        if abort:
            self._give_up_image()
            return ""
        try:
            if data:
                self._arrival.piece(data)
            return self._arrival.end() if end else ""
        except NetcomposeError:
            self._give_up_image()
            raise

    def _give_up_image(self) -> None:
        if self._arrival is not None:
            self._arrival.abort()
            self._arrival = None

    def tag_image(self, id: str, name: str) -> None:
        """Give an image one more name."""
        from netcompose.agent.runtimes import imagestock

        imagestock.tag(id, name)

    def close(self) -> None:
        """End: an unconfirmed run is rolled back, the lock is given back; both by the watchdog, if one is armed."""
        if self._watchdog is not None and self._watchdog.alive:
            self._watchdog.leave()
            self._lock.leave()
        else:
            with contextlib.suppress(NetcomposeError):
                if self._lock.held and self._watchdog is None:
                    self.rollback()
            self._lock.release()
        self._give_up_image()
        self._namespaces.close()


def _allow_open_files() -> None:
    """Two descriptors for each namespace: raise the soft limit to the hard one (getrlimit(2))."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _need_room(host: str) -> None:
    """Refuse a run on a host whose /run has no room left for what a run notes there."""
    try:
        free = os.statvfs(rundir.ROOT if os.path.isdir(rundir.ROOT) else "/run")
    except OSError:
        return
    if free.f_bavail * free.f_frsize < LEAST_ROOM or (free.f_files and not free.f_favail):
        raise HostLacks(
            "host {}: /run is full ({} KiB left)".format(host, free.f_bavail * free.f_frsize // 1024),
            hint="see what fills it with: du -sh /run/*",
        )
