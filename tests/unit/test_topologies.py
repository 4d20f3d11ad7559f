"""The ready-made topologies and the starter file: they load, they compile, and everybody reaches everybody."""

import re
from pathlib import Path

import pytest

from netcompose import catalog
from netcompose.compiler.compile import Desired, compile_topology
from netcompose.compiler.reachability import promised
from netcompose.errors import UsageError
from netcompose.topology.load import load_text
from netcompose.topology.model import Topology

#: Name, variables, containers, links, networks. The smallest, the default, and an odd size of each.
SIZES = [
    ("campus", {"buildings": "1", "lans_per_building": "1", "pcs_per_lan": "1", "servers": "0"}, 4, 3, 2),
    ("campus", {}, 13, 5, 5),
    ("campus", {"buildings": "3", "lans_per_building": "1", "pcs_per_lan": "3", "servers": "2"}, 16, 7, 4),
    ("full-mesh", {"routers": "2"}, 4, 3, 0),
    ("full-mesh", {}, 8, 10, 0),
    ("full-mesh", {"routers": "7"}, 14, 28, 0),
    ("hub-and-spoke", {"spokes": "1", "hosts_per_spoke": "0"}, 2, 1, 0),
    ("hub-and-spoke", {}, 10, 9, 0),
    ("hub-and-spoke", {"spokes": "5", "hosts_per_spoke": "3"}, 21, 20, 0),
    ("leaf-spine", {"spines": "1", "leaves": "1", "hosts_per_leaf": "1"}, 3, 2, 0),
    ("leaf-spine", {}, 14, 16, 0),
    ("leaf-spine", {"spines": "3", "leaves": "5", "hosts_per_leaf": "1"}, 13, 20, 0),
    ("ring", {"routers": "3"}, 6, 6, 0),
    ("ring", {}, 8, 8, 0),
    ("ring", {"routers": "9"}, 18, 18, 0),
]


def loaded(name: str, variables: dict[str, str]) -> tuple[Topology, Desired]:
    topology = load_text(catalog.read(name), file=f"{name}/topology.yaml", variables=variables)
    return topology, compile_topology(topology, {})


def test_every_ready_made_topology_is_tested_at_two_sizes_or_more() -> None:
    assert catalog.names() == ["campus", "full-mesh", "hub-and-spoke", "leaf-spine", "ring"]
    sizes = [name for name, *_ in SIZES]
    assert all(sizes.count(name) >= 2 for name in catalog.names())


@pytest.mark.parametrize(("name", "variables", "containers", "links", "networks"), SIZES)
def test_everybody_reaches_everybody(
    name: str, variables: dict[str, str], containers: int, links: int, networks: int
) -> None:
    topology, desired = loaded(name, variables)
    assert desired.problems == ()
    assert (len(topology.containers), len(topology.links), len(topology.networks)) == (containers, links, networks)
    (host,) = desired.resources.values()
    promises = promised(host)
    assert {(p.source, p.target) for p in promises} == {
        (a, b) for a in topology.containers for b in topology.containers if a != b
    }
    assert {p.family for p in promises} == {4, 6}
    assert [(p.source, p.target, p.address) for p in promises if not p.reaches] == []


def test_the_simulation_would_see_a_missing_route() -> None:
    """The test above can fail: without one spine's routes to the first leaf, some do not reach each other."""
    text = catalog.read("leaf-spine")
    broken = text.replace("- {to: 10.{{ 100 + l }}.0.0/16,", "- {to: 10.200.{{ l }}.0/24,")
    assert broken != text
    (host,) = compile_topology(load_text(broken, file="x"), {}).resources.values()
    assert any(not p.reaches for p in promised(host))


@pytest.mark.parametrize("name", catalog.names())
def test_parameters_are_documented_and_used(name: str) -> None:
    text = catalog.read(name)
    found = catalog.parameters(name)
    assert found
    readme = (Path(catalog.__file__).parents[2] / "topologies" / name / "README.md").read_text()
    for parameter in found:
        assert parameter.default.isdigit()
        assert re.search(r"\d+ to \d+", parameter.description), "the range that was tried"
        assert f"`{parameter.name}` ({parameter.default})" in readme
        assert re.search(r"\{[{%][^}]*\b" + parameter.name + r"\b", text)


@pytest.mark.parametrize("name", catalog.names())
def test_the_readme_is_short_and_has_a_picture(name: str) -> None:
    readme = (Path(catalog.__file__).parents[2] / "topologies" / name / "README.md").read_text()
    prose = re.sub(r"```mermaid\n.*?```", "", readme, flags=re.DOTALL)
    assert prose != readme
    assert len([line for line in prose.splitlines() if line]) <= 10
    assert f"netcompose init {name}" in prose


@pytest.mark.parametrize(("name", "variables"), [("ring", {"routers": "30"}), ("campus", {"buildings": "20"})])
def test_interface_names_fit_the_kernel_at_larger_sizes(name: str, variables: dict[str, str]) -> None:
    topology, desired = loaded(name, variables)
    assert desired.problems == ()
    ends = [end.interface for link in topology.links for end in (link.a, link.b)]
    assert max(map(len, ends)) <= 15


def test_the_starter_is_two_containers_that_reach_each_other_by_name() -> None:
    topology = load_text(catalog.starter(), file="topology.yaml")
    desired = compile_topology(topology, {})
    assert desired.problems == ()
    assert list(topology.networks) == ["mynet1"]
    assert list(topology.containers) == ["web1", "web2"]
    assert topology.containers["web1"].command == ("python3", "-m", "http.server", "80")
    promises = promised(next(iter(desired.resources.values())))
    assert [(p.source, p.name, p.reaches) for p in promises] == [("web1", "web2", True), ("web2", "web1", True)]


def test_the_starter_names_commands_that_exist() -> None:
    known = {"validate", "rehearse", "plan", "apply", "up", "down", "ps", "exec", "logs", "inspect", "graph", "init"}
    named = re.findall(r"netcompose ([a-z]+)", catalog.starter())
    assert named
    assert set(named) <= known


def test_an_unknown_name_is_refused_with_a_hint() -> None:
    with pytest.raises(UsageError) as refused:
        catalog.read("leafspine")
    assert refused.value.hint == "did you mean 'leaf-spine'?"
    with pytest.raises(UsageError) as refused:
        catalog.read("../topologies/ring")
    assert "campus, full-mesh" in refused.value.hint or "did you mean" in refused.value.hint


def test_schemas_are_found_by_word() -> None:
    assert '"title": "netcompose plan, version 1"' in catalog.schema_text("plan")
    assert '"title": "netcompose topology, version 1"' in catalog.schema_text("topology")
    for word in ("state", "", "*", "../schemas/plan"):
        with pytest.raises(UsageError) as refused:
            catalog.schema_text(word)
        assert refused.value.hint == "one of: plan, topology"


def test_an_installed_package_reads_its_own_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "data" / "topologies" / "star"
    folder.mkdir(parents=True)
    (folder / "topology.yaml").write_text(
        "# A star.\n# Of few.\n\nvars:\n  arms: 3  # arms, 1 to 9\n\ncontainers: {}\n"
    )
    (tmp_path / "data" / "topologies" / "__pycache__").mkdir()
    monkeypatch.setattr(catalog, "_PACKAGE", tmp_path)
    assert catalog.names() == ["star"]
    assert catalog.parameters("star") == [catalog.Parameter("arms", "3", "arms, 1 to 9")]
