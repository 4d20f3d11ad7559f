"""JSON as every view writes it: the same data gives the same bytes, ASCII only, one newline at the end."""

from __future__ import annotations

import json
from typing import Any


def json_text(data: Any) -> str:
    """Sorted keys, two spaces of indentation. ASCII, so that no value can disturb a terminal or a locale."""
    return json.dumps(data, indent=2, sort_keys=True, allow_nan=False) + "\n"
