import dataclasses
import json
from collections.abc import Callable
from typing import Any

import pytest
from plan_samples import by_id, changed, demo, interface, many, plan, process, rebuilt

from netcompose.catalog import schema_text
from netcompose.errors import StalePlan, UsageError
from netcompose.planner.plan import Plan
from netcompose.resources import KINDS, Container, Process, Resource, attributes
from netcompose.views import plan_json
from netcompose.views.plan_json import plan_from_json, plan_to_data, plan_to_json
from netcompose.views.secrets import MARKER, is_marker, marker, masked, redact, restore_secrets, secret_values

PLANS = {
    "everything": changed,
    "rebuilt": rebuilt,
    "fresh": lambda: plan(demo()),
    "down": lambda: plan({}, demo()),
    "empty": lambda: plan(demo(), demo()),
    "refused": lambda: plan(demo(), foreign={"netdev:/ncb0": "somebody else's"}),
}


@pytest.fixture(params=PLANS)
def made(request: pytest.FixtureRequest) -> Plan:
    return PLANS[request.param]()


def test_a_plan_comes_back_as_it_went(made: Plan) -> None:
    assert plan_from_json(plan_to_json(made)) == redact(made)


def test_the_same_plan_gives_the_same_bytes(made: Plan) -> None:
    text = plan_to_json(made)
    assert plan_to_json(made) == text
    assert plan_to_json(plan_from_json(text)).count(MARKER) == text.count(MARKER)
    assert text.endswith("}\n")
    assert text == json.dumps(json.loads(text), indent=2, sort_keys=True) + "\n"


def test_plans_satisfy_their_schema(made: Plan) -> None:
    from jsonschema import Draft202012Validator

    schema = json.loads(schema_text("plan"))
    Draft202012Validator.check_schema(schema)
    assert [error.message for error in Draft202012Validator(schema).iter_errors(plan_to_data(made))] == []


def test_every_key_of_a_plan_is_in_its_schema() -> None:
    schema = json.loads(schema_text("plan"))
    data = plan_to_data(changed())
    assert set(data) == set(schema["properties"])
    described = schema["$defs"]["change"]["properties"]
    assert {key for change in data["changes"] for key in change} == set(described)
    inner = {key: set(described[key]["items"]["properties"]) for key in ("differences", "disturbs")}
    for change in data["changes"]:
        assert all(set(item) == inner[key] for key in inner for item in change[key])

    def undescribed(part: Any) -> bool:
        properties = part.get("properties", {})
        return any("description" not in p and "$ref" not in p for p in properties.values())

    assert not any(map(undescribed, [schema, described["differences"]["items"], *schema["$defs"].values()]))


def test_the_names_are_those_of_the_design() -> None:
    data = plan_to_data(changed())
    assert data["format_version"] == "1.0"
    assert data["summary"] == {"create": 2, "update": 3, "replace": 1, "delete": 3}
    (change,) = (c for c in data["changes"] if c["address"] == "local/interface/web1.eth0")
    assert change["actions"] == ["update"]
    assert change["before"]["end"]["mtu"] == 1500
    assert change["after"]["end"]["mtu"] == 9000
    assert [c["stage"] for c in data["changes"]] == sorted(c["stage"] for c in data["changes"])


def test_no_secret_is_in_the_file(made: Plan) -> None:
    text = plan_to_json(made)
    assert not [secret for secret in ("hunter2", "t0psecret") if secret in text]


def edited(change: Callable[[dict[str, Any]], None], *, sealed: bool = True) -> str:
    """The text of a plan that somebody edited; ``sealed`` with a digest that fits again."""
    data = plan_to_data(changed())
    change(data)
    if sealed:
        data["digest"] = plan_json._digest({k: v for k, v in data.items() if k != "digest"})
    return json.dumps(data)


def first(data: dict[str, Any]) -> dict[str, Any]:
    item: dict[str, Any] = data["changes"][0]
    return item


