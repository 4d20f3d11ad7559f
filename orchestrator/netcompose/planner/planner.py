"""Desired x live -> Plan. Knows no kind by name: everything follows from the declarations on the resources."""

from __future__ import annotations

from typing import Collection, Mapping, Optional

from netcompose.planner.diff import Found, differences, value_at
from netcompose.planner.disturbance import Disturbances
from netcompose.planner.fingerprint import fingerprint
from netcompose.planner.order import stages, waits_for
from netcompose.planner.plan import (
    CREATE,
    DELETE,
    REPLACE,
    SESSION,
    UPDATE,
    Change,
    Difference,
    Disturbance,
    Plan,
    PlanProblem,
)
from netcompose.resources import IN_PLACE, Attribute, Observation, Resource
from netcompose.resources import REPLACE as BY_REPLACEMENT
from netcompose.resources.base import DISTURBANCES

Resources = Mapping[str, Resource]


def make_plan(
    topology: str,
    desired: Mapping[str, Resources],
    live: Mapping[str, Observation],
    moved: Optional[Mapping[str, Mapping[str, str]]] = None,
) -> Plan:
    """The plan for all hosts.

    ``desired`` and ``live`` are by host name; a host that is only in one of them has nothing in the other.
    ``moved`` maps, per host, the new id of a resource to the id that the same live object has so far.
    """
    changes: list[Change] = []
    problems: list[PlanProblem] = []
    for host in sorted(set(desired) | set(live)):
        observation = live.get(host, Observation())
        host_plan = _HostPlan(host, desired.get(host, {}), observation, (moved or {}).get(host, {}))
        changes += host_plan.changes()
        problems += host_plan.problems()
    # Twice, because the first finds them almost in order, and comparing pairs costs more than both.
    changes.sort(key=lambda change: change.address)
    changes.sort(key=lambda change: change.stage)
    return Plan(topology=topology, changes=tuple(changes), problems=tuple(problems))


class _Draft:
    """One change while it is being worked out."""

    __slots__ = ("actions", "after", "before", "code", "found", "id", "kind", "reason")

    def __init__(self, id: str, before: Optional[Resource], after: Optional[Resource]) -> None:
        self.id = id
        self.before = before
        self.after = after
        self.kind = (after or before or Resource("")).kind
        self.found: tuple[Found, ...] = ()
        if before is None:
            self.actions, self.code, self.reason = CREATE, "absent", "it is not there"
        elif after is None:
            self.actions = DELETE
            self.code = "leftover" if before.half_made else "not-in-topology"
            self.reason = "left half-made by an interrupted run" if before.half_made else "it is not in the topology"
        elif before.kind != after.kind:
            self.actions, self.code = REPLACE, "replace"
            self.reason = "a {} cannot become a {}".format(before.kind, after.kind)
        else:
            self.found = differences(before, after)
            self._compare()

    def _compare(self) -> None:
        forcing = [item for item in self.found if item.declared.changes == BY_REPLACEMENT]
        if forcing:
            names = _join(item.difference.path for item in forcing)
            whys = "; ".join(dict.fromkeys(item.declared.why for item in forcing if item.declared.why))
            self.actions, self.code = REPLACE, "replace"
            self.reason = "{} cannot change in place{}".format(names, ": " + whys if whys else "")
        else:
            self.actions, self.code = UPDATE, "differs"
            one = len(self.found) == 1
            self.reason = "{} {}".format(_join(i.difference.path for i in self.found), "differs" if one else "differ")

    def follow(self, required: str, attribute: str) -> None:
        """What it stands on is replaced: set the tie again, or be made anew."""
        if self.actions == REPLACE:
            return
        if not attribute:
            self.actions, self.code = REPLACE, "follows"
            self.reason = "it is in {}, which is replaced".format(required)
        elif all(item.difference.path != attribute for item in self.found):
            again = Difference(attribute, None, value_at(self.after, attribute))
            self.found += (Found(again, Attribute(changes=IN_PLACE, disturbs="outage", why="it is tied again")),)
            self.actions, self.code = UPDATE, "follows"
            self.reason = "{} is replaced".format(required)


def _join(paths: object) -> str:
    names = list(paths)  # type: ignore[call-overload]
    shown = names if len(names) <= 4 else [*names[:3], "{} more".format(len(names) - 3)]
    if len(shown) < 2:
        return "".join(shown)
    return "{} and {}".format(", ".join(shown[:-1]), shown[-1])


