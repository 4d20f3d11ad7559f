"""Files of hosts: the same mapping as in a topology, merged by name, with problems at their own place."""

from pathlib import Path

import pytest

from netcompose.errors import TopologyError
from netcompose.topology import inventory
from netcompose.topology.load import load

TOPOLOGY = """
hosts: {server4: {user: admin, port: 2222}, server5: {}}
containers: {a: {host: server4}, b: {host: server6}}
"""


def written(folder: Path, hosts: str) -> str:
    (folder / "topology.yaml").write_text(TOPOLOGY)
    (folder / "hosts.yaml").write_text(hosts)
    return str(folder / "hosts.yaml")


def test_hosts_are_added_and_merged_key_by_key(tmp_path: Path) -> None:
    file = written(tmp_path, "hosts: {server4: {address: 192.0.2.4, user: root}, server6: {address: 192.0.2.6}}\n")
    hosts = load(str(tmp_path / "topology.yaml"), hosts_file=file).hosts
    assert list(hosts) == ["server4", "server5", "server6"]
    four = hosts["server4"]
    assert (four.address, four.user, four.port) == ("192.0.2.4", "root", 2222)
    assert hosts["server5"].address == "server5" and hosts["server6"].address == "192.0.2.6"
    assert list(inventory.hosts(file)) == ["server4", "server6"]


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("hosts: {a: {adress: 192.0.2.1}}\n", "hosts.yaml:1:13", "adress"),
        ("hosts: {a: {connect_timeout: 0s}}\n", "hosts.yaml:1:30", "connect_timeout is 0"),
        ("server4: {address: 192.0.2.4}\n", "hosts.yaml:1:1", "no file of hosts"),
        ("hosts: {a: {}}\nnetworks: {}\n", "hosts.yaml:1:1", "no file of hosts"),
        ("[]\n", "hosts.yaml:1:1", "no file of hosts"),
    ],
)
def test_what_is_wrong_is_told_with_its_place_in_that_file(tmp_path: Path, text: str, place: str, words: str) -> None:
    file = written(tmp_path, text)
    with pytest.raises(TopologyError) as caught:
        load(str(tmp_path / "topology.yaml"), hosts_file=file)
    (problem,) = caught.value.problems
    with pytest.raises(TopologyError) as alone:
        inventory.hosts(file)
    assert str(alone.value.problems[0].position).endswith(place)
    assert str(problem.position).endswith(place) and words in problem.message and problem.hint
