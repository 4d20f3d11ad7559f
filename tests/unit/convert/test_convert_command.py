"""``netcompose convert`` as it is called: what goes where, and nothing but words for a wrong file."""

from __future__ import annotations

import copy
import json
import random
from pathlib import Path
from typing import Any

import pytest

from netcompose.cli.main import main
from netcompose.convert.convert import convert
from netcompose.errors import TopologyError
from netcompose.topology.load import load, load_text
from netcompose.topology.sourcetext import SourceText, read_file
from netcompose.topology.yamltree import Document

CASES = sorted((Path(__file__).parent / "cases").glob("*.yml"))
COMPOSE = """
services:
  web:
    image: nginx:${TAG:-1}
    build: .
    volumes: ["./html:/html", "data:/data"]
    env_file: web.env
"""


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "docker-compose.yml"
    file.write_text(COMPOSE)
    (tmp_path / "web.env").write_text("FROM_FILE=1\n")
    return file


def test_the_topology_is_printed_and_what_is_left_is_told(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["convert", "docker-compose.yml"]) == 0
    out, err = capsys.readouterr()
    assert load_text(out).containers["web"].image == "nginx:1"
    assert "docker-compose.yml:5:5: left out: build: " in err
    assert err.endswith("docker-compose.yml (Compose) converted: 2 things to look at.\n")


def test_a_file_is_written_once(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["convert", "docker-compose.yml", "--out", "topology.yaml"]) == 0
    assert load("topology.yaml").containers["web"]
    assert "Next: netcompose validate -f topology.yaml" in capsys.readouterr().err
    before = Path("topology.yaml").read_text()
    assert main(["convert", "docker-compose.yml", "--out", "topology.yaml", "--var", "TAG=2"]) == 1
    assert "topology.yaml is there already" in capsys.readouterr().err
    assert Path("topology.yaml").read_text() == before
    assert main(["convert", "docker-compose.yml", "--out", "no/where.yaml"]) == 1


def test_paths_lead_to_the_sources_folder(source: Path) -> None:
    Path("deep/er").mkdir(parents=True)
    assert main(["convert", "docker-compose.yml", "--out", "deep/er/topology.yaml"]) == 0
    web = load("deep/er/topology.yaml").containers["web"]
    assert web.engine["volumes"] == ["../../html:/html", "data:/data"]
    assert web.environment["FROM_FILE"] == "1"


def test_values_come_from_the_command_line_then_the_file_beside_it_and_never_the_shell(
    source: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAG", "shell")
    for env, options, image in ((None, [], "1"), ("2", [], "2"), ("2", ["--var", "TAG=3"], "3")):
        if env:
            Path(".env").write_text(f"TAG={env}\n")
        assert main(["convert", "docker-compose.yml", *options]) == 0
        assert load_text(capsys.readouterr().out).containers["web"].image == f"nginx:{image}"


def test_json_has_the_topology_and_the_findings(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["convert", "docker-compose.yml", "--output", "json"]) == 0
    out, err = capsys.readouterr()
    data = json.loads(out)
    assert data["format"] == "compose" and load_text(data["topology"]).containers
    assert [(finding["line"], finding["file"]) for finding in data["findings"]] == [
        (4, "docker-compose.yml"), (5, "docker-compose.yml"),
    ]  # fmt: skip
    assert err == ""


def test_a_second_interface_on_one_segment_is_left_out_and_nothing_else_said(tmp_path: Path) -> None:
    links = "".join(f"    - endpoints: ['n:eth{number}', 'macvlan:enp0s3']\n" for number in (1, 2))
    text = f"name: twice\ntopology:\n  nodes: {{n: {{kind: linux, image: x}}}}\n  links:\n{links}"
    made = convert(SourceText("lab.clab.yml", text))
    assert [(found.position and found.position.line, found.message) for found in made.findings] == [
        (5, "link n:eth1 - macvlan:enp0s3: written as a network; give it the segment's subnet"),
        (6, "left out: link n:eth2 - macvlan:enp0s3: a container is on a network once"),
    ]
    (on,) = [item for item in load_text(made.text).containers["n"].networks if item.network != "mgmt"]
    assert (on.network, on.interface_name) == ("macvlan-enp0s3", "eth1")


@pytest.mark.parametrize(("replicas", "ports"), [(1, [[8000, 8001]]), (2, [[8000], [8001]]), (3, [[], [], []])])
def test_a_range_is_shared_by_as_many_containers_as_it_has_ports(replicas: int, ports: list[list[int]]) -> None:
    inside = "80-81" if replicas == 1 else "80"
    spec = f"{{image: x, ports: ['8000-8001:{inside}'], deploy: {{replicas: {replicas}}}}}"
    topology = load_text(convert(SourceText("compose.yml", f"services: {{a: {spec}}}\n")).text)
    assert [[port.host_port for port in container.ports] for container in topology.containers.values()] == ports


def test_profiles_are_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "compose.yml"
    file.write_text("services: {a: {image: x}, b: {image: x, profiles: [debug]}, c: {image: x, profiles: [p, q]}}")
    for options, names in (
        ([], "a"),
        (["--profile", "debug"], "ab"),
        (["--profile", "q", "--profile", "debug"], "abc"),
    ):
        assert main(["convert", str(file), *options]) == 0
        assert "".join(load_text(capsys.readouterr().out).containers) == names


def test_the_format_can_be_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "both.yml"
    file.write_text("services: {a: {image: x}}\ntopology: {nodes: {n: {image: x}}}\n")
    for options, name in (([], "a"), (["--from", "compose"], "a"), (["--from", "containerlab"], "n")):
        assert main(["convert", str(file), *options]) == 0
        assert list(load_text(capsys.readouterr().out).containers) == [name]


@pytest.mark.parametrize("argv", [["convert"], ["convert", "nowhere.yml"], ["convert", "x", "--from", "y"]])
def test_wrong_calls_are_told(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    try:
        status = main(argv)
    except SystemExit as end:
        status = int(end.code or 0)
    assert status == 1 and "error" in capsys.readouterr().err


def test_a_file_that_is_none_has_its_problems_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "x.yml"
    file.write_text("services: {web: 3}")
    assert main(["convert", str(file)]) == 3
    assert f"{file}:1:17: services.web must be a mapping" in capsys.readouterr().err


@pytest.mark.parametrize("file", CASES, ids=lambda file: file.stem)
def test_a_file_with_anything_anywhere_is_converted_or_refused(file: Path) -> None:
    """No place takes a value of a wrong sort for a defect of ours."""
    rng = random.Random(file.name)
    odd: list[Any] = [None, True, 0, -1, 1.5, "", "x", "a:b:c", "${", [], [None], [[1]], {}, {"x": None}, {"x": [1]}]
    original = Document(read_file(str(file))).value
    for _ in range(30):
        value = json.loads(json.dumps(original))
        for _ in range(rng.randint(1, 3)):
            place = rng.choice(list(_places(value)))
            place[0][place[1]] = copy.deepcopy(rng.choice(odd))
        text = json.dumps(value)
        try:
            made = convert(SourceText("f.yml", text))
        except TopologyError as error:
            assert error.problems
        else:
            assert made.text


def _places(value: Any) -> Any:
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in list(items):
        yield value, key
        if isinstance(item, dict | list):
            yield from _places(item)
