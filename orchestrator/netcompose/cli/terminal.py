"""When colour is wanted: on a terminal, unless NO_COLOR (no-color.org) or a dumb terminal says otherwise."""

from __future__ import annotations

import os
from typing import TextIO


def wants_colour(stream: TextIO) -> bool:
    """True if a stream shows colours."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
