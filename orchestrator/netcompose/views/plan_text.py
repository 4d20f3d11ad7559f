"""A plan for people: counts and removals first, then every other change, why, and whom it disturbs. Pure.

Symbols: ``+`` create, ``~`` update in place, ``-/+`` replace, ``-`` delete. They read without colour.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from netcompose.planner.plan import CREATE, DELETE, REPLACE, UPDATE, Change, Plan
from netcompose.views.terminal import Paint, count, fold_names, printable

SYMBOLS = {CREATE: "+", UPDATE: "~", REPLACE: "-/+", DELETE: "-"}
_COLOURS = {CREATE: "green", UPDATE: "yellow", REPLACE: "red", DELETE: "red"}

#: More new objects of one kind on one host than this are one line: the thousandth says nothing that the first did not.
FOLD_ABOVE = 20


def plan_text(plan: Plan, *, file: str = "topology.yaml", colour: bool = False, full: bool = False) -> str:
    """The whole plan. ``file`` is what the live state was compared with.

    New objects of one kind are folded into one line with their names when they are more than twenty; ``full`` shows
    each. Updates, replacements and removals are never folded.
    """
    paint = Paint(colour)
    if plan.empty:
        return f"No changes: the live state is as {printable(file)} says.\n"
    blocks = []
    if plan.problems:
        from netcompose.views.problems import plan_problems_text

        total = count(len(plan.problems), "problem")
        head = paint(f"This plan cannot be applied: {total}.", "bold", "red")
        blocks.append(head + "\n\n" + plan_problems_text(plan.problems, colour=colour).rstrip("\n"))
    if plan.changes:
        blocks.append("\n".join(head_lines(plan, paint)))
        blocks += change_blocks([c for c in plan.changes if c.actions != DELETE], paint, full=full)
    return "\n\n".join(blocks) + "\n"


def done_text(plan: Plan) -> str:
    """The same once it has been carried out: ``2 deleted, 1 replaced, 14 created``."""
    words = {"delete": "deleted", "replace": "replaced", "update": "updated", "create": "created"}
    summary = plan.summary()
    return ", ".join(f"{summary[action]} {done}" for action, done in words.items() if summary[action]) or "nothing"


def counts_text(plan: Plan) -> str:
    """``2 to delete, 1 to replace, 14 to create``; what removes comes first, zeros are left out."""
    summary = plan.summary()
    order = ("delete", "replace", "update", "create")
    return ", ".join(f"{summary[action]} to {action}" for action in order if summary[action]) or "nothing to do"


def head_lines(plan: Plan, paint: Paint) -> list[str]:
    """The counts, each object that goes away, and who notices the run."""
    lines = [paint(f"{printable(plan.topology)}: {counts_text(plan)}", "bold")]
    hosts = sorted({change.host for change in plan.changes})
    if len(hosts) > 1:
        for host in hosts:
            part = replace(plan, changes=tuple(change for change in plan.changes if change.host == host))
            lines.append(f"  {printable(host)}: {counts_text(part)}")
    removals = sorted(
        (change for change in plan.changes if "delete" in change.actions), key=lambda c: c.actions == REPLACE
    )
    if removals:
        lines += ["", paint("Removed or replaced:", "bold", "red")]
        for change in removals:
            lines.append("  " + _title(change, paint, width=3))
            if change.actions == DELETE:  # a replacement is told in full below
                lines += ["        " + line for line in _disturbed(change, paint)]
    told = disturbance_lines(plan)
    if told:
        lines += ["", paint("Who notices:", "bold"), *("  " + line for line in told)]
    return lines


def disturbance_lines(plan: Plan) -> list[str]:
    """``outage: web1``, ``blip: web[2-9]``: each container once, under the worst that happens to it."""
    worst: dict[str, str] = {}
    for change in plan.changes:
        for disturbance in change.disturbs:
            if disturbance.how == "outage" or (disturbance.how == "blip" and disturbance.container not in worst):
                worst[disturbance.container] = disturbance.how
    return [
        f"{how}: {fold_names(names)}"
        for how in ("outage", "blip")
        if (names := [container for container, its in worst.items() if its == how])
    ]


def change_blocks(changes: Sequence[Change], paint: Paint, *, full: bool = False) -> Iterator[str]:
    """The changes as blocks of lines, in the order of execution. New objects stand together, folded ones where their
    first member would; everything else is a block of its own."""
    together: list[str] = []
    for new, lines in _change_lines(changes, paint, full):
        if new:
            together += lines
            continue
        if together:
            yield "\n".join(together)
            together = []
        yield "\n".join(lines)
    if together:
        yield "\n".join(together)


def reason_text(change: Change) -> str:
    """The reason, unless the symbol or the differences below say it already."""
    told = change.reason_code == "absent" or (change.reason_code in ("differs", "replace") and change.differences)
    return "" if told else printable(change.reason)


def _change_lines(changes: Sequence[Change], paint: Paint, full: bool) -> Iterator[tuple[bool, list[str]]]:
    """``(is new, lines)`` of each change or of each fold."""
    groups: dict[tuple[str, str], list[Change]] = {}
    for change in changes:
        if _foldable(change):
            groups.setdefault((change.host, change.kind), []).append(change)
    folded = {key for key, members in groups.items() if not full and len(members) > FOLD_ABOVE}
    done: set[tuple[str, str]] = set()
    for change in changes:
        key = (change.host, change.kind)
        if key in folded and _foldable(change):
            if key not in done:
                done.add(key)
                yield True, _folded_lines(groups[key], paint)
            continue
        yield change.actions == CREATE, _one_change(change, paint, full)


def _foldable(change: Change) -> bool:
    return change.actions == CREATE and all(disturbance.how == "none" for disturbance in change.disturbs)


def _title(change: Change, paint: Paint, width: int = 0) -> str:
    symbol = SYMBOLS[change.actions].ljust(width)
    reason = reason_text(change)
    tail = "  " + paint(reason, "dim") if reason else ""
    return paint(symbol, "bold", _COLOURS[change.actions]) + " " + paint(printable(change.address), "bold") + tail


def _one_change(change: Change, paint: Paint, full: bool) -> list[str]:
    # A plan without changes is the usual one, and needs none of it.
    from netcompose.views.differences import created_lines, difference_lines

    lines = [_title(change, paint)]
    if change.actions == CREATE and change.after is not None:
        lines += ["    " + line for line in created_lines(change.after)]
    elif change.actions != DELETE:
        for difference in change.differences:
            lines += ["    " + line for line in difference_lines(change, difference, paint, full=full)]
    return lines + ["    " + line for line in _disturbed(change, paint)]


def _disturbed(change: Change, paint: Paint) -> list[str]:
    lines = []
    for how in ("outage", "blip"):
        reasons: dict[str, list[str]] = {}
        for disturbance in change.disturbs:
            if disturbance.how == how:
                reasons.setdefault(disturbance.why, []).append(disturbance.container)
        for why, containers in reasons.items():
            tail = f" ({printable(why)})" if why else ""
            lines.append(paint(f"{how} for {fold_names(containers)}{tail}", "yellow"))
    return lines


def _folded_lines(members: Sequence[Change], paint: Paint) -> list[str]:
    """``+ 998 x veth on local`` and their names in short."""
    first = members[0]
    head = paint(SYMBOLS[CREATE], "bold", _COLOURS[CREATE])
    title = paint(f"{len(members)} x {printable(first.kind)} on {printable(first.host)}", "bold")
    return [f"{head} {title}", "    " + fold_names((member.id for member in members), most=6)]
