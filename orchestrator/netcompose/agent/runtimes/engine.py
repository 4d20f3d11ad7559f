"""Containers of a container engine: listed, created, started, stopped, set aside, removed. Only those with our labels.

``Engine`` is what images are loaded and pulled through as well (``image_id``, ``load``, ``pull``).
"""

from __future__ import annotations

import contextlib
import functools
import os
from dataclasses import replace
from typing import Any, Callable, Iterator, Mapping, Optional, Sequence

from netcompose.agent.runtimes import enginebody, gate
from netcompose.agent.runtimes.engineapi import SOCKETS, EngineApi, side_by_side, socket_path
from netcompose.agent.runtimes.images import is_file
from netcompose.errors import EngineRefused, KernelRefused, NetcomposeError
from netcompose.resources import Container, EngineFacts
from netcompose.resources.container_engine import LABEL_TOPOLOGY, LEFT_BEHIND, NOT_STARTED, SET_ASIDE, STARTED

_NOT_FOUND, _CONFLICT = 404, 409
_NOWHERE = "no container engine on this host: there is no socket at {}"

#: Called with (bytes done, bytes in all or 0, what is being done).
Progress = Callable[[int, int, str], None]


def at_hand(runtime: str = "") -> Optional[Engine]:
    """The engine of this host, None if there is no socket of one."""
    path = socket_path(runtime)
    return Engine(path) if path else None


class Live:
    """One container as the engine has it: the resource, and what of its state is nobody's wish."""

    def __init__(self, inspected: Mapping[str, Any], resource: Container) -> None:
        self.inspected = inspected
        self.resource = resource
        self.id: str = inspected["Id"]
        state = inspected["State"]
        self.pid: int = state.get("Pid") or 0 if state.get("Running") else 0
        #: Where its processes are, 0 if it has none.
        self.netns = gate.inode_of(self.pid) if self.pid else 0


class View:
    """An engine's containers as one topology sees them: its own by container, those set aside, and others' names."""

    def __init__(self, own: Mapping[str, Live], aside: Sequence[Live], others: Mapping[str, str]) -> None:
        self.own = own
        self.aside = aside
        self.others = others


