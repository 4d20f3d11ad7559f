"""macvlan interfaces."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Iterator, MutableMapping

from netcompose.agent.kernel import linkdump, stacked
from netcompose.agent.kinds import stacked as shared
from netcompose.agent.kinds.interface import read_end
from netcompose.agent.operations import Operation
from netcompose.agent.snapshot import Snapshot
from netcompose.resources import Macvlan, Resource

if TYPE_CHECKING:
    from netcompose.agent.context import Context

_OWN = frozenset({"mode", "sources"})


class MacvlanKind:
    """See :class:`netcompose.resources.Macvlan`."""

    kind = Macvlan.kind

    def observe(
        self, snapshot: Snapshot, found: MutableMapping[str, Resource], foreign: MutableMapping[str, str]
    ) -> None:
        """Those in containers, and the host's own."""

        def read(id: str, network: str, parent: str, container: str, link: linkdump.Link) -> Resource:
            mode, sources = stacked.read_macvlan(link.info)
            passthru = mode == "passthru"
            end = read_end(snapshot, container, link)
            if passthru:
                end = replace(end, mac="")
            return Macvlan(id, network, parent, end, mode, passthru, sources)

        shared.observe(snapshot, self.kind, found, read)

    def create(self, context: Context, resource: Macvlan) -> Iterator[Operation]:
        """Make it in its container."""
        return shared.create(context, resource, stacked.macvlan_data(resource.mode, resource.sources))

    def update(self, context: Context, live: Macvlan, desired: Macvlan, paths: frozenset[str]) -> Iterator[Operation]:
        """Change it in place, its mode too."""
        data = stacked.macvlan_data(desired.mode, desired.sources) if paths & _OWN else b""
        return shared.update(context, live, desired, paths, data)

    def give_up(self, context: Context, live: Macvlan, desired: Macvlan) -> Iterator[Operation]:
        """Two of one parent may exchange what only one of them can have."""
        return shared.give_up(context, live, desired)

    def delete(self, context: Context, resource: Macvlan) -> Iterator[Operation]:
        """Remove it; what is alone on its parent keeps others off it until it is gone."""
        return shared.delete(context, resource, at_once=resource.passthru)
