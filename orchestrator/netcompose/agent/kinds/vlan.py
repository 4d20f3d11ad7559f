"""VLAN sub-interfaces of the host's interfaces, shared between topologies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Iterator, MutableMapping, Optional

from netcompose.agent.kernel import linkdump, rtnl, stacked
from netcompose.agent.kernel.netlink import GONE
from netcompose.agent.kinds.interface import label, parent_index, without_ipv6
from netcompose.agent.operations import Call, Netlink, Operation
from netcompose.agent.snapshot import Snapshot
from netcompose.resources import Leftover, Resource, Vlan
from netcompose.resources.names import SHARED, altname, group, owner_of, users

if TYPE_CHECKING:
    from netcompose.agent.context import Context


class VlanKind:
    """See :class:`netcompose.resources.Vlan`. There is no record of it but the interface itself: the group and the
    alias say that it is netcompose's, the second names whose."""

    kind = Vlan.kind

    def observe(
        self, snapshot: Snapshot, found: MutableMapping[str, Resource], foreign: MutableMapping[str, str]
    ) -> None:
        """Those that this topology uses. One without any user was left by a run that was killed between two
        messages."""
        for link in snapshot.stacks[""].links:
            id = _id(link) if link.kind == "vlan" else ""
            if not id:
                continue
            snapshot.taken.add(("", link.ifindex))
            using = users(link.altnames, id)
            if snapshot.topology in using:
                parent = snapshot.by_index.get(link.link)
                found[id] = Vlan(
                    id=id,
                    interface=parent.name if parent is not None else "",
                    name=link.name,
                    tag=stacked.read_vlan(link.info),
                    mtu=link.mtu,
                    up=link.up,
                    alias=link.alias,
                    users=tuple(name for name in using if name != snapshot.topology),
                    ifindex=link.ifindex,
                )
            elif not using:
                left = "leftover/host/" + link.name
                found[left] = Leftover(id=left, namespace="", name=link.name)

    def create(self, context: Context, resource: Vlan) -> Iterator[Operation]:
        """Make it, or become one more user of the one that is there."""
        live = _live(context, resource)
        if live is None:
            attributes = rtnl.link_attributes(name=resource.name, mtu=resource.mtu, group=group(SHARED))
            attributes += stacked.on_parent(parent_index(context, resource.id, resource.interface))
            data = stacked.vlan_data(resource.tag)
            yield Netlink("", rtnl.create_link("vlan", attributes, index=resource.ifindex, data=data))
            yield Netlink("", rtnl.change_link(rtnl.link_attributes(alias=resource.alias), name=resource.name))
            yield label(context, resource.id, resource.name)
            yield Call(lambda: without_ipv6(resource.name))
            yield Netlink("", rtnl.change_link(b"", name=resource.name, up=resource.up))
        else:
            yield label(context, resource.id, resource.name)
            yield from self._set(live.ifindex, resource)

    def update(self, context: Context, live: Vlan, desired: Vlan, paths: frozenset[str]) -> Iterator[Operation]:
        """Change it in place."""
        yield from self._set(live.ifindex, desired)

    @staticmethod
    def _set(index: int, desired: Vlan) -> Iterator[Operation]:
        attributes = rtnl.link_attributes(mtu=desired.mtu, alias=desired.alias)
        yield Netlink("", rtnl.change_link(attributes, index=index, up=desired.up))

    def delete(self, context: Context, resource: Vlan) -> Iterator[Operation]:
        """Be no user of it any more; the last one removes it."""
        live = _live(context, resource)
        others = users(live.altnames, resource.id) if live is not None else ()
        if set(others) - {context.topology}:
            yield Netlink("", rtnl.delete_altname(altname(context.topology, resource.id), name=resource.name), GONE)
        else:
            yield Netlink("", rtnl.delete_link(resource.name), GONE)
            context.forget_host_index(resource.name)


def _id(link: linkdump.Link) -> str:
    """The resource that a VLAN's mark names if it is a shared one; by its name if the alias was cleared."""
    owner = owner_of(link.alias) if link.alias else None
    if owner is not None:
        return owner[1] if owner[0] == SHARED else ""
    return "vlan/" + link.name if link.group == group(SHARED) else ""


def _live(context: Context, resource: Vlan) -> Optional[linkdump.Link]:
    """The interface as it was when the run began, if anybody uses it."""
    for link in context.snapshot.stacks[""].links:
        if link.kind == "vlan" and _id(link) == resource.id and users(link.altnames, resource.id):
            return link
    return None
