"""Parts of a service that have short and long forms: ports, volumes, environment, attachments, healthchecks."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from netcompose.convert import names
from netcompose.convert.tree import Reader
from netcompose.topology.scalars import as_text
from netcompose.topology.source import Path
from netcompose.topology.values import BadValue, ports

_IFNAME = "com.docker.network.endpoint.ifname"
_SECONDS = ("interval", "timeout", "start_period", "start_interval")
_UNNEEDED_PORT_KEYS = ("name", "app_protocol")


def attachment(reader: Reader, spec: dict[str, Any], path: Path, *, single: bool) -> dict[Any, Any]:
    """A service's place on a network; what can be there once only is left to a service with one container."""
    made: dict[Any, Any] = {}
    for word, item in spec.items():
        at: Path = (*path, word)
        if word in ("ipv4_address", "ipv6_address", "mac_address"):
            if single:
                made[word] = as_text(item)
            else:
                made[reader.left_out(at, word, "several containers cannot share it")] = None
        elif word == "aliases":
            made["aliases"] = [as_text(alias) for alias in reader.listed(item, at)]
        elif word in ("interface_name", "gw_priority"):
            made[word] = item
        elif word == "driver_opts":
            for option, value in reader.mapping(item, at).items():
                if option == _IFNAME:
                    made["interface_name"] = as_text(value)
                else:
                    made[reader.left_out((*at, option), f"driver_opts {option}", "there is no such option")] = None
        elif word.startswith("x-"):
            continue
        else:
            why = {
                "priority": "interfaces are in the order of the networks",
                "link_local_ips": "the kernel chooses link-local addresses",
            }.get(word, "there is no such key here")
            made[reader.left_out(at, word, why)] = None
    return made


def port(reader: Reader, value: Any, path: Path, number: int, count: int) -> list[Any]:
    """A published port for container ``number`` of ``count``: a range of host ports is shared out among them."""
    if isinstance(value, dict):
        return _long_port(reader, value, path, number, count)
    text = as_text(value)
    main, slash, protocol = text.partition("/")
    front, _, inside = main.rpartition(":")
    address, _, host = front.rpartition(":")
    if host and (found := _shared(host, inside, count)):
        shared = str(found[number % len(found)])
        text = f"{address + ':' if address else ''}{shared}:{inside}{slash}{protocol}"
        notes: list[Any] = []
        if count == 1:
            notes = [
                reader.changed(path, f"port {as_text(value)}", f"of the host's range the first is taken, {shared}")
            ]
        return [*notes, text]
    if host and count > 1:
        if number:
            return []
        return [reader.changed(path, f"port {text}", "published for the first container only"), text]
    try:
        ports(text)
    except BadValue as error:
        return [reader.left_out(path, f"port {text}", error.message)]
    return [value if isinstance(value, int) else text]


def _shared(host: str, inside: str, count: int) -> list[int]:
    """The host ports of a range that goes with one port of the container; empty where the two go together."""
    match = re.fullmatch("([0-9]{1,5})-([0-9]{1,5})", host)
    if not match or "-" in inside or int(match[2]) < int(match[1]):
        return []
    found = list(range(int(match[1]), int(match[2]) + 1))
    return found if len(found) >= count else []


def _long_port(reader: Reader, spec: dict[str, Any], path: Path, number: int, count: int) -> list[Any]:
    made: dict[Any, Any] = {}
    for word, item in spec.items():
        if word == "target":
            made[word] = int(as_text(item)) if as_text(item).isdigit() else item
        elif word == "published":
            found = _shared(as_text(item), as_text(spec.get("target")), count)
            if found:
                made[word] = str(found[number % len(found)])
            elif count > 1:
                if number:
                    return []
                made[reader.changed((*path, word), f"port {as_text(item)}", "for the first container only")] = None
                made[word] = as_text(item)
            elif as_text(item) not in ("", "0"):
                made[word] = as_text(item)
        elif word in ("protocol", "host_ip"):
            made[word] = as_text(item)
        elif word == "mode" and item in ("ingress", "host"):
            continue
        elif word not in _UNNEEDED_PORT_KEYS and not word.startswith("x-"):
            made[reader.left_out((*path, word), f"port {word}", "there is no such key here")] = None
    return [made]


def environment(reader: Reader, value: Any, path: Path) -> Any:
    """A mapping with texts, or a list of ``KEY=VALUE``; what would come from somebody's shell is left out."""
    why = "its value would come from the shell; write it here"
    if isinstance(value, list):
        entries: list[Any] = []
        for index, item in enumerate(value):
            text = as_text(item)
            key, sign, _ = text.partition("=")
            entries.append(text if key and sign else reader.left_out((*path, index), f"variable {text}", why))
        return entries
    made: dict[Any, Any] = {}
    for key, item in reader.mapping(value, path).items():
        if item is None:
            made[reader.left_out((*path, key), f"variable {key}", why)] = None
        else:
            made[key] = item
    return made


