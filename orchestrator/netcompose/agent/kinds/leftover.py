"""Interfaces that an interrupted run left: in the topology's group, without its mark."""

from __future__ import annotations

from typing import TYPE_CHECKING, Iterator, MutableMapping

from netcompose.agent.kernel import rtnl
from netcompose.agent.kernel.netlink import GONE
from netcompose.agent.operations import Netlink, Operation
from netcompose.agent.snapshot import Snapshot
from netcompose.resources import Leftover, Resource

if TYPE_CHECKING:
    from netcompose.agent.context import Context


class LeftoverKind:
    """See :class:`netcompose.resources.Leftover`. Observed last of the interfaces: what no other kind took."""

    kind = Leftover.kind

    def observe(
        self, snapshot: Snapshot, found: MutableMapping[str, Resource], foreign: MutableMapping[str, str]
    ) -> None:
        """Ours by the group and taken by no other kind; everything that is not ours holds its name."""
        for container, stack in snapshot.stacks.items():
            for link in stack.links:
                if (container, link.ifindex) in snapshot.taken or link.ifindex == 1:
                    continue
                if link.group in (snapshot.group, snapshot.doomed):
                    id = "leftover/{}/{}".format(container or "host", link.name)
                    found[id] = Leftover(id=id, namespace=container, name=link.name)
                else:
                    for name in (link.name, *link.altnames):
                        foreign["netdev:{}/{}".format(container, name)] = snapshot.whose(link)

    def create(self, context: Context, resource: Leftover) -> Iterator[Operation]:
        """Never asked for by a plan; a rollback has no use for half an object either."""
        return iter(())

    def update(self, context: Context, live: Leftover, desired: Leftover, paths: frozenset[str]) -> Iterator[Operation]:
        """A leftover has nothing to change."""
        return iter(())

    def delete(self, context: Context, resource: Leftover) -> Iterator[Operation]:
        """Remove the interface."""
        yield Netlink(context.netns(resource.namespace), rtnl.delete_link(resource.name), GONE)
