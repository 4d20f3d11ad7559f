"""A plan as a JSON document (``schemas/plan-v1.schema.json``) and back. Pure.

The same plan gives the same bytes. Secrets are digests in it (:mod:`netcompose.views.secrets`), and a ``digest`` over
the whole document shows that it is the one that was reviewed.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, NoReturn

from netcompose.errors import UsageError
from netcompose.planner.plan import CREATE, DELETE, FORMAT_VERSION, REPLACE, UPDATE, Change, Plan, PlanProblem
from netcompose.planner.serialise import change_from_data, change_to_data
from netcompose.views.jsontext import json_text
from netcompose.views.secrets import redact, unredacted

_HINT = "make a new one: netcompose plan --out FILE"


def plan_to_data(plan: Plan) -> dict[str, Any]:
    """The document as plain data; secrets are already markers in it."""
    safe = redact(plan)
    data: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "topology": safe.topology,
        "summary": safe.summary(),
        "changes": [change_to_data(change) for change in safe.changes],
        "problems": [{"address": p.address, "message": p.message, "hint": p.hint} for p in safe.problems],
    }
    data["digest"] = _digest(data)
    return data


def plan_to_json(plan: Plan) -> str:
    """The plan file's text; never contains a secret value."""
    return json_text(plan_to_data(plan))


def plan_from_json(text: str | bytes, *, name: str = "the plan") -> Plan:
    """The plan in a file's text. Its secrets are markers until ``restore_secrets`` fills them in.

    ``name`` is what messages call it. Raises :class:`UsageError` for anything but an unchanged plan of this major
    ``format_version``.
    """
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        where = f"{name}:{error.lineno}:{error.colno}"
        raise UsageError(f"{where}: not a plan: {error.msg} (JSON was expected)", hint=_HINT) from error
    except (UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{name}: not a plan: it is not readable as JSON", hint=_HINT) from error
    if not isinstance(data, dict) or not isinstance(data.get("format_version"), str) or "changes" not in data:
        raise UsageError(f"{name}: not a plan: no `format_version` and `changes` at the top", hint=_HINT)
    major = FORMAT_VERSION.partition(".")[0]
    version = data["format_version"]
    if version.partition(".")[0] != major:
        raise UsageError(
            f"{name}: a plan of format {version!r}; this netcompose reads {major}.x",
            hint="apply it with the version of netcompose that made it, or " + _HINT,
        )
    if data.get("digest") != _digest({key: value for key, value in data.items() if key != "digest"}):
        raise UsageError(f"{name}: the plan was changed after it was made", hint="change the topology and " + _HINT)
    return _checked(_read(data, name), data, name)


def _digest(data: dict[str, Any]) -> str:
    canonical = json.dumps(data, sort_keys=True, separators=(",", ":"))
    return "sha256:" + hashlib.sha256(canonical.encode()).hexdigest()


def _refuse(name: str, where: str, why: object) -> NoReturn:
    raise UsageError(f"{name}: {where}: {why}", hint=_HINT)


def _read(data: dict[str, Any], name: str) -> Plan:
    changes, problems = data["changes"], data.get("problems", [])
    if not isinstance(data.get("topology"), str):
        _refuse(name, "topology", "a name was expected")
    if not isinstance(changes, list) or not isinstance(problems, list):
        _refuse(name, "changes", "a list was expected")
    read: list[Change] = []
    for number, item in enumerate(changes):
        try:
            read.append(change_from_data(item))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            why = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) and error.args else error
            _refuse(name, f"changes[{number}]", why)
    found: list[PlanProblem] = []
    for number, item in enumerate(problems):
        if not isinstance(item, dict) or not all(isinstance(item.get(k), str) for k in ("address", "message", "hint")):
            _refuse(name, f"problems[{number}]", "an object with address, message and hint was expected")
        found.append(PlanProblem(address=item["address"], message=item["message"], hint=item["hint"]))
    return Plan(topology=data["topology"], changes=tuple(read), problems=tuple(found))


def _checked(plan: Plan, data: dict[str, Any], name: str) -> Plan:
    """Refuses what no planner makes: a digest can be computed by anybody."""
    seen: set[str] = set()
    for change in plan.changes:
        sides = (change.before is not None, change.after is not None)
        expected = {
            CREATE: ((False, True),),
            UPDATE: ((True, True),),
            REPLACE: ((True, True),),
            DELETE: ((True, False),),
        }
        if change.actions not in expected:
            _refuse(name, change.address, f"unknown actions {list(change.actions)}")
        if sides not in expected[change.actions]:
            _refuse(name, change.address, f"`before` and `after` do not fit the actions {list(change.actions)}")
        if change.address != f"{change.host}/{change.id}":
            _refuse(name, change.address, f"the address is not host and id ({change.host}/{change.id})")
        # A renamed object has its old id in `before`, and a replacement may be of another kind.
        subject = change.after or change.before
        if subject is not None and (subject.id, subject.kind) != (change.id, change.kind):
            _refuse(name, change.address, f"holds another object ({subject.kind} {subject.id})")
        if change.address in seen:
            _refuse(name, change.address, "is changed twice")
        seen.add(change.address)
    if data.get("summary") != plan.summary():
        _refuse(name, "summary", "does not count the changes")
    try:
        for address, path in unredacted(plan):
            _refuse(name, address, f"a secret stands in the clear at {path}; plan files hold digests only")
    except TypeError as error:
        _refuse(name, "changes", error)
    return plan
