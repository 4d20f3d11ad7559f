"""What a host's kernel and programs can do, tried out in a network namespace that is thrown away."""

from __future__ import annotations

import os
import shutil

from netcompose.agent import nameserver
from netcompose.agent.kernel import rtnl, syscalls
from netcompose.agent.kernel.namespaces import Namespaces
from netcompose.agent.kernel.netlink import Socket, attr, attr_u32

_IFLA_VLAN_ID, _IFLA_VXLAN_ID = 1, 1
_PARENT_INDEX = 100

#: Kinds of interface: what netcompose calls them, and the kind's own attributes for a trial.
_KINDS = {
    "bridge": b"",
    "veth": b"",
    "macvlan": attr_u32(1, 4),
    "ipvlan": attr(1, b"\0\0"),
    "vlan": attr(_IFLA_VLAN_ID, b"\x0a\0"),
    "vxlan": attr_u32(_IFLA_VXLAN_ID, 42),
    "dummy": b"",
    "vrf": attr_u32(1, 100),
    "wireguard": b"",
}
_ON_PARENT = frozenset({"macvlan", "ipvlan", "vlan"})
_PROGRAMS = {"nft": "nft", "docker": "docker", "podman": "podman"}


def probe(namespaces: Namespaces) -> dict[str, str]:
    """Feature -> empty when usable, else the reason."""
    found: dict[str, str] = {}
    try:
        socket = _scratch(namespaces)
    except OSError as error:
        return {"network namespaces": error.strerror or str(error)}
    try:
        found["network namespaces"] = ""
        socket.request(rtnl.create_link("bridge", rtnl.link_attributes(name="parent"), index=_PARENT_INDEX))
        for kind, data in _KINDS.items():
            common = rtnl.link_attributes(name="try")
            if kind in _ON_PARENT:
                common += attr_u32(rtnl.IFLA_LINK, _PARENT_INDEX)
            try:
                socket.request(rtnl.create_link(kind, common, data=data))
                socket.request(rtnl.delete_link("try"))
                found[kind] = ""
            except OSError as error:
                found[kind] = "the kernel says: {}".format(error.strerror)
    finally:
        socket.close()
    found["ipv6"] = "" if os.path.isdir("/proc/sys/net/ipv6") else "the kernel is built or started without it"
    found["dns"] = nameserver.program()[1]
    for feature, program in _PROGRAMS.items():
        found[feature] = "" if shutil.which(program) else "no program {} on this host".format(program)
    return found


def _scratch(namespaces: Namespaces) -> Socket:
    """A socket in a namespace of its own, which ends when the socket is closed."""
    with namespaces.returning():
        syscalls.unshare(syscalls.CLONE_NEWNET)
        return Socket()
