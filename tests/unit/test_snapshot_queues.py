"""Queues are read only in namespaces where a link's own message names one that impairs."""

from __future__ import annotations

from typing import Any

import pytest
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg

from netcompose.agent.kernel import linkdump, qdisc
from netcompose.agent.snapshot import read_stack


def link(index: int, queue: str) -> bytes:
    message = ifinfmsg()
    message["index"] = index
    message["attrs"] = [("IFLA_IFNAME", f"eth{index}"), ("IFLA_MTU", 1500), ("IFLA_QDISC", queue)]
    message.encode()
    return bytes(message.data[16:])


class Socket:
    """A namespace with these links; keeps the types of the dumps that were asked for."""

    def __init__(self, *links: bytes) -> None:
        self.links = list(links)
        self.asked: list[int] = []

    def dump(self, kind: int, body: bytes) -> list[bytes]:
        self.asked.append(kind)
        if kind == qdisc.RTM_GETQDISC:
            return [qdisc.put(2, qdisc.Netem(limit=5)).body]
        return self.links if kind == linkdump.RTM_GETLINK else []


class Namespaces:
    def __init__(self, socket: Socket) -> None:
        self._socket = socket

    def socket(self, name: str) -> Any:
        return self._socket


@pytest.mark.parametrize("queue", ["noqueue", "pfifo_fast", "fq_codel", "mq", "htb", "netem2", "tb"])
def test_a_plain_namespace_is_not_asked_for_its_queues(queue: str) -> None:
    socket = Socket(link(1, "noqueue"), link(2, queue))
    stack = read_stack(Namespaces(socket), "x")  # type: ignore[arg-type]
    assert qdisc.RTM_GETQDISC not in socket.asked and stack.qdiscs == {}
    assert [found.impaired for found in stack.links] == [False, False]


@pytest.mark.parametrize("queue", ["netem", "tbf"])
def test_one_with_a_queue_that_impairs_is_asked_once(queue: str) -> None:
    socket = Socket(link(1, "noqueue"), link(2, queue), link(3, queue))
    stack = read_stack(Namespaces(socket), "x")  # type: ignore[arg-type]
    assert socket.asked.count(qdisc.RTM_GETQDISC) == 1
    assert stack.qdiscs == {2: qdisc.Netem(limit=5)}
    assert [found.impaired for found in stack.links] == [False, True, True]
