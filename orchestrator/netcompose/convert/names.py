"""Names of other tools in the form that a topology has."""

from __future__ import annotations

import re

_NAME = re.compile("[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}")


def topology_name(text: str) -> str:
    """A name for the topology: lower case, digits and '-', at most 31; empty if nothing of it is left."""
    return re.sub("[^a-z0-9]+", "-", text.lower()).strip("-")[:31].rstrip("-")


def name(text: str) -> str:
    """The name of a container or network: the same where it can be."""
    if _NAME.fullmatch(text):
        return text
    return re.sub("[^a-zA-Z0-9_.-]+", "-", text).lstrip("_.-")[:63] or "x"


def beside(path: str, folder: str) -> str:
    """A path relative to the source as one relative to the new file; ``folder`` leads from there to the source's."""
    if folder in ("", ".") or path.startswith(("/", "~", "$")):
        return path
    import posixpath

    joined = posixpath.normpath(posixpath.join(folder, path))
    return joined if joined.startswith("../") else f"./{joined}"
