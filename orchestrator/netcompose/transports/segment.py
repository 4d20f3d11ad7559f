"""A segment that joins throw-away hosts: a bridge in the first one, with a cable to each of the others.

The addresses are from the range for tests of networks (RFC 2544, 198.18.0.0/15), and unique local ones (RFC 4193).
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

#: What the segment is called on the first host, and on the others.
BRIDGE, INTERFACE = "underlay0", "eth0"


def address(number: int) -> str:
    """The IPv4 address of the n-th host, from 1 on."""
    return f"198.18.{number >> 8}.{number & 255}"


def join(hosts: Sequence[Sandbox]) -> dict[str, str]:
    """Lay the segment between hosts that run; their addresses on it, by name."""
    from netcompose.transports.sandbox import environment

    first, *others = hosts
    kinds = ["--net", *(["--user"] if first.user_namespace else [])]
    for number, host in enumerate(hosts, 1):
        # In the network of the host, but with the machine's process ids.
        enter = [*host.enter(*kinds), sys.executable, "-m", "netcompose.transports.segment"]
        job = {"number": number, "others": [other.pid for other in others] if host is first else None}
        done = subprocess.run([*enter, json.dumps(job)], env=environment(), capture_output=True, text=True)
        if done.returncode != 0:
            words = done.stderr.strip().splitlines()
            raise HostLacks(f"no segment could be laid between the throw-away hosts: {words[-1] if words else ''}")
    return {host.name: address(number) for number, host in enumerate(hosts, 1)}


def main(argument: str) -> None:
    """Inside the network namespace of one host: the whole segment on the first, the address on each."""
    from netcompose.agent.kernel import linkdump, rtnl
    from netcompose.agent.kernel.netlink import Socket

    job = json.loads(argument)
    socket = Socket()
    name = INTERFACE if job["others"] is None else BRIDGE
    if job["others"] is not None:
        socket.request(rtnl.create_link("bridge", rtnl.link_attributes(name=name), up=True))
        bridge = next(link.ifindex for link in linkdump.links(socket) if link.name == name)
        for number, pid in enumerate(job["others"], 2):
            port = rtnl.link_attributes(name=f"port{number}", master=bridge)
            fd = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
            far = rtnl.link_attributes(name=INTERFACE, netns_fd=fd)
            socket.request(rtnl.create_veth(port, far, up=True))
            os.close(fd)
    index = next(link.ifindex for link in linkdump.links(socket) if link.name == name)
    socket.request(rtnl.change_link(b"", index=index, up=True))
    socket.request(rtnl.add_address(f"{address(job['number'])}/16", index))
    socket.request(rtnl.add_address(f"fdc6:12::{job['number']:x}/64", index))


if __name__ == "__main__":
    main(sys.argv[1])
