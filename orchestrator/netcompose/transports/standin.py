"""Interfaces that stand in for the parents of a topology in a throw-away host: cables that lead nowhere.

Run inside as ``python -m netcompose.transports.standin '{"eth1": 1500}'``: names and MTUs.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from netcompose.errors import HostLacks

if TYPE_CHECKING:
    from netcompose.transports.sandbox import Sandbox


def lay(sandbox: Sandbox, cables: Mapping[str, int]) -> None:
    """Make them in a sandbox. Raises ``HostLacks`` if it refuses."""
    done = sandbox.run([sys.executable, "-m", __name__, json.dumps(dict(cables))])
    if done.returncode:
        words = done.stderr.strip().splitlines()
        raise HostLacks(f"sandbox {sandbox.name}: a parent cannot be stood in for: {words[-1] if words else '?'}")


def make(cables: Mapping[str, int]) -> None:
    """Make them here: a veth pair each, both ends up, so that the cable carries frames; nobody is at the other end."""
    from netcompose.agent.kernel import rtnl
    from netcompose.agent.kernel.netlink import Socket

    socket = Socket()
    for name, mtu in cables.items():
        far = rtnl.link_attributes(mtu=mtu)
        socket.request(rtnl.create_veth(rtnl.link_attributes(name=name, mtu=mtu), far, up=True))
        near = next(link for link in rtnl.links(socket) if link.name == name)
        socket.request(rtnl.change_link(b"", index=near.link, up=True))


if __name__ == "__main__":
    make(json.loads(sys.argv[1]))