class _HostPlan:
    """The changes of one host."""

    def __init__(self, host: str, desired: Resources, observed: Observation, moved: Mapping[str, str]) -> None:
        self._host = host
        self._prefix = host + "/"
        self._desired = desired
        self._foreign = observed.foreign
        self._session = observed.facts.session
        self._live = {**observed.resources}
        for new, old in moved.items():
            if old in self._live and new not in self._live and old not in desired:
                self._live[new] = self._live.pop(old)
        self._drafts = self._draft()
        self._follow_replacements()

    def _draft(self) -> dict[str, _Draft]:
        drafts = {}
        live, desired = self._live, self._desired
        for id, after in desired.items():
            before = live.get(id)
            if before is None or before != after:
                draft = _Draft(id, before, after if before is None else after.beside(before))
                # A moved object differs by its id alone when everything else is as wished; what an object leaves to
                # others is no difference.
                if draft.actions != UPDATE or draft.found:
                    drafts[id] = draft
        for id, before in live.items():
            if id not in desired:
                drafts[id] = _Draft(id, before, None)
        return drafts

    def _follow_replacements(self) -> None:
        waiting = [id for id, draft in self._drafts.items() if draft.actions == REPLACE]
        if not waiting:
            return
        users: dict[str, list[tuple[str, str]]] = {}
        for id, after in self._desired.items():
            for need in after.requires():
                if not need.order_only:
                    users.setdefault(need.id, []).append((id, need.attribute))
        while waiting:
            replaced = waiting.pop()
            for id, attribute in sorted(users.get(replaced, ())):
                if id not in self._live:
                    continue
                draft = self._drafts.get(id)
                if draft is None:
                    draft = self._drafts[id] = _Draft(id, self._live[id], self._desired[id])
                was_replaced = draft.actions == REPLACE
                draft.follow(replaced, attribute)
                if draft.actions == REPLACE and not was_replaced:
                    waiting.append(id)

    def changes(self) -> list[Change]:
        """The host's changes, not yet in the order of execution."""
        waits = waits_for(self._drafts)
        stage = stages(self._drafts, waits)
        going = {id for id, draft in self._drafts.items() if "delete" in draft.actions}
        disturbances = Disturbances(self._live, going)
        return [
            self._change(draft, stage.get(id, 0), waits.get(id, ()), disturbances) for id, draft in self._drafts.items()
        ]

    def _change(self, draft: _Draft, stage: int, waits: Collection[str], disturbances: Disturbances) -> Change:
        replaced = draft.actions == REPLACE
        forcing = [item.difference.path for item in draft.found if item.declared.changes == BY_REPLACEMENT]
        return Change(
            address=self._prefix + draft.id,
            host=self._host,
            id=draft.id,
            kind=draft.kind,
            actions=draft.actions,
            reason_code=draft.code,
            reason=draft.reason,
            before=draft.before,
            after=draft.after,
            differences=tuple(item.difference for item in draft.found),
            replace_paths=tuple(forcing) if replaced else (),
            requires=tuple([self._prefix + id for id in sorted(waits)]) if waits else (),
            disturbs=disturbances.of(draft.id, draft.actions, draft.before, draft.found) + self._on_path(draft),
            fingerprint=fingerprint(draft.before),
            stage=stage,
        )

    def _on_path(self, draft: _Draft) -> tuple[Disturbance, ...]:
        """That the connection to the host itself may be lost by a change."""
        if not self._session:
            return ()
        interface, peer = self._session.get("interface", ""), self._session.get("peer", "")
        risks = [item.path_risk(interface, peer) for item in (draft.before, draft.after) if item is not None]
        how = max(risks, key=DISTURBANCES.index)
        if how == "none":
            return ()
        why = "the connection to {} runs over {} and comes from {}".format(self._host, interface, peer)
        return (Disturbance(container=SESSION, how=how, why=why),)

    def problems(self) -> list[PlanProblem]:
        """Names that a change needs and somebody else has."""
        found: list[PlanProblem] = []
        if not self._foreign:
            return found
        for id, draft in sorted(self._drafts.items()):
            if draft.after is None:
                continue
            held = set(draft.before.claims()) if draft.before is not None else set()
            for claim in draft.after.claims():
                if claim in self._foreign and claim not in held:
                    found.append(
                        PlanProblem(
                            address="{}/{}".format(self._host, id),
                            message="{} is taken: {}".format(claim.partition(":")[2], self._foreign[claim]),
                            hint="rename it or remove it by hand; netcompose changes nothing that it does not own",
                        )
                    )
        return found
