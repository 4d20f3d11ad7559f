"""A plan as a comment on a pull request: a table of counts, what goes away, details folded. Pure.

Written for GitHub-flavoured markdown (tables, ``<details>``, fences of ``diff``).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from netcompose.planner.plan import CREATE, REPLACE, UPDATE, Change, Plan
from netcompose.views.plan_text import SYMBOLS, change_blocks, counts_text, disturbance_lines, reason_text
from netcompose.views.terminal import Paint, count, printable

#: GitHub refuses a comment of more than 65,536 characters; room is left for what a job puts around it.
LIMIT = 60_000


def plan_markdown(plan: Plan, *, file: str = "topology.yaml", full: bool = False, limit: int = LIMIT) -> str:
    """The plan as markdown of at most ``limit`` characters; details that do not fit are counted."""
    title = f"### netcompose plan: {escape(plan.topology)}\n\n"
    if plan.empty:
        return title + f"No changes: the live state is as {code(file)} says.\n"
    summary = plan.summary()
    parts = [title]
    if plan.problems:
        parts.append(f"**This plan cannot be applied: {count(len(plan.problems), 'problem')}.**\n\n")
        for problem in plan.problems:
            where = f"{code(problem.address)}: " if problem.address else ""
            hint = f" *Hint: {escape(problem.hint)}*" if problem.hint else ""
            parts.append(f"- {where}{escape(problem.message)}{hint}\n")
        parts.append("\n")
    if plan.changes:
        parts.append("| delete | replace | update | create |\n|---:|---:|---:|---:|\n")
        parts.append("| " + " | ".join(str(summary[a]) for a in ("delete", "replace", "update", "create")) + " |\n\n")
        parts.append(_removals([change for change in plan.changes if "delete" in change.actions]))
        told = disturbance_lines(plan)
        if told:
            parts.append("**Who notices:**\n\n" + "".join(f"- {escape(line)}\n" for line in told) + "\n")
    text = "".join(parts)
    if len(text) > limit:
        return text[: limit - 100].rpartition("\n")[0] + f"\n\nCut here: {counts_text(plan)} in all.\n"
    for label, actions in (("replacement", REPLACE), ("update", UPDATE), ("creation", CREATE)):
        chosen = [change for change in plan.changes if change.actions == actions]
        if chosen:
            text += _details(label, chosen, full, limit - len(text))
    return text.rstrip("\n") + "\n"


def escape(text: str) -> str:
    """``text`` as markdown shows it literally: no emphasis, links, HTML, mentions or table cells come of it."""
    return re.sub(r"([\\`*_{}\[\]()<>#|~&!@])", r"\\\1", printable(text)).replace(r"\@", "&#64;")


def code(text: str) -> str:
    """``text`` as a code span, whatever backticks it has (CommonMark 0.31, 6.1)."""
    text = printable(text).replace("|", "\\|")
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if text.startswith("`") or text.endswith("`") or not text else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def _removals(changes: Sequence[Change]) -> str:
    if not changes:
        return ""
    lines = [
        f"- {code(SYMBOLS[c.actions])} {code(c.address)} {escape(reason_text(c))}".rstrip() + "\n" for c in changes
    ]
    return "**Removed or replaced:**\n\n" + "".join(lines) + "\n"


def _details(label: str, changes: Sequence[Change], full: bool, room: int) -> str:
    """A folded block of changes that takes at most ``room`` characters, or as few as say what was left out."""
    blocks = list(change_blocks(changes, Paint(False), full=full))
    longest = max((len(run) for block in blocks for run in re.findall(r"`+", block)), default=0)
    fence = "`" * max(3, longest + 1)
    head = f"<details><summary>{count(len(changes), label)}</summary>\n\n{fence}diff\n"
    tail = f"\n{fence}\n\n</details>\n\n"
    used, kept = len(head) + len(tail) + 80, []
    for block in blocks:
        used += len(block) + 2
        if used > room:
            break
        kept.append(block)
    left = len(blocks) - len(kept)
    if not kept:
        return f"{count(len(changes), label)} left out for length.\n\n" if room > 80 else ""
    body = "\n\n".join(kept) + (f"\n\n... and {left} more left out for length" if left else "")
    return head + body + tail
