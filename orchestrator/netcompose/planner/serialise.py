"""Changes as plain data, for the agent's protocol and for a saved plan. Nothing is masked: views do that."""

from __future__ import annotations

from typing import Any, Mapping

from netcompose.planner.plan import Change, Difference, Disturbance
from netcompose.resources import from_data, resource_from_data, resource_to_data, to_data


def change_to_data(change: Change) -> dict[str, Any]:
    """A change with all of its fields as data for JSON."""
    return {
        "address": change.address,
        "host": change.host,
        "id": change.id,
        "kind": change.kind,
        "actions": list(change.actions),
        "reason_code": change.reason_code,
        "reason": change.reason,
        "before": None if change.before is None else resource_to_data(change.before),
        "after": None if change.after is None else resource_to_data(change.after),
        "differences": [
            {"path": item.path, "before": item.before, "after": item.after, "secret": item.secret}
            for item in change.differences
        ],
        "replace_paths": list(change.replace_paths),
        "requires": list(change.requires),
        "disturbs": [to_data(item) for item in change.disturbs],
        "fingerprint": change.fingerprint,
        "stage": change.stage,
    }


def change_from_data(data: Mapping[str, Any]) -> Change:
    """The inverse of :func:`change_to_data`; ``ValueError`` on data that is no change."""
    if not isinstance(data, Mapping):
        raise ValueError("a change was expected, not {!r}".format(data))
    try:
        return Change(
            address=from_data(str, data["address"]),
            host=from_data(str, data["host"]),
            id=from_data(str, data["id"]),
            kind=from_data(str, data["kind"]),
            actions=_strings(data["actions"]),
            reason_code=from_data(str, data["reason_code"]),
            reason=from_data(str, data["reason"]),
            before=None if data["before"] is None else resource_from_data(data["before"]),
            after=None if data["after"] is None else resource_from_data(data["after"]),
            differences=from_data(tuple[Difference, ...], data["differences"]),
            replace_paths=_strings(data["replace_paths"]),
            requires=_strings(data["requires"]),
            disturbs=from_data(tuple[Disturbance, ...], data["disturbs"]),
            fingerprint=from_data(str, data["fingerprint"]),
            stage=from_data(int, data["stage"]),
        )
    except KeyError as error:
        raise ValueError("a change lacks {}".format(error)) from error


def _strings(data: Any) -> tuple[str, ...]:
    strings: tuple[str, ...] = from_data(tuple[str, ...], data)
    return strings
