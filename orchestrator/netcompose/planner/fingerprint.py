"""A short digest of a live object, by which a saved plan finds out that the object has changed since."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Mapping, Optional

from netcompose.resources import OBSERVED, Resource, attributes, to_data

#: The fingerprint of an object that is not there.
ABSENT = "absent"


def fingerprint(resource: Optional[Resource]) -> str:
    """Sixteen hexadecimal digits over everything that a plan compares; ABSENT for None."""
    if resource is None:
        return ABSENT
    content = json.dumps([resource.kind, resource.id, _compared(resource)], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def _compared(part: Any) -> Mapping[str, Any]:
    found = {}
    for name, declared in attributes(part.__class__):
        if declared.changes != OBSERVED:
            value = getattr(part, name)
            found[name] = _compared(value) if hasattr(value, "__dataclass_fields__") else to_data(value)
    return found
