"""Resources as plain data and back: nothing is lost, defaults are left out where nobody reads them, and what does not
fit is told as the constructor would."""

from __future__ import annotations

import dataclasses
import json
import pickle
import random
import typing
from collections.abc import Iterator
from typing import Any

import pytest
from counting import calls

from netcompose.agent.protocol import observation_from_data, observation_to_data
from netcompose.planner.plan import Disturbance, PlanProblem
from netcompose.resources import (
    KINDS,
    ContainerState,
    End,
    EngineFacts,
    EngineNetwork,
    ExecTarget,
    File,
    HostFacts,
    Listener,
    Namespace,
    Observation,
    Process,
    Resource,
    Route,
    Veth,
    from_data,
    resource_of,
    to_brief_data,
    to_data,
)

CLASSES: list[Any] = [
    *KINDS.values(),
    *(ContainerState, EngineNetwork, ExecTarget, HostFacts, Listener, Disturbance, PlanProblem),
]


def some(kind: Any, draw: random.Random) -> Any:
    """A value of an annotated type: often what is a default somewhere, else anything."""
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Union:
        return some(next(arg for arg in args if arg is not type(None)), draw) if draw.random() < 0.5 else None
    if origin is tuple and args[1:] == (...,):
        return tuple(some(args[0], draw) for _ in range(draw.randrange(3)))
    if origin is tuple:
        return tuple(some(arg, draw) for arg in args)
    if origin is not None:
        return {key: some(args[1], draw) for key in sorted(draw.sample("abcd", draw.randrange(3)))}
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        default = {f.name: f for f in dataclasses.fields(kind) if not needed(f)}
        given = [name for name in hints if name in {f.name for f in dataclasses.fields(kind)}]
        return kind(**{name: some(hints[name], draw) for name in given if name not in default or draw.random() < 0.5})
    choices: dict[Any, tuple[Any, ...]] = {
        str: ("", "no", "/", "local", "SIGTERM", "ü\n"),
        int: (0, 1, 1500, 1 << 40, -1),
        bool: (True, False),
        float: (0.0, 10.0, 0.5),
    }
    return draw.choice(choices[kind])


def needed(field: Any) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def values(each: int = 40) -> Iterator[Any]:
    draw = random.Random(5)
    for cls in CLASSES:
        for _ in range(each):
            yield some(cls, draw)


def test_everything_comes_back_as_it_was() -> None:
    for value in values():
        for way in (to_data, to_brief_data):
            back = from_data(type(value), json.loads(json.dumps(way(value))))
            # repr tells more than equality, which leaves out what is observed, and 1 from True.
            assert repr(back) == repr(value) and back == value, way


def test_all_of_it_is_told_unless_it_is_asked_for_briefly() -> None:
    short = 0
    for value in values():
        whole, brief = to_data(value), to_brief_data(value)
        assert list(whole) == [field.name for field in dataclasses.fields(value)]
        for field in dataclasses.fields(value):
            default = field.default_factory() if callable(field.default_factory) else field.default
            item = getattr(value, field.name)
            if field.name not in brief:
                assert repr(item) == repr(default)
                short += 1
            else:
                assert needed(field) or item != default or dataclasses.is_dataclass(item), (type(value), field.name)
    assert short > 1000
    # The same bytes, whatever the order in which a mapping was filled.
    sysctls = {"net.b": "1", "net.a": "2"}
    for way in (to_data, to_brief_data):
        assert list(way(Namespace("n", "c", "t", sysctls=sysctls))["sysctls"]) == ["net.a", "net.b"]


def test_a_part_is_told_whose_observed_attributes_alone_are_not_the_default() -> None:
    @dataclasses.dataclass(frozen=True)
    class Whole:
        part: End = dataclasses.field(default_factory=lambda: End(namespace="", name="a", mac=""))

    seen = Whole(End(namespace="", name="a", mac="", ifindex=7))
    assert seen == Whole() and to_brief_data(seen)["part"]["ifindex"] == 7


def test_what_is_read_is_an_instance_like_any_other() -> None:
    for value in values(5):
        back = from_data(type(value), to_data(value))
        assert vars(back) == vars(value) and pickle.loads(pickle.dumps(back)) == value
        first = dataclasses.fields(value)[0].name
        assert dataclasses.replace(back, **{first: "x"}) == dataclasses.replace(value, **{first: "x"})
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(back, first, "x")
    assert hash(from_data(Route, {"to": "::/0"})) == hash(Route("::/0"))
    # What is made for each is not shared.
    one, other = (from_data(Namespace, {"id": "n", "container": "c", "netns": "t"}) for _ in range(2))
    assert one.sysctls is not other.sysctls


