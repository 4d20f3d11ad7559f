"""The vocabulary that controller and agent share: one frozen dataclass per kind of resource. Pure, Python 3.9."""

from __future__ import annotations

from typing import Any, Mapping

from netcompose.resources.base import (
    IN_PLACE,
    OBSERVED,
    REPLACE,
    Attribute,
    Requirement,
    Resource,
    attribute,
    attributes,
)
from netcompose.resources.container import Exec, File, Process
from netcompose.resources.container_engine import Container, Start
from netcompose.resources.data import from_data, to_brief_data, to_data
from netcompose.resources.docker_user import DockerUser
from netcompose.resources.firewall import Firewall
from netcompose.resources.host import (
    ContainerState,
    EngineFacts,
    EngineNetwork,
    ExecTarget,
    HostFacts,
    Listener,
    Observation,
)
from netcompose.resources.impairment import Impairment
from netcompose.resources.interface import Bridge, End, Leftover, Route, Veth
from netcompose.resources.namespace import Namespace
from netcompose.resources.parent import Child, ParentFacts, Promiscuity, Vlan
from netcompose.resources.route import HostRoute
from netcompose.resources.stacked import Ipvlan, Macvlan, Stacked
from netcompose.resources.sysctl import Sysctl
from netcompose.resources.vxlan import Vxlan

#: The registry: a new kind is a new class here and a module of the same name under ``agent/kinds``.
KINDS: Mapping[str, type[Resource]] = {
    cls.kind: cls
    for cls in (
        Namespace,
        Bridge,
        Vlan,
        Veth,
        Macvlan,
        Ipvlan,
        Vxlan,
        Leftover,
        Promiscuity,
        File,
        Exec,
        Process,
        Container,
        Start,
        Firewall,
        Sysctl,
        DockerUser,
        HostRoute,
    )
}


def resource_to_data(resource: Resource) -> dict[str, Any]:
    """A resource as JSON data, with its kind."""
    return {"kind": resource.kind, **to_data(resource)}


def resource_from_data(data: Mapping[str, Any]) -> Resource:
    """The inverse of :func:`resource_to_data`; ``ValueError`` if the data is not a resource."""
    rest = dict(data)
    return resource_of(rest.pop("kind", None), rest)


def resource_of(kind: Any, attributes: Any) -> Resource:
    """The resource of a kind with these attributes as data; ``ValueError`` if they are not one's."""
    if kind not in KINDS:
        raise ValueError("unknown kind of resource {!r}".format(kind))
    resource: Resource = from_data(KINDS[kind], attributes)
    return resource


__all__ = [
    "IN_PLACE",
    "KINDS",
    "OBSERVED",
    "REPLACE",
    "Attribute",
    "Bridge",
    "Child",
    "Container",
    "ContainerState",
    "DockerUser",
    "End",
    "EngineFacts",
    "EngineNetwork",
    "Exec",
    "ExecTarget",
    "File",
    "Firewall",
    "HostFacts",
    "HostRoute",
    "Impairment",
    "Ipvlan",
    "Leftover",
    "Listener",
    "Macvlan",
    "Namespace",
    "Observation",
    "ParentFacts",
    "Process",
    "Promiscuity",
    "Requirement",
    "Resource",
    "Route",
    "Stacked",
    "Start",
    "Sysctl",
    "Veth",
    "Vlan",
    "Vxlan",
    "attribute",
    "attributes",
    "from_data",
    "resource_from_data",
    "resource_of",
    "resource_to_data",
    "to_brief_data",
    "to_data",
]