class Engine:
    """One engine, by its socket."""

    def __init__(self, path: str) -> None:
        self.api = EngineApi(path)
        self._named: dict[str, str] = {}

    @functools.cached_property
    def version(self) -> Mapping[str, Any]:
        """What it says of itself."""
        return dict(self.api.version())

    @property
    def runtime(self) -> str:
        """``docker`` or ``podman``, whichever socket it has."""
        parts = [str(part.get("Name", "")) for part in self.version.get("Components") or ()]
        return "podman" if any("Podman" in part for part in parts) else "docker"

    def close(self) -> None:
        """Close its connections."""
        self.api.close()

    def facts(self, images: Sequence[str]) -> EngineFacts:
        """What a plan needs to know of it."""
        try:
            version = str(self.version.get("Version", ""))
            found = {name: self.image_id(name) or "" for name in images if name and not is_file(name)}
        except NetcomposeError as error:
            return EngineFacts(lacks=error.message)
        return EngineFacts(runtime=self.runtime, version=version, images=found, machine=os.uname().machine)

    # Images

    def image_id(self, reference: str) -> Optional[str]:
        """The id of an image (``sha256:...``) that the engine has, by its name or id; None if it has none such."""
        try:
            return str(self.api.image(reference)["Id"])
        except EngineRefused as error:
            if error.status == _NOT_FOUND:
                return None
            raise

    def tag_image(self, id: str, name: str) -> None:
        """Give an image one more name, ``repository:tag``."""
        repository, _, tag = name.rpartition(":")
        self.api.tag_image(id, repository, tag)

    def unreachable(self, reference: str) -> str:
        """Why an image cannot be pulled, as far as its registry is asked by the engine; empty if it can. Podman is not
        asked, its API has no such call."""
        if self.runtime != "docker":
            return ""
        try:
            self.api.look_up_image(reference)
        except EngineRefused as error:
            return error.message
        return ""

    def load(self, stream: Iterator[bytes]) -> str:
        """Load an archive as ``docker save`` writes it; what the engine says that it loaded."""
        said = ""
        for event in self.api.load_image(stream):
            _refuse_event(event)
            said = str(event.get("stream", "")).strip() or said
        return said.rpartition(": ")[2]

    def pull(self, reference: str, progress: Optional[Progress] = None) -> str:
        """Fetch an image; its id. ``EngineRefused`` with the engine's words if that fails."""
        for event in self.api.pull_image(reference):
            _refuse_event(event)
            if progress is not None and event.get("status"):
                detail = event.get("progressDetail") or {}
                what = "{} {}".format(event["status"], event.get("id", "")).strip()
                progress(detail.get("current") or 0, detail.get("total") or 0, what)
        found = self.image_id(reference)
        if found is None:
            raise EngineRefused("{} was pulled, and the engine does not have it".format(reference))
        return found

    # Containers

    def view(self, topology: str) -> View:
        """The topology's containers, and the names that others have."""
        own: dict[str, Live] = {}
        aside: list[Live] = []
        others: dict[str, str] = {}
        for item in self.api.containers():
            labels = item.get("Labels") or {}
            name = (item.get("Names") or ["/"])[0].lstrip("/")
            if labels.get(LABEL_TOPOLOGY) != topology:
                whose = labels.get(LABEL_TOPOLOGY)
                others[name] = "a container " + ("of topology " + whose if whose else "that netcompose did not make")
                continue
            found = self._live(topology, item["Id"])
            if found is None:
                others[name] = "a container with a label of this topology that netcompose cannot read"
            elif found.resource.state == SET_ASIDE:
                if not gate.is_aside(topology, found.id):
                    aside.append(found)
            else:
                own[found.resource.container] = found
        for live in own.values():
            joined = own.get(live.resource.network.partition(":")[2])
            if joined is not None and live.netns and joined.netns not in (0, live.netns):
                live.resource = _with_state(live.resource, LEFT_BEHIND)
        return View(own, aside, others)

    def _live(self, topology: str, id: str) -> Optional[Live]:
        inspected = self.inspect(id)
        resource = enginebody.live(inspected) if inspected is not None else None
        if inspected is None or resource is None:
            return None
        live = Live(inspected, self._with_image(inspected, resource))
        if resource.state == STARTED and not live.pid and not (gate.noted(topology, live.id) or {}).get("netns"):
            # A run has stopped it, or /run is empty: the host was started again, and nothing that it was wired with is
            # there.
            live.resource = _with_state(live.resource, NOT_STARTED)
        return live

    def _with_image(self, inspected: Mapping[str, Any], resource: Container) -> Container:
        """Without an image id if the container runs what has the image's name now."""
        if resource.image not in self._named:
            self._named[resource.image] = self.image_id(resource.image) or ""
        same = self._named[resource.image] in ("", inspected["Image"])
        return replace(resource, image_id="") if same else resource

    def inspect(self, id: str) -> Optional[dict[str, Any]]:
        """Everything that the engine says of a container, None if it has none of this id or name."""
        try:
            return dict(self.api.container(id))
        except EngineRefused as error:
            if error.status == _NOT_FOUND:
                return None
            raise

    def create(self, topology: str, resources: Sequence[Container]) -> None:
        """Create and start containers side by side; those that are set aside and are the same are taken back."""
        gate.begin(topology)
        old = {live.resource.container: live for live in self._set_aside(topology)}
        _raise_first(side_by_side(lambda resource: self._create(topology, resource, old), resources), resources)

    def _set_aside(self, topology: str) -> list[Live]:
        listed = self.api.containers(_label(topology))
        found = [self._live(topology, item["Id"]) for item in listed]
        return [live for live in found if live is not None and live.resource.state == SET_ASIDE]

    def _create(self, topology: str, resource: Container, old: Mapping[str, Live]) -> None:
        kept = old.get(resource.container)
        if kept is not None and _with_state(kept.resource, STARTED) == resource:
            self.api.rename_container(kept.id, resource.name)
            id = kept.id
        else:
            image = self.api.image(resource.image_id or resource.image)
            id = self.api.create_container(resource.name, enginebody.create(topology, resource, image))
        self._start(topology, resource, id)

    def _start(self, topology: str, resource: Container, id: str) -> None:
        gate.note(topology, id, resource.container)
        self.api.start_container(id)

    def start(self, topology: str, resource: Container) -> None:
        """Start a container that is there and does not run, or runs in a network that is gone."""
        inspected = self.inspect(resource.name)
        if inspected is None:
            raise KernelRefused("{}: it is not there any more".format(resource.id), object_id=resource.id)
        if inspected["State"].get("Running"):
            gate.note(topology, inspected["Id"], resource.container)
            self.stop([(inspected["Id"], resource.stop_grace_period)])
        self._start(topology, resource, inspected["Id"])

    def update(self, resource: Container) -> None:
        """Change what can change while it runs."""
        self.api.update_container(resource.name, enginebody.update(resource))

    def stop(self, ids: Sequence[tuple[str, float]]) -> None:
        """Stop containers side by side, each with its grace period in seconds; those that are gone are passed over."""

        def stop(item: tuple[str, float]) -> None:
            with _ignored(_NOT_FOUND):
                self.api.stop_container(*item)

        _raise_first(side_by_side(stop, ids), ids)

    def put_aside(self, topology: str, resources: Sequence[Container]) -> None:
        """Stop containers and give up their names: a run that fails takes them back, one that is confirmed removes
        them."""
        for item in resources:
            if item.engine_id:
                gate.note(topology, item.engine_id, item.container)
        self.stop([(item.engine_id or item.name, item.stop_grace_period) for item in resources])

        def rename(item: Container) -> None:
            inspected = self.inspect(item.engine_id or item.name)
            if inspected is None or (inspected["Config"].get("Labels") or {}).get(LABEL_TOPOLOGY) != topology:
                return
            # Noted first: as long as this run is on, it is as good as gone.
            gate.note_aside(topology, inspected["Id"], item.container)
            if inspected["Name"].lstrip("/") == item.name:
                name = "{}-aside-{}".format(item.name, inspected["Id"][:8])
                self.api.rename_container(inspected["Id"], name)

        _raise_first(side_by_side(rename, resources), resources)
        # What a killed run has set aside of the same containers goes with them.
        names = {item.container for item in resources}
        for live in self._set_aside(topology):
            if live.resource.container in names:
                gate.note_aside(topology, live.id, live.resource.container)

    def tidy(self, topology: str) -> None:
        """Remove what was set aside, with its anonymous volumes; forget containers that are not there any more."""
        listed = self.api.containers(_label(topology))
        aside = [item["Id"] for item in listed if "-aside-" in (item.get("Names") or [""])[0]]

        def remove(id: str) -> None:
            with _ignored(_NOT_FOUND, _CONFLICT):
                self.api.remove_container(id)

        side_by_side(remove, aside)
        left = {item["Id"] for item in listed} - set(aside)
        for id in gate.known(topology):
            if id not in left:
                gate.forget(topology, id)

    # The start of programs

    def pid(self, name: str) -> int:
        """The first process of a running container."""
        inspected = self.inspect(name)
        pid = int(inspected["State"].get("Pid") or 0) if inspected is not None else 0
        if not pid:
            raise KernelRefused("container {} of the engine does not run".format(name), object_id=name)
        return pid


def _label(topology: str) -> str:
    return "{}={}".format(LABEL_TOPOLOGY, topology)


def _with_state(resource: Container, state: str) -> Container:
    return replace(resource, state=state)


@contextlib.contextmanager
def _ignored(*statuses: int) -> Iterator[None]:
    try:
        yield
    except EngineRefused as error:
        if error.status not in statuses:
            raise


def _refuse_event(event: Mapping[str, Any]) -> None:
    if event.get("error"):
        raise EngineRefused(str(event["error"]))


def _raise_first(outcomes: Sequence[Optional[BaseException]], items: Sequence[Any]) -> None:
    """Raise the first failure, with the object that it is about: a resource, or a pair that begins with an id."""
    for outcome, item in zip(outcomes, items):
        if outcome is None:
            continue
        if isinstance(outcome, EngineRefused):
            what = item[0][:12] if isinstance(item, tuple) else item.id
            outcome.message = "{}: {}".format(what, outcome.message)
            outcome.args = (outcome.message,)
        raise outcome


def lacking() -> str:
    """Why there is no engine here, in words."""
    return _NOWHERE.format(", ".join(paths[0] for paths in SOCKETS.values()))
