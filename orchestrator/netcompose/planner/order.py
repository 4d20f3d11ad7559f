"""The order of execution: which change has to wait for which, and the stages that follow."""

from __future__ import annotations

from typing import Iterable, Mapping, Optional, Sequence

from netcompose.planner.plan import DELETE
from netcompose.resources import Resource

#: id -> (actions, before, after): what the order depends on.
Draft = Mapping[str, "tuple[tuple[str, ...], Optional[Resource], Optional[Resource]]"]


def waits_for(drafts: Draft) -> dict[str, set[str]]:
    """For each change the ids of the changes that have to be carried out before it.

    - What is made or changed waits for what it requires.
    - What is removed waits for its dependents to be removed or moved off it. One that depended for the order alone
      and is made anew is not waited for: it may itself wait for what takes the removed one's name.
    - Who takes a name waits for the one who gives it up.
    """
    edges: dict[str, set[str]] = {id: set() for id in drafts}
    released: dict[str, str] = {}
    dependents: dict[str, list[str]] = {}
    for id, (_, before, after) in drafts.items():
        if before is not None:
            kept = set(after.claims()) if after is not None else set()
            released.update((claim, id) for claim in before.claims() if claim not in kept)
            for requirement in before.requires():
                if after is None or not requirement.order_only:
                    dependents.setdefault(requirement.id, []).append(id)
    for id, (actions, before, after) in drafts.items():
        if after is not None:
            needs = {requirement.id for requirement in after.requires()}
            edges[id] |= {need for need in needs if need in drafts and drafts[need][2] is not None}
            if released:
                held = set(before.claims()) if before is not None else set()
                edges[id] |= {released[c] for c in after.claims() if c in released and c not in held}
        if before is not None and "delete" in actions:
            for dependent in dependents.get(id, ()):
                moved_to = drafts[dependent][2]
                stays = moved_to is not None and any(r.id == id for r in moved_to.requires())
                if not stays:
                    edges[id].add(dependent)
        edges[id].discard(id)
    return edges


def stages(drafts: Draft) -> dict[str, int]:
    """The stage of every change: changes of one stage are independent of each other, earlier stages come first.

    Removals that nothing waits for come after everything else, because they are what is hardest to put back.
    """
    edges = waits_for(drafts)
    late = _late(drafts, edges)
    first = _levels([id for id in drafts if id not in late], edges)
    offset = max(first.values(), default=-1) + 1
    last = _levels(sorted(late), edges)
    return {**first, **{id: offset + level for id, level in last.items()}}


def _late(drafts: Draft, edges: Mapping[str, Iterable[str]]) -> set[str]:
    needed: set[str] = set()
    waiting = [id for id, (actions, _, _) in drafts.items() if actions != DELETE]
    while waiting:
        for need in edges[waiting.pop()]:
            if need not in needed:
                needed.add(need)
                waiting.append(need)
    return {id for id, (actions, _, _) in drafts.items() if actions == DELETE and id not in needed}


def _levels(ids: Sequence[str], edges: Mapping[str, Iterable[str]]) -> dict[str, int]:
    """Longest path to each id. Iterative, so that a long chain is no deep recursion."""
    among = set(ids)
    users: dict[str, list[str]] = {id: [] for id in ids}
    open_needs: dict[str, int] = {}
    for id in ids:
        needs = [need for need in edges[id] if need in among]
        open_needs[id] = len(needs)
        for need in needs:
            users[need].append(id)
    levels = {id: 0 for id in ids if open_needs[id] == 0}
    ready = list(levels)
    while ready:
        id = ready.pop()
        for user in users[id]:
            levels[user] = max(levels.get(user, 0), levels[id] + 1)
            open_needs[user] -= 1
            if open_needs[user] == 0:
                ready.append(user)
    stuck = [id for id in ids if open_needs[id] > 0]
    if stuck:
        raise AssertionError("the order of {} is circular; this is a defect of the planner".format(sorted(stuck)))
    return levels
