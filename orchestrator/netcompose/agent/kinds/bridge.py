"""Linux bridges."""

from __future__ import annotations

from typing import TYPE_CHECKING, Iterator, MutableMapping

from netcompose.agent.kernel import rtnl
from netcompose.agent.kinds.interface import change_addresses, label, linked_without_detection, without_ipv6
from netcompose.agent.operations import Bulk, Call, Netlink, Operation
from netcompose.agent.snapshot import Snapshot
from netcompose.resources import Bridge, Resource

if TYPE_CHECKING:
    from netcompose.agent.context import Context

_LARGEST_MTU = 65535


class BridgeKind:
    """See :class:`netcompose.resources.Bridge`."""

    kind = Bridge.kind

    def observe(
        self, snapshot: Snapshot, found: MutableMapping[str, Resource], foreign: MutableMapping[str, str]
    ) -> None:
        """Bridges on the host that have the mark, in the alias or, if that was cleared, in the altname."""
        host = snapshot.stacks[""]
        for link in host.links:
            if link.kind != "bridge":
                continue
            id = snapshot.id_of(link, "bridge/", "segment/")
            if id:
                snapshot.taken.add(("", link.ifindex))
                found[id] = Bridge(
                    id=id,
                    network=id.partition("/")[2],
                    name=link.name,
                    mac=link.mac if id.startswith("bridge/") else "",
                    mtu=link.mtu,
                    up=link.up,
                    alias=link.alias,
                    addresses=tuple(sorted(host.addresses.get(link.ifindex, ()))),
                    ifindex=link.ifindex,
                )

    def create(self, context: Context, resource: Bridge) -> Iterator[Operation]:
        """Make, mark, name and address it."""
        common = rtnl.link_attributes(
            name=resource.name, mac=resource.mac, mtu=_beside(resource.mtu), group=context.group
        )
        # With IPv6 it comes up only when it has its link-local address: see linked_without_detection().
        segment = resource.id.startswith("segment/")
        at_once = resource.up and not segment and not any(":" in address for address in resource.addresses)
        yield Netlink("", rtnl.create_link("bridge", common, index=resource.ifindex, up=at_once))
        own = rtnl.link_attributes(alias=resource.alias, mtu=resource.mtu)
        yield Netlink("", rtnl.change_link(own, name=resource.name))
        yield label(context, resource.id, resource.name)
        if segment:
            yield Call(lambda: without_ipv6(resource.name))
            yield Netlink("", rtnl.change_link(b"", name=resource.name, up=resource.up))
        elif resource.addresses:
            yield Call(lambda: self._address(context, resource))

    @staticmethod
    def _address(context: Context, resource: Bridge) -> None:
        index = context.host_index(resource.name)
        socket = context.namespaces.socket("")
        for message, tolerated in linked_without_detection(resource.addresses, resource.mac, index):
            try:
                socket.request(message)
            except OSError as error:
                if error.errno not in tolerated:
                    raise
        socket.request(rtnl.change_link(b"", index=index, up=resource.up))
        for address in resource.addresses:
            socket.request(rtnl.add_address(address, index))

    def update(self, context: Context, live: Bridge, desired: Bridge, paths: frozenset[str]) -> Iterator[Operation]:
        """Change it in place; its ports stay."""
        attributes = rtnl.link_attributes(
            mac=desired.mac if "mac" in paths else "",
            mtu=desired.mtu if "mtu" in paths else 0,
            alias=desired.alias if "alias" in paths else None,
        )
        if "mtu" in paths:
            yield Netlink("", rtnl.change_link(rtnl.link_attributes(mtu=_beside(desired.mtu)), index=live.ifindex))
        if attributes or "up" in paths:
            up = desired.up if "up" in paths else None
            yield Netlink("", rtnl.change_link(attributes, index=live.ifindex, up=up))
        if "addresses" in paths or "up" in paths:
            yield from change_addresses("", live.ifindex, live.addresses, desired.addresses)

    def delete(self, context: Context, resource: Bridge) -> Iterator[Operation]:
        """Remove it."""
        yield Bulk(context.remove_host_links, resource.name)


def _beside(mtu: int) -> int:
    """Another MTU, to be set before the one that is meant: a bridge takes on the smallest of its ports until its own is
    changed (br_mtu_auto_adjust), and setting the one that it has just taken on is no change."""
    return mtu + 1 if mtu < _LARGEST_MTU else mtu - 1
