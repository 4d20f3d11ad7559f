"""The plan as data: what changes, in which order, why, and whom it disturbs. Deterministic and serialisable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional

from netcompose.resources import Resource

#: Version of the plan's JSON: a minor step only adds, a major step makes older readers refuse.
FORMAT_VERSION = "1.0"

CREATE: tuple[str, ...] = ("create",)
UPDATE: tuple[str, ...] = ("update",)
REPLACE: tuple[str, ...] = ("delete", "create")
DELETE: tuple[str, ...] = ("delete",)

#: Who is disturbed when it is the connection to the host itself; no container can be called so.
SESSION = "@ssh"


@dataclass(frozen=True)
class Difference:
    """One attribute that differs: its path (``end.mtu``, ``sysctls.net.ipv4.ip_forward``), and both values as
    plain data. ``secret`` values are masked by every view."""

    path: str
    before: Any
    after: Any
    secret: bool = False


@dataclass(frozen=True)
class Disturbance:
    """Who notices a change and how: ``none``, ``blip`` (packets late or lost for a moment), ``outage``."""

    container: str
    how: str
    why: str


@dataclass(frozen=True)
class Change:
    """One object's change.

    ``address`` is ``host/id``. ``actions`` is CREATE, UPDATE, REPLACE or DELETE. ``reason_code`` is one of
    ``absent`` (not there yet), ``differs`` (attributes differ), ``replace`` (attributes differ that cannot
    change in place), ``follows`` (something it stands on is replaced), ``not-in-topology``, ``leftover``;
    ``reason`` is the sentence. ``stage`` numbers the waves of execution: changes of one stage are independent.
    """

    address: str
    host: str
    id: str
    kind: str
    actions: tuple[str, ...]
    reason_code: str
    reason: str
    before: Optional[Resource]
    after: Optional[Resource]
    differences: tuple[Difference, ...]
    replace_paths: tuple[str, ...]
    requires: tuple[str, ...]
    disturbs: tuple[Disturbance, ...]
    fingerprint: str
    stage: int


@dataclass(frozen=True)
class PlanProblem:
    """Why a plan cannot be applied: an object's address, what is in the way, and what to do."""

    address: str
    message: str
    hint: str = ""


@dataclass(frozen=True)
class Plan:
    """Everything between live and desired, for all hosts, in execution order."""

    topology: str
    changes: tuple[Change, ...]
    problems: tuple[PlanProblem, ...] = ()

    @property
    def empty(self) -> bool:
        """True when live and desired agree and nothing is in the way."""
        return not self.changes and not self.problems

    def summary(self) -> dict[str, int]:
        """Counts by what happens to the object: ``create``, ``update``, ``replace``, ``delete``."""
        counts = {"create": 0, "update": 0, "replace": 0, "delete": 0}
        for change in self.changes:
            counts["replace" if change.actions == REPLACE else change.actions[0]] += 1
        return counts
