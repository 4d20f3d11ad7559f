"""What is wrong with many hosts, said once where it is the same. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from netcompose.errors import HostsFailed, NetcomposeError

#: Hosts with the same failure that are still told one by one, and those that are named of more.
_FEW, _NAMED = 3, 3
#: What differs between hosts in the words of one failure: addresses, names with dots, fingerprints.
_OWN = re.compile(r"SHA256:\S+|[\w-]*[0-9a-zA-Z][.:]+[\w.:-]+|::[\w.:-]*")

Failure = tuple[str, NetcomposeError]


def told(host: str, error: NetcomposeError) -> str:
    """The failure without the host, which is named in front of it."""
    return error.message.removeprefix(f"host {host}: ")


def alike(failures: Sequence[Failure]) -> list[list[Failure]]:
    """Failures that are the same but for what is a host's own (its name, address or key), together; in their order."""
    groups: dict[tuple[type, str], list[Failure]] = {}
    for host, error in failures:
        words = re.sub(rf"(?<![\w-]){re.escape(host)}(?![\w-])", "\0", told(host, error))
        groups.setdefault((type(error), _OWN.sub("\0", words)), []).append((host, error))
    return list(groups.values())


def condensed(failures: Sequence[Failure]) -> tuple[list[str], list[str]]:
    """One line for each failure that many hosts have, with their number, the first of them and the first one's words,
    and one for each host with another; and the hints that go with them, each once."""
    lines: list[str] = []
    hints: dict[str, None] = {}
    for group in alike(failures):
        told_of = group if len(group) <= _FEW else group[:1]
        for host, error in told_of:
            first, *rest = told(host, error).split("\n")
            who = host if told_of is group else _names([host for host, _ in group])
            lines += [f"{who}: {first}", *(f"  {line}" for line in rest)]
        hints |= dict.fromkeys(error.hint for _, error in told_of if error.hint)
    return lines, list(hints)


def _names(hosts: Sequence[str]) -> str:
    return f"{len(hosts)} hosts ({', '.join(hosts[:_NAMED])} and {len(hosts) - _NAMED} more; --verbose names all)"


def collected(failures: Sequence[Failure]) -> list[NetcomposeError]:
    """The failures one by one, but for those that many hosts have, which are one together."""
    found: list[NetcomposeError] = []
    for group in alike(failures):
        if len(group) <= _FEW:
            found += [error for _, error in group]
        else:
            found.append(HostsFailed(f"{len(group)} hosts cannot be asked", group))
    return found


def condense(error: HostsFailed) -> NetcomposeError:
    """The error in as few lines as there are different failures."""
    lines, hints = condensed(error.failures)
    first = error.message.split("\n")[0]
    return NetcomposeError("\n".join([first, *lines]), hint="\n".join(hints))
