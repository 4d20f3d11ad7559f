"""Saved plans: written privately and as a whole, read with care."""

from __future__ import annotations

import os

from netcompose.errors import UsageError
from netcompose.planner.plan import Plan


def save(plan: Plan, path: str) -> None:
    """Write a plan; secrets are not in it (see views/plan_json)."""
    from netcompose.views.plan_json import plan_to_json

    temporary = f"{path}.new"
    try:
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with open(fd, "w", encoding="utf-8") as file:
            file.write(plan_to_json(plan))
        os.replace(temporary, path)
    except OSError as error:
        raise UsageError(f"the plan cannot be saved to {path}: {error.strerror}", hint="choose another path") from error


def read(path: str) -> Plan:
    """Read a saved plan; ``UsageError`` says what is wrong with the file."""
    from netcompose.views.plan_json import plan_from_json

    try:
        with open(path, "rb") as file:
            return plan_from_json(file.read(), name=path)
    except OSError as error:
        raise UsageError(
            f"the plan {path} cannot be read: {error.strerror}", hint="make one with: netcompose plan --out PLAN.json"
        ) from error
