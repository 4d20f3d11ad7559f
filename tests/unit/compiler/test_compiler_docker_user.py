"""What the compiler wants in Docker's packet filter, and how a filter table is read."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from compiler_world import HOST, container, fresh, network, topology

from netcompose.agent.kernel.iptables import effective
from netcompose.agent.kinds.docker_user import DockerUserKind
from netcompose.compiler.compile import Desired, compile_topology
from netcompose.resources import DockerUser
from netcompose.resources.names import group

OLD = ("DOCKER", "DOCKER-ISOLATION-STAGE-1", "DOCKER-ISOLATION-STAGE-2", "DOCKER-USER")
NEW = ("DOCKER", "DOCKER-BRIDGE", "DOCKER-CT", "DOCKER-FORWARD", "DOCKER-USER")


def wanted(*things, docker_chains) -> Desired:
    return compile_topology(topology(*things), fresh(docker_chains=docker_chains))


def rules(desired: Desired) -> dict[str, tuple[str, ...]]:
    found = desired.resources[HOST]["docker-user/campus"]
    assert isinstance(found, DockerUser)
    return dict(found.rules)


def test_without_docker_nothing_is_wanted():
    assert "docker-user/campus" not in wanted(network("a", "10.0.0.0/24"), docker_chains={}).resources[HOST]


def test_a_topology_without_a_bridge_needs_no_accept():
    assert "docker-user/campus" not in wanted(container("a"), docker_chains={"iptables": OLD}).resources[HOST]


def test_the_number_of_rules_does_not_grow_with_the_networks():
    one = wanted(network("a", "10.0.0.0/24"), docker_chains={"iptables": OLD})
    many = wanted(*[network(f"n{i}", f"10.0.{i}.0/24") for i in range(50)], docker_chains={"iptables": OLD})
    assert rules(one) == rules(many)


def test_what_leaves_for_dockers_networks_is_left_to_dockers_chains():
    number = f"{group('campus'):#x}"
    expected = (
        f"-m devgroup --dst-group {number} -j ACCEPT",
        f"-m devgroup --src-group {number} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
        f"-m devgroup --src-group {number} -j DOCKER",
        f"-m devgroup --src-group {number} -j DOCKER-ISOLATION-STAGE-2",
        f"-m devgroup --src-group {number} -j ACCEPT",
    )
    assert rules(wanted(network("a", "10.0.0.0/24"), docker_chains={"iptables": OLD})) == {
        "iptables DOCKER-USER": expected
    }
    later = rules(wanted(network("a", "10.0.0.0/24"), docker_chains={"iptables": NEW}))
    assert later == {"iptables DOCKER-USER": (*expected[:3], expected[4])}


def test_a_family_without_docker_user_has_them_in_forward():
    found = rules(wanted(network("a", "10.0.0.0/24"), docker_chains={"iptables": OLD, "ip6tables": OLD[:3]}))
    assert set(found) == {"iptables DOCKER-USER", "ip6tables FORWARD"}


def test_they_come_after_the_table_that_decides_and_go_before_it():
    desired = wanted(network("a", "10.0.0.0/24"), docker_chains={"iptables": OLD})
    (requirement,) = desired.resources[HOST]["docker-user/campus"].requires()
    assert requirement.id == "firewall/campus"
    assert requirement.id in desired.resources[HOST]


RETURN = ("-j", "RETURN")
OTHERS = ("-s", "192.0.2.0/24", "-j", "DROP")


def mine(*words: str, topology: str = "campus") -> tuple[str, ...]:
    return (*words, "-m", "comment", "--comment", f"netcompose:{topology}", "-j", "ACCEPT")


@pytest.mark.parametrize(
    ("chain", "expected"),
    [
        ((mine("-i", "x"), RETURN), ("-i x -j ACCEPT",)),
        ((OTHERS, mine("-i", "x"), mine("-o", "x")), ("-i x -j ACCEPT", "-o x -j ACCEPT")),
        ((mine("-i", "x"), RETURN, mine("-o", "x")), ("-i x -j ACCEPT", "")),
        ((mine("-i", "x", topology="campus2"), OTHERS), None),
    ],
    ids=["in-place", "after-others", "behind-a-return", "of-another-topology"],
)
def test_only_marked_rules_are_ours_and_only_those_that_packets_meet_count(chain, expected):
    snapshot = SimpleNamespace(topology="campus", docker={"iptables": {"DOCKER": (), "DOCKER-USER": chain}})
    found: dict[str, DockerUser] = {}
    DockerUserKind().observe(snapshot, found, {})
    texts = {id: resource.rules for id, resource in found.items()}
    assert texts == ({} if expected is None else {"docker-user/campus": {"iptables DOCKER-USER": expected}})


def test_nothing_counts_after_a_return():
    assert list(effective([OTHERS, RETURN, OTHERS])) == [OTHERS]
    assert list(effective([OTHERS])) == [OTHERS]
