"""Rules in the chain that Docker leaves to others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Iterator, Mapping, MutableMapping

from netcompose.agent.kernel import iptables
from netcompose.agent.kernel.iptables import Rule
from netcompose.agent.operations import Call, Operation
from netcompose.agent.snapshot import Snapshot
from netcompose.resources import DockerUser, Resource
from netcompose.resources.names import MARK_PREFIX

if TYPE_CHECKING:
    from netcompose.agent.context import Context

_CHAINS = ("DOCKER-USER", "FORWARD")


class DockerUserKind:
    """See :class:`netcompose.resources.DockerUser`. The mark is the rule's comment."""

    kind = DockerUser.kind

    def observe(
        self, snapshot: Snapshot, found: MutableMapping[str, Resource], foreign: MutableMapping[str, str]
    ) -> None:
        """The topology's rules, with an empty text for each that packets do not meet."""
        mark = _mark(snapshot.topology)
        rules = {}
        for program, table in snapshot.docker.items():
            for chain in _CHAINS:
                all_rules = table.get(chain, ())
                met = iptables.effective(all_rules)
                texts = [_plain(rule, mark) if i < len(met) else "" for i, rule in enumerate(all_rules) if mark in rule]
                if texts:
                    rules["{} {}".format(program, chain)] = tuple(texts)
        if rules:
            id = "docker-user/" + snapshot.topology
            found[id] = DockerUser(id=id, rules=rules)

    def create(self, context: Context, resource: DockerUser) -> Iterator[Operation]:
        """Add them."""
        yield Call(lambda: _write(context.topology, {}, resource.rules))

    def update(
        self, context: Context, live: DockerUser, desired: DockerUser, paths: frozenset[str]
    ) -> Iterator[Operation]:
        """Put the wanted ones in the place of those that are there."""
        yield Call(lambda: _write(context.topology, live.rules, desired.rules))

    def delete(self, context: Context, resource: DockerUser) -> Iterator[Operation]:
        """Take them out."""
        yield Call(lambda: _write(context.topology, resource.rules, {}))


def _write(topology: str, live: Mapping[str, tuple[str, ...]], wanted: Mapping[str, tuple[str, ...]]) -> None:
    mark = _mark(topology)
    for place in sorted({*live, *wanted}):
        program, _, chain = place.partition(" ")
        new = [_marked(text, mark) for text in wanted.get(place, ()) if text]
        iptables.replace(program, chain, lambda rule: mark in rule, new)


def _mark(topology: str) -> str:
    return MARK_PREFIX + topology


def _marked(text: str, mark: str) -> Rule:
    match, _, target = text.rpartition(" -j ")
    return (*match.split(), "-m", "comment", "--comment", mark, "-j", target)


def _plain(rule: Rule, mark: str) -> str:
    words = list(rule)
    at = words.index(mark)
    return " ".join(words[: at - 3] + words[at + 1 :])
