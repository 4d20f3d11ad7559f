"""Kernel parameters of the host, with the values that they had before."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any, Iterator, MutableMapping, Sequence

from netcompose.agent import rundir
from netcompose.agent.kernel import sysctl
from netcompose.agent.kernel.namespaces import HOST
from netcompose.agent.operations import Call, Operation
from netcompose.agent.snapshot import Snapshot
from netcompose.errors import KernelRefused
from netcompose.resources import Resource, Sysctl

if TYPE_CHECKING:
    from netcompose.agent.context import Context

_RECORD = os.path.join(rundir.ROOT, "sysctls.json")
#: What the kernel changes by itself when a parameter is set (inet_forward_change(), addrconf_forward_change()). Their
#: values are remembered with it and put back after it.
_COMPANIONS = {
    "net.ipv4.ip_forward": ("net.ipv4.conf.*.forwarding", "net.ipv4.conf.all.accept_redirects"),
    "net.ipv6.conf.all.forwarding": ("net.ipv6.conf.*.forwarding",),
}


class SysctlKind:
    """See :class:`netcompose.resources.Sysctl`.

    The record is ``key -> {"original", "companions", "topologies": {name: after}}``.
    """

    kind = Sysctl.kind

    def observe(
        self, snapshot: Snapshot, found: MutableMapping[str, Resource], foreign: MutableMapping[str, str]
    ) -> None:
        """The parameters that this topology has asked for, as they are now."""
        for key, entry in _recorded().items():
            after = entry["topologies"].get(snapshot.topology)
            if after is not None:
                # What belongs to an interface goes with it; the record of it is then a thing to be removed.
                value = ""
                with contextlib.suppress(OSError):
                    value = sysctl.read(key)
                id = "sysctl/" + key
                found[id] = Sysctl(id=id, key=key, value=value, after=tuple(after))

    def create(self, context: Context, resource: Sysctl) -> Iterator[Operation]:
        """Remember the value that it has, then set it."""
        yield Call(lambda: self._set(context, resource))

    def update(self, context: Context, live: Sysctl, desired: Sysctl, paths: frozenset[str]) -> Iterator[Operation]:
        """Set it again."""
        yield Call(lambda: self._set(context, desired))

    def delete(self, context: Context, resource: Sysctl) -> Iterator[Operation]:
        """Put back what was there, if no other topology needs it."""
        yield Call(lambda: self._release(context.topology, resource.key))

    @staticmethod
    def _set(context: Context, resource: Sysctl) -> None:
        try:
            value = sysctl.read(resource.key)
            record = _recorded()
            if resource.key not in record:
                # What this run has made has no value of before; the interfaces that it found are looked at.
                names = [link.name for link in context.snapshot.stacks[HOST].links]
                companions = _companions(resource.key, value, names)
                record[resource.key] = {"original": value, "companions": companions, "topologies": {}}
            record[resource.key]["topologies"][context.topology] = list(resource.after)
            # Noted before anything is set, so that a crash in between loses no original value.
            rundir.write_json(_RECORD, record)
            if value != resource.value:
                sysctl.write(resource.key, resource.value)
        except OSError as error:
            raise KernelRefused(
                "{}: it cannot be set to {}: {}".format(resource.id, resource.value, error.strerror),
                errno=error.errno or 0,
                object_id=resource.id,
            ) from error

    @staticmethod
    def _release(topology: str, key: str) -> None:
        record = _recorded()
        entry = record.get(key, {"topologies": {}})
        entry["topologies"].pop(topology, None)
        if not entry["topologies"] and "original" in entry:
            for name, value in ((key, entry["original"]), *sorted(entry["companions"].items())):
                with contextlib.suppress(OSError):
                    if sysctl.read(name) != value:
                        sysctl.write(name, value)
        if not entry["topologies"]:
            record.pop(key, None)
        if record:
            rundir.write_json(_RECORD, record)
        else:
            rundir.remove(_RECORD)


def _recorded() -> dict[str, Any]:
    return dict(rundir.read_json(_RECORD) or {})


def _companions(key: str, original: str, interfaces: Sequence[str]) -> dict[str, str]:
    """The values of the others, without those that putting back the original gives them by itself."""
    found = {}
    for pattern in _COMPANIONS.get(key, ()):
        head, star, tail = pattern.partition("*")
        names = [pattern]
        if star:
            # A dot in an interface's name is a slash in a key (sysctl(8)).
            names = [head + name.replace(".", "/") + tail for name in ("all", "default", *interfaces)]
        for name in names:
            if name != key:
                with contextlib.suppress(OSError):
                    value = sysctl.read(name)
                    if not star or value != original:
                        found[name] = value
    return found
