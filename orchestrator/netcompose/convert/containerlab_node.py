"""Nodes of a containerlab file, with what they inherit -> containers, and bridges -> networks."""

from __future__ import annotations

import re
from typing import Any

from netcompose.convert import names
from netcompose.convert.tree import Reader
from netcompose.topology.scalars import as_text
from netcompose.topology.source import Path
from netcompose.topology.values import BadValue, ports, words

BRIDGES = ("bridge", "ovs-bridge")
#: Kinds whose containers are what their image is; every other kind is a network operating system that containerlab
#: prepares in its own way.
_AS_THEY_ARE = ("linux", "frr", "generic_vm")

#: What the levels add up to; every other key is that of the nearest level that has it.
_MERGED = ("env", "labels", "sysctls")
_JOINED = ("exec", "binds", "env-files")

_WHY = {
    "startup-config": "no configuration is loaded into a node; mount the file where the node reads it",
    "enforce-startup-config": "no configuration is loaded into a node",
    "suppress-startup-config": "no configuration is loaded into a node",
    "license": "mount the file where the node reads it",
    "type": "it is for the kind alone",
    "config": "no configuration is made of templates",
    "startup-delay": "write depends_on with a condition",
    "wait-for": "write depends_on with a condition",
    "stages": "write depends_on with a condition, and exec for commands",
    "auto-remove": "a container that ended stays until `down`",
    "cpu-set": "there is no such key yet",
    "shm-size": "there is no such key yet",
    "runtime": "containers run in the engine of their host",
    "certificate": "no certificates are made",
    "SANs": "no certificates are made",
    "publish": "nothing is published on the internet",
    "extras": "it is for the kind alone",
    "components": "it is for the kind alone",
    "credentials": "it is for the kind alone",
    "link-apply-mode": "links are in place before the node's program starts",
    "position": "it is for a picture",
    "sandbox": "it is for another runtime",
    "kernel": "it is for another runtime",
}
_RESTART = re.compile("no|always|unless-stopped|on-failure(:[0-9]+)?")
_PULL = {"always": "always", "never": "never", "ifnotpresent": "missing"}
_SIZE = re.compile("([0-9]+(?:\\.[0-9]+)?) *([kmgt]?)i?b?", re.IGNORECASE)
#: Written in bind mounts and commands for what containerlab makes itself.
_MAGIC = re.compile("__clab[A-Za-z]+__")


class Nodes:
    """All nodes; ``names`` are theirs in the file's order."""

    def __init__(self, topology: dict[str, Any], folder: str, lab: str, reader: Reader) -> None:
        self.reader = reader
        self.folder = folder
        self.lab = lab
        at: Path = ("topology",)
        self._defaults = reader.mapping(topology.get("defaults"), (*at, "defaults"))
        self._levels = {
            level: {
                key: reader.mapping(spec, (*at, level, key))
                for key, spec in reader.mapping(topology.get(level), (*at, level)).items()
            }
            for level in ("kinds", "groups", "nodes")
        }
        self.names = list(self._levels["nodes"])
        self._new = {name: names.name(name) for name in self.names}
        self._specs: dict[str, dict[str, Any]] = {}
        self._paths: dict[tuple[str, str], Path] = {}

    def name(self, node: str) -> str:
        """A node's name as a container's."""
        return self._new.get(node, names.name(node))

    def original(self, container: str) -> str:
        """The other way."""
        return next((old for old, new in self._new.items() if new == container), "")

    def path(self, node: str, key: str = "") -> Path:
        """Where a node, or the value that it has for a key, is written."""
        own: Path = ("topology", "nodes", node)
        return self._paths.get((node, key), (*own, key)) if key else own

    def kind(self, node: str) -> str:
        """A node's kind; empty for a node that is not there."""
        return as_text(self.spec(node)["kind"]) if node in self._levels["nodes"] else ""

    def spec(self, node: str) -> dict[str, Any]:
        """Every key of a node with the value that counts for it: its own, its group's, its kind's or the default."""
        if node not in self._specs:
            own = self._levels["nodes"][node]
            levels: list[tuple[Path, dict[str, Any]]] = [(("topology", "nodes", node), own)]
            group = as_text(self._nearest([own, self._defaults], "group") or "")
            grouped = self._levels["groups"].get(group, {})
            kind = as_text(self._nearest([own, grouped, self._defaults], "kind") or "linux")
            levels.append((("topology", "groups", group), grouped))
            levels.append((("topology", "kinds", kind), self._levels["kinds"].get(kind, {})))
            levels.append((("topology", "defaults"), self._defaults))
            merged: dict[str, Any] = {"kind": kind}
            for key in dict.fromkeys(key for _, level in levels for key in level):
                merged[key] = self._merge(node, key, levels)
            self._specs[node] = {**merged, "kind": kind}
        return self._specs[node]

    @staticmethod
    def _nearest(levels: list[dict[str, Any]], key: str) -> Any:
        return next((level[key] for level in levels if level.get(key) is not None), None)

    def _merge(self, node: str, key: str, levels: list[tuple[Path, dict[str, Any]]]) -> Any:
        found = [(path, level[key]) for path, level in levels if level.get(key) is not None]
        if not found:
            return None
        path, value = found[0]
        self._paths[node, key] = (*path, key)
        if key in _MERGED:
            merged: dict[str, Any] = {}
            for at, item in reversed(found):
                merged.update(self.reader.mapping(item, (*at, key)))
            return merged
        if key in _JOINED:
            return [entry for at, item in reversed(found) for entry in self.reader.listed(item, (*at, key))]
        return value

    def bridge(self, node: str) -> dict[Any, Any]:
        """A network for a bridge of the host."""
        spec = self.spec(node)
        what = "a bridge of netcompose's own, with addresses; containerlab takes one that is there, without"
        made: dict[Any, Any] = {self.reader.changed(self.path(node), f"bridge {node}", what): None}
        if spec["kind"] == "ovs-bridge":
            made[self.reader.changed(self.path(node), "Open vSwitch", "written as a Linux bridge")] = None
        return made

    def container(self, node: str, management: str) -> dict[Any, Any]:
        """The container of a node, with its place on the management network."""
        return _Container(self, node, management).container()