def test_data_is_read_whatever_the_order_and_left_alone() -> None:
    end = End(namespace="c1", name="eth0", mac="02:00:00:00:00:01", routes=(Route("0.0.0.0/0", "10.0.0.1", 5),))
    data = dict(reversed(to_data(Veth(id="v", end=end, peer=end)).items()))
    before = json.dumps(data)
    assert from_data(Veth, data) == Veth(id="v", end=end, peer=end) and json.dumps(data) == before
    # A number is a number.
    process = from_data(Process, {"id": "p", "container": "c", "command": [], "stop_grace_period": 3})
    assert repr(process.stop_grace_period) == "3.0"


@pytest.mark.parametrize(
    ("cls", "data", "words"),
    [
        (File, {"id": "f", "container": "c", "path": 7, "content": ""}, "str was expected, not 7"),
        (File, {"id": "f", "container": None, "path": "", "content": ""}, "str was expected, not None"),
        (File, {"id": "f", "container": "c", "path": "", "content": "", "owner": ""}, "unknown attribute 'owner'"),
        (File, {"id": "f", "container": "c", "path": ""}, "missing 1 required positional argument: 'content'"),
        (File, {"container": "c", "path": "", "content": ""}, "missing 1 required positional argument: 'id'"),
        (File, ["f"], "a mapping was expected, not \\['f'\\]"),
        (Route, {"to": "::/0", "metric": True}, "int was expected, not True"),
        (Route, {"to": "::/0", "metric": 1.0}, "int was expected, not 1.0"),
        (Namespace, {"id": "n", "container": "c", "netns": "t", "loopback_up": 1}, "bool was expected, not 1"),
        (Namespace, {"id": "n", "container": "c", "netns": "t", "sysctls": ["a"]}, "a mapping was expected, not"),
        (Namespace, {"id": "n", "container": "c", "netns": "t", "sysctls": {"a": 1}}, "str was expected, not 1"),
        (Process, {"id": "p", "container": "c", "command": "true"}, "a list was expected, not 'true'"),
        (Process, {"id": "p", "container": "c", "command": ["a", 1]}, "str was expected, not 1"),
        (
            Process,
            {"id": "p", "container": "c", "command": [], "stop_grace_period": "1"},
            "float was expected, not '1'",
        ),
        (Veth, {"id": "v", "end": {"name": 1}, "peer": None}, "str was expected, not 1"),
        (HostFacts, {"routes": [["10.0.0.0/8", 5]]}, "str was expected, not 5"),
        (HostFacts, {"engine": "docker"}, "a mapping was expected, not 'docker'"),
    ],
)
def test_what_does_not_fit_is_refused(cls: Any, data: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        from_data(cls, data)


def test_an_observation_travels_without_its_defaults() -> None:
    resources: list[Resource] = [value for value in values(20) if isinstance(value, Resource)]
    by_id = {f"{number}": dataclasses.replace(item, id=f"{number}") for number, item in enumerate(resources)}
    facts = HostFacts(hostname="lab1", engine=EngineFacts(runtime="docker"))
    seen = Observation(by_id, {"netdev:/eth9": "somebody's"}, facts)
    data = json.loads(json.dumps(observation_to_data(seen)))
    back = observation_from_data(data)
    assert repr(back) == repr(seen) and list(back.resources) == list(by_id)
    assert data["facts"] == {"hostname": "lab1", "engine": {"runtime": "docker"}}
    assert observation_to_data(Observation()) == {"resources": [], "foreign": {}, "facts": {"engine": {}}}


def test_what_is_no_observation_is_refused() -> None:
    data = observation_to_data(Observation({"f": File("f", "c", "/x", "")}))
    with pytest.raises(ValueError, match="an observation is incomplete: 'facts'"):
        observation_from_data({key: value for key, value in data.items() if key != "facts"})
    for resources, words in (
        ([["tape", {}]], "unknown kind of resource 'tape'"),
        ([["file", {"id": "f"}]], "missing 3 required positional arguments"),
        ([["file", None]], "a mapping was expected, not None"),
        ([None], "an observation is incomplete"),
    ):
        with pytest.raises(ValueError, match=words):
            observation_from_data({**data, "resources": resources})
    with pytest.raises(ValueError, match="unknown kind of resource None"):
        resource_of(None, {})


def test_what_it_costs_does_not_grow_with_what_is_left_out() -> None:
    """Both ends do this for every resource of every host, and the controller for all hosts one after the other."""
    end = End(namespace="c1", name="eth0", mac="02:00:00:00:00:01", addresses=("10.0.0.2/24",), ifindex=7)
    one = {"v": Veth("v", end, end), "f": File("f", "c1", "/etc/x", "text"), "n": Namespace("n", "c1", "lab-c1")}
    many = {f"{id}{number}": dataclasses.replace(item, id=id) for number in range(100) for id, item in one.items()}
    seen = Observation(many)
    data = observation_to_data(seen)
    observation_from_data(data)
    writing, reading = calls(lambda: observation_to_data(seen)), calls(lambda: observation_from_data(data))
    # A veth pair alone has 27 attributes.
    assert writing < 7 * len(many) and reading < 18 * len(many), (writing, reading)
