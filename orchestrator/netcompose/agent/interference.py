"""What others on a host do that gets in the way of container networks: told by ``hosts`` and ``plan``, not changed."""

from __future__ import annotations

import contextlib
import fnmatch
import glob
import os
from typing import TYPE_CHECKING, Container, Iterator

from netcompose.agent.kernel import iptables, nft
from netcompose.resources.names import host_interface_name

if TYPE_CHECKING:
    from configparser import RawConfigParser

#: systemd's folders, the ones that overrule others last (systemd.network(5)).
_FOLDERS = ("/usr/lib/systemd", "/usr/local/lib/systemd", "/run/systemd", "/etc/systemd")
#: Written by the running daemon; the folder alone is on every host with systemd.
_NETWORKD_STATE = "/run/systemd/netif/state"
_KEEPS = {
    "ManageForeignRoutes": "routes",
    "ManageForeignRoutingPolicyRules": "routing rules",
}


def sentences(docker: Container[str]) -> Iterator[str]:
    """One for each finding. ``docker`` are the families that a Docker Engine filters, which have their accepts."""
    if nft.exists("firewalld"):
        yield (
            "firewalld rejects what is forwarded between interfaces that it has in no zone: put the networks' subnets "
            "into one that accepts (firewall-cmd --permanent --zone=trusted --add-source=SUBNET)"
        )
    for program in iptables.PROGRAMS:
        if program not in docker and iptables.drops(program):
            yield (
                "the host's {0} drops what is forwarded and not accepted by a rule (policy of FORWARD): add one for "
                "the networks' subnets ({0} -A FORWARD -s SUBNET -j ACCEPT, and -d)".format(program)
            )
    if os.path.exists(_NETWORKD_STATE):
        yield from _networkd()


def _networkd() -> Iterator[str]:
    settings = _read("networkd.conf")
    taken = [what for key, what in _KEEPS.items() if not _is_no(settings.get("Network", key, fallback="yes"))]
    if taken:
        keys = [key + "=no" for key in _KEEPS]
        yield "systemd-networkd removes {} that it does not know: set {} in networkd.conf".format(
            " and ".join(taken), " and ".join(keys)
        )
    example = host_interface_name("any", "interface/any")
    for path in _files("network/*.network"):
        file = _parsed([path])
        # Only a file without any other condition is one for every interface.
        conditions = dict(file.items("Match")) if file.has_section("Match") else {}
        if set(conditions) != {"Name"} or _is_yes(file.get("Link", "Unmanaged", fallback="no")):
            continue
        if any(fnmatch.fnmatch(example, pattern) for pattern in conditions["Name"].split()):
            yield (
                "systemd-networkd takes over every interface by {}: leave out those of netcompose there "
                "(a .network file before it with Name=nc* and Unmanaged=yes)".format(path)
            )


def _files(pattern: str) -> Iterator[str]:
    """The files that count: of one name the one in the last folder."""
    found = {}
    for folder in _FOLDERS:
        for path in glob.glob(os.path.join(folder, pattern)):
            found[os.path.basename(path)] = path
    return iter([found[name] for name in sorted(found)])


def _read(name: str) -> RawConfigParser:
    main = [path for path in (os.path.join(folder, name) for folder in _FOLDERS) if os.path.exists(path)][-1:]
    return _parsed([*main, *_files(name + ".d/*.conf")])


def _parsed(paths: list[str]) -> RawConfigParser:
    import configparser

    parser = configparser.RawConfigParser(strict=False, interpolation=None, delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    for path in paths:
        with contextlib.suppress(OSError, configparser.Error, UnicodeDecodeError):
            parser.read(path, encoding="utf-8")
    return parser


def _is_no(value: str) -> bool:
    return value.strip().lower() in ("no", "false", "off", "0", "n", "f")


def _is_yes(value: str) -> bool:
    return value.strip().lower() in ("yes", "true", "on", "1", "y", "t")
