"""Is a document of the right shape? A fast lane that only knows yes and no, and a slow lane that explains every no.

The schema (``schemas/topology-v1.schema.json``) is the source of truth; the fast lane is generated from it
(:mod:`netcompose.topology.generate`), and the slow lane is jsonschema, imported when something is wrong.
"""

from __future__ import annotations

from typing import Any

from netcompose.topology.source import Problem, Source


def check(value: Any, source: Source) -> list[Problem]:
    """Every way in which a document is not of the schema's shape, in no particular order; empty: it is."""
    from netcompose.topology._accepts import Refused, validate

    try:
        validate(value)  # type: ignore[no-untyped-call]
    except Refused:
        from netcompose.topology.schemawords import explain

        return explain(value, source)
    return []
