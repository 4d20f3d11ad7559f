"""Values that no plan, log or file may show: masked for people, and as digests in a saved plan. Pure.

A plan file has ``secret:sha256:...`` in the place of a secret. The digest is bound to the object and to the attribute,
so equal passwords of two containers look different; it is not salted, because a plan has to be the same bytes twice.
Someone who has the file can therefore test guesses: a weak secret is not safe in it, only unreadable.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from netcompose.errors import StalePlan
from netcompose.planner.plan import Change, Difference, Plan
from netcompose.resources import Attribute, Resource, attributes

MASK = "(secret)"
MARKER = "secret:sha256:"


def declaration(resource: Resource | None, path: str) -> Attribute | None:
    """What the resource's class declares about the attribute at ``path`` (``end.mtu``, ``sysctls.net.x``)."""
    part: Any = resource
    found: Attribute | None = None
    for name in path.split("."):
        if not dataclasses.is_dataclass(part):
            break
        declared = dict(attributes(part.__class__)).get(name)
        if declared is None:
            break
        found = declared
        part = getattr(part, name)
    return found


def is_secret(change: Change, difference: Difference) -> bool:
    """True if the difference says so, or the resource's declaration does."""
    if difference.secret:
        return True
    return any(
        declared is not None and declared.secret
        for declared in (declaration(side, difference.path) for side in (change.before, change.after))
    )


def masked(resource: Resource) -> Resource:
    """The resource with ``(secret)`` for every secret value; the names of variables stay."""
    shown: Resource = _each_secret(resource, lambda path, value: MASK)
    return shown


def marker(address: str, path: str, value: str) -> str:
    """What stands for the secret ``value`` in a plan file."""
    text = "\0".join(("netcompose secret", address, path, value))
    return MARKER + hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def is_marker(value: str) -> bool:
    """True for what :func:`marker` makes."""
    digits = value[len(MARKER) :]
    return value.startswith(MARKER) and len(digits) == 64 and set(digits) <= set("0123456789abcdef")


def redact(plan: Plan) -> Plan:
    """The plan with markers for secrets, on both sides of every change and in the differences."""
    return dataclasses.replace(plan, changes=tuple(_redact_change(change) for change in plan.changes))


def secret_values(resource: Resource | None) -> dict[str, str]:
    """The secrets of a resource by their paths: ``{"environment.PASSWORD": "..."}``."""
    found: dict[str, str] = {}

    def keep(path: str, value: str) -> str:
        found[path] = value
        return value

    if resource is not None:
        _each_secret(resource, keep)
    return found


def unredacted(plan: Plan) -> Iterator[tuple[str, str]]:
    """``(address, path)`` of every secret that stands in the plan in the clear: none in a plan file."""
    for change in plan.changes:
        for side in (change.before, change.after):
            for path, value in secret_values(side).items():
                if not is_marker(value):
                    yield change.address, path
        for difference in change.differences:
            if is_secret(change, difference):
                for value in (difference.before, difference.after):
                    yield from (
                        (change.address, path) for path, v in _leaves(difference.path, value) if not is_marker(v)
                    )


def restore_secrets(plan: Plan, desired: Mapping[str, Mapping[str, Resource]]) -> Plan:
    """A plan read from a file, with the secrets of what it makes filled in from the compiled topology.

    ``desired`` is host -> id -> resource. What a change replaces or removes (``before``) keeps its markers: the host
    knows those values. Raises :class:`StalePlan`, naming the object, when the topology has no such object any more or
    another value than the plan was made with.
    """
    return dataclasses.replace(plan, changes=tuple(_restore(change, desired) for change in plan.changes))


def _restore(change: Change, desired: Mapping[str, Mapping[str, Resource]]) -> Change:
    markers = {path: value for path, value in secret_values(change.after).items() if is_marker(value)}
    if not markers or change.after is None:
        return change
    hint = "plan again: netcompose plan --out FILE"
    source = desired.get(change.host, {}).get(change.id)
    if source is None:
        raise StalePlan(
            f"{change.address}: the saved plan leaves its secrets to the topology file, which does not have it",
            hint=hint,
        )
    known = secret_values(source)
    for path, expected in sorted(markers.items()):
        if path not in known or marker(change.address, path, known[path]) != expected:
            raise StalePlan(f"{change.address}: {path} is not what it was when the plan was made", hint=hint)

    after = _each_secret(change.after, lambda path, value: known[path] if path in markers else value)

    def difference(old: Difference) -> Difference:
        if not is_secret(change, old):
            return old
        filled = _map_leaves(old.path, old.after, known.get)
        return dataclasses.replace(old, after=filled)

    return dataclasses.replace(change, after=after, differences=tuple(map(difference, change.differences)))


def _redact_change(change: Change) -> Change:
    def hide(path: str, value: str) -> str:
        return marker(change.address, path, value)

    def difference(old: Difference) -> Difference:
        if not is_secret(change, old):
            return old
        return dataclasses.replace(
            old,
            secret=True,
            before=_map_leaves(old.path, old.before, hide),
            after=_map_leaves(old.path, old.after, hide),
        )

    return dataclasses.replace(
        change,
        before=_each_secret(change.before, hide) if change.before else None,
        after=_each_secret(change.after, hide) if change.after else None,
        differences=tuple(map(difference, change.differences)),
    )


def _each_secret(part: Any, use: Callable[[str, str], str], prefix: str = "") -> Any:
    """The dataclass with ``use(path, value)`` in the place of every string below a secret attribute."""
    changed: dict[str, Any] = {}
    for name, declared in attributes(part.__class__):
        value = getattr(part, name)
        if declared.secret:
            changed[name] = _map_leaves(prefix + name, value, use)
        elif dataclasses.is_dataclass(value):
            inner = _each_secret(value, use, f"{prefix}{name}.")
            if inner is not value:
                changed[name] = inner
    return dataclasses.replace(part, **changed) if changed else part


def _map_leaves(path: str, value: Any, use: Callable[[str, str], str]) -> Any:
    if isinstance(value, str):
        return use(path, value)
    if isinstance(value, Mapping):
        return {key: _map_leaves(f"{path}.{key}", value[key], use) for key in value}
    if isinstance(value, (tuple, list)):
        return type(value)(_map_leaves(f"{path}.{i}", item, use) for i, item in enumerate(value))
    if value is None:
        return None
    # A number cannot hold a digest; a kind that declares one secret has to make it a string.
    raise TypeError(f"a secret has to be text, not {type(value).__name__}: {path}")


def _leaves(path: str, value: Any) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []

    def keep(where: str, text: str) -> str:
        found.append((where, text))
        return text

    _map_leaves(path, value, keep)
    return found
