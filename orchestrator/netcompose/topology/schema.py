"""Is a document of the right shape? A fast lane that only knows yes and no, and a slow lane that explains every no.

The schema (``schemas/topology-v1.schema.json``) is the source of truth; the fast lane is generated from it
(:mod:`netcompose.topology.generate`), and the slow lane is jsonschema, imported when something is wrong.
"""

from __future__ import annotations

import os
from typing import Any

from netcompose.topology.source import Problem, Source


def schema_text() -> str:
    """The JSON Schema as it is shipped: in the wheel below ``data``, in a source tree at its root."""
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # not pathlib: it costs 3 ms of every start
    root = os.path.dirname(os.path.dirname(package))
    for folder in (os.path.join(package, "data", "schemas"), os.path.join(root, "schemas")):
        file = os.path.join(folder, "topology-v1.schema.json")
        if os.path.isfile(file):
            with open(file, encoding="utf-8") as stream:
                return stream.read()
    raise FileNotFoundError("the schema is missing from this installation")


def check(value: Any, source: Source) -> list[Problem]:
    """Every way in which a document is not of the schema's shape, in no particular order; empty: it is."""
    from netcompose.topology._accepts import Refused, validate

    try:
        validate(value)  # type: ignore[no-untyped-call]
    except Refused:
        from netcompose.topology.schemawords import explain

        return explain(value, source)
    return []
