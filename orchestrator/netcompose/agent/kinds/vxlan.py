"""Tunnels to other hosts: ends of cables in containers, ports of overlay networks on the host."""

from __future__ import annotations

import errno
import os
import time
from typing import TYPE_CHECKING, Iterator, Mapping, MutableMapping

from netcompose.agent.kernel import linkdump, rtnl, vxlan
from netcompose.agent.kernel.netlink import GONE
from netcompose.agent.kernel.vxlan import Entry
from netcompose.agent.kinds.interface import change, common, label, master_index, read_end, wire
from netcompose.agent.operations import Bulk, Call, Netlink, Operation
from netcompose.agent.snapshot import Snapshot
from netcompose.resources import Resource, Vxlan
from netcompose.resources.vxlan import tunnel_claim

if TYPE_CHECKING:
    from netcompose.agent.context import Context

#: Seconds in which the kernel ends the tunnels of a namespace that is gone, and frees their numbers.
_LINGERS = 3.0
_BRIDGE_GONE = GONE | {errno.EOPNOTSUPP}


class VxlanKind:
    """See :class:`netcompose.resources.Vxlan`."""

    kind = Vxlan.kind

    def observe(
        self, snapshot: Snapshot, found: MutableMapping[str, Resource], foreign: MutableMapping[str, str]
    ) -> None:
        """Tunnels by their mark; the numbers of others on the host are taken."""
        for container, stack in snapshot.stacks.items():
            for link in stack.links:
                if link.kind != "vxlan":
                    continue
                tunnel = vxlan.decode(link)
                id = snapshot.id_of(link, "link/", "tunnel/")
                if not id:
                    if not container and link.group not in (snapshot.group, snapshot.doomed):
                        foreign[tunnel_claim(tunnel.vni, tunnel.port)] = snapshot.whose(link)
                    continue
                snapshot.taken.add((container, link.ifindex))
                found[id] = Vxlan(
                    id=id,
                    end=read_end(snapshot, container, link),
                    vni=tunnel.vni,
                    port=tunnel.port,
                    local=tunnel.local,
                    remote=tunnel.remote,
                    suppress=tunnel.suppress,
                    stations={} if tunnel.remote else _stations(snapshot, container, link),
                )

    def create(self, context: Context, resource: Vxlan) -> Iterator[Operation]:
        """Make it on the host, whose underlay it uses, with its end in place; then wire the end, or plug the port."""
        end = resource.end
        index = end.ifindex
        if end.namespace:
            index = index or context.next_index(end.namespace)
        yield Call(lambda: self._make(context, resource, index))
        if end.namespace:
            yield from wire(context, end, index)
            return
        port = rtnl.link_attributes(master=master_index(context, end), alias=end.alias)
        yield Netlink("", rtnl.change_link(port, name=end.name))
        if end.isolated:
            yield Netlink("", rtnl.isolate_port(True, name=end.name))
        if resource.suppress:
            yield Netlink("", vxlan.suppress_neighbours(True, name=end.name))
        yield Netlink("", rtnl.change_link(b"", name=end.name, up=end.up))
        yield label(context, resource.id, end.name)
        yield Call(lambda: self._send(context, resource, {}, resource.stations))

    @staticmethod
    def _make(context: Context, resource: Vxlan, index: int) -> None:
        end = resource.end
        attributes = common(context, end)
        if end.namespace:
            # Made from the host's namespace: where its packets go is settled by that (rtnl_newlink()).
            fd = context.namespaces.fd(context.netns(end.namespace))
            attributes += rtnl.link_attributes(netns_fd=fd)
        data = vxlan.tunnel_data(resource.vni, resource.port, resource.local, resource.remote)
        message = rtnl.create_link("vxlan", attributes, index=index, data=data)
        until = time.monotonic() + _LINGERS
        while True:
            try:
                context.namespaces.socket("").request(message)
                return
            except OSError as error:
                if error.errno != errno.EEXIST or time.monotonic() > until:
                    raise
            # A namespace that went a moment ago may still have its tunnel of this number.
            time.sleep(0.05)

    def update(self, context: Context, live: Vxlan, desired: Vxlan, paths: frozenset[str]) -> Iterator[Operation]:
        """Change end and port in place, and the entries of the stations that differ."""
        own = frozenset(path[4:] for path in paths if path.startswith("end."))
        if own:
            yield from change(context, live.end, desired.end, own)
        if "suppress" in paths or ("master" in own and desired.suppress):
            yield Netlink("", vxlan.suppress_neighbours(desired.suppress, index=live.end.ifindex))
        before = live.stations
        if "master" in own:
            # Another bridge knows none of them.
            before = {}
        if before != desired.stations:
            yield Call(lambda: self._send(context, desired, before, desired.stations))

    @staticmethod
    def _send(
        context: Context,
        resource: Vxlan,
        live: Mapping[str, tuple[str, ...]],
        wanted: Mapping[str, tuple[str, ...]],
    ) -> None:
        """Bring the tables from one set of stations to another."""
        if not live and not wanted:
            return
        port = context.host_index(resource.end.name)
        bridge = master_index(context, resource.end)
        messages = []
        for mac, (to, *addresses) in live.items():
            kept = wanted.get(mac, ("",))
            gone = [address for address in addresses if address not in kept[1:]]
            messages += [(vxlan.delete_neighbour(bridge, Entry(mac, address)), _BRIDGE_GONE) for address in gone]
            if mac not in wanted:
                messages.append((vxlan.delete_entry(port, Entry(mac, "", master=True)), _BRIDGE_GONE))
                if to:
                    messages.append((vxlan.delete_entry(port, Entry(mac, to)), _BRIDGE_GONE))
        nothing: frozenset[int] = frozenset()
        for mac, (to, *addresses) in wanted.items():
            if live.get(mac) != (to, *addresses):
                messages.append((vxlan.add_entry(port, Entry(mac, to)), nothing))
                messages.append((vxlan.add_entry(port, Entry(mac, "", master=True)), nothing))
                messages += [(vxlan.add_neighbour(bridge, Entry(mac, address)), nothing) for address in addresses]
        socket = context.namespaces.socket("")
        start = 0
        while start < len(messages):
            refusals = socket.send([message for message, _ in messages[start:]])
            for refusal in refusals:
                if refusal.errno not in messages[start + refusal.position][1]:
                    raise OSError(refusal.errno, refusal.words or os.strerror(refusal.errno))
            start += socket.after(refusals[-1].position) if refusals else len(messages)

    def delete(self, context: Context, resource: Vxlan) -> Iterator[Operation]:
        """Remove it, also where its namespace goes as well: the kernel would free its number some time later only."""
        end = resource.end
        if end.namespace:
            yield Netlink(context.netns(end.namespace), rtnl.delete_link(end.name), GONE)
        else:
            yield Bulk(context.remove_host_links, end.name)


def _stations(snapshot: Snapshot, container: str, link: linkdump.Link) -> dict[str, tuple[str, ...]]:
    """The stations that all of an overlay's tables know; one that a table has lost has its addresses missing, or its
    host."""
    socket = snapshot.namespaces.socket(container)
    found = list(vxlan.entries(socket, link.ifindex))
    bridged = {entry.mac for entry in found if entry.master}
    hosts = {entry.mac: entry.to for entry in found if not entry.master}
    addresses: dict[str, list[str]] = {}
    for entry in vxlan.neighbours(socket, link.master) if link.master else ():
        addresses.setdefault(entry.mac, []).append(entry.to)
    return {
        mac: (hosts.get(mac, "") if mac in bridged else "", *sorted(addresses.get(mac, ())))
        for mac in sorted({*bridged, *hosts, *addresses})
    }
