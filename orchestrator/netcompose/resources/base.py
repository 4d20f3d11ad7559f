"""What every resource is: an identity, attributes that say how they change, and what it needs.

A resource is one object on one host (a namespace, a bridge, a pair of veth ends, a file, a process). The same
class describes it as desired (made by the compiler) and as live (made by the agent's observation); the planner
compares the two by what is declared here and knows no kind by name.

The page stays importable on Python 3.9.
"""

from __future__ import annotations

import dataclasses
import functools
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

#: How an attribute changes on a live object: without touching the rest of it, or only with a new object.
#: An observed attribute (an interface index) is read, kept for a rollback, and never compared.
IN_PLACE = "in place"
REPLACE = "replace"
OBSERVED = "observed"

#: What a change does to those who use the object, mildest first.
DISTURBANCES = ("none", "blip", "outage")


@dataclass(frozen=True)
class Attribute:
    """The declaration behind one field of a resource (see :func:`attribute`)."""

    changes: str
    disturbs: str = "none"
    why: str = ""
    secret: bool = False


def attribute(
    *,
    changes: str,
    disturbs: str = "none",
    why: str = "",
    secret: bool = False,
    default: Any = dataclasses.MISSING,
    default_factory: Any = dataclasses.MISSING,
) -> Any:
    """Declare a field of a resource.

    ``changes`` is one of IN_PLACE, REPLACE, OBSERVED; ``disturbs`` is what a change of this attribute does to
    the users of the object; ``why`` is the sentence that a plan shows for a replacement or a disturbance;
    a ``secret`` attribute is masked in every plan and log.
    """
    declared = Attribute(changes=changes, disturbs=disturbs, why=why, secret=secret)
    options: dict[str, Any] = {"metadata": {"netcompose": declared}, "compare": changes != OBSERVED}
    if default is not dataclasses.MISSING:
        options["default"] = default
    if default_factory is not dataclasses.MISSING:
        options["default_factory"] = default_factory
    return field(**options)


class Requirement(NamedTuple):
    """One resource needs another one first.

    ``attribute`` is the path of the attribute that ties them and that has to be set again when the required
    object is replaced (a port's master); empty when the dependent dies together with what it requires (an
    interface in a namespace), so that it has to be created anew. ``order_only`` ties nothing but the order: a
    process starts after its interfaces, and survives them.
    """

    id: str
    attribute: str = ""
    order_only: bool = False


@dataclass(frozen=True)
class Resource:
    """Base of all resources. ``id`` is unique on its host: ``interface/web1.eth0``."""

    kind: ClassVar[str] = ""
    #: The container that it concerns comes and goes with it.
    carries_container: ClassVar[bool] = False
    #: What its removal or replacement does to those who use it.
    removal: ClassVar[str] = "outage"
    #: It is what an interrupted run left; nobody ever wants it.
    half_made: ClassVar[bool] = False

    id: str

    def requires(self) -> tuple[Requirement, ...]:
        """What has to exist before this, on the same host."""
        return ()

    def claims(self) -> tuple[str, ...]:
        """Names that only one object can have at a time: ``netdev:/eth0``, ``netns:campus-web1``, ``path:/etc/x``."""
        return ()

    def needs(self) -> tuple[str, ...]:
        """Features of the host that it cannot be made without, beyond those of every host: ``8021q``, ``netem``
        (names of ``agent/features.py``). They are tried when it is to be made, and not before."""
        return ()

    def concerns(self) -> tuple[str, ...]:
        """The containers that use this object, for saying whom a change disturbs."""
        return ()

    def beside(self, live: Resource) -> Resource:
        """What is wanted of an object that is there: itself, but for what it leaves to whoever is in charge of that."""
        return self

    def restorable(self) -> Resource:
        """What a rollback brings back of it: itself, but for states that only happen and that nobody can make."""
        return self

    def path_risk(self, interface: str, peer: str) -> str:
        """What a change of this can do (one of DISTURBANCES) to the connection of a controller with the address
        ``peer``, which comes in by an interface of the host."""
        return "none"


@functools.lru_cache(maxsize=None)
def attributes(cls: type) -> tuple[tuple[str, Attribute], ...]:
    """The declared attributes of a resource class or of a nested part of one, in the order of declaration."""
    return tuple((f.name, f.metadata["netcompose"]) for f in dataclasses.fields(cls) if "netcompose" in f.metadata)
