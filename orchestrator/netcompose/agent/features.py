"""What a host's kernel and programs can do.

A kernel module that is loaded, or that is there to be loaded, is a feature that the kernel has: looking costs
nothing and loads nothing. What no file tells (a kernel with everything built in) is tried out in a network namespace
that is thrown away.
"""

from __future__ import annotations

import contextlib
import errno
import os
import struct
from typing import Iterator, NamedTuple, Sequence

from netcompose.agent import nameserver, programs
from netcompose.agent.kernel import rtnl, stacked, syscalls
from netcompose.agent.kernel.namespaces import Namespaces
from netcompose.agent.kernel.netlink import NLM_F_CREATE, NLM_F_EXCL, Message, Socket, attr, attr_text, attr_u32

_IFLA_VXLAN_ID, _IFLA_VRF_TABLE = 1, 1
_PARENT_INDEX = 100
_RTM_NEWQDISC = 36
_TCA_KIND, _TCA_OPTIONS = 1, 2
_TC_H_ROOT = 0xFFFFFFFF
_TCMSG = struct.Struct("=BxxxiIII")


class _Trial(NamedTuple):
    """How a feature is found: the module that brings it, and an interface (``kind``) or a queueing discipline (kind
    ``qdisc NAME``) with it, whose making shows that it is there. ``data`` are the kind's own attributes."""

    module: str
    kind: str
    data: bytes = b""
    on_parent: bool = False


#: Feature -> how it is found. Their names are what ``Resource.needs`` says and what `hosts` shows.
_TRIALS = {
    "bridge": _Trial("bridge", "bridge"),
    "veth": _Trial("veth", "veth"),
    "macvlan": _Trial("macvlan", "macvlan", stacked.macvlan_data("bridge"), True),
    "ipvlan": _Trial("ipvlan", "ipvlan", stacked.ipvlan_data("l2", "bridge"), True),
    "8021q": _Trial("8021q", "vlan", stacked.vlan_data(10), True),
    "vxlan": _Trial("vxlan", "vxlan", attr_u32(_IFLA_VXLAN_ID, 42)),
    "dummy": _Trial("dummy", "dummy"),
    "vrf": _Trial("vrf", "vrf", attr_u32(_IFLA_VRF_TABLE, 100)),
    "wireguard": _Trial("wireguard", "wireguard"),
    # struct tc_netem_qopt: latency, limit, loss, gap, duplicate, jitter.
    "netem": _Trial("sch_netem", "qdisc netem", struct.pack("=6I", 0, 1000, 0, 0, 0, 0)),
    # struct tc_tbf_qopt: two tc_ratespec (the link layer is Ethernet, 1 MB/s; no peak), limit, buffer, mtu.
    "tbf": _Trial(
        "sch_tbf",
        "qdisc tbf",
        attr(1, struct.pack("=BBHhHI", 0, 1, 0, 0, 0, 1000000) + bytes(12) + struct.pack("=III", 9000, 99999, 0)),
    ),
}
_PROGRAMS = {"nft": "nft", "docker": "docker", "podman": "podman"}
#: Refusals that mean "no such thing here"; others come with the kernel's words.
_UNKNOWN = frozenset({errno.EOPNOTSUPP, errno.ENOENT, errno.ENODEV})


def probe(namespaces: Namespaces, names: Sequence[str] = ()) -> dict[str, str]:
    """Feature -> empty when usable, else the reason; of all features, or of those asked for.

    What cannot be found out (no right to try it) is left out.
    """
    found: dict[str, str] = {}
    wanted = [name for name in _TRIALS if not names or name in names]
    to_try = []
    if wanted:
        known = frozenset(_known_modules())
        for name in wanted:
            if _TRIALS[name].module in known:
                found[name] = ""
            else:
                to_try.append(name)
    if to_try or not names or "network namespaces" in names:
        try:
            with contextlib.closing(_scratch(namespaces)) as socket:
                found["network namespaces"] = ""
                found.update((name, _try(socket, _TRIALS[name])) for name in to_try)
        except OSError as error:
            found["network namespaces"] = "no network namespace can be made: {}".format(error.strerror or error)
    for name, reason in _others():
        if not names or name in names:
            found[name] = reason
    return found if not names else {name: found[name] for name in names if name in found}


def _others() -> Iterator[tuple[str, str]]:
    yield "ipv6", "" if os.path.isdir("/proc/sys/net/ipv6") else "the kernel is built or started without IPv6"
    yield "dns", nameserver.program()[1]
    for feature, program in _PROGRAMS.items():
        yield feature, "" if programs.which(program) else "no program {} on this host".format(program)


def _known_modules() -> Iterator[str]:
    """The modules that are loaded, built in as such, or on the disk for this kernel (modules.dep(5))."""
    with contextlib.suppress(OSError):
        yield from os.listdir("/sys/module")
    folder = "/lib/modules/{}".format(os.uname().release)
    for name in ("modules.dep", "modules.builtin"):
        with contextlib.suppress(OSError), open(os.path.join(folder, name), encoding="utf-8") as file:
            for line in file:
                # kernel/net/8021q/8021q.ko.xz: kernel/net/802/mrp.ko.xz ...
                yield line.partition(":")[0].strip().rpartition("/")[2].partition(".ko")[0].replace("-", "_")


def _scratch(namespaces: Namespaces) -> Socket:
    """A socket in a namespace of its own, which ends when the socket is closed."""
    with namespaces.returning():
        syscalls.unshare(syscalls.CLONE_NEWNET)
        return Socket()


def _try(socket: Socket, trial: _Trial) -> str:
    """Make it on loopback, or on a bridge, next to what was tried before; nothing is removed, which would cost the
    kernel more time than everything else: it ends with the namespace."""
    try:
        _, is_qdisc, qdisc = trial.kind.partition("qdisc ")
        if is_qdisc:
            options = attr_text(_TCA_KIND, qdisc) + attr(_TCA_OPTIONS, trial.data)
            body = _TCMSG.pack(0, 1, 0, _TC_H_ROOT, 0) + options
            socket.request(Message(_RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, body))
            return ""
        common = b""
        if trial.on_parent:
            common = stacked.on_parent(_parent(socket))
        socket.request(rtnl.create_link(trial.kind, common, data=trial.data))
    except OSError as error:
        if error.errno in _UNKNOWN:
            return "the kernel has no {}".format(trial.module)
        return "the kernel says: {}".format(error.strerror)
    return ""


def _parent(socket: Socket) -> int:
    """An interface to put others on, made by the first use."""
    try:
        socket.request(rtnl.create_link("bridge", b"", index=_PARENT_INDEX))
    except OSError as error:
        if error.errno not in (errno.EEXIST, errno.EBUSY):
            socket.request(rtnl.create_link("veth", b"", index=_PARENT_INDEX))
    return _PARENT_INDEX
