"""Writes ``_accepts.py`` from the schema: ``python -m netcompose.topology.generate``. For developers.

Validating with jsonschema costs 50 ms of imports before the first key is looked at. fastjsonschema turns the schema
into plain Python, which is committed, so that users need neither library for a valid file. What it gives is cut down
here to what the fast lane needs: yes or no, without messages, without imports.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from netcompose.topology.schemafile import schema_text

_HEADER = '''\
# Generated from schemas/topology-v1.schema.json by `python -m netcompose.topology.generate`; do not edit.
"""Whether a document is valid; why not is told by netcompose.topology.schema."""

import re


class Refused(Exception):
    """The document is not valid."""


class _Patterns(dict):
    def __missing__(self, pattern):
        # "$" also matches before a newline at the end; nobody means that.
        self[pattern] = compiled = re.compile(pattern.replace("$", "\\\\Z"))
        return compiled


_PATTERNS = _Patterns()
_NoneType = type(None)

'''


def generate(schema: dict[str, Any]) -> str:
    """The text of ``_accepts.py`` for a schema."""
    import fastjsonschema

    # fastjsonschema knows the drafts up to 7; what the schema uses is the same in 2020-12, $defs included.
    known = {**schema, "$schema": "http://json-schema.org/draft-07/schema#"}
    code: str = fastjsonschema.compile_to_code(known, detailed_exceptions=False, use_default=False)
    body = code[code.index("def validate(") :]
    body = re.sub(r"raise JsonSchemaValueException\(.*\)$", "raise Refused", body, flags=re.MULTILINE)
    body = body.replace("except (JsonSchemaValueException, JsonSchemaValuesException):", "except Refused:")
    body = (
        body.replace("REGEX_PATTERNS[", "_PATTERNS[")
        .replace("NoneType", "_NoneType")
        .replace("int, float, Decimal", "int, float")
    )
    body = body.replace("data, custom_formats={}, name_prefix=None", "data")
    body = re.sub(
        r'(validate_\w+\(\w+), custom_formats, \(name_prefix or "data"\).*\)$', r"\1)", body, flags=re.MULTILINE
    )
    left = re.search(r"JsonSchema|custom_formats|name_prefix|Decimal|REGEX", body)
    if left:
        line = body[: left.start()].count("\n")
        raise ValueError(f"fastjsonschema writes something new: {body.splitlines()[line].strip()}")
    return _HEADER + body.rstrip() + "\n"


def main() -> int:
    """Write the file beside this one."""
    Path(__file__).with_name("_accepts.py").write_text(generate(json.loads(schema_text())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
