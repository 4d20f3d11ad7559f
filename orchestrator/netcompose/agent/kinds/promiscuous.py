"""The promiscuous flag of the host's interfaces, with what it was before."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Iterator, MutableMapping, Optional

from netcompose.agent import rundir
from netcompose.agent.kernel import linkdump, stacked
from netcompose.agent.operations import Call, Operation
from netcompose.agent.snapshot import Snapshot
from netcompose.errors import KernelRefused
from netcompose.resources import Promiscuity, Resource

if TYPE_CHECKING:
    from netcompose.agent.context import Context

_RECORD = os.path.join(rundir.ROOT, "promiscuous.json")


class PromiscuityKind:
    """See :class:`netcompose.resources.Promiscuity`.

    The record is ``interface -> {"ifindex", "original", "topologies"}``; what is noted of an interface that has another
    index now was another interface's.
    """

    kind = Promiscuity.kind

    def observe(
        self, snapshot: Snapshot, found: MutableMapping[str, Resource], foreign: MutableMapping[str, str]
    ) -> None:
        """The interfaces for which this topology has asked for it, as they are now."""
        record = _recorded()
        if not record:
            return
        links = {link.name: link for link in snapshot.stacks[""].links}
        for name, entry in record.items():
            if snapshot.topology in entry["topologies"]:
                id = "promiscuous/" + name
                link = links.get(name)
                on = link is not None and link.promiscuous and link.ifindex == entry["ifindex"]
                found[id] = Promiscuity(id=id, interface=name, on=on)

    def create(self, context: Context, resource: Promiscuity) -> Iterator[Operation]:
        """Remember how it is, then set it."""
        yield Call(lambda: self._set(context, resource))

    def update(
        self, context: Context, live: Promiscuity, desired: Promiscuity, paths: frozenset[str]
    ) -> Iterator[Operation]:
        """Set it again."""
        yield Call(lambda: self._set(context, desired))

    def delete(self, context: Context, resource: Promiscuity) -> Iterator[Operation]:
        """Put it back as it was, if no other topology asks for it."""
        yield Call(lambda: self._release(context, resource.interface))

    @staticmethod
    def _set(context: Context, resource: Promiscuity) -> None:
        link = _link(context, resource.interface)
        if link is None:
            raise KernelRefused("{}: there is no such interface".format(resource.id), object_id=resource.id)
        record = _recorded()
        entry = record.setdefault(resource.interface, {"topologies": []})
        if entry.get("ifindex") != link.ifindex:
            entry.update(ifindex=link.ifindex, original=link.promiscuous)
        if context.topology not in entry["topologies"]:
            entry["topologies"].append(context.topology)
        # Noted before anything is set, so that a crash in between loses no original value.
        rundir.write_json(_RECORD, record)
        context.namespaces.socket("").request(stacked.set_promiscuous(resource.on, name=resource.interface))

    @staticmethod
    def _release(context: Context, name: str) -> None:
        record = _recorded()
        entry = record.get(name)
        if entry is None:
            return
        entry["topologies"] = [other for other in entry["topologies"] if other != context.topology]
        if not entry["topologies"]:
            link = _link(context, name)
            if link is not None and link.ifindex == entry["ifindex"] and link.promiscuous != entry["original"]:
                context.namespaces.socket("").request(stacked.set_promiscuous(entry["original"], name=name))
            del record[name]
        if record:
            rundir.write_json(_RECORD, record)
        else:
            rundir.remove(_RECORD)


def _link(context: Context, name: str) -> Optional[linkdump.Link]:
    return next((link for link in linkdump.links(context.namespaces.socket("")) if link.name == name), None)


def _recorded() -> dict[str, Any]:
    return dict(rundir.read_json(_RECORD) or {})
