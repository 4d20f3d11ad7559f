"""Routes of the host itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Iterator, MutableMapping

from netcompose.agent.kernel import rtnl
from netcompose.agent.kernel.netlink import GONE
from netcompose.agent.operations import Call, Netlink, Operation
from netcompose.agent.snapshot import Snapshot
from netcompose.resources import HostRoute, Resource
from netcompose.resources.names import ROUTE_PROTOCOL, route_metric

if TYPE_CHECKING:
    from netcompose.agent.context import Context


class HostRouteKind:
    """See :class:`netcompose.resources.HostRoute`."""

    kind = HostRoute.kind

    def observe(
        self, snapshot: Snapshot, found: MutableMapping[str, Resource], foreign: MutableMapping[str, str]
    ) -> None:
        """Routes by protocol and metric."""
        metric = route_metric(snapshot.topology)
        for index, routes in snapshot.stacks[""].routes.items():
            for route in routes:
                if route.protocol == ROUTE_PROTOCOL and route.metric == metric:
                    id = "route/" + route.to
                    name = snapshot.by_index[index].name if index in snapshot.by_index else ""
                    found[id] = HostRoute(id=id, to=route.to, via=route.via, interface=name)

    def create(self, context: Context, resource: HostRoute) -> Iterator[Operation]:
        """Add it."""
        yield Call(lambda: _add(context, resource))

    def update(
        self, context: Context, live: HostRoute, desired: HostRoute, paths: frozenset[str]
    ) -> Iterator[Operation]:
        """Another one in its place; IPv6 knows no replacement of a next hop, so the old one goes first."""
        yield from self.delete(context, live)
        yield Call(lambda: _add(context, desired))

    def delete(self, context: Context, resource: HostRoute) -> Iterator[Operation]:
        """Remove it."""
        index = context.host_index(resource.interface)
        metric = route_metric(context.topology)
        yield Netlink("", rtnl.delete_route(resource.to, resource.via, metric, index), GONE)


def _add(context: Context, resource: HostRoute) -> None:
    index = context.host_index(resource.interface)
    message = rtnl.add_route(resource.to, resource.via, route_metric(context.topology), index, ROUTE_PROTOCOL)
    context.namespaces.socket("").request(message)
