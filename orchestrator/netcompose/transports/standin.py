"""Interfaces that stand in for the parents of a topology in throw-away hosts: cables to one segment, or to nowhere.

Run in the network of the first host as ``python -m netcompose.transports.standin JOB``, where ``JOB`` is a JSON object.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from netcompose.errors import HostLacks

if TYPE_CHECKING:
    from netcompose.transports.sandbox import Sandbox


def lay(number: int, ends: Sequence[tuple[Sandbox, str]], mtu: int) -> None:
    """Make the interfaces of these names in their hosts, on one segment; one alone is on a cable that nobody has the
    other end of. ``number`` tells the segment from others. Raises ``HostLacks`` if a host refuses."""
    from netcompose.transports.sandbox import environment

    first = ends[0][0]
    kinds = ["--net", *(["--user"] if first.user_namespace else [])]
    # In the network of the host, but with the machine's process ids.
    job = {"number": number, "mtu": mtu, "ends": [[0 if host is first else host.pid, name] for host, name in ends]}
    enter = [*first.enter(*kinds), sys.executable, "-m", __name__, json.dumps(job)]
    done = subprocess.run(enter, env=environment(), capture_output=True, text=True)
    if done.returncode:
        words = done.stderr.strip().splitlines()
        raise HostLacks(f"sandbox {first.name}: a parent cannot be stood in for: {words[-1] if words else '?'}")


def make(number: int, mtu: int, ends: Sequence[tuple[int, str]]) -> None:
    """Make a veth pair for each end here, whose near side is a bridge's port if there are several. An end is the id of
    a process in the host that it is for (0 for this one) and its name there."""
    from netcompose.agent.kernel import linkdump, rtnl
    from netcompose.agent.kernel.netlink import Socket

    socket = Socket()
    bridge = None
    if len(ends) > 1:
        name = f"segment{number}"
        socket.request(rtnl.create_link("bridge", rtnl.link_attributes(name=name), up=True))
        bridge = next(link.ifindex for link in linkdump.links(socket) if link.name == name)
    for count, (pid, name) in enumerate(ends):
        fd = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY) if pid else -1
        near = f"segment{number}.{count}"
        far = rtnl.link_attributes(name=name, mtu=mtu, netns_fd=fd)
        socket.request(rtnl.create_veth(far, rtnl.link_attributes(name=near, mtu=mtu), up=True))
        if fd >= 0:
            os.close(fd)
        socket.request(rtnl.change_link(rtnl.link_attributes(master=bridge), name=near, up=True))


if __name__ == "__main__":
    make(**json.loads(sys.argv[1]))
