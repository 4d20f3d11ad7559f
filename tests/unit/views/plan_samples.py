"""A small network as resources and the plans between its states, made by the real planner."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from netcompose.planner.plan import Plan
from netcompose.planner.planner import make_plan
from netcompose.resources import (
    Bridge,
    End,
    Exec,
    File,
    Leftover,
    Namespace,
    Observation,
    Process,
    Resource,
    Route,
    Veth,
)

HOSTS = "127.0.0.1\tlocalhost\n172.18.0.2\tweb1\n172.18.0.3\tweb2\n"


def namespace(name: str, **kwargs: Any) -> Namespace:
    return Namespace(id=f"namespace/{name}", container=name, netns=f"demo-{name}", **kwargs)


def bridge(**kwargs: Any) -> Bridge:
    return Bridge(
        id="bridge/mynet1",
        network="mynet1",
        name="ncb0",
        mac="02:00:00:00:00:01",
        addresses=("172.18.0.1/16",),
        alias="netcompose:demo:bridge/mynet1",
        **kwargs,
    )


def interface(container: str, number: int, **kwargs: Any) -> Veth:
    end = End(
        namespace=container,
        name="eth0",
        mac=f"02:00:00:00:01:{number:02x}",
        alias=f"netcompose:demo:interface/{container}.eth0",
        addresses=(f"172.18.{number // 250}.{number % 250 + 1}/16", f"fd00:18::{number}/64"),
        routes=(Route("0.0.0.0/0", "172.18.0.1"),),
        ifindex=2,
    )
    peer = End(namespace="", name=f"nc{number}", mac="02:00:00:00:02:01", master="bridge/mynet1", ifindex=7)
    return Veth(
        id=f"interface/{container}.eth0", end=replace(end, **kwargs), peer=replace(peer, mtu=kwargs.get("mtu", 1500))
    )


def process(name: str, **kwargs: Any) -> Process:
    options: dict[str, Any] = {
        "command": ("python3", "-m", "http.server", "80"),
        "environment": {"PASSWORD": "hunter2", "TOKEN": "t0psecret"},
        "hostname": name,
        "after": (f"interface/{name}.eth0",),
    }
    return Process(id=f"process/{name}", container=name, namespace=name, netns=f"demo-{name}", **{**options, **kwargs})


def hosts_file(name: str, content: str = HOSTS) -> File:
    return File(id=f"file/{name}/hosts", container=name, path=f"/etc/netns/demo-{name}/hosts", content=content)


def by_id(*resources: Resource) -> dict[str, Resource]:
    return {resource.id: resource for resource in resources}


def demo() -> dict[str, Resource]:
    """Two containers on a bridge; web1 runs a server with a secret in its environment."""
    return by_id(
        bridge(),
        namespace("web1"),
        namespace("web2", sysctls={"net.ipv4.ip_forward": "1"}),
        interface("web1", 1),
        interface("web2", 2),
        hosts_file("web1"),
        process("web1"),
        Exec(id="exec/web2", container="web2", commands=(("ip", "route", "show"),), namespace="web2"),
    )


def plan(
    desired: dict[str, Resource],
    live: dict[str, Resource] | None = None,
    foreign: dict[str, str] | None = None,
    moved: dict[str, str] | None = None,
) -> Plan:
    """The real planner's plan for the one host ``local``."""
    observation = Observation(resources=live or {}, foreign=foreign or {})
    return make_plan("demo", {"local": desired}, {"local": observation}, {"local": moved or {}})


def changed() -> Plan:
    """One plan with everything in it: updates, a replacement with followers, removals, a leftover, new objects."""
    live = {
        **demo(),
        **by_id(
            namespace("old"),
            interface("old", 9),
            Leftover(id="leftover/web1/tmp0", namespace="web1", name="tmp0"),
        ),
    }
    desired = {
        **demo(),
        **by_id(
            interface("web1", 1, mtu=9000, addresses=("172.18.0.9/16", "fd00:18::1/64")),
            hosts_file("web1", HOSTS.replace("172.18.0.2", "172.18.0.9") + "172.18.0.4\tweb3\n"),
            process("web1", environment={"PASSWORD": "changed", "EXTRA": "1"}, command=("sleep", "1 day")),
            namespace("web2", sysctls={"net.ipv4.ip_forward": "0", "net.ipv4.conf.all.rp_filter": "2"}),
            namespace("web3"),
            interface("web3", 3),
        ),
    }
    return plan(desired, live)


def rebuilt() -> Plan:
    """The bridge gets another name: it is replaced, and its ports are tied to it again."""
    return plan({**demo(), "bridge/mynet1": replace(bridge(), name="ncb1")}, demo())


def many(number: int) -> dict[str, Resource]:
    """A bridge with ``number`` containers."""
    names = [(f"web{i}", i) for i in range(1, number + 1)]
    return by_id(bridge(), *(namespace(n) for n, _ in names), *(interface(n, i) for n, i in names))
