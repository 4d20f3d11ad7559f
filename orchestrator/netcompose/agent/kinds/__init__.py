"""One module per kind of resource: how it is observed, made, changed and removed.

The registry: a new kind is a module here and its class in ``netcompose.resources``.
"""

from __future__ import annotations

from typing import Mapping

from netcompose.agent.kinds.base import Kind
from netcompose.agent.kinds.bridge import BridgeKind
from netcompose.agent.kinds.container import ContainerKind, StartKind
from netcompose.agent.kinds.docker_user import DockerUserKind
from netcompose.agent.kinds.exec import ExecKind
from netcompose.agent.kinds.file import FileKind
from netcompose.agent.kinds.firewall import FirewallKind
from netcompose.agent.kinds.ipvlan import IpvlanKind
from netcompose.agent.kinds.leftover import LeftoverKind
from netcompose.agent.kinds.macvlan import MacvlanKind
from netcompose.agent.kinds.namespace import NamespaceKind
from netcompose.agent.kinds.process import ProcessKind
from netcompose.agent.kinds.promiscuous import PromiscuityKind
from netcompose.agent.kinds.route import HostRouteKind
from netcompose.agent.kinds.sysctl import SysctlKind
from netcompose.agent.kinds.veth import VethKind
from netcompose.agent.kinds.vlan import VlanKind
from netcompose.agent.kinds.vxlan import VxlanKind

KINDS: Mapping[str, Kind] = {
    kind.kind: kind
    for kind in (
        NamespaceKind(),
        BridgeKind(),
        VlanKind(),
        VethKind(),
        MacvlanKind(),
        IpvlanKind(),
        VxlanKind(),
        LeftoverKind(),
        FileKind(),
        ExecKind(),
        ProcessKind(),
        ContainerKind(),
        StartKind(),
        FirewallKind(),
        SysctlKind(),
        PromiscuityKind(),
        DockerUserKind(),
        HostRouteKind(),
    )
}
