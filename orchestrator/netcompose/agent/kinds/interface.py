"""What interfaces of every kind share: reading an end from a snapshot, wiring and changing it."""

from __future__ import annotations

import contextlib
import errno
from typing import TYPE_CHECKING, Iterator

from netcompose.agent.kernel import linkdump, rtnl, sysctl
from netcompose.agent.kernel.netlink import GONE, Message
from netcompose.agent.operations import Call, Netlink, Operation
from netcompose.agent.snapshot import Snapshot
from netcompose.errors import KernelRefused
from netcompose.resources import End, Route
from netcompose.resources.names import ROUTE_PROTOCOL, altname

if TYPE_CHECKING:
    from types import ModuleType

    from netcompose.agent.context import Context

#: Routes of these protocols are the topology's or made by hand, and so part of what is compared. Others (the
#: kernel's own, routing daemons', DHCP's) belong to the programs that maintain them. See rt_protos.
_COMPARED_PROTOCOLS = frozenset({3, 4, ROUTE_PROTOCOL})


#: A kernel or an interface without IPv6 has no link-local address either; the addresses that follow say so.
_NO_IPV6 = frozenset({errno.EOPNOTSUPP, errno.EAFNOSUPPORT, errno.EACCES, errno.EINVAL})


def read_end(snapshot: Snapshot, container: str, link: linkdump.Link) -> End:
    """The end as it is live."""
    stack = snapshot.stacks[container]
    routes = stack.routes.get(link.ifindex)
    addresses = stack.addresses.get(link.ifindex)
    return End(
        namespace=container,
        name=link.name,
        mac=link.mac,
        mtu=link.mtu,
        up=link.up,
        master=snapshot.master(link) if link.master else "",
        isolated=link.isolated,
        alias=link.alias,
        addresses=tuple(sorted(addresses)) if addresses else (),
        routes=tuple(sorted(Route(r.to, r.via, r.metric) for r in routes if r.protocol in _COMPARED_PROTOCOLS))
        if routes
        else (),
        impairment=impairments().read(stack.qdiscs[link.ifindex]) if link.ifindex in stack.qdiscs else None,
        ifindex=link.ifindex,
    )


def parent_index(context: Context, id: str, name: str) -> int:
    """The index of the interface on the host that another one is to stand on."""
    index = context.host_index(name)
    if not index:
        raise KernelRefused("{}: the interface {} is gone".format(id, name), object_id=id)
    return index


def without_ipv6(name: str) -> None:
    """Keep the host off a segment that is the containers': it would have an address there, and take more from any
    router. Before the interface comes up."""
    key = "net.ipv6.conf.{}.disable_ipv6".format(name.replace(".", "/"))
    # A kernel without IPv6 has no such key.
    with contextlib.suppress(FileNotFoundError):
        sysctl.write(key, "1")


def common(context: Context, end: End) -> bytes:
    """The attributes of the create message, the mark of the group among them."""
    return rtnl.link_attributes(name=end.name, mac=end.mac, mtu=end.mtu, group=context.group)


def linked_without_detection(
    addresses: tuple[str, ...], mac: str, index: int
) -> Iterator[tuple[Message, frozenset[int]]]:
    """Give an interface with IPv6 its link-local address before it comes up, and what may be refused of that.

    It is the address that the kernel would make, but without duplicate detection, which in addresses from a plan
    finds nothing: for up to two seconds a router forwards no IPv6, because it asks for neighbours with this address,
    which is tentative until then. Without a MAC address of its own (an ipvlan) the kernel's choice is another one.
    """
    if mac and any(":" in address for address in addresses):
        yield rtnl.add_address(rtnl.link_local(mac), index), _NO_IPV6


def wire(context: Context, end: End, index: int) -> Iterator[Operation]:
    """Mark, bring up, address and route an end that has just been made in a container."""
    netns = context.netns(end.namespace)
    for message, tolerated in linked_without_detection(end.addresses, end.mac, index):
        yield Netlink(netns, message, tolerated)
    if end.impairment is not None:
        # Before it is up: no packet leaves unimpaired.
        yield Netlink(netns, impairments().message(index, end.impairment))
    yield Netlink(netns, rtnl.change_link(rtnl.link_attributes(alias=end.alias), index=index, up=end.up))
    for address in end.addresses:
        yield Netlink(netns, rtnl.add_address(address, index))
    yield from _add_routes(netns, index, end)


def _add_routes(netns: str, index: int, end: End) -> Iterator[Operation]:
    """On-link routes first: a next hop may be reachable only by one of them."""
    for route in sorted(end.routes, key=lambda route: bool(route.via)):
        yield Netlink(netns, rtnl.add_route(route.to, route.via, route.metric, index, ROUTE_PROTOCOL))


