"""What macvlan and ipvlan interfaces share: found by their mark, made on the host's parent in their container."""

from __future__ import annotations

import errno
from dataclasses import replace
from typing import TYPE_CHECKING, Callable, Iterator, MutableMapping

from netcompose.agent.kernel import linkdump, rtnl, stacked
from netcompose.agent.kernel.netlink import GONE
from netcompose.agent.kinds.interface import change, common, label, parent_index, relabel, wire
from netcompose.agent.operations import Bulk, Netlink, Operation
from netcompose.agent.snapshot import Snapshot
from netcompose.resources import Resource, Stacked
from netcompose.resources.names import altname, digest, host_interface_name

if TYPE_CHECKING:
    from netcompose.agent.context import Context

#: A namespace that was removed ends in the kernel's own time, and until then its interfaces keep others of their parent
#: from coming up with the same MAC address (macvlan_open()), or from having the same address (ipvlan).
_LINGERING = frozenset({errno.EBUSY, errno.EADDRINUSE})
_UNKNOWN_NAME = GONE | {errno.EOPNOTSUPP, errno.EINVAL}


def observe(
    snapshot: Snapshot,
    kind: str,
    found: MutableMapping[str, Resource],
    read: Callable[[str, str, str, str, linkdump.Link], Resource],
) -> None:
    """Interfaces of this kind by their mark. One in a container whose alias was cleared is known by its group, and
    named by its name. ``read`` makes the resource of (id, network, parent, container, link)."""
    unmarked = []
    for container, stack in snapshot.stacks.items():
        for link in stack.links:
            if link.kind != kind:
                continue
            id = snapshot.id_of(link, "interface/", "shim/")
            if id:
                snapshot.taken.add((container, link.ifindex))
                found[id] = read(id, _network(snapshot, id, link), _parent(snapshot, link), container, link)
            elif container and not link.alias and link.group == snapshot.group:
                unmarked.append((container, link))
    for container, link in unmarked:
        id = "interface/{}.{}".format(container, link.name)
        if id not in found:
            snapshot.taken.add((container, link.ifindex))
            found[id] = read(id, _network(snapshot, id, link), _parent(snapshot, link), container, link)


def _network(snapshot: Snapshot, id: str, link: linkdump.Link) -> str:
    """The network that an interface is for: a container's says it by a second name."""
    if id.startswith("shim/"):
        return id.partition("/")[2]
    ending = altname(snapshot.topology, "network/")
    return next((name[len(ending) :] for name in link.altnames if name.startswith(ending)), "")


def _parent(snapshot: Snapshot, link: linkdump.Link) -> str:
    """The id of the resource that an interface stands on, or its name on the host if it is not netcompose's."""
    parent = snapshot.by_index.get(link.link)
    if parent is None:
        return ""
    return snapshot.id_of(parent, "segment/") or snapshot.shared_id_of(parent, "vlan/") or parent.name


def create(context: Context, resource: Stacked, data: bytes) -> Iterator[Operation]:
    """Make it in its place, on the host's parent; then mark, wire and name it."""
    end = resource.end
    parent = stacked.on_parent(parent_index(context, resource.id, _interface(context, resource.parent)))
    if not end.namespace:
        yield Netlink("", rtnl.create_link(resource.kind, common(context, end) + parent, index=end.ifindex, data=data))
        # It has a host's index, which is the kernel's to choose: its address and routes come when it is known.
        yield Netlink("", rtnl.change_link(rtnl.link_attributes(alias=end.alias), name=end.name))
        yield label(context, resource.id, end.name)
        yield Bulk(_wire_on_host, (context, resource))
        return
    index = end.ifindex or context.next_index(end.namespace)
    netns = context.netns(end.namespace)
    place = rtnl.link_attributes(netns_fd=context.namespaces.fd(netns))
    yield Netlink("", rtnl.create_link(resource.kind, common(context, end) + parent + place, index=index, data=data))
    for operation in wire(context, end, index):
        yield replace(operation, patience=_LINGERING) if isinstance(operation, Netlink) else operation
    yield _name(context, netns, resource.network, end.name)


def _wire_on_host(arguments: list[tuple[Context, Stacked]]) -> None:
    for context, resource in arguments:
        index = context.host_index(resource.end.name)
        socket = context.namespaces.socket("")
        for operation in wire(context, resource.end, index):
            if isinstance(operation, Netlink):
                for refusal in socket.send([operation.message]):
                    if refusal.errno not in operation.tolerate:
                        raise OSError(refusal.errno, refusal.words or errno.errorcode.get(refusal.errno, ""))


def update(
    context: Context, live: Stacked, desired: Stacked, paths: frozenset[str], data: bytes
) -> Iterator[Operation]:
    """Change it in place; ``data`` are its own attributes, empty if none of them differs."""
    netns = context.netns(desired.end.namespace)
    if data:
        yield Netlink(netns, stacked.change_data(desired.kind, data, index=live.end.ifindex))
    own = frozenset(path[len("end.") :] for path in paths if path.startswith("end."))
    if own:
        yield from change(context, live.end, desired.end, own)
    if not desired.end.namespace:
        if live.id != desired.id:
            yield from relabel(context, live.id, desired.id, desired.end.name)
    elif "network" in paths:
        if live.network:
            old = altname(context.topology, "network/" + live.network)
            yield Netlink(netns, rtnl.delete_altname(old, name=desired.end.name), _UNKNOWN_NAME)
        yield _name(context, netns, desired.network, desired.end.name)


def give_up(context: Context, live: Stacked, desired: Stacked) -> Iterator[Operation]:
    """What only one on the parent can have (:meth:`Stacked.claims`): a MAC address of nobody's in the place of its
    own, or none of the addresses that it is to lose."""
    netns, index = context.netns(live.end.namespace), live.end.ifindex
    if live.end.mac:
        aside = "02:" + digest("aside", context.topology, live.id)[:5].hex(":")
        yield Netlink(netns, rtnl.change_link(rtnl.link_attributes(mac=aside), index=index))
        return
    for address in live.end.addresses:
        if address not in desired.end.addresses:
            yield Netlink(netns, rtnl.delete_address(address, index), GONE)


def delete(context: Context, resource: Stacked, *, at_once: bool = False) -> Iterator[Operation]:
    """Remove it. One in a namespace that goes, goes with it, in the kernel's own time, but for what others of this run
    wait for, or of any run (``at_once``)."""
    end = resource.end
    if not end.namespace:
        yield Bulk(context.remove_host_links, end.name)
    elif at_once or end.namespace not in context.dying or not context.taking.isdisjoint(resource.claims()):
        yield Netlink(context.netns(end.namespace), rtnl.delete_link(end.name), GONE)


def _interface(context: Context, parent: str) -> str:
    """The name on the host of a parent that is given by name or by id."""
    if parent.startswith("vlan/"):
        return parent.partition("/")[2]
    return host_interface_name(context.topology, parent) if "/" in parent else parent


def _name(context: Context, netns: str, network: str, name: str) -> Operation:
    """In its container it says which network it is for; a kernel before 5.5 has no second names."""
    tolerated = frozenset({errno.EOPNOTSUPP, errno.EEXIST})
    return Netlink(netns, rtnl.add_altname(altname(context.topology, "network/" + network), name=name), tolerated)
