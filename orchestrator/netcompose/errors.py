"""Every exception that netcompose raises on purpose, on one page.

Each class says who has to act and which exit status the command line gives it. The message says what is wrong
and where; ``hint`` says what to do about it. The command line prints both and never a traceback for these.

The page stays importable on Python 3.9, because the agent ships to remote hosts.
"""

from __future__ import annotations

from typing import Any, Sequence


class NetcomposeError(Exception):
    """Base of all: something that the user can understand and act on."""

    exit_status = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(NetcomposeError):
    """The command line asks for something that cannot be meant (unknown container, missing file)."""


class TopologyError(NetcomposeError):
    """The topology is invalid; ``problems`` has every finding in file order. Raised by load and compile."""

    exit_status = 3

    def __init__(self, problems: Sequence[Any]) -> None:
        count = len(problems)
        super().__init__("the topology has {} problem{}".format(count, "" if count == 1 else "s"))
        self.problems = tuple(problems)


class PlanRefused(NetcomposeError):
    """The live state does not allow the plan (name taken by a foreign object, ...). Raised before any change."""

    def __init__(self, problems: Sequence[Any]) -> None:
        count = len(problems)
        super().__init__("the plan has {} problem{}; nothing was changed".format(count, "" if count == 1 else "s"))
        self.problems = tuple(problems)


class ApplyFailed(NetcomposeError):
    """A change failed and everything that the run had touched was put back. Raised by the executor."""

    exit_status = 4


class RollbackFailed(NetcomposeError):
    """A change failed and putting back failed too: the host is between two states. Raised by the executor."""

    exit_status = 1


class Interrupted(NetcomposeError):
    """A request was stopped half-way because it was asked for, or because another host failed. Raised by the agent."""


class HostsFailed(NetcomposeError):
    """Hosts of a run cannot be worked on, each for its own reason; ``failures`` has ``(host, error)``. Raised by the
    executor."""

    exit_status = 7

    def __init__(self, message: str, failures: Sequence[Any] = (), *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.failures = tuple(failures)


class StalePlan(NetcomposeError):
    """Live objects changed since the plan was saved. Raised by ``apply PLAN.json``; plan again."""

    exit_status = 5


class Locked(NetcomposeError):
    """Another run holds the host's lock. Raised by the agent; wait for it, or ask its owner."""

    exit_status = 6


class HostUnreachable(NetcomposeError):
    """A host could not be reached or stopped answering. Raised by a transport."""

    exit_status = 7


class HostKeyRefused(HostUnreachable):
    """A host's SSH key is unknown, or not the one that is known. Raised by the SSH transport, before logging in."""


class LoginRefused(HostUnreachable):
    """The SSH server takes none of the keys that were offered. Raised by the SSH transport."""


class NotPermitted(NetcomposeError):
    """The agent lacks the privileges that the change needs (root, or a user namespace). Raised by the agent."""


class HostLacks(NetcomposeError):
    """The host lacks something that the topology needs (a program, a kernel feature). Raised by the agent."""


class KernelRefused(NetcomposeError):
    """The kernel refused one operation; ``errno`` and the kernel's own words are kept. Raised by the agent."""

    def __init__(self, message: str, *, errno: int = 0, object_id: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.errno = errno
        self.object_id = object_id


class ProtocolError(NetcomposeError):
    """Agent and controller do not understand each other (versions differ, stream broken). Raised by transports."""


class CommandFailed(NetcomposeError):
    """A command that the topology runs in a container (``exec:``) did not succeed. Raised by the agent."""


class EngineRefused(NetcomposeError):
    """A container engine refused a request; ``status`` is HTTP's. Raised by the agent."""

    def __init__(self, message: str, *, status: int = 0, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.status = status


class ImageUnusable(NetcomposeError):
    """An image cannot be had: its file is broken or for another machine, the engine has none, the registry does not
    answer. Raised by the agent and where images are read."""