def label(context: Context, id: str, name: str) -> Operation:
    """Give an interface on the host its readable second name; a kernel before 5.5 has none."""
    tolerated = frozenset({errno.EOPNOTSUPP, errno.EEXIST})
    return Netlink("", rtnl.add_altname(altname(context.topology, id), name=name), tolerated)


def relabel(context: Context, old: str, new: str, name: str) -> Iterator[Operation]:
    """The readable second name follows the resource's id."""
    tolerated = GONE | {errno.EOPNOTSUPP}
    yield Netlink("", rtnl.delete_altname(altname(context.topology, old), name=name), tolerated)
    yield label(context, new, name)


def impairments() -> ModuleType:
    """What reads and writes impairments, loaded by the first interface that has one."""
    from netcompose.agent.kinds import impairment

    return impairment


def change(context: Context, live: End, desired: End, paths: frozenset[str]) -> Iterator[Operation]:
    """Carry out the differences of an end in place; ``paths`` are attribute names of an end."""
    netns = context.netns(desired.namespace)
    index = live.ifindex
    if "name" in paths:
        yield Call(lambda: _rename(context, netns, index, desired))
    attributes = rtnl.link_attributes(
        mac=desired.mac if "mac" in paths else "",
        mtu=desired.mtu if "mtu" in paths else 0,
        master=master_index(context, desired) if "master" in paths else None,
        alias=desired.alias if "alias" in paths else None,
    )
    if attributes or "up" in paths:
        yield Netlink(netns, rtnl.change_link(attributes, index=index, up=desired.up if "up" in paths else None))
    if "isolated" in paths or ("master" in paths and desired.isolated):
        # A port that joins a bridge is not isolated yet.
        yield Netlink(netns, rtnl.isolate_port(desired.isolated, index=index))
    if live.impairment != desired.impairment:
        yield from impairments().change(netns, index, live.impairment, desired.impairment)
    if "addresses" in paths or ("up" in paths and desired.up):
        yield from change_addresses(netns, index, live.addresses, desired.addresses)
    if "routes" in paths or "addresses" in paths or ("up" in paths and desired.up):
        kept = {(route.to, route.metric) for route in desired.routes}
        for route in live.routes:
            if (route.to, route.metric) not in kept:
                yield Netlink(netns, rtnl.delete_route(route.to, route.via, route.metric, index), GONE)
        if desired.up:
            yield from _add_routes(netns, index, desired)


def change_addresses(netns: str, index: int, live: tuple[str, ...], desired: tuple[str, ...]) -> Iterator[Operation]:
    """Remove what is not wanted, then make sure of all that is.

    All of it, because removing a primary IPv4 address takes its secondaries along, and taking an interface down
    its IPv6 addresses.
    """
    for address in live:
        if address not in desired:
            yield Netlink(netns, rtnl.delete_address(address, index), GONE)
    for address in desired:
        yield Netlink(netns, rtnl.add_address(address, index))


def master_index(context: Context, end: End) -> int:
    """The interface index of an end's master, 0 for none."""
    if not end.master:
        return 0
    if end.master.startswith("foreign:"):
        name = end.master.partition(":")[2]
        index = context.host_index(name)
        if not index:
            raise KernelRefused("{}: the bridge {} is gone".format(end.name, name))
        return index
    from netcompose.resources.names import host_interface_name

    return context.host_index(host_interface_name(context.topology, end.master))


def _rename(context: Context, netns: str, index: int, desired: End) -> None:
    """Rename while up where the kernel can (6.2 and newer), else down, rename, up and wire again.

    Another interface of ours may still have the name, if two exchange theirs; it is put aside under a name that
    nothing else has, and gets its own by its own change.
    """
    socket = context.namespaces.socket(netns)
    name = rtnl.link_attributes(name=desired.name)
    try:
        socket.request(rtnl.change_link(name, index=index))
    except OSError as error:
        if error.errno == errno.EEXIST:
            aside = rtnl.link_attributes(name="nc-aside-{}".format(index % 100000))
            holder = next(link.ifindex for link in linkdump.links(socket) if link.name == desired.name)
            socket.request(rtnl.change_link(aside, index=holder))
            _rename(context, netns, index, desired)
            return
        if error.errno != errno.EBUSY:
            raise
        socket.request(rtnl.change_link(b"", index=index, up=False))
        socket.request(rtnl.change_link(name, index=index, up=desired.up))
        for operation in wire(context, desired, index):
            if isinstance(operation, Netlink):
                socket.request(operation.message)
