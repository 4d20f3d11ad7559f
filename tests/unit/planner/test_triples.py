"""Golden triples: a topology, the live state, and the plan that follows; compiler and planner together.

Each file of ``triples/`` has a topology, ``live`` (a topology that was applied, with edits of its resources as data,
further resources and names that others hold) and the plan in short. ``NETCOMPOSE_WRITE_TRIPLES=1`` writes the plans
anew, to be read by a person before they are committed.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from netcompose.compiler.compile import Desired, compile_topology
from netcompose.planner.plan import Change, Plan
from netcompose.planner.planner import make_plan
from netcompose.resources import Observation, Resource, resource_from_data, resource_to_data
from netcompose.topology.load import load
from netcompose.views.plan_json import plan_to_json

TRIPLES = sorted(Path(__file__).parent.glob("triples/*.yaml"))
HOST = "local"
#: Kinds that follow from nearly every network of a host as a whole; they would be in every plan here, and have tests
#: of their own.
LEFT_OUT = ("firewall", "sysctl")


def compiled(topology: Mapping[str, Any], folder: Path, live: Mapping[str, Observation]) -> Desired:
    file = folder / "topology.yaml"
    file.write_text(yaml.safe_dump({"name": "t", **topology}, sort_keys=False))
    desired = compile_topology(load(str(file)), live)
    assert not desired.problems, desired.problems
    kept = {id: found for id, found in desired.resources[HOST].items() if found.kind not in LEFT_OUT}
    return replace(desired, resources={HOST: kept})


def observed(live: Mapping[str, Any], folder: Path) -> Observation:
    """What is there: the resources of a topology as they would be after ``up``, then what was done to them."""
    resources: dict[str, Resource] = {}
    if live.get("topology"):
        resources.update(compiled(live["topology"], folder, {}).resources[HOST])
    for id, edits in live.get("edits", {}).items():
        data = resource_to_data(resources.pop(id))
        if edits is not None:
            for path, value in edits.items():
                *parents, last = path.split(".", 1)
                at = data
                for part in parents:
                    at = at[part]
                assert last in at, f"{id} has no {path}"
                at[last] = value
            resources[id] = resource_from_data(data)
    for data in live.get("more", []):
        resources[data["id"]] = resource_from_data(data)
    return Observation(resources=resources, foreign=live.get("foreign", {}))


def planned(triple: Mapping[str, Any], folder: Path) -> Plan:
    live = {HOST: observed(triple.get("live") or {}, folder)}
    desired = compiled(triple["topology"], folder, live)
    plan = make_plan(desired.topology, desired.resources, live, desired.moved)
    # Planning twice gives the same bytes.
    again = compiled(triple["topology"], folder, live)
    assert plan_to_json(plan) == plan_to_json(make_plan(again.topology, again.resources, live, again.moved))
    return plan


def short(plan: Plan) -> dict[str, Any]:
    found: dict[str, Any] = {"plan": [in_short(change) for change in plan.changes]}
    if plan.problems:
        found["problems"] = [f"{item.address}: {item.message}" for item in plan.problems]
    return found


def in_short(change: Change) -> dict[str, Any]:
    """A change without what is the same in every plan, and without what is empty."""
    before_stages = {
        "change": f"{'+'.join(change.actions)} {change.id}",
        "because": change.reason_code,
        "differences": {item.path: [item.before, item.after] for item in change.differences},
        "replace_paths": list(change.replace_paths),
        "requires": [address.removeprefix(f"{HOST}/") for address in change.requires],
        "disturbs": {item.container: item.how for item in change.disturbs},
        "stage": change.stage,
    }
    return {key: value for key, value in before_stages.items() if value not in ([], {})}


@pytest.mark.parametrize("path", TRIPLES, ids=lambda path: path.stem)
def test_the_plan_is_as_written(path: Path, tmp_path: Path) -> None:
    text = path.read_text()
    triple = yaml.safe_load(text)
    found = short(planned(triple, tmp_path))
    if os.environ.get("NETCOMPOSE_WRITE_TRIPLES"):
        kept = text.partition("\nplan:")[0].rstrip()
        written = yaml.safe_dump(found, sort_keys=False, width=118, default_flow_style=None)
        path.write_text(f"{kept}\n{written}")
        return
    assert found == {key: triple[key] for key in ("plan", "problems") if key in triple}


def test_there_are_triples() -> None:
    assert len(TRIPLES) >= 12