def volume(reader: Reader, value: Any, path: Path, folder: str) -> list[Any]:
    """A mount; the path of one is relative to the source, and written as one that leads there."""
    if not isinstance(value, dict):
        text = as_text(value)
        source, colon, rest = text.partition(":")
        if not colon:
            return [text]
        return [f"{_source(source, folder)}:{rest}"]
    kind = value.get("type", "volume")
    if kind not in ("bind", "volume", "tmpfs"):
        return [reader.left_out(path, f"volume of type {as_text(kind)}", "it is one of bind, volume, tmpfs")]
    made: dict[Any, Any] = {"type": kind}
    for word, item in value.items():
        if word == "source" and item is not None:
            made[word] = _source(as_text(item), folder, bind=kind == "bind")
        elif word == "target":
            made[word] = as_text(item)
        elif word == "read_only":
            made[word] = item
        elif word == "bind" and item == {"create_host_path": True}:
            continue
        elif word not in ("type", "consistency", "source"):
            made[reader.left_out((*path, word), f"volume {word}", "there is no such key here")] = None
    return [made]


def _source(text: str, folder: str, *, bind: bool = False) -> str:
    return names.beside(text, folder) if bind or text.startswith((".", "/", "~")) else text


#: Where a file of a section is in a container unless a service says otherwise.
_INSIDE = {"secrets": "/run/secrets/", "configs": "/"}


def mounted_file(reader: Reader, value: Any, path: Path, known: Mapping[str, Any], folder: str) -> list[Any]:
    """A secret or config of a service: a file that is mounted, as by Compose; ``known`` is the section of the file that
    has it, which ``path`` names as well."""
    section = str(path[2])
    spec = value if isinstance(value, dict) else {"source": value}
    name = as_text(spec.get("source") or "")
    what = f"{section.rstrip('s')} {name}"
    of = reader.mapping(known.get(name), (section, name))
    if not of.get("file"):
        why = NO_FILE if name in known else "the file does not define it"
        return [reader.left_out(path, what, why)]
    made: list[Any] = []
    for word in spec:
        if word not in ("source", "target"):
            made.append(reader.left_out((*path, word), f"{what}: {word}", "owner and rights are those of the file"))
    target = as_text(spec.get("target") or name)
    inside = target if target.startswith("/") else _INSIDE[section] + target
    source = _source(as_text(of["file"]), folder, bind=True)
    return [*made, {"type": "bind", "source": source, "target": inside, "read_only": True}]


#: Why a secret or config is not there.
NO_FILE = "it is no file; write one and mount it as a volume"


def healthcheck(reader: Reader, value: Any, path: Path) -> dict[Any, Any]:
    """The check; its times are the same on both sides."""
    made: dict[Any, Any] = {}
    for word, item in reader.mapping(value, path).items():
        if word in ("test", "disable") or word in _SECONDS:
            made[word] = item
        elif word == "retries" and as_text(item).isdigit():
            made[word] = int(as_text(item))
        elif not word.startswith("x-"):
            made[reader.left_out((*path, word), f"healthcheck {word}", "there is no such key here")] = None
    return made


def pairs(reader: Reader, value: Any, path: Path) -> Any:
    """``labels`` and ``sysctls``: a mapping, or a list of ``KEY=VALUE``."""
    if isinstance(value, list):
        return [as_text(item) if "=" in as_text(item) else f"{as_text(item)}=" for item in value]
    return {key: "" if item is None else item for key, item in reader.mapping(value, path).items()}


def extra_hosts(reader: Reader, value: Any, path: Path) -> Any:
    """The same on both sides."""
    return value if isinstance(value, list) else reader.mapping(value, path)


def devices(reader: Reader, value: Any, path: Path) -> list[Any]:
    """Long forms become short ones."""
    made: list[Any] = []
    for index, item in enumerate(reader.listed(value, path)):
        if isinstance(item, dict):
            words = [as_text(item[word]) for word in ("source", "target", "permissions") if item.get(word)]
            made.append(":".join(words))
        elif "=" in as_text(item):
            # A device by what it is (CDI), not by its path.
            made.append(reader.left_out((*path, index), f"device {as_text(item)}", "a device is named by its path"))
        else:
            made.append(as_text(item))
    return made


def ulimits(reader: Reader, value: Any, path: Path) -> dict[Any, Any]:
    """Numbers, or soft and hard."""
    made: dict[Any, Any] = {}
    for key, item in reader.mapping(value, path).items():
        if isinstance(item, dict):
            made[key] = {word: int(as_text(item[word])) for word in ("soft", "hard") if _number(item.get(word))}
        elif _number(item):
            made[key] = int(as_text(item))
        else:
            made[reader.left_out((*path, key), f"ulimit {key}", "it is a number, or soft and hard")] = None
    return made


def _number(value: Any) -> bool:
    return bool(re.fullmatch("-?[0-9]+", as_text(value)))


SIMPLE: dict[str, Callable[[Reader, Any, Path], Any]] = {
    "healthcheck": healthcheck,
    "labels": pairs,
    "sysctls": pairs,
    "extra_hosts": extra_hosts,
    "devices": devices,
    "ulimits": ulimits,
}
