"""What a kind asks to be done: operations, which the runner sends in batches.

The operations of one change are carried out in their order; those of different changes of a stage are
independent, so that the runner may send them together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Optional, Union

from netcompose.agent.kernel.netlink import Message

NOTHING: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Netlink:
    """A message to the kernel, sent in the namespace of this name (``""``: the host's). ``tolerate`` are error
    numbers that count as done; ``patience`` are those that pass by themselves: it and what follows it is sent again for
    some seconds, so that those have to be messages that may be sent twice."""

    netns: str
    message: Message
    tolerate: frozenset[int] = NOTHING
    patience: frozenset[int] = NOTHING


@dataclass(frozen=True)
class Call:
    """A function to be called."""

    function: Callable[[], None]


@dataclass(frozen=True)
class Bulk:
    """A function to be called once with the arguments of all changes of the stage that ask for it. It may leave work
    under way, beside the stage's other operations, and return what waits for the end of that."""

    function: Callable[[list[Any]], Optional[Callable[[], None]]]
    argument: Any


@dataclass(frozen=True)
class Deferred:
    """A function that no network object waits for, called while the kernel is busy with those: at the latest before the
    next stage that calls any function, or at the end. It is the last operation of its change."""

    function: Callable[[], None]


Operation = Union[Netlink, Call, Bulk, Deferred]
