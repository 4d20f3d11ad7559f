"""What others on a host do that gets in the way of container networks: told by ``hosts`` and ``plan``, not changed."""

from __future__ import annotations

import contextlib
import fnmatch
import glob
import os
from typing import TYPE_CHECKING, Container, Iterator

from netcompose.agent.kernel import iptables, nftdump
from netcompose.resources.names import host_interface_name

if TYPE_CHECKING:
    from configparser import RawConfigParser

#: systemd's folders, the ones that overrule others last (systemd.network(5)).
_FOLDERS = ("/usr/lib/systemd", "/usr/local/lib/systemd", "/run/systemd", "/etc/systemd")
#: Written by the running daemon; the folder alone is on every host with systemd.
_NETWORKD_STATE = "/run/systemd/netif/state"
_LOGIND_STATE = "/run/systemd/sessions"
_KEEPS = {
    "ManageForeignRoutes": "routes",
    "ManageForeignRoutingPolicyRules": "routing rules",
}


def sentences(docker: Container[str]) -> Iterator[str]:
    """One for each finding. ``docker`` are the families that a Docker Engine filters, which have their accepts."""
    if nftdump.exists("firewalld"):
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
    if os.path.isdir(_LOGIND_STATE):
        yield from _logind()


def _logind() -> Iterator[str]:
    """What is started in a user's session ends with it (logind.conf(5)): containers' processes, and the watchdog that
    is to outlive a lost connection."""
    settings = _lines("logind.conf", ("KillUserProcesses", "KillOnlyUsers", "KillExcludeUsers"))
    if not _is_yes(settings.get("KillUserProcesses", "no")):
        return
    user = _session_user()
    only, spared = (settings.get(key, "").split() for key in ("KillOnlyUsers", "KillExcludeUsers"))
    if user in (spared or ["root"]) or (only and user not in only):
        return
    yield (
        "systemd-logind ends what {0} has started when the session ends (KillUserProcesses=yes), containers' processes "
        "and the rollback of a run whose connection is lost included: set KillExcludeUsers=root {0} in "
        "logind.conf".format(user)
    )


def _session_user() -> str:
    """Who logged in, whoever this process has become since (proc(5), loginuid)."""
    import pwd

    user = os.environ.get("SUDO_USER", "")
    with contextlib.suppress(OSError, ValueError, KeyError, OverflowError):
        return user or pwd.getpwuid(int(_content("/proc/self/loginuid"))).pw_name
    return "root"


def _lines(name: str, keys: Container[str]) -> dict[str, str]:
    """The settings of a file and its drop-ins that are asked for, the last of each."""
    found = {}
    for path in _settings_files(name):
        for line in _content(path).splitlines():
            key, separator, value = line.partition("=")
            if separator and key.strip() in keys:
                found[key.strip()] = value.strip()
    return found


def _content(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


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
    return _parsed(_settings_files(name))


def _settings_files(name: str) -> list[str]:
    """The file of this name that counts, and its drop-ins."""
    main = [path for path in (os.path.join(folder, name) for folder in _FOLDERS) if os.path.exists(path)][-1:]
    return [*main, *_files(name + ".d/*.conf")]


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
