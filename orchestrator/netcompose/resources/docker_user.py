"""The accepts that a topology needs where a Docker Engine's packet filter drops what is not Docker's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Mapping

from netcompose.resources.base import IN_PLACE, Requirement, Resource, attribute


@dataclass(frozen=True)
class DockerUser(Resource):
    """``docker-user/campus``: rules in ``DOCKER-USER``, marked by the comment ``netcompose:campus``.

    ``rules`` are by program and chain (``iptables DOCKER-USER``), in order, as ``iptables -S`` prints them without the
    chain and the mark. They say no more than that the topology's own table decides: so they come after it and go
    before it.
    """

    kind: ClassVar[str] = "docker-user"

    rules: Mapping[str, tuple[str, ...]] = attribute(changes=IN_PLACE, default_factory=dict)

    def requires(self) -> tuple[Requirement, ...]:
        return (Requirement("firewall/" + self.id.partition("/")[2], order_only=True),)
