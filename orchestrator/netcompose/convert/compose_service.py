"""A service of a Compose file -> containers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from netcompose.convert import compose_parts as parts
from netcompose.convert import names
from netcompose.convert.tree import Note, Reader
from netcompose.topology.scalars import as_text
from netcompose.topology.source import Path

#: Keys with the same name and meaning on both sides, taken as they are.
_SAME = frozenset((
    "image", "command", "entrypoint", "user", "working_dir", "hostname", "domainname", "cap_add", "cap_drop",
    "privileged", "read_only", "init", "tty", "stop_signal", "stop_grace_period", "runtime", "dns", "dns_search",
    "dns_opt", "tmpfs",
))  # fmt: skip

#: Why a key has no counterpart.
_WHY = {
    "attach": "output is kept for `netcompose logs`",
    "cgroup_parent": "the engine's own is used",
    "credential_spec": "there are no Windows containers",
    "develop": "files are not watched; `up` again brings a new image",
    "extends": "write the keys of the other service here",
    "external_links": "a name outside of the topology goes into extra_hosts",
    "group_add": "there is no such key yet",
    "ipc": "there is no such key yet",
    "isolation": "there are no Windows containers",
    "label_file": "write the labels here",
    "logging": "output goes to the engine's own log driver",
    "pid": "there is no such key yet",
    "platform": "the host's platform is used",
    "post_start": "write it as exec:, which runs once the container is wired",
    "pre_stop": "nothing runs before a stop",
    "security_opt": "there is no such key yet",
    "shm_size": "there is no such key yet",
    "stdin_open": "nobody is at the input of a container",
    "volumes_from": "name the volumes here",
}
_RESTART = re.compile("no|always|unless-stopped|on-failure(:[0-9]+)?")
_SIZE = re.compile("[0-9]+(\\.[0-9]+)?[bkmgBKMG]?[bB]?")
_PULL = ("always", "never", "missing", "if_not_present")


@dataclass
class Project:
    """What a service needs to know of the others. ``files`` are the sections of secrets and of configs, ``implied`` are
    networks that nobody wrote down."""

    name: str
    services: dict[str, dict[str, Any]]
    networks: dict[str, str]
    volumes: dict[str, Any]
    files: dict[str, dict[str, Any]]
    profiles: frozenset[str]
    folder: str
    reader: Reader
    implied: dict[str, None] = field(default_factory=dict)

    def included(self, key: str) -> bool:
        """Whether a service is there without its profile being asked for."""
        wanted = self.reader.listed(self.services[key].get("profiles"), ("services", key, "profiles"))
        return not wanted or any(as_text(item) in self.profiles for item in wanted)

    def replicas(self, key: str) -> int:
        """How many containers a service has."""
        spec = self.services[key]
        deploy = spec.get("deploy")
        wanted = deploy.get("replicas") if isinstance(deploy, dict) else None
        text = as_text(spec.get("scale", 1) if wanted is None else wanted)
        if not text.isdigit() or int(text) > 1000:
            raise self.reader.wrong(f"replicas: {text} is no number of containers", ("services", key))
        return int(text)

    def containers(self, key: str) -> list[str]:
        """The containers of a service; none if it is unknown or left out."""
        if key not in self.services or not self.included(key):
            return []
        count = self.replicas(key)
        return [names.name(key)] if count == 1 else [f"{names.name(key)}-{n}" for n in range(1, count + 1)]

    def volume_notes(self) -> Iterator[Note]:
        """What is to be said of the section of volumes."""
        for key, value in self.volumes.items():
            path: Path = ("volumes", key)
            spec = self.reader.mapping(value, path)
            extra = ", ".join(word for word in spec if word not in ("external", "name"))
            if extra:
                yield self.reader.left_out(path, f"{extra} of volume {key}", "the engine makes volumes as it does")
            if spec.get("external") or spec.get("name"):
                why = f"it is TOPOLOGY_{key} in the engine; one of another name is not taken"
                yield self.reader.changed(path, f"volume {key}", why)


def service(project: Project, key: str, spec: dict[str, Any]) -> Iterator[tuple[Any, Any]]:
    """(name, container) for each container of a service, or (note, nothing) for one that is left out."""
    reader, path = project.reader, ("services", key)
    if not project.included(key):
        profiles = ", ".join(as_text(item) for item in spec["profiles"])
        yield reader.left_out((*path, "profiles"), f"service {key}", f"its profile ({profiles}) is not asked for"), None
        return
    count = project.replicas(key)
    if not count:
        yield reader.left_out(path, f"service {key}", "it has no replicas"), None
        return
    for number, name in enumerate(project.containers(key)):
        # What is to be said is said once for all replicas.
        told = len(reader.findings)
        container = _Service(project, key, spec, number, count).container()
        if number:
            del reader.findings[told:]
            container = {k: v for k, v in container.items() if not isinstance(k, Note)}
        yield name, container


class _Service:
    """One container of a service, ``number`` of ``count``."""

    def __init__(self, project: Project, key: str, spec: dict[str, Any], number: int, count: int) -> None:
        self.project, self.key, self.spec = project, key, spec
        self.number, self.count = number, count
        self.reader = project.reader
        self.path: Path = ("services", key)
        self.made: dict[Any, Any] = {}

    def container(self) -> dict[Any, Any]:
        """Every key, in the order of the source."""
        if names.name(self.key) != self.key:
            what = f"service {self.key} is {names.name(self.key)}"
            self.made[self.reader.changed(self.path, what, "a name begins with a letter or digit")] = None
        for word, item in self.spec.items():
            at: Path = (*self.path, word)
            if word in _SAME:
                if item is not None:
                    self.made[word] = item
            elif word.startswith("x-"):
                self.made[word] = item
            else:
                reading = _READERS.get(word)
                if reading is not None:
                    reading(self, item, at)
                elif word not in _HANDLED:
                    self.leave(at, word, _WHY.get(word, "there is no such key here"))
        if "image" not in self.spec:
            self._no_image()
        if "networks" not in self.spec and not {"networks", "network_mode"} & set(self.made):
            self.join({"default": None}, self.path, implied="default")
        return self.made

    def leave(self, path: Path, what: str, why: str) -> None:
        """A note in the place of something."""
        self.made[self.reader.left_out(path, what, why)] = None

    def _no_image(self) -> None:
        name = f"{self.project.name}-{names.name(self.key)}".lower()
        self.made = {"image": name, **self.made}

    def build(self, value: Any, path: Path) -> None:
        name = as_text(self.spec.get("image") or f"{self.project.name}-{names.name(self.key)}".lower())
        self.leave(path, "build", f"images are not built here; build {name} first, or name a file: image: ./image.tar")

    def join(self, networks: dict[str, Any], path: Path, implied: str = "") -> None:
        """``networks``: list or mapping."""
        made: dict[Any, Any] = {}
        for key, value in networks.items():
            at: Path = path if implied else (*path, key)
            name = self.project.networks.get(key)
            if name is None:
                if key == "default" or implied:
                    name = key
                    self.project.implied[key] = None
                else:
                    made[self.reader.left_out(at, f"network {key}", "the file does not define it")] = None
                    continue
            made[name] = parts.attachment(self.reader, self.reader.mapping(value, at), at, single=self.count == 1)
        aliases = [self.key] if self.count > 1 and names.name(self.key) == self.key else []
        own = self.spec.get("container_name")
        if own and as_text(own) != self.key:
            aliases.append(as_text(own))
        mac = self.spec.get("mac_address")
        for number, (key, value) in enumerate(made.items()):
            if isinstance(key, Note):
                continue
            if aliases:
                value["aliases"] = list(dict.fromkeys([*aliases, *value.get("aliases", [])]))
            if mac and not number and self.count == 1:
                value.setdefault("mac_address", as_text(mac))
        if all(not isinstance(key, Note) and not value for key, value in made.items()):
            self.made["networks"] = list(made)
        else:
            self.made["networks"] = made

    def networks(self, value: Any, path: Path) -> None:
        if isinstance(value, list):
            self.join({as_text(item): None for item in value}, path)
        else:
            self.join(self.reader.mapping(value, path), path)

    def network_mode(self, value: Any, path: Path) -> None:
        mode = as_text(value)
        kind, _, target = mode.partition(":")
        if mode in ("none", "host"):
            self.made["network_mode"] = mode
        elif mode in ("bridge", "default"):
            self.made[self.reader.changed(path, f"network_mode {mode}", "written as a network of its own")] = None
            self.join({"bridge": None}, path, implied="bridge")
        elif kind == "service" and self.project.containers(target):
            self.made["network_mode"] = f"container:{self.project.containers(target)[0]}"
        else:
            self.made["network_mode"] = "none"
            self.leave(path, f"network_mode {mode}", "no container of this file; written as none")

    def ports(self, value: Any, path: Path) -> None:
        if self.made.get("network_mode") == "host" or self.spec.get("network_mode") == "host":
            self.leave(path, "ports", "with network_mode host every port is the host's own")
            return
        made: list[Any] = []
        for index, item in enumerate(self.reader.listed(value, path)):
            made += parts.port(self.reader, item, (*path, index), self.number, self.count)
        if made:
            self.made["ports"] = made

    def environment(self, value: Any, path: Path) -> None:
        made = parts.environment(self.reader, value, path)
        if made:
            self.made["environment"] = made

    def env_file(self, value: Any, path: Path) -> None:
        files: list[Any] = []
        for index, item in enumerate([value] if isinstance(value, str) else self.reader.listed(value, path)):
            at: Path = (*path, index)
            spec = {"path": item} if isinstance(item, str) else self.reader.mapping(item, at)
            if spec.get("path"):
                files.append(names.beside(as_text(spec["path"]), self.project.folder))
            if spec.get("required") is False:
                files.append(self.reader.changed(at, f"env_file {as_text(spec.get('path'))}", "it has to be there"))
            if spec.get("format"):
                files.append(self.reader.left_out(at, "env_file format", "a file has NAME=VALUE lines"))
        self.made["env_file"] = files

    def volumes(self, value: Any, path: Path) -> None:
        made: list[Any] = []
        for index, item in enumerate(self.reader.listed(value, path)):
            made += parts.volume(self.reader, item, (*path, index), self.project.folder)
        self.made.setdefault("volumes", []).extend(made)

    def secrets(self, value: Any, path: Path) -> None:
        self._files("secrets", value, path)

    def configs(self, value: Any, path: Path) -> None:
        self._files("configs", value, path)

    def _files(self, section: str, value: Any, path: Path) -> None:
        known = self.project.files[section]
        for index, item in enumerate(self.reader.listed(value, path)):
            made = parts.mounted_file(self.reader, item, (*path, index), known, self.project.folder)
            self.made.setdefault("volumes", []).extend(made)

    def depends_on(self, value: Any, path: Path) -> None:
        listed = isinstance(value, list)
        wanted = dict.fromkeys(as_text(i) for i in value) if listed else self.reader.mapping(value, path)
        made: dict[Any, Any] = {}
        for key, item in wanted.items():
            at: Path = path if listed else (*path, key)
            spec = self.reader.mapping(item, at)
            others = self.project.containers(key)
            if not others:
                made[self.reader.left_out(at, f"depends_on {key}", "that service is not there")] = None
            for word in spec:
                if word != "condition" and spec[word] is not (word == "required"):
                    made[self.reader.left_out((*at, word), f"depends_on {word}", "there is no such key here")] = None
            for other in others:
                made[other] = {"condition": spec["condition"]} if spec.get("condition") else {}
        if made and not any(made.values()) and not any(isinstance(word, Note) for word in made):
            self.made["depends_on"] = list(made)
        elif made:
            self.made["depends_on"] = made

    def links(self, value: Any, path: Path) -> None:
        made: list[Any] = []
        for index, item in enumerate(self.reader.listed(value, path)):
            target, _, alias = as_text(item).partition(":")
            others = self.project.containers(target)
            if not others:
                made.append(self.reader.left_out((*path, index), f"link {as_text(item)}", "that service is not there"))
            # By its own name a service is found anyhow.
            if others and alias not in ("", target):
                if len(others) > 1:
                    what = f"link {as_text(item)}"
                    made.append(self.reader.changed((*path, index), what, f"to the first container, {others[0]}"))
                made.append(f"{others[0]}:{alias}")
        if made:
            self.made["links"] = made

    def restart(self, value: Any, path: Path) -> None:
        text = "no" if value is False else as_text(value)
        if _RESTART.fullmatch(text):
            self.made["restart"] = text
        else:
            self.leave(path, f"restart {text}", "it is one of no, always, unless-stopped, on-failure, on-failure:N")

    def pull_policy(self, value: Any, path: Path) -> None:
        if value in _PULL:
            self.made["pull_policy"] = value
        else:
            self.leave(path, f"pull_policy {as_text(value)}", "it is one of always, missing, never")

    def mem_limit(self, value: Any, path: Path) -> None:
        self.limit("mem_limit", value, path)

    def cpus(self, value: Any, path: Path) -> None:
        self.limit("cpus", value, path)

    def limit(self, word: str, value: Any, path: Path) -> None:
        """A limit of memory or processors, from either of the two places that Compose has for it."""
        text = as_text(value)
        if word == "cpus" and re.fullmatch("[0-9]*\\.?[0-9]+", text):
            self.made["cpus"] = float(text) if float(text) % 1 else int(float(text))
        elif word == "mem_limit" and _SIZE.fullmatch(text):
            self.made["mem_limit"] = value if isinstance(value, int) else text
        else:
            self.leave(path, f"{word} {text}", "it is a number, with b, k, m or g for memory")

    def deploy(self, value: Any, path: Path) -> None:
        for word, item in self.reader.mapping(value, path).items():
            at: Path = (*path, word)
            if word == "replicas":
                continue
            if word == "resources":
                self._resources(self.reader.mapping(item, at), at)
            elif word == "restart_policy":
                self._restart_policy(self.reader.mapping(item, at), at)
            elif word == "mode" and item == "replicated":
                continue
            else:
                self.leave(at, f"deploy {word}", "containers are where 'host:' says, and replaced as the plan shows")

    def _resources(self, resources: dict[str, Any], path: Path) -> None:
        for word, item in resources.items():
            at: Path = (*path, word)
            if word != "limits":
                self.leave(at, f"deploy resources {word}", "nothing is reserved on the host")
                continue
            for limit, amount in self.reader.mapping(item, at).items():
                known = {"cpus": "cpus", "memory": "mem_limit"}.get(limit)
                if known:
                    self.limit(known, amount, (*at, limit))
                else:
                    self.leave((*at, limit), f"deploy limit {limit}", "there is no such key here")

    def _restart_policy(self, policy: dict[str, Any], path: Path) -> None:
        if "restart" in self.spec:
            return
        condition = as_text(policy.get("condition") or "any")
        tries = policy.get("max_attempts")
        known = {"any": "always", "none": "no", "on-failure": "on-failure"}.get(condition)
        if known == "on-failure" and tries:
            known = f"on-failure:{as_text(tries)}"
        if known:
            self.made["restart"] = known
        for word in policy:
            if word not in ("condition", "max_attempts"):
                self.leave((*path, word), f"deploy restart_policy {word}", "the engine has its own times")

    def simple(self, word: str, value: Any, path: Path) -> None:
        """A mapping or list that is the same on both sides but for its odd entries."""
        made = parts.SIMPLE[word](self.reader, value, path)
        if made:
            self.made[word] = made


def _simple(word: str) -> Any:
    return lambda self, value, path: self.simple(word, value, path)


#: Key -> what reads it.
_READERS: dict[str, Any] = {
    **{
        word: getattr(_Service, word)
        for word in (
            "build", "networks", "network_mode", "ports", "environment", "env_file", "volumes", "secrets", "configs",
            "depends_on", "links", "restart", "pull_policy", "mem_limit", "cpus", "deploy",
        )
    },
    **{word: _simple(word) for word in parts.SIMPLE},
}  # fmt: skip
#: Keys that others look at.
_HANDLED = ("container_name", "profiles", "scale", "expose", "mac_address")
