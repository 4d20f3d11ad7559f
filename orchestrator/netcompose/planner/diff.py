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
    for name, declared in attributes(desired.__class__):
        if declared.changes == OBSERVED:
            continue
        before, after = getattr(live, name), getattr(desired, name)
        if before == after:
            continue
        path = prefix + name
        if dataclasses.is_dataclass(after) and type(before) is type(after):
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
