"""Impairments in plans, pictures and `inspect`: what is set, and nothing of what is not."""

from __future__ import annotations

import dataclasses
import json

from plan_samples import by_id, interface, namespace, plan

from netcompose.resources import Impairment, Veth
from netcompose.topology.load import load
from netcompose.views.graph import dot, mermaid
from netcompose.views.inspect import inspect_json, inspect_objects, inspect_text
from netcompose.views.plan_json import plan_to_json
from netcompose.views.plan_markdown import plan_markdown
from netcompose.views.plan_text import plan_text

LATE = Impairment("netem", delay="10ms", loss="0.1%", limit="1000 packets")
SLOW = Impairment("tbf", rate="10mbit", burst="12500b", limit="75000b")


def impaired(end: Impairment | None, peer: Impairment | None = None) -> dict:
    plain = interface("web1", 1)
    parts = {
        "end": dataclasses.replace(plain.end, impairment=end),
        "peer": dataclasses.replace(plain.peer, impairment=peer),
    }
    return by_id(dataclasses.replace(plain, **parts), namespace("web1"))


def test_a_new_interface_says_its_impairments() -> None:
    text = plan_text(plan(impaired(LATE, SLOW), by_id(namespace("web1"))))
    assert "impairment qdisc netem, delay 10ms, loss 0.1%, limit 1000 packets\n" in text
    assert "impairment qdisc tbf, rate 10mbit, burst 12500b, limit 75000b\n" in text
    assert "unset" not in text and "corrupt" not in text


def test_a_change_is_told_attribute_by_attribute() -> None:
    later = dataclasses.replace(LATE, delay="20ms", loss=None, extras=None)
    odd = dataclasses.replace(LATE, extras="slot")
    made = plan(impaired(later, None), impaired(odd, SLOW))
    for text in (plan_text(made), plan_markdown(made)):
        for line in (
            "end.impairment.delay: 10ms -> 20ms",
            "end.impairment.loss: 0.1% -> (unset)",
            "end.impairment.extras: slot -> (unset)",
            "peer.impairment.rate: 10mbit -> (unset)",
        ):
            assert line in text
        assert "end.impairment.limit" not in text
    (change,) = json.loads(plan_to_json(made))["changes"]
    assert change["before"]["end"]["impairment"]["delay"] == "10ms"
    assert change["after"]["peer"]["impairment"] is None


def test_inspect_shows_what_is_set() -> None:
    live = impaired(LATE, SLOW)
    assert isinstance(live["interface/web1.eth0"], Veth)
    objects = inspect_objects("local", live, [])
    (web1,) = (item for item in json.loads(inspect_json(objects)) if item["name"] == "web1")
    (shown,) = web1["networks"].values()
    assert shown["impairment"] == {"qdisc": "netem", "delay": "10ms", "loss": "0.1%", "limit": "1000 packets"}
    assert shown["ingress"] == {"qdisc": "tbf", "rate": "10mbit", "burst": "12500b", "limit": "75000b"}
    assert "10ms" in inspect_text(objects)
    assert "impairment" not in inspect_json(inspect_objects("local", impaired(None), []))


def test_pictures_have_them_on_the_edges(tmp_path) -> None:
    file = tmp_path / "topology.yaml"
    file.write_text(
        "name: t\nnetworks: {n: {}}\n"
        "containers: {a: {}, b: {}, c: {networks: {n: {impairment: [{rate: 1mbit}, {loss: 2%, limit: 7, delay: 1s}]}}}}\n"
        "links:\n  - {endpoints: ['a:x', 'b:x'], impairment: [{delay: 10ms, jitter: 1ms}, null]}\n"
    )
    topology = load(str(file))
    assert "x (delay 10ms, jitter 1ms)<br/>x" in mermaid(topology)
    assert "(rate 1mbit) (arriving: delay 1s, loss 2%)" in mermaid(topology)
    assert 'label="x (delay 10ms, jitter 1ms)\\nx"' in dot(topology)
