"""Facts of the interfaces of the host that a topology names as parents: from the one reading of the host, and of what
stands on them in other namespaces from those."""

from __future__ import annotations

import contextlib
import os
from typing import Iterator, Mapping, Optional, Sequence, Union

from netcompose.agent.kernel import linkdump, stacked, syscalls
from netcompose.agent.kernel.namespaces import HOST, Namespaces
from netcompose.agent.kernel.netlink import Socket
from netcompose.agent.snapshot import Snapshot
from netcompose.resources import Child, ParentFacts
from netcompose.resources.names import SHARED, group, netns_name, owner_of, users

#: What an interface is of a master of this kind; others ("a part of") are named by their kind.
_PARTS = {"bridge": "a port of bridge", "bond": "a slave of bond", "team": "a port of team"}
#: A VRF is a routing table: the frames of its members stay theirs.
_HARMLESS_MASTERS = frozenset({"vrf"})


def read(snapshot: Snapshot, names: Sequence[str]) -> Mapping[str, ParentFacts]:
    """The facts of these interfaces; of one that is not there, facts without an index."""
    if not names:
        return {}
    links = {name: link for link in snapshot.stacks[HOST].links for name in (link.name, *link.altnames)}
    found = {name: links[name] for name in names if name in links and links[name].name == name}
    on = _children(snapshot, [link.ifindex for link in found.values()])
    return {name: _facts(snapshot, found.get(name), on) for name in names}


def _facts(snapshot: Snapshot, link: Optional[linkdump.Link], on: Mapping[int, Sequence[Child]]) -> ParentFacts:
    if link is None:
        return ParentFacts()
    master = snapshot.by_index.get(link.master)
    part = ""
    if link.master and (master is None or master.kind not in _HARMLESS_MASTERS):
        kind = master.kind if master is not None else "?"
        part = "{} {}".format(_PARTS.get(kind, "a part of " + kind), master.name if master is not None else link.master)
    owner = owner_of(link.alias) if link.alias else None
    if owner is None and link.group in (snapshot.group, snapshot.doomed):
        owner = (snapshot.topology, "")
    return ParentFacts(
        ifindex=link.ifindex,
        kind=link.kind,
        mac=link.mac,
        mtu=link.mtu,
        up=link.up,
        loopback=link.ifindex == 1,
        wireless=not link.kind and os.path.exists("/sys/class/net/{}/phy80211".format(link.name)),
        master=part,
        whose=_whose(link, owner),
        addresses=tuple(sorted(snapshot.stacks[HOST].addresses.get(link.ifindex, ()))),
        children=tuple(sorted(on.get(link.ifindex, ()), key=lambda child: (child.where, child.name))),
    )


def _whose(link: linkdump.Link, owner: Optional[tuple[str, str]]) -> str:
    if owner is None:
        return ""
    return "topology " + (", ".join(users(link.altnames, owner[1])) if owner[0] == SHARED else owner[0])


def _children(snapshot: Snapshot, parents: Sequence[int]) -> dict[int, list[Child]]:
    """What stands on the interfaces with these indexes, anywhere on this machine."""
    found: dict[int, list[Child]] = {}
    if not parents:
        return found
    for link in snapshot.stacks[HOST].links:
        if link.link in parents and (link.kind == "vlan" or link.kind in stacked.STACKED):
            found.setdefault(link.link, []).append(_vlan(link) if link.kind == "vlan" else _child(snapshot, link, ""))
    for where, socket in _elsewhere(snapshot.namespaces):
        with contextlib.closing(socket) if where.startswith("process ") else contextlib.nullcontext():
            for child in stacked.children(socket, parents, snapshot.namespaces.fd(HOST)):
                found.setdefault(child.parent, []).append(_child(snapshot, child, where))
    return found


def _child(snapshot: Snapshot, link: Union[linkdump.Link, stacked.Child], where: str) -> Child:
    owner = owner_of(link.alias) or ("", "")
    if not link.alias and link.group in (snapshot.group, snapshot.doomed):
        # The group alone is what a run that was killed left of one of ours: see kinds/stacked.py.
        container = where.partition(" ")[2][len(netns_name(snapshot.topology, "")) :]
        owner = (snapshot.topology, "interface/{}.{}".format(container, link.name))
    if link.kind.startswith("ipv"):
        return Child(link.kind, link.name, *stacked.read_ipvlan(link.info), where, *owner)
    return Child(link.kind, link.name, stacked.read_macvlan(link.info)[0], "", where, *owner)


def _vlan(link: linkdump.Link) -> Child:
    # The group alone is what a run that was killed left of one of ours.
    owner = owner_of(link.alias) or ((SHARED, "vlan/" + link.name) if link.group == group(SHARED) else ("", ""))
    using = users(link.altnames, owner[1]) if owner[0] == SHARED else ()
    return Child(link.kind, link.name, str(stacked.read_vlan(link.info)), "", "", *owner, users=using, mtu=link.mtu)


def _elsewhere(namespaces: Namespaces) -> Iterator[tuple[str, Socket]]:
    """Every other network namespace of the machine that has a name or a process, once, in words and as a socket."""
    seen = {namespaces.inode(HOST)}
    for name in namespaces.names():
        inode = namespaces.inode(name)
        if inode and inode not in seen:
            seen.add(inode)
            yield "namespace " + name, namespaces.socket(name)
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            path = "/proc/{}/ns/net".format(entry)
            # Processes end while they are looked at, and those of others may be none of our business.
            with contextlib.suppress(OSError):
                inode = os.stat(path).st_ino
                if inode not in seen:
                    seen.add(inode)
                    yield "process {}".format(entry), _enter(namespaces, path)


def _enter(namespaces: Namespaces, path: str) -> Socket:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with namespaces.returning():
            syscalls.setns(fd, syscalls.CLONE_NEWNET)
            return Socket()
    finally:
        os.close(fd)