class _Container:
    def __init__(self, nodes: Nodes, node: str, management: str) -> None:
        self._nodes, self._node, self._management = nodes, node, management
        self._folder, self._lab, self._reader = nodes.folder, nodes.lab, nodes.reader
        self._spec = nodes.spec(node)
        self._made: dict[Any, Any] = {}

    def container(self) -> dict[Any, Any]:
        """Every key in the order of the levels; then what containerlab gives every node."""
        kind = as_text(self._spec["kind"])
        if kind not in _AS_THEY_ARE:
            what = f"kind {kind}"
            why = "containerlab also makes its configuration and certificates, waits until it is up and logs in"
            self._made[self._reader.changed(self._nodes.path(self._node), what, why)] = None
        for key, value in self._spec.items():
            if value is None or key in ("kind", "group", "mgmt-ipv4", "mgmt-ipv6", "mgmt_ipv4", "mgmt_ipv6", "aliases"):
                continue
            path = self._nodes.path(self._node, key)
            reading = getattr(self, "_" + key.replace("-", "_"), None) if key in _KEYS else None
            if key in _SAME:
                self._made[_SAME[key]] = value
            elif reading is not None:
                reading(value, path)
            else:
                self._leave(path, key, _WHY.get(key, "there is no such key here"))
        if "image" not in self._made:
            self._leave(self._nodes.path(self._node), "image", "the node has none: written as a native container")
            for key in _ENGINE:
                self._made.pop(key, None)
        else:
            self._made.setdefault("privileged", True)
            self._made.setdefault("tty", True)
            if kind == "linux":
                self._made.setdefault("restart", "always")
        if "network_mode" not in self._made:
            self._made["networks"] = {self._management: self._attachment()}
        return self._made

    def _attachment(self) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for version in ("4", "6"):
            address = self._spec.get(f"mgmt-ipv{version}") or self._spec.get(f"mgmt_ipv{version}")
            if address:
                made[f"ipv{version}_address"] = as_text(address)
        # The first interface in any case: cables may have names that sort before.
        made["interface_name"] = "eth0"
        aliases = [as_text(alias) for alias in self._spec.get("aliases") or []]
        if self._lab:
            aliases.append(names.name(f"clab-{self._lab}-{self._node}"))
        if aliases:
            made["aliases"] = aliases
        return made

    def _leave(self, path: Path, what: str, why: str) -> None:
        self._made[self._reader.left_out(path, what, why)] = None

    def _entrypoint(self, value: Any, path: Path) -> None:
        self._words("entrypoint", value, path)

    def _cmd(self, value: Any, path: Path) -> None:
        self._words("command", value, path)

    def _words(self, key: str, value: Any, path: Path) -> None:
        if as_text(value).strip():
            self._made[key] = value if isinstance(value, list) else as_text(value)

    def _exec(self, value: Any, path: Path) -> None:
        made: list[Any] = []
        for item in value:
            text = as_text(item)
            if _MAGIC.search(text):
                made.append(self._reader.left_out(path, f"exec {text}", "it names what containerlab makes"))
                continue
            try:
                made.append(list(words(text)))
            except BadValue as error:
                made.append(self._reader.left_out(path, f"exec {text}", error.message))
        self._made["exec"] = made

    def _binds(self, value: Any, path: Path) -> None:
        made: dict[str, Any] = {}
        for item in value:
            text = as_text(item)
            if _MAGIC.search(text):
                made[text] = self._reader.left_out(path, f"bind {text}", "it names what containerlab makes")
                continue
            source, colon, rest = text.partition(":")
            if colon:
                # Relative to the file; a name alone would be a volume.
                source = source if source.startswith(("/", "~", ".")) else f"./{source}"
                text = f"{names.beside(source, self._folder)}:{rest}"
            # Of several for one place the nearest level's counts.
            made[rest.partition(":")[0] or text] = text
        self._made["volumes"] = list(made.values())

    def _ports(self, value: Any, path: Path) -> None:
        made: list[Any] = []
        for index, item in enumerate(self._reader.listed(value, path)):
            try:
                ports(as_text(item))
                made.append(as_text(item))
            except BadValue as error:
                made.append(self._reader.left_out((*path, index), f"port {as_text(item)}", error.message))
        self._made["ports"] = made

    def _env(self, value: Any, path: Path) -> None:
        made: dict[Any, Any] = {}
        for key, item in value.items():
            if key == "__IMPORT_ENVS":
                made[self._reader.left_out((*path, key), key, "nothing comes from the shell; write it here")] = None
            else:
                made[key] = "" if item is None else as_text(item)
        self._made["environment"] = made

    def _env_files(self, value: Any, path: Path) -> None:
        self._made["env_file"] = [names.beside(as_text(item), self._folder) for item in value]

    def _memory(self, value: Any, path: Path) -> None:
        match = _SIZE.fullmatch(as_text(value).strip())
        if match and match[2].lower() != "t":
            self._made["mem_limit"] = f"{match[1]}{match[2].lower() or 'b'}"
        else:
            self._leave(path, f"memory {as_text(value)}", "it is a number with k, m or g")

    def _network_mode(self, value: Any, path: Path) -> None:
        mode = as_text(value)
        kind, _, target = mode.partition(":")
        if mode in ("none", "host"):
            self._made["network_mode"] = mode
        elif kind == "container" and target in self._nodes.names:
            self._made["network_mode"] = f"container:{self._nodes.name(target)}"
        elif mode != "bridge":
            self._made["network_mode"] = "none"
            self._leave(path, f"network-mode {mode}", "no node of this file; written as none")

    def _restart_policy(self, value: Any, path: Path) -> None:
        text = "no" if value is False else as_text(value).lower()
        if _RESTART.fullmatch(text):
            self._made["restart"] = text
        else:
            self._leave(path, f"restart-policy {text}", "it is one of no, always, unless-stopped, on-failure")

    def _image_pull_policy(self, value: Any, path: Path) -> None:
        policy = _PULL.get(as_text(value).lower())
        if policy:
            self._made["pull_policy"] = policy
        else:
            self._leave(path, f"image-pull-policy {as_text(value)}", "it is one of always, missing, never")

    def _dns(self, value: Any, path: Path) -> None:
        keys = {"servers": "dns", "search": "dns_search", "options": "dns_opt"}
        for word, item in self._reader.mapping(value, path).items():
            if word in keys:
                self._made[keys[word]] = item
            else:
                self._leave((*path, word), f"dns {word}", "there is no such key here")

    def _healthcheck(self, value: Any, path: Path) -> None:
        made: dict[Any, Any] = {}
        for word, item in self._reader.mapping(value, path).items():
            if word in ("test", "retries"):
                made[word] = item
            elif word in ("interval", "timeout", "start-period"):
                made[word.replace("-", "_")] = f"{as_text(item)}s" if as_text(item).isdigit() else item
            else:
                made[self._reader.left_out((*path, word), f"healthcheck {word}", "there is no such key here")] = None
        self._made["healthcheck"] = made


_SAME = {"image": "image", "user": "user", "labels": "labels", "sysctls": "sysctls", "cpu": "cpus",
         "devices": "devices", "cap-add": "cap_add"}  # fmt: skip
_KEYS = frozenset(
    [
        "entrypoint",
        "cmd",
        "exec",
        "binds",
        "ports",
        "env",
        "env-files",
        "memory",
        "network-mode",
        "restart-policy",
        "image-pull-policy",
        "dns",
        "healthcheck",
    ]
)
#: Keys that a container without an image cannot have.
_ENGINE = ("entrypoint", "volumes", "env_file", "labels", "cpus", "mem_limit", "devices", "cap_add", "pull_policy",
           "healthcheck")  # fmt: skip