def of_process(data: dict[str, Any]) -> dict[str, Any]:
    (item,) = (c for c in data["changes"] if c["kind"] == "process")
    result: dict[str, Any] = item
    return result


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "plan.json:1:1: not a plan: "),
        ("{\n  oops", "plan.json:2:3: not a plan: "),
        (b'{"a": "\xff"}', "plan.json: not a plan: it is not readable as JSON"),
        ("[" * 100_000, "plan.json: not a plan"),
        ("[]", "no `format_version`"),
        ('{"format_version": 1}', "no `format_version`"),
        ('{"format_version": "1.0"}', "no `format_version` and `changes`"),
        ('{"format_version": "2.0", "changes": []}', "a plan of format '2.0'; this netcompose reads 1.x"),
        ('{"format_version": "1.0", "changes": []}', "was changed after it was made"),
        (edited(lambda d: d["changes"].pop(), sealed=False), "was changed after it was made"),
        (edited(lambda d: d.update(topology=7)), "topology: a name was expected"),
        (edited(lambda d: d.update(changes={})), "changes: a list was expected"),
        (edited(lambda d: d["changes"].append(3)), "changes[9]: "),
        (edited(lambda d: first(d).pop("kind")), "changes[0]: "),
        (edited(lambda d: first(d)["after"].update(kind="router")), "unknown kind of resource 'router'"),
        (edited(lambda d: first(d)["after"].update(surprise=1)), "unknown attribute 'surprise'"),
        (edited(lambda d: of_process(d)["after"].update(environment=["A=1"])), "a mapping was expected, not ['A=1']"),
        (edited(lambda d: of_process(d)["after"].update(command="sleep")), "a list was expected, not 'sleep'"),
        (edited(lambda d: first(d).update(actions=["explode"])), "unknown actions ['explode']"),
        (edited(lambda d: first(d).update(actions=["create"])), "`before` and `after` do not fit"),
        (edited(lambda d: first(d).update(host="other")), "the address is not host and id"),
        (edited(lambda d: first(d)["after"].update(id="file/x/hosts")), "holds another object"),
        (edited(lambda d: d["changes"].append(d["changes"][0])), "is changed twice"),
        (edited(lambda d: d["summary"].update(delete=0)), "summary: does not count the changes"),
        (edited(lambda d: d["problems"].append("x")), "problems[0]: an object"),
        (edited(lambda d: of_process(d)["after"]["environment"].update(PASSWORD="clear")), "stands in the clear"),
        (edited(lambda d: of_process(d)["differences"][1].update(before=7)), "a secret has to be text"),
    ],
)  # fmt: skip
def test_what_is_no_plan_is_refused(text: str | bytes, message: str) -> None:
    with pytest.raises(UsageError) as refused:
        plan_from_json(text, name="plan.json")
    assert message in refused.value.message
    assert refused.value.message.startswith("plan.json")
    assert "netcompose plan --out" in refused.value.hint


def test_a_newer_minor_version_is_read() -> None:
    assert plan_from_json(edited(lambda d: d.update(format_version="1.7", invented=True))) == redact(changed())


def test_white_space_does_not_matter() -> None:
    assert plan_from_json(json.dumps(plan_to_data(changed()))) == redact(changed())


# Secrets


def wanted() -> dict[str, Resource]:
    """What the topology behind ``changed()`` compiles to, as far as secrets go."""
    environment = {"PASSWORD": "changed", "EXTRA": "1"}
    return {**demo(), **by_id(process("web1", environment=environment, command=("sleep", "1 day")))}


def test_secrets_come_back_from_the_topology() -> None:
    read = restore_secrets(plan_from_json(plan_to_json(changed())), {"local": wanted()})
    (change,) = (c for c in read.changes if c.kind == "process")
    (original,) = (c for c in changed().changes if c.kind == "process")
    assert change.after == original.after
    assert [d.after for d in change.differences] == [d.after for d in original.differences]
    assert all(is_marker(value) for value in secret_values(change.before).values())
    assert [c for c in read.changes if c.kind != "process"] == [c for c in changed().changes if c.kind != "process"]


@pytest.mark.parametrize(
    ("desired", "message"),
    [
        ({}, "leaves its secrets to the topology file, which does not have it"),
        (
            by_id(process("web1", environment={"PASSWORD": "other", "EXTRA": "1"})),
            "environment.PASSWORD is not what it",
        ),
        (by_id(process("web1", environment={"PASSWORD": "changed"})), "environment.EXTRA is not what it was"),
    ],
)
def test_another_secret_makes_the_plan_stale(desired: dict[str, Resource], message: str) -> None:
    with pytest.raises(StalePlan) as stale:
        restore_secrets(plan_from_json(plan_to_json(changed())), {"local": desired})
    assert stale.value.message.startswith("local/process/web1: ")
    assert message in stale.value.message
    assert stale.value.exit_status == 5


def test_a_plan_without_secrets_needs_no_topology() -> None:
    made = plan(many(3))
    assert restore_secrets(made, {}) == made
    removing = redact(plan({}, demo()))
    assert restore_secrets(removing, {}) == removing


def test_a_digest_is_bound_to_its_place() -> None:
    digests = {
        marker("a/x", "environment.P", "v"),
        marker("b/x", "environment.P", "v"),
        marker("a/x", "environment.Q", "v"),
    }
    assert len(digests) == 3
    assert all(map(is_marker, digests))
    assert not is_marker(MARKER + "00")
    assert not is_marker("hunter2")


def test_a_value_that_looks_like_a_digest_is_a_secret_all_the_same() -> None:
    false = marker("x", "y", "z")
    made = plan(by_id(process("web1", environment={"P": false})))
    assert false not in plan_to_json(made)


def test_masking_keeps_the_names_of_variables() -> None:
    shown = masked(process("web1"))
    assert isinstance(shown, Process)
    assert shown.environment == {"PASSWORD": "(secret)", "TOKEN": "(secret)"}
    assert masked(interface("web1", 1)) == interface("web1", 1)


def test_every_secret_attribute_can_hold_a_digest() -> None:
    kinds: dict[type, dict[str, Any]] = {cls: dict(attributes(cls)) for cls in KINDS.values()}
    secret = [(cls.__name__, name) for cls, declared in kinds.items() for name, item in declared.items() if item.secret]
    known = [("Process", "environment"), ("Container", "environment")]
    assert secret == known, "a new one: see that it is text, or made of text"
    for cls in (Process, Container):
        assert {f.name: f.type for f in dataclasses.fields(cls)}["environment"] == "Mapping[str, str]"
