"""What is imported when it is asked for, and what is compiled once for all starts."""

import sys

if False:  # for the type checker
    from typing import Any

_Module: "Any" = type(sys)
#: Our own modules that nothing needs that is only observed.
LATER = frozenset(
    (
        "netcompose.agent.features",
        "netcompose.agent.housekeeping",
        "netcompose.agent.kernel.nft",
        "netcompose.agent.run",
        "netcompose.agent.runtimes.ending",
        "netcompose.agent.runtimes.engineshow",
        "netcompose.agent.runtimes.execution",
        "netcompose.agent.runtimes.hostname",
        "netcompose.agent.runtimes.output",
        "netcompose.agent.runtimes.services",
        "netcompose.agent.runtimes.starting",
        "netcompose.agent.watchdog",
        "netcompose.planner.planner",
        "netcompose.planner.serialise",
    )
)
#: What has been compiled: (what, module, class) -> code.
kept: "dict[Any, Any]" = {}


def compiled(key: "tuple[str, str, str]", text: "Any") -> "Any":
    """The code of a class's methods; what ``text`` gives is compiled the first time."""
    if key not in kept:
        kept[key] = compile(text(), "<{} {}>".format(key[0], key[2]), "exec")
    return kept[key]


def _imported(name: str) -> "Any":
    """importlib.import_module, which is not loaded for this alone."""
    __import__(name)
    return sys.modules[name]


def standin(name: str, becomes: bool = True, **has: "Any") -> "Any":
    """A module that becomes the real one when it is asked for something that it has not, or just gives that."""
    module = _Module(name)
    module.__dict__.update(has)

    def load(attribute: str) -> "Any":
        if attribute.startswith("__") and attribute.endswith("__"):
            raise AttributeError(attribute)
        real = _imported(name)
        if becomes:
            module.__dict__.update({key: value for key, value in vars(real).items() if not key.startswith("__")})
        return getattr(real, attribute)

    module.__getattr__ = load
    return module


def callers(name: str) -> "Any":
    """What ``from MODULE import function`` finds of a module that is imported when one of the functions is called."""
    module = _Module(name)

    def find(attribute: str) -> "Any":
        if not attribute.islower() or attribute.startswith("__"):
            return getattr(_imported(name), attribute)

        def call(*arguments: "Any", **options: "Any") -> "Any":
            return getattr(_imported(name), attribute)(*arguments, **options)

        return call

    module.__getattr__ = find
    return module


def place(package: str, names: "Any") -> None:
    """What ``from PACKAGE import MODULE`` finds of such a module."""
    for name in names:
        path = "{}.{}".format(package, name)
        if path in LATER:
            found = _imported(package)
            if not hasattr(found, name):
                setattr(found, name, standin(path, False))
