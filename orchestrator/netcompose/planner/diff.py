"""The differences between two states of one resource, attribute by attribute, from the declarations alone."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Iterator, Mapping

from netcompose.planner.plan import Difference
from netcompose.resources import OBSERVED, Attribute, Resource, attributes, to_data


@dataclass(frozen=True)
class Found:
    """A difference together with the declaration of the attribute that it is in."""

    difference: Difference
    declared: Attribute


def differences(live: Resource, desired: Resource) -> tuple[Found, ...]:
    """What differs, in the order of declaration; both resources are of the same kind."""
    return tuple(_walk(live, desired, ""))


def _walk(live: Any, desired: Any, prefix: str) -> Iterator[Found]:
    """One of the two may be None: an optional part that is not there has no value in any of its attributes."""
    for name, declared in attributes((live if desired is None else desired).__class__):
        if declared.changes == OBSERVED:
            continue
        before: Any = getattr(live, name, None)
        after: Any = getattr(desired, name, None)
        if before == after:
            continue
        path = prefix + name
        part = before if after is None else after
        if dataclasses.is_dataclass(part) and (before is None or after is None or type(before) is type(after)):
            yield from _walk(before, after, path + ".")
        elif isinstance(after, Mapping):
            for key in sorted(set(before) | set(after)):
                if before.get(key) != after.get(key):
                    yield Found(
                        Difference(
                            "{}.{}".format(path, key),
                            to_data(before.get(key)),
                            to_data(after.get(key)),
                            declared.secret,
                        ),
                        declared,
                    )
        else:
            yield Found(Difference(path, to_data(before), to_data(after), declared.secret), declared)


def value_at(resource: Any, path: str) -> Any:
    """The attribute at a dotted path, as plain data."""
    for name in path.split("."):
        resource = getattr(resource, name)
    return to_data(resource)
