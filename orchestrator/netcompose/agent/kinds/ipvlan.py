"""ipvlan interfaces."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Iterator, MutableMapping

from netcompose.agent.kernel import linkdump, stacked
from netcompose.agent.kinds import stacked as shared
from netcompose.agent.kinds.interface import read_end
from netcompose.agent.operations import Operation
from netcompose.agent.snapshot import Snapshot
from netcompose.resources import Ipvlan, Resource

if TYPE_CHECKING:
    from netcompose.agent.context import Context

_OWN = frozenset({"mode", "flag"})


class IpvlanKind:
    """See :class:`netcompose.resources.Ipvlan`."""

    kind = Ipvlan.kind

    def observe(
        self, snapshot: Snapshot, found: MutableMapping[str, Resource], foreign: MutableMapping[str, str]
    ) -> None:
        """Those in containers, and the host's own."""

        def read(id: str, network: str, parent: str, container: str, link: linkdump.Link) -> Resource:
            mode, flag = stacked.read_ipvlan(link.info)
            return Ipvlan(id, network, parent, replace(read_end(snapshot, container, link), mac=""), mode, flag)

        shared.observe(snapshot, self.kind, found, read)

    def create(self, context: Context, resource: Ipvlan) -> Iterator[Operation]:
        """Make it in its container."""
        return shared.create(context, resource, stacked.ipvlan_data(resource.mode, resource.flag))

    def update(self, context: Context, live: Ipvlan, desired: Ipvlan, paths: frozenset[str]) -> Iterator[Operation]:
        """Change it in place, its mode too: the kernel changes that of all on the parent with the first."""
        data = stacked.ipvlan_data(desired.mode, desired.flag) if paths & _OWN else b""
        return shared.update(context, live, desired, paths, data)

    def give_up(self, context: Context, live: Ipvlan, desired: Ipvlan) -> Iterator[Operation]:
        """Two of one parent may exchange what only one of them can have."""
        return shared.give_up(context, live, desired)

    def delete(self, context: Context, resource: Ipvlan) -> Iterator[Operation]:
        """Remove it."""
        return shared.delete(context, resource)
