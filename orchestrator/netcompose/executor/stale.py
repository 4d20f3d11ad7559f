"""Whether a saved plan still fits: each object that it changes has to be as it was when the plan was made."""

from __future__ import annotations

from collections.abc import Mapping

from netcompose.errors import PlanRefused, StalePlan
from netcompose.planner.fingerprint import ABSENT, fingerprint
from netcompose.planner.plan import Change, Plan, PlanProblem
from netcompose.resources import Observation


def refuse_stale(plan: Plan, live: Mapping[str, Observation]) -> None:
    """Raise ``StalePlan`` naming every object that has changed, ``PlanRefused`` for names that others took since."""
    stale = [sentence for change in plan.changes if (sentence := _stale(change, live[change.host]))]
    if stale:
        raise StalePlan(
            "the plan is stale; nothing was changed:\n" + "\n".join(stale), hint="plan again: netcompose plan --out ..."
        )
    taken = [
        PlanProblem(change.address, f"{claim.partition(':')[2]} is taken: {live[change.host].foreign[claim]}")
        for change in plan.changes
        if change.after is not None
        for claim in change.after.claims()
        if claim in live[change.host].foreign
    ]
    if taken:
        raise PlanRefused(taken)


def _stale(change: Change, observation: Observation) -> str:
    found = observation.resources.get(change.before.id if change.before is not None else change.id)
    now = fingerprint(found)
    if now == change.fingerprint:
        return ""
    if now == ABSENT:
        return f"{change.address} is gone"
    if change.fingerprint == ABSENT:
        return f"{change.address} is there already"
    return f"{change.address} has changed"
