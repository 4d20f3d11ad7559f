"""ssh_config(5) without ssh(1): what ``ssh -G`` would say, as far as netcompose asks.

Host, Include and Match with ``all``, ``host``, ``originalhost``, ``user`` and ``localuser``. A block whose Match needs
more (``exec``, ``canonical``, ``final``, ...) does not apply. As in OpenSSH the first value of an option counts, but
for identity files, which add up.
"""

from __future__ import annotations

import fnmatch
import glob
import os
import pwd
import re
from collections.abc import Iterable, Mapping

SYSTEM = "/etc/ssh/ssh_config"
#: OpenSSH follows that many Includes into each other.
DEEPEST = 16
_ADDING = ("identityfile", "certificatefile")


def options_for(alias: str, given: Mapping[str, str], files: Iterable[str] | None = None) -> dict[str, list[str]]:
    """The options for a host: those given (by lower-case name) first, then the user's file, then the system's.

    ``files`` are read instead of the usual two. Raises ``ValueError`` for a line that is none.
    """
    me = pwd.getpwuid(os.getuid())
    if files is None:
        files = (os.path.join(me.pw_dir, ".ssh", "config"), SYSTEM)
    reader = _Reader(alias, me.pw_name, me.pw_dir)
    for name, value in given.items():
        reader.take(name, value)
    for path in files:
        reader.active = True
        reader.read(path, 0, applies=True)
    return reader.found


class _Reader:
    def __init__(self, alias: str, local_user: str, home: str) -> None:
        self.alias = alias
        self.local_user = local_user
        self.home = home
        self.found: dict[str, list[str]] = {}
        self.active = True

    def read(self, path: str, depth: int, *, applies: bool) -> None:
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                lines = file.read().splitlines()
        except OSError:
            return
        for number, line in enumerate(lines, 1):
            name, value = split_line(line, f"{path}:{number}")
            if name == "host":
                self.active = applies and _any(self.alias, words_of(value))
            elif name == "match":
                self.active = applies and self._match(words_of(value))
            elif name == "include":
                self._include(path, value, depth)
            elif name and self.active:
                self.take(name, value)

    def _include(self, path: str, value: str, depth: int) -> None:
        if depth >= DEEPEST:
            raise ValueError(f"{path}: Include goes too deep")
        base = os.path.join(self.home, ".ssh") if not path.startswith("/etc/ssh") else "/etc/ssh"
        active = self.active
        for word in words_of(value):
            pattern = self.home + word[1:] if word.startswith("~/") else os.path.join(base, word)
            for file in sorted(glob.glob(pattern)):
                # Blocks of a file that is included from a block that does not apply do not apply either.
                self.read(file, depth + 1, applies=active)
                self.active = active

    def take(self, name: str, value: str) -> None:
        if name in _ADDING:
            if value not in self.found.setdefault(name, []):
                self.found[name].append(value)
        elif name == "proxyjump" and "proxycommand" in self.found:
            # Whichever of the two comes first rules the other out, but for a jump over nothing.
            return
        elif name == "proxycommand" and self.found.get("proxyjump", ["none"]) != ["none"]:
            return
        else:
            self.found.setdefault(name, [value])

    def _match(self, words: list[str]) -> bool:
        known = {
            "host": self.found.get("hostname", [self.alias])[0].replace("%h", self.alias),
            "originalhost": self.alias,
            "user": self.found.get("user", [self.local_user])[0],
            "localuser": self.local_user,
        }
        rest = iter(words)
        for word in rest:
            negated, criterion = word.startswith("!"), word.lstrip("!").lower()
            if criterion == "all":
                hit = True
            elif criterion in known:
                hit = _any(known[criterion], next(rest, "").split(","))
            else:
                return False
            if hit == negated:
                return False
        return bool(words)


def split_line(line: str, place: str) -> tuple[str, str]:
    """The name of a line's option in lower case, and its value; two empty ones for a line without. ``ValueError`` if it
    is none of ssh_config(5); ``place`` is for that."""
    line = line.strip()
    if not line or line.startswith("#"):
        return "", ""
    match = re.match(r"([A-Za-z0-9]+)(?:\s*=\s*|\s+)(.*)$", line)
    if match is None:
        raise ValueError(f"{place}: {line!r} is no option of ssh_config(5)")
    value = match[2].strip()
    if len(value) > 1 and value[0] == value[-1] == '"' and '"' not in value[1:-1]:
        value = value[1:-1]
    return match[1].lower(), value


def words_of(value: str) -> list[str]:
    """The words of a value, quoted ones without their quotes."""
    return [quoted or plain for quoted, plain in re.findall(r'"([^"]*)"|(\S+)', value)]


def _any(name: str, patterns: list[str]) -> bool:
    """ssh_config(5), PATTERNS: one has to match, and none that is negated."""
    hit = False
    for pattern in patterns:
        plain = pattern.removeprefix("!").replace("[", "[[]")
        if fnmatch.fnmatchcase(name.lower(), plain.lower()):
            if pattern.startswith("!"):
                return False
            hit = True
    return hit
