"""The order of execution: which change has to wait for which, and the stages that follow."""

from __future__ import annotations

from typing import AbstractSet, Mapping, Optional, Protocol, TypeVar

from netcompose.planner.plan import DELETE, UPDATE
from netcompose.resources import Resource


class Draft(Protocol):
    """What the order depends on: a change by what it does, from what, to what."""

    actions: tuple[str, ...]
    before: Optional[Resource]
    after: Optional[Resource]


Some = TypeVar("Some", bound=Draft)
#: By id, for each change that has to wait, the ids of the changes before it.
Edges = Mapping[str, AbstractSet[str]]

_NOBODY: AbstractSet[str] = frozenset()
#: Instead of a level: not looked at yet; looked at, and something that it waits for has no level yet.
_UNSETTLED, _OPEN = -1, -2


def waits_for(drafts: Mapping[str, Some]) -> dict[str, AbstractSet[str]]:
    """For each change that has to wait, the ids of the changes that have to be carried out before it.

    - What is made or changed waits for what it requires.
    - What is removed waits for its dependents to be removed or moved off it. One that depended for the order alone
      and is made anew is not waited for: it may itself wait for what takes the removed one's name.
    - Who takes a name waits for the one who gives it up; two that stay and exchange their names wait for nobody,
      which the kinds see to.
    """
    edges: dict[str, AbstractSet[str]] = {}
    released: dict[str, str] = {}
    dependents: dict[str, list[str]] = {}
    for id, draft in drafts.items():
        before, after = draft.before, draft.after
        if before is not None:
            kept = set(after.claims()) if after is not None else set()
            released.update((claim, id) for claim in before.claims() if claim not in kept)
            for requirement in before.requires():
                if after is None or not requirement.order_only:
                    dependents.setdefault(requirement.id, []).append(id)
    for id, draft in drafts.items():
        before, after = draft.before, draft.after
        waits: set[str] = set()
        if after is not None:
            for requirement in after.requires():
                need = drafts.get(requirement.id)
                if need is not None and need.after is not None:
                    waits.add(requirement.id)
            if released:
                held = set(before.claims()) if before is not None else set()
                givers = {released[c] for c in after.claims() if c in released and c not in held}
                waits |= {giver for giver in givers if draft.actions != UPDATE or drafts[giver].actions != UPDATE}
        if before is not None and "delete" in draft.actions:
            for dependent in dependents.get(id, ()):
                moved_to = drafts[dependent].after
                stays = moved_to is not None and any(r.id == id for r in moved_to.requires())
                if not stays:
                    waits.add(dependent)
        waits.discard(id)
        if waits:
            edges[id] = waits
    return edges


def stages(drafts: Mapping[str, Some], edges: Edges) -> dict[str, int]:
    """The stage of every change that is not of the first: changes of one stage are independent of each other, earlier
    stages come first.

    ``edges`` are what :func:`waits_for` found. Removals that nothing waits for come after everything else, because
    they are what is hardest to put back.
    """
    late = _late(drafts, edges)
    first = _levels({id: waits for id, waits in edges.items() if id not in late} if late else edges)
    if not late:
        return first
    offset = max(first.values(), default=0 if len(late) < len(drafts) else -1) + 1
    last = _levels({id: edges[id] & late for id in sorted(late) if id in edges})
    first.update((id, offset + last.get(id, 0)) for id in late)
    return first


def _late(drafts: Mapping[str, Some], edges: Edges) -> set[str]:
    deleted = {id for id, draft in drafts.items() if draft.actions == DELETE}
    if not deleted:
        return deleted
    needed: set[str] = set()
    waiting = [id for id in drafts if id not in deleted]
    while waiting:
        for need in edges.get(waiting.pop(), ()):
            if need not in needed:
                needed.add(need)
                waiting.append(need)
    return deleted - needed


def _levels(edges: Edges) -> dict[str, int]:
    """Longest path to each id that waits; one that waits for nobody is at 0. Iterative, so that a long chain is no
    deep recursion."""
    levels = dict.fromkeys(edges, _UNSETTLED)
    for first in edges:
        path = [first]
        while path:
            id = path[-1]
            if levels[id] >= 0:
                path.pop()
                continue
            below = [levels.get(need, 0) for need in edges[id]]
            if min(below, default=0) >= 0:
                levels[path.pop()] = max(below, default=-1) + 1
                continue
            levels[id] = _OPEN
            needs = [need for need in edges[id] if levels.get(need, 0) < 0]
            stuck = [need for need in needs if levels[need] == _OPEN]
            if stuck:
                raise AssertionError(
                    "the order of {} is circular; this is a defect of the planner".format(sorted({id, *stuck}))
                )
            path += needs
    return levels
