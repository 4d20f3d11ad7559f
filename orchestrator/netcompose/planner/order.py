"""The order of execution: which change has to wait for which, and the stages that follow."""

from __future__ import annotations

from typing import AbstractSet, Iterable, Mapping, Optional, Sequence

from netcompose.planner.plan import DELETE, UPDATE
from netcompose.resources import Resource

#: id -> (actions, before, after): what the order depends on.
Draft = Mapping[str, "tuple[tuple[str, ...], Optional[Resource], Optional[Resource]]"]


_NOBODY: AbstractSet[str] = frozenset()


def waits_for(drafts: Draft) -> dict[str, AbstractSet[str]]:
    """For each change the ids of the changes that have to be carried out before it.

    - What is made or changed waits for what it requires.
    - What is removed waits for its dependents to be removed or moved off it. One that depended for the order alone
      and is made anew is not waited for: it may itself wait for what takes the removed one's name.
    - Who takes a name waits for the one who gives it up; two that stay and exchange their names wait for nobody,
      which the kinds see to.
    """
    edges: dict[str, AbstractSet[str]] = {}
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
        waits: set[str] = set()
        if after is not None:
            for requirement in after.requires():
                need = drafts.get(requirement.id)
                if need is not None and need[2] is not None:
                    waits.add(requirement.id)
            if released:
                held = set(before.claims()) if before is not None else set()
                givers = {released[c] for c in after.claims() if c in released and c not in held}
                waits |= {giver for giver in givers if actions != UPDATE or drafts[giver][0] != UPDATE}
        if before is not None and "delete" in actions:
            for dependent in dependents.get(id, ()):
                moved_to = drafts[dependent][2]
                stays = moved_to is not None and any(r.id == id for r in moved_to.requires())
                if not stays:
                    waits.add(dependent)
        waits.discard(id)
        edges[id] = waits or _NOBODY
    return edges


def stages(drafts: Draft, edges: Mapping[str, Iterable[str]]) -> dict[str, int]:
    """The stage of every change: changes of one stage are independent of each other, earlier stages come first.

    ``edges`` are what :func:`waits_for` found. Removals that nothing waits for come after everything else, because
    they are what is hardest to put back.
    """
    late = _late(drafts, edges)
    first = _levels([id for id in drafts if id not in late], edges)
    offset = max(first.values(), default=-1) + 1
    last = _levels(sorted(late), edges)
    first.update((id, offset + level) for id, level in last.items())
    return first


def _late(drafts: Draft, edges: Mapping[str, Iterable[str]]) -> set[str]:
    deleted = {id for id, (actions, _, _) in drafts.items() if actions == DELETE}
    if not deleted:
        return deleted
    needed: set[str] = set()
    waiting = [id for id in drafts if id not in deleted]
    while waiting:
        for need in edges[waiting.pop()]:
            if need not in needed:
                needed.add(need)
                waiting.append(need)
    return deleted - needed


def _levels(ids: Sequence[str], edges: Mapping[str, Iterable[str]]) -> dict[str, int]:
    """Longest path to each id. Iterative, so that a long chain is no deep recursion."""
    among = set(ids)
    users: dict[str, list[str]] = {}
    open_needs: dict[str, int] = {}
    levels: dict[str, int] = {}
    for id in ids:
        count = 0
        for need in edges[id]:
            if need in among:
                users.setdefault(need, []).append(id)
                count += 1
        if count:
            open_needs[id] = count
        else:
            levels[id] = 0
    ready = [id for id in users if id in levels]
    while ready:
        id = ready.pop()
        above = levels[id] + 1
        for user in users.get(id, ()):
            if levels.get(user, 0) < above:
                levels[user] = above
            open_needs[user] -= 1
            if open_needs[user] == 0:
                ready.append(user)
    stuck = [id for id, count in open_needs.items() if count]
    if stuck:
        raise AssertionError("the order of {} is circular; this is a defect of the planner".format(sorted(stuck)))
    return levels
