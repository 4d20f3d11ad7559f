"""Where a program is. ``shutil.which`` says it too, but its module loads every compression there is."""

from __future__ import annotations

import os


def which(name: str, path: str = "") -> str:
    """The path of a program on PATH, or on another list of folders; empty if there is none."""
    for folder in (path or os.environ.get("PATH", os.defpath)).split(os.pathsep):
        file = os.path.join(folder or os.curdir, name)
        if os.path.isfile(file) and os.access(file, os.X_OK):
            return file
    return ""
