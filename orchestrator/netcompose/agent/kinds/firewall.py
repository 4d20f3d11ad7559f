"""The nft table of a topology."""

from __future__ import annotations

from typing import TYPE_CHECKING, Iterator, MutableMapping

from netcompose.agent import listing
from netcompose.agent.kernel import nft
from netcompose.agent.operations import Call, Operation
from netcompose.agent.snapshot import Snapshot
from netcompose.resources import Firewall, Resource
from netcompose.resources.names import table_name

if TYPE_CHECKING:
    from netcompose.agent.context import Context


class FirewallKind:
    """See :class:`netcompose.resources.Firewall`. The table's name is the mark."""

    kind = Firewall.kind

    def observe(
        self, snapshot: Snapshot, found: MutableMapping[str, Resource], foreign: MutableMapping[str, str]
    ) -> None:
        """The table as it is, rule by rule."""
        table = listing.read(snapshot.topology)
        if table is not None:
            id = "firewall/" + snapshot.topology
            found[id] = Firewall(id=id, name=table_name(snapshot.topology), table=table)

    def create(self, context: Context, resource: Firewall) -> Iterator[Operation]:
        """Write it."""
        yield Call(lambda: nft.write(resource.name, resource.table))

    def update(self, context: Context, live: Firewall, desired: Firewall, paths: frozenset[str]) -> Iterator[Operation]:
        """Write it anew, all of it at once."""
        yield Call(lambda: nft.write(desired.name, desired.table))

    def delete(self, context: Context, resource: Firewall) -> Iterator[Operation]:
        """Remove it."""
        yield Call(lambda: nft.delete(resource.name))
