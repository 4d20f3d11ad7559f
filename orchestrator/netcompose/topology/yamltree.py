"""YAML text -> plain values, and positions on demand. Strict: what a reader could misread is refused.

PyYAML's C parser (the pure one where that is missing) makes the node graph; the values are constructed here, with
the scalars of YAML 1.2 (:mod:`netcompose.topology.scalars`). Positions are found by walking the graph for one path, so
a good file pays nothing for them.
"""

from __future__ import annotations

from typing import Any

import yaml

from netcompose.errors import TopologyError
from netcompose.topology.scalars import plain_scalar
from netcompose.topology.source import Path, Position, Source
from netcompose.topology.sourcetext import SourceText

#: Limits that no topology comes near (10,000 containers are some 3 MB and 300,000 nodes).
MAX_NODES = 1_000_000
MAX_DEPTH = 64

_MERGE = "<<"
#: Tags that our resolver gives: a plain scalar is looked at, a quoted one or a collection is what it is.
_PLAIN, _QUOTED = "plain", "quoted"
_CORE = "tag:yaml.org,2002:"
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Document:
    """A parsed file: ``value`` is plain data (dict, list, str, int, float, bool, None), ``source`` finds positions."""

    def __init__(self, text: SourceText) -> None:
        self._text = text
        self._root = _compose(text)
        self._index: dict[int, dict[str, tuple[Any, Any]]] = {}
        self.value: Any = None if self._root is None else _Constructor(text).construct(self._root)
        self.source = Source(text.file, self._locate)

    def _locate(self, path: Path, key: bool) -> Position:
        node, key_node = self._root, None
        for step in path:
            if isinstance(node, yaml.MappingNode):
                found = self._keys(node).get(str(step))
                if found is None:
                    break
                key_node, node = found
            elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
                key_node, node = None, node.value[step]
            else:
                break
        else:
            if key and key_node is not None:
                return self._at(key_node)
            return self._at(node)
        # A path that is not in the document is told at the key of its nearest parent: that is where it is missing.
        return self._at(node if key_node is None else key_node)

    def _keys(self, node: Any) -> dict[str, tuple[Any, Any]]:
        index = self._index.get(id(node))
        if index is None:
            index = {}
            for key_node, value_node in node.value:
                if _is_merge(key_node):
                    parents = value_node.value if isinstance(value_node, yaml.SequenceNode) else [value_node]
                    for parent in parents:
                        for name, pair in self._keys(parent).items():
                            index.setdefault(name, pair)
            own = {key_node.value: (key_node, value_node) for key_node, value_node in node.value}
            index.update(own)
            self._index[id(node)] = index
        return index

    def _at(self, node: Any) -> Position:
        mark = None if node is None else node.start_mark
        return self._text.position(mark.line, mark.column) if mark else self._text.position(0, 0)


class _TooMuch(Exception):
    """Raised inside the parser to end it early."""


class _Composer(_Loader):  # type: ignore[misc]
    """The parser with the cheapest resolver, counting nodes and depth so that it ends early on a bomb."""

    nodes = 0
    depth = 0

    def resolve(self, kind: Any, value: Any, implicit: Any) -> str:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise _TooMuch(f"the file has more than {MAX_NODES:,} values")
        return _PLAIN if kind is yaml.ScalarNode and implicit[0] else _QUOTED

    def descend_resolver(self, parent: Any, index: Any) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise _TooMuch(f"values are nested more than {MAX_DEPTH} deep")

    def ascend_resolver(self) -> None:
        self.depth -= 1


def _compose(text: SourceText) -> Any:
    """The node graph, or None for a file without content. Raises TopologyError in our words."""
    try:
        return _Composer(text.text).get_single_node()
    except _TooMuch as error:
        raise TopologyError([text.problem(str(error), hint="is this a topology?")]) from None
    except yaml.YAMLError as error:
        from netcompose.topology.yamlwords import explain

        raise TopologyError([explain(error, text)]) from None


def _is_merge(key_node: Any) -> bool:
    return bool(key_node.tag == _PLAIN and key_node.value == _MERGE)


