"""What stands in for modules of Python's own while the agent behind SSH runs: importing them is most of its start.

A stand-in has what the agent uses of a module at each start, cheaply; asked for anything else it loads the real module
and becomes it. Only the agent's own modules see stand-ins (by an ``__import__`` of their own), never Python's library,
and only on a Python that they were tried with. Our own modules that are not needed to observe are imported when one of
their functions is called.

tests/unit/test_standins.py holds each of them to the real one, for every class that is shipped.
"""

import sys

from netcompose.agent.standins import classes, contexts, later, names, native

if False:  # for the type checker
    from typing import Any, Callable

#: The first Python that they are not for: annotations are made anew there.
_BEYOND = (3, 14)
_MAKERS: "dict[str, Callable[[], Any]]" = {
    "__future__": lambda: later.standin("__future__", annotations=None),
    "contextlib": contexts.contextlib,
    "dataclasses": classes.dataclasses,
    "functools": contexts.functools,
    "hashlib": native.hashlib,
    "json": native.json,
    "signal": native.signal,
    "socket": native.socket,
    "struct": native.struct,
    "typing": names.typing,
}
#: What nothing is used of at each start.
_UNUSED = ("base64", "fnmatch", "glob", "re", "shlex", "subprocess", "threading")


def modules() -> "dict[str, Any]":
    """Every stand-in, by the name of what it stands in for."""
    made = {name: make() for name, make in _MAKERS.items()}
    made.update((name, later.standin(name)) for name in _UNUSED)
    return made


def builtins_with(kept: "dict[Any, Any]") -> "dict[str, Any]":
    """The builtins for the agent's modules. ``kept`` is what earlier starts have compiled, and is added to."""
    import builtins

    found = dict(vars(builtins))
    if sys.version_info < _BEYOND:
        later.kept = kept
        found["__import__"] = _importer(modules(), builtins.__import__)
    return found


def _importer(standins: "dict[str, Any]", usual: "Any") -> "Any":
    callers = {name: later.callers(name) for name in later.LATER}
    packages = {name.rpartition(".")[0] for name in later.LATER}
    loaded = sys.modules

    def imported(name: str, names: "Any" = None, local: "Any" = None, wanted: "Any" = (), level: int = 0) -> "Any":
        if not level:
            if name in standins:
                return standins[name]
            if wanted and name in callers:
                return callers[name]
            if name in packages:
                later.place(name, wanted or ())
            module = loaded.get(name) if wanted else None
            if module is not None and _has(module, wanted):
                return module
        return usual(name, names, local, wanted, level)

    return imported


def _has(module: "Any", wanted: "Any") -> bool:
    """All that is wanted of a module is there, without a search for modules inside it."""
    if getattr(module.__spec__, "_initializing", False):
        return False
    has = module.__dict__
    return "__path__" not in has or all(name in has for name in wanted)


def import_observed() -> None:
    """Import what is not needed to start but to observe, so that it is kept with the rest."""
    import netcompose.agent.kernel.syscalls  # noqa: F401
