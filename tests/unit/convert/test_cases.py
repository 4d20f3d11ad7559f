"""Files of other tools and what becomes of them, word for word: ``cases/NAME.compose.yml`` or ``NAME.clab.yml``, beside it
the topology in ``NAME.*.yaml`` and the findings in ``NAME.*.txt``; ``refusals/`` has what cannot be converted.

``NETCOMPOSE_WRITE_GOLDEN=1 pytest`` writes the texts anew; read the difference before committing it.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from netcompose.compiler.compile import compile_topology
from netcompose.convert.convert import convert
from netcompose.errors import TopologyError
from netcompose.resources import EngineFacts, HostFacts, Observation
from netcompose.topology.load import load_text
from netcompose.topology.sourcetext import read_file

HERE = Path(__file__).parent
CASES = sorted((HERE / "cases").glob("*.yml"))
REFUSALS = sorted((HERE / "refusals").glob("*.yml"))
VARIABLES = {"GIVEN": "value", "EMPTY": ""}


def golden(file: Path, text: str) -> None:
    if os.environ.get("NETCOMPOSE_WRITE_GOLDEN"):
        file.write_text(text)
    assert text == file.read_text()


@pytest.mark.parametrize("file", CASES, ids=lambda file: file.stem)
def test_case(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(file.parent)
    made = convert(read_file(file.name), variables=VARIABLES)
    assert made.format == ("compose" if ".compose." in file.name else "containerlab")
    golden(file.with_suffix(".txt"), "".join(f"{found.position}: {found.message}\n" for found in made.findings))
    golden(file.with_suffix(".yaml"), made.text)


@pytest.mark.parametrize("file", CASES, ids=lambda file: file.stem)
def test_every_result_is_valid_and_compiles(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("base.env", "more.env", "n1.env"):
        (tmp_path / name).write_text("A=1\n")
    topology = load_text(convert(read_file(str(file)), variables=VARIABLES).text)
    assert topology.containers
    images = {container.image: "sha256:00" for container in topology.containers.values()}
    engine = EngineFacts(runtime="docker", version="20.10.24", images=images)
    facts = HostFacts(
        interfaces=("lo", "eth1", "enp0s3"), engine=engine, interface_addresses={"eth1": ("10.99.0.1/24",)}
    )
    # What this version cannot do is said by the commands; what is made of the rest has its addresses and names.
    desired = compile_topology(topology, {host: Observation(facts=facts) for host in topology.hosts})
    # Networks of an engine are looked up on the host, which has none here.
    assert [problem for problem in desired.problems if "external" not in problem.path] == []
    assert any(desired.resources.values())


@pytest.mark.parametrize("file", REFUSALS, ids=lambda file: file.stem)
def test_refusal(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(file.parent)
    with pytest.raises(TopologyError) as caught:
        convert(read_file(file.name))
    golden(file.with_suffix(".txt"), "".join(f"{p.position}: {p.message} / {p.hint}\n" for p in caught.value.problems))


def test_every_text_has_its_file() -> None:
    for folder in ("cases", "refusals"):
        sources = {file.stem for file in (HERE / folder).glob("*.yml")}
        for suffix in (".txt", ".yaml") if folder == "cases" else (".txt",):
            assert {file.stem for file in (HERE / folder).glob(f"*{suffix}")} == sources
