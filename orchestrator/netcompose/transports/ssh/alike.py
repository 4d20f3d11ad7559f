"""Whether OpenSSH's configuration says the same of every host, so that one ``ssh -G`` answers for all.

It does when no line of it asks which host it is: no ``Host`` but ``Host *``, no ``Match``, no other name for a host,
and no token or variable in any value (ssh_config(5)). Then two answers differ in the host's name alone.
"""

from __future__ import annotations

import functools
import glob
import os
import pwd
import re
import shutil
import threading
from collections.abc import Callable, Mapping, Sequence

from netcompose.transports.ssh.sshconfig import DEEPEST, SYSTEM, split_line, words_of

#: What ssh takes as it is: an address as it prints it, or a name that no reader of addresses takes for one.
_PLAIN = re.compile(r"[a-z][a-z0-9-]*(\.[a-z0-9][a-z0-9-]*)*|(?P<address>(0|[1-9]\d{0,2})(\.(0|[1-9]\d{0,2})){3})")
#: Options that ask for the host, or say that it has another name.
_ASKING = ("match", "hostname", "canonicalizehostname", "canonicaldomains", "canonicalizepermittedcnames")
#: Answers that are kept: one for each text of the configuration and the options on top.
_KEPT = 64

Answer = Mapping[str, Sequence[str]]

_lock = threading.Lock()
_answers: dict[tuple[object, ...], Answer] = {}


class Configuration:
    """The user's and the system's configuration as it is when it is first asked for: see :func:`configuration`."""

    @functools.cached_property
    def readable_by_ssh(self) -> bool:
        """There is an ssh(1) to ask."""
        return shutil.which("ssh") is not None

    @functools.cached_property
    def text(self) -> str | None:
        """Its lines; None if they may say different things of two hosts."""
        return configuration()


def ask(
    alias: str,
    options: Sequence[tuple[str, str]],
    really: Callable[[], Answer],
    known: Configuration,
) -> Answer:
    """The answer for a host: from the one for another host if the configuration is provably the same for both, else by
    ``really``. What the files are is read by whoever asks, so that nothing is taken from what they were before."""
    text = known.text if _is_plain(alias) else None
    if text is None:
        return really()
    key = (text, *options)
    # The others wait for the first: they would start as many programs as there are hosts.
    with _lock:
        if key not in _answers:
            found = really()
            if list(found.get("hostname", ())) != [alias]:
                return found
            if len(_answers) >= _KEPT:
                _answers.clear()
            _answers[key] = found
    answer = {**_answers[key], "hostname": [alias]}
    return {**answer, "host": [alias]} if "host" in answer else answer


def _is_plain(alias: str) -> bool:
    found = _PLAIN.fullmatch(alias)
    return found is not None and (not found["address"] or all(int(part) < 256 for part in alias.split(".")))


def configuration(files: Sequence[str] | None = None) -> str | None:
    """The lines of the user's and the system's configuration; None if they may say different things of two hosts.

    ``files`` are read instead of the usual two.
    """
    home = pwd.getpwuid(os.getuid()).pw_dir
    lines: list[str] = []
    try:
        for path in files or (os.path.join(home, ".ssh", "config"), SYSTEM):
            if not _read(path, home, 0, lines):
                return None
    except ValueError:
        # ssh says what is wrong with it.
        return None
    return "\n".join(lines)


def _read(path: str, home: str, depth: int, lines: list[str]) -> bool:
    """Add the lines of a file and of those that it includes; False if they ask which host it is."""
    try:
        with open(path, encoding="utf-8", errors="strict") as file:
            text = file.read().splitlines()
    except FileNotFoundError:
        return True
    except (OSError, UnicodeDecodeError):
        return False
    base = os.path.dirname(SYSTEM) if path.startswith(os.path.dirname(SYSTEM)) else os.path.join(home, ".ssh")
    for line in text:
        name, value = split_line(line, path)
        if name in _ASKING or "%" in value or "$" in value or (name == "host" and words_of(value) != ["*"]):
            return False
        if name:
            lines.append(f"{name} {value}")
        for word in words_of(value) if name == "include" else ():
            pattern = home + word[1:] if word.startswith("~/") else os.path.join(base, word)
            if depth >= DEEPEST or not all(
                _read(found, home, depth + 1, lines) for found in sorted(glob.glob(pattern))
            ):
                return False
    return True