class _Constructor:
    """Nodes -> plain values, each node once: aliases share their value, so a bomb costs nothing to construct.

    What comes later walks the expanded tree, so its size is bounded here.
    """

    def __init__(self, text: SourceText) -> None:
        self._text = text
        self._done: dict[int, tuple[Any, int]] = {}
        self._open: set[int] = set()

    def construct(self, node: Any) -> Any:
        """The value of a node. Raises TopologyError with the first problem."""
        return self._value(node)[0]

    def _fail(self, node: Any, message: str, hint: str = "") -> TopologyError:
        mark = node.start_mark
        return TopologyError([self._text.problem(message, mark.line, mark.column, hint=hint)])

    def _value(self, node: Any) -> tuple[Any, int]:
        """Value and expanded size."""
        if type(node) is yaml.ScalarNode:
            return self._scalar(node), 1
        known = self._done.get(id(node))
        if known is not None:
            return known
        if id(node) in self._open:
            raise self._fail(
                node, "this value contains itself through an alias", "an alias (*name) copies a finished value"
            )
        self._open.add(id(node))
        result: tuple[Any, int] = self._mapping(node) if type(node) is yaml.MappingNode else self._sequence(node)
        self._open.discard(id(node))
        if result[1] > MAX_NODES:
            raise self._fail(node, f"aliases make this more than {MAX_NODES:,} values", "use fewer aliases of aliases")
        self._done[id(node)] = result
        return result

    def _scalar(self, node: Any) -> Any:
        tag = node.tag
        if tag == _PLAIN:
            return plain_scalar(node.value)
        if tag in (_QUOTED, _CORE + "str"):
            return node.value
        if tag in (_CORE + "int", _CORE + "float", _CORE + "bool", _CORE + "null"):
            return plain_scalar(node.value)
        raise self._tag(node)

    def _tag(self, node: Any) -> TopologyError:
        tag = str(node.tag).replace(_CORE, "!!")
        return self._fail(node, f"the tag '{tag}' is not known here", "topologies have no tags; remove it")

    def _sequence(self, node: Any) -> tuple[list[Any], int]:
        if node.tag not in (_QUOTED, _CORE + "seq"):
            raise self._tag(node)
        values, size = [], 1
        for child in node.value:
            value, below = self._value(child)
            values.append(value)
            size += below
        return values, size

    def _mapping(self, node: Any) -> tuple[dict[str, Any], int]:
        if node.tag not in (_QUOTED, _CORE + "map"):
            raise self._tag(node)
        values: dict[str, Any] = {}
        size, merge = 1, None
        for key_node, value_node in node.value:
            if _is_merge(key_node):
                if merge is not None:
                    raise self._fail(key_node, "'<<' stands here twice", "merge several with a list: <<: [*a, *b]")
                merge = value_node
                continue
            key = self._key(key_node)
            if key in values:
                first = next(other for other, _ in node.value if other.value == key)
                line = self._text.position(first.start_mark.line, 0).line
                raise self._fail(key_node, f"the key '{key}' stands here twice", f"the first one is in line {line}")
            values[key], below = self._value(value_node)
            size += below
        if merge is None:
            return values, size
        merged, below = self._merged(merge)
        merged.update(values)
        return merged, size + below

    def _merged(self, node: Any) -> tuple[dict[str, Any], int]:
        """What ``<<`` brings in; of several mappings the first wins (https://yaml.org/type/merge.html)."""
        values: dict[str, Any] = {}
        total = 0
        for parent in node.value if type(node) is yaml.SequenceNode else [node]:
            value, size = self._value(parent)
            if not isinstance(value, dict):
                raise self._fail(parent, "'<<' takes a mapping or a list of mappings", "write <<: *name")
            total += size
            if total > MAX_NODES:
                raise self._fail(node, f"aliases make this more than {MAX_NODES:,} values", "use fewer aliases")
            for key, item in value.items():
                values.setdefault(key, item)
        return values, total

    def _key(self, node: Any) -> str:
        if type(node) is not yaml.ScalarNode:
            raise self._fail(
                node, "a key must be text, not a list or a mapping", "text with '{', '[' or '?' needs quotes"
            )
        value = self._scalar(node)
        if not isinstance(value, str):
            written = node.value or "(nothing)"
            raise self._fail(node, f"the key {written} is not text", f'put it in quotes: "{node.value}"')
        return value
