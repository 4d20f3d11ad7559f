"""Where the JSON Schema of the language is."""

from __future__ import annotations

import os


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
