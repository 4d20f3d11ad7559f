"""An agent that is none, and channels without one."""

import os
import threading

from netcompose.agent.protocol import Channel, Stream
from netcompose.errors import KernelRefused, Locked
from netcompose.planner.plan import Change, Difference, Disturbance
from netcompose.resources import (
    Bridge,
    ContainerState,
    End,
    HostFacts,
    Observation,
    Process,
    Route,
    Veth,
)

BRIDGE = Bridge("bridge/a", network="a", name="nca", mac="02:00:00:00:00:01", addresses=("10.0.0.1/24",), ifindex=7)


VETH = Veth(
    "interface/w.eth0",
    end=End(namespace="w", name="eth0", mac="02:00:00:00:00:02", routes=(Route("0.0.0.0/0", "10.0.0.1"),)),
    peer=End(namespace="", name="ncw", mac="02:00:00:00:00:03", master="bridge/a"),
)


PROCESS = Process("process/w", container="w", command=("sleep", "1"), environment={"A": "ü"}, stop_grace_period=1.5)


CHANGE = Change(
    address="local/bridge/a",
    host="local",
    id="bridge/a",
    kind="bridge",
    actions=("update",),
    reason_code="differs",
    reason="mtu differs",
    before=BRIDGE,
    after=Bridge("bridge/a", network="a", name="nca", mac="02:00:00:00:00:01", mtu=1400),
    differences=(Difference("mtu", 1500, 1400), Difference("addresses", ["10.0.0.1/24"], [], secret=True)),
    replace_paths=("name",),
    requires=("namespace/w",),
    disturbs=(Disturbance("w", "blip", "why"),),
    fingerprint="abc",
    stage=3,
)


class StandIn:
    """An agent that remembers what it was asked."""

    def __init__(self):
        self.asked = []
        self.closed = threading.Event()
        self.go_on = threading.Event()
        self.cancelled = None

    def known_as(self, host):
        self.host = host

    def hello(self):
        return {"version": "x", "pid": os.getpid()}

    def observe(self, topology, parents=(), images=()):
        resources = {item.id: item for item in (BRIDGE, VETH, PROCESS)}
        facts = HostFacts(hostname="h", routes=(("10.0.0.0/8", "eth0"),), features={"nft": "missing"}, load=0.5)
        return Observation(resources, {"netdev:/br0": "somebody's"}, facts)

    def lock(self, topology, owner):
        raise Locked("locked by " + owner, hint="wait")

    def unlock(self):
        raise ZeroDivisionError("not ours")

    def at_work(self, busy):
        self.at_work_now = busy

    def arm(self, topology, changes, token, seconds):
        self.asked.append((topology, tuple(changes), token, seconds))

    def settle(self, token, what):
        return f"{what} {token}"

    def apply(self, topology, changes, progress):
        changes = () if changes is None else changes
        self.asked.append((topology, tuple(changes)))
        try:
            progress(1, 2, "one")
            if topology == "waits":
                self.go_on.wait(5)
            progress(2, 2, "two")
        except BaseException as error:
            self.cancelled = type(error).__name__
            raise

    def confirm(self):
        print("noise on stdout", flush=True)

    def rollback(self):
        raise KernelRefused("no", errno=16, object_id="bridge/a")

    def states(self, topology):
        return [ContainerState("w", "exited", exit_code=-9, started=1.5)]

    def features(self, names=()):
        return {"vlan": "the kernel says no", "veth": ""}

    def run_many(self, topology, jobs, timeout):
        self.asked.append((topology, *jobs[0], timeout))
        return [(3, b"\x00\xff", b"err") for _ in jobs]

    def logs(self, topology, container, tail, since, timestamps):
        return b"%d lines\xfe" % tail

    def close(self):
        self.closed.set()


def channels():
    there, back = os.pipe(), os.pipe()
    return Channel(Stream(back[0], there[1])), Channel(Stream(there[0], back[1]))
