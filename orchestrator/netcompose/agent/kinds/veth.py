"""Pairs of veth ends: a container's interface with its port on the host, or a cable between two containers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Iterator, MutableMapping

from netcompose.agent.kernel import linkdump, rtnl
from netcompose.agent.kernel.netlink import GONE
from netcompose.agent.kinds.interface import (
    change,
    common,
    impairments,
    label,
    master_index,
    read_end,
    relabel,
    wire,
)
from netcompose.agent.operations import Bulk, Call, Netlink, Operation
from netcompose.agent.snapshot import Snapshot
from netcompose.resources import End, Resource, Veth

if TYPE_CHECKING:
    from netcompose.agent.context import Context


class VethKind:
    """See :class:`netcompose.resources.Veth`. Both ends have the same mark; they live and die together."""

    kind = Veth.kind

    def observe(
        self, snapshot: Snapshot, found: MutableMapping[str, Resource], foreign: MutableMapping[str, str]
    ) -> None:
        """Pairs by their mark; an end whose alias was cleared is found by the index of its other end."""
        ends: dict[str, list[tuple[str, linkdump.Link]]] = {}
        unmarked: list[tuple[str, linkdump.Link]] = []
        for container, stack in snapshot.stacks.items():
            for link in stack.links:
                if link.kind != "veth":
                    continue
                id = snapshot.id_of(link, "interface/", "link/")
                if id:
                    ends.setdefault(id, []).append((container, link))
                elif link.group in (snapshot.group, snapshot.doomed):
                    unmarked.append((container, link))
        for id, marked in ends.items():
            pair = marked
            if len(pair) == 1:
                pair = marked + [(c, other) for c, other in unmarked if _paired(marked[0][1], other)][:1]
            if len(pair) == 2:
                snapshot.taken.update((container, link.ifindex) for container, link in pair)
                (first, one), (second, two) = sorted(pair, key=self._side)
                found[id] = Veth(id=id, end=read_end(snapshot, first, one), peer=read_end(snapshot, second, two))

    @staticmethod
    def _side(end: tuple[str, linkdump.Link]) -> tuple[bool, str]:
        """Sort key: the container's end before the host's; a cable's ends by container and interface."""
        container, link = end
        return not container, "{}.{}".format(container, link.name)

    def create(self, context: Context, resource: Veth) -> Iterator[Operation]:
        """Make the pair with both ends in place, put the port into its bridge, then wire the container's end."""
        end, peer = resource.end, resource.peer
        index = self._index(context, end)
        if peer.namespace:
            peer_index = self._index(context, peer)
            if peer_index == index and not peer.ifindex:
                # The kernel takes an interface whose peer has the same index for one without a peer, and reports its
                # carrier up to a second late (linkwatch_urgent_event); until then IPv6 is not ready on it.
                peer_index = context.next_index(peer.namespace)
            yield Netlink(
                "",
                rtnl.create_veth(
                    self._attributes(context, peer), self._attributes(context, end), index=peer_index, peer_index=index
                ),
            )
            yield from wire(context, peer, peer_index)
        else:
            # The container's end is the pair's first: the kernel heeds the index asked for a second end only if the
            # first one's is asked for too (veth_newlink), and the host's indexes are not ours to choose.
            yield Netlink(
                "",
                rtnl.create_veth(
                    self._attributes(context, end), common(context, peer), index=index, peer_index=peer.ifindex
                ),
            )
            port = rtnl.link_attributes(master=master_index(context, peer), alias=peer.alias)
            if peer.isolated:
                # Before it is up: no frame passes between two ports that are to be kept apart.
                yield Netlink("", rtnl.change_link(port, name=peer.name))
                yield Netlink("", rtnl.isolate_port(True, name=peer.name))
                port = b""
            if peer.impairment is not None:
                yield Call(lambda: self._impair(context, peer))
            yield Netlink("", rtnl.change_link(port, name=peer.name, up=peer.up))
            yield label(context, resource.id, peer.name)
        yield from wire(context, end, index)

    @staticmethod
    def _impair(context: Context, port: End) -> None:
        """A queue is for an interface index, which on the host the kernel has chosen."""
        message = impairments().message(context.host_index(port.name), port.impairment)
        context.namespaces.socket("").request(message)

    @staticmethod
    def _index(context: Context, end: End) -> int:
        """The index that a rolled-back interface had, else a free one."""
        return end.ifindex or context.next_index(end.namespace)

    @staticmethod
    def _attributes(context: Context, end: End) -> bytes:
        netns = context.namespaces.fd(context.netns(end.namespace))
        return common(context, end) + rtnl.link_attributes(netns_fd=netns)

    def update(self, context: Context, live: Veth, desired: Veth, paths: frozenset[str]) -> Iterator[Operation]:
        """Change the ends in place."""
        for side in ("peer", "end"):
            own = frozenset(path[len(side) + 1 :] for path in paths if path.startswith(side + "."))
            if own:
                yield from change(context, getattr(live, side), getattr(desired, side), own)
        if live.id != desired.id and not desired.peer.namespace:
            yield from relabel(context, live.id, desired.id, desired.peer.name)

    def delete(self, context: Context, resource: Veth) -> Iterator[Operation]:
        """Remove one end, with which the other goes. A cable whose namespaces both go, goes with them."""
        end, peer = resource.end, resource.peer
        if not peer.namespace:
            yield Bulk(context.remove_host_links, peer.name)
        elif not {end.namespace, peer.namespace} <= context.dying:
            yield Netlink(context.netns(peer.namespace), rtnl.delete_link(peer.name), GONE)


def _paired(one: linkdump.Link, two: linkdump.Link) -> bool:
    return one.link == two.ifindex and two.link == one.ifindex
