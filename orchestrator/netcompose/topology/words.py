"""Words that messages share."""

from __future__ import annotations

from collections.abc import Iterable

from netcompose.topology.source import Path

#: A file with thousands of names is compared with these many of them at most; the comparison is not cheap.
_MOST = 2000
#: Characters of a value that a message shows.
_MOST_QUOTED = 60


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """``did you mean 'spines'?``, or nothing where no name is near."""
    names = []
    for candidate in known:
        names.append(candidate)
        if len(names) >= _MOST:
            break
    lowered = {candidate.lower(): candidate for candidate in names}
    exact = lowered.get(name.lower())
    if exact is not None:
        return f"did you mean '{exact}'?"
    if len(name) > 200:
        return ""
    from difflib import get_close_matches

    near = get_close_matches(name.lower(), lowered, n=1, cutoff=0.6)
    return f"did you mean '{lowered[near[0]]}'?" if near else ""


def choices(known: Iterable[str], *, most: int = 8) -> str:
    """``a, b, c`` for a hint; a long list is cut."""
    names = list(known)
    return ", ".join(names[:most]) + (f", ... ({len(names)} in all)" if len(names) > most else "")


def did_you_mean_or(name: str, known: Iterable[str], otherwise: str) -> str:
    """Did-you-mean, else another hint."""
    return did_you_mean(name, known) or otherwise


def where(path: Path) -> str:
    """A path as people write it: ``containers.web1.networks[0]``."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else (f".{step}" if text else step)
    return text


def quoted(value: object) -> str:
    """A value for a message, in quotes, cut when long."""
    text = str(value)
    return "'" + (text if len(text) <= _MOST_QUOTED else text[: _MOST_QUOTED - 3] + "...") + "'"
