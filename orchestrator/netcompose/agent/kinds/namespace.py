"""Pinned network namespaces with their sysctls."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Iterator, Mapping, MutableMapping, Sequence

from netcompose.agent import rundir
from netcompose.agent.kernel import rtnl, sysctl
from netcompose.agent.operations import Call, Netlink, Operation
from netcompose.agent.snapshot import Snapshot
from netcompose.errors import KernelRefused
from netcompose.resources import Namespace, Resource
from netcompose.resources.container_engine import BEFORE, STARTED
from netcompose.resources.names import mark, netns_name

if TYPE_CHECKING:
    from netcompose.agent.context import Context


class NamespaceKind:
    """See :class:`netcompose.resources.Namespace`."""

    kind = Namespace.kind

    def observe(
        self, snapshot: Snapshot, found: MutableMapping[str, Resource], foreign: MutableMapping[str, str]
    ) -> None:
        """Namespaces of this topology by their mark; every other name under /run/netns is foreign."""
        recorded = dict(rundir.records(snapshot.topology, "sysctls"))
        for container, stack in snapshot.stacks.items():
            if container:
                loopback = next(link for link in stack.links if link.ifindex == 1)
                netns = netns_name(snapshot.topology, container)
                found["namespace/" + container] = Namespace(
                    id="namespace/" + container,
                    container=container,
                    netns=netns,
                    of=_of(snapshot, container, netns) if snapshot.has_engine else "",
                    loopback_up=loopback.up,
                    sysctls=snapshot.sysctls(container, recorded.get(container, {})),
                )
        for container, owner in snapshot.joined.items():
            found["namespace/" + container] = Namespace(
                id="namespace/" + container,
                container=container,
                netns=netns_name(snapshot.topology, container),
                joins=owner,
            )
        for container in snapshot.half_pinned:
            found["namespace/" + container] = Namespace(
                id="namespace/" + container,
                container=container,
                netns=netns_name(snapshot.topology, container),
                joins="nothing",
            )
        foreign.update(("netns:" + name, whose) for name, whose in snapshot.netns_taken.items())

    def create(self, context: Context, resource: Namespace) -> Iterator[Operation]:
        """Make and pin it, with ``lo`` up, then set its sysctls."""
        yield Call(lambda: self._create(context, resource))
        if not resource.loopback_up:
            yield Netlink(resource.netns, rtnl.change_link(b"", index=1, up=False))
        if resource.sysctls:
            yield Call(lambda: _set(context, resource, resource.sysctls))

    @staticmethod
    def _create(context: Context, resource: Namespace) -> None:
        context.need_netns_directory()
        # Before the name: if we are killed between name and namespace, this says that the name is ours.
        context.remember_container(resource.container)
        if resource.of:
            pid = context.engine.pid(context.netns(resource.of.partition("/")[2]))
            context.namespaces.adopt(resource.netns, pid, mark(context.topology, resource.id))
            context.fresh_stack(resource.container)
        elif resource.joins:
            context.namespaces.bind(resource.netns, context.netns(resource.joins))
        else:
            context.namespaces.create(resource.netns, mark(context.topology, resource.id))
            context.fresh_stack(resource.container)

    def update(
        self, context: Context, live: Namespace, desired: Namespace, paths: frozenset[str]
    ) -> Iterator[Operation]:
        """Bring ``lo`` up or down; set sysctls, and put back those that are no longer asked for."""
        if "loopback_up" in paths:
            yield Netlink(desired.netns, rtnl.change_link(b"", index=1, up=desired.loopback_up))
        changed = {key: value for key, value in desired.sysctls.items() if live.sysctls.get(key) != value}
        dropped = [key for key in live.sysctls if key not in desired.sysctls]
        if changed or dropped:
            yield Call(lambda: _set(context, desired, changed, dropped))

    def delete(self, context: Context, resource: Namespace) -> Iterator[Operation]:
        """Unpin it and forget what was noted of it. The kernel ends it in its own time, so where another takes its
        name, the interfaces in it go first: the other ends of cables have names that are wanted at once."""
        if resource.of and "netns:" + resource.netns in context.taking:
            yield Call(lambda: self._empty(context, resource))
        yield Call(lambda: self._delete(context, resource))

    @staticmethod
    def _empty(context: Context, resource: Namespace) -> None:
        stack = context.snapshot.stacks.get(resource.container)
        names = [link.name for link in stack.links if link.ifindex != 1] if stack is not None else []
        context.namespaces.socket(resource.netns).send([rtnl.delete_link(name) for name in names])

    @staticmethod
    def _delete(context: Context, resource: Namespace) -> None:
        # That the container is known stays noted until nothing of it is left (housekeeping.tidy): a crash may leave
        # its folder below /etc/netns.
        context.namespaces.delete(resource.netns)
        rundir.remove(_record(context.topology, resource.container))


def _of(snapshot: Snapshot, container: str, netns: str) -> str:
    """The engine's container whose namespace it is; with a word more if that one has another by now."""
    own = snapshot.engine.own.values() if snapshot.engine is not None else ()
    live = next((item for item in own if container == (item.resource.stack or item.resource.container)), None)
    if live is None or live.resource.network:
        return ""
    other = live.netns != 0 and live.netns != snapshot.namespaces.inode(netns)
    # One that has to be started will have another.
    if other or live.resource.state != STARTED:
        return live.resource.id + BEFORE
    return live.resource.id


def _record(topology: str, container: str) -> str:
    return rundir.topology_dir(topology, "sysctls", container + ".json")


def _set(context: Context, resource: Namespace, values: Mapping[str, str], dropped: Sequence[str] = ()) -> None:
    """Set sysctls inside, after noting the values they had; put back the dropped ones."""
    path = _record(context.topology, resource.container)
    original = dict(rundir.read_json(path) or {})
    with context.namespaces.inside(resource.netns):
        for key in values:
            if key not in original:
                with _explained(resource, "sysctl {} cannot be read".format(key)):
                    original[key] = sysctl.read(key)
        # Noted before anything is set, so that a crash in between loses no original value.
        rundir.write_json(path, original)
        for key, value in values.items():
            with _explained(resource, "sysctl {} cannot be set to {!r}".format(key, value)):
                sysctl.write(key, value)
        for key in dropped:
            with contextlib.suppress(FileNotFoundError):
                sysctl.write(key, original.pop(key))
    if original:
        rundir.write_json(path, original)
    else:
        rundir.remove(path)


@contextlib.contextmanager
def _explained(resource: Namespace, what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise KernelRefused(
            "{}: {}: {}".format(resource.id, what, error.strerror),
            errno=error.errno or 0,
            object_id=resource.id,
            hint="see which keys there are with: ip netns exec {} sysctl -a".format(resource.netns),
        ) from error
