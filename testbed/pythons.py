"""Other Pythons of this machine."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path


def python39() -> str | None:
    """A Python 3.9 that starts, the oldest that an agent runs on; None if there is none."""
    for candidate in ("python3.9", *sorted(str(p) for p in Path.home().glob(".pyenv/versions/3.9.*/bin/python3.9"))):
        found = shutil.which(candidate)
        if found and subprocess.run([found, "-c", ""], capture_output=True).returncode == 0:
            return found
    return None
