"""From a verified bundle to a serving agent, on a host behind SSH: what the stage (transports/ssh/stage.py) becomes.

A host pays for this with every contact, so nothing is done twice that can be kept. What is imported at each start is
kept compiled in one piece and run in the order in which it was imported the first time; the rest, compiled too, is read
when it is needed. Modules of Python's own that take long to import are stood in for (standins.py).

The file of compiled code: a checksum of the bundle's name and of what comes next (8 digits), 8 digits of length, that
many bytes of ``marshal`` (among them the checksum of the rest), and the rest: every other file, each ``marshal`` of its
own. It is read by the very Python that wrote it, or one with the same byte code.
"""

import os
import sys

if False:  # for the type checker: typing is stood in for, and that begins here
    from typing import Any, Optional

_PACKAGE = "/__init__.py"


class Bundle:
    """Imports from a bundle in memory (importlib.abc.MetaPathFinder and Loader). ``stage`` is the stage's module,
    ``name`` the bundle's SHA-256, ``sources`` its content as far as it is in memory, else a descriptor of its file."""

    def __init__(
        self, stage: "Any", name: str, sources: "Any", made: "dict[str, Any]", rest: "tuple[int, int]"
    ) -> None:
        from _frozen_importlib import ModuleSpec

        self._stage = stage
        self._name = name
        self._sources = sources
        self._texts: dict[str, str] = {}
        self._files: dict[str, Any] = made["files"]
        self._digest: str = made.get("rest", "")
        self._rest = rest
        self._spec = ModuleSpec
        #: The modules that were run, as keys.
        self.order: dict[str, None] = {}
        #: What modules are run with instead of Python's own builtins.
        self.builtins: dict[str, Any] = {}

    @property
    def codes(self) -> "dict[str, Any]":
        """The compiled code of every file by its path."""
        return {path: self._code(path) for path in self._all()}

    def _all(self) -> "dict[str, Any]":
        """What there is of every file by its path: its code, or that as it was kept."""
        if self._digest:
            import marshal

            rest = self._stage.content(*self._rest)
            if self._stage.checksum(rest) == self._digest:
                files = marshal.loads(rest)  # noqa: S302
            else:
                files = self._stage.compiled(self.texts())
            self._files = {**files, **self._files}
            self._digest = ""
        return self._files

    def _code(self, path: str) -> "Any":
        found = self._files[path]
        if isinstance(found, bytes):
            import marshal

            found = self._files[path] = marshal.loads(found)  # noqa: S302
        return found

    def texts(self) -> "dict[str, str]":
        """The source of every file by its path."""
        if not self._texts:
            import json

            data = self._sources if isinstance(self._sources, bytes) else self._stage.content(self._sources)
            if self._stage.digest(data) != self._name:
                raise ImportError("the source of the agent is damaged: empty the cache (hosts clean)")
            self._texts = json.loads(data.decode())
        return self._texts

    def bring(self, name: str, fetch: "Any") -> bool:
        """Import from one more bundle as well (netcompose.agent.library); whether it came as its name says."""
        from netcompose.agent import cache

        return cache.bring(self._stage, name, fetch)

    def _path(self, name: str) -> str:
        path = name.replace(".", "/")
        for candidate in (path + ".py", path + _PACKAGE):
            if candidate in self._files:
                return candidate
        # What has not been read yet is looked at only when it has to be.
        return next((candidate for candidate in (path + ".py", path + _PACKAGE) if candidate in self._all()), "")

    def find_spec(self, name: str, path: object = None, target: object = None) -> "Any":
        """Where a module is; None for what is not in the bundle."""
        if name.partition(".")[0] != "netcompose":
            return None
        found = self._path(name)
        return self._spec_of(name, found) if found else None

    def _spec_of(self, name: str, path: str) -> "Any":
        spec = self._spec(name, self, origin="bundle/" + path, is_package=path.endswith(_PACKAGE))  # type: ignore[arg-type]
        spec.has_location = True
        return spec

    def create_module(self, spec: object) -> None:
        """None: the usual."""

    def get_source(self, name: str) -> "Optional[str]":
        """The source of a module."""
        return self.texts().get(self._path(name))

    def get_code(self, name: str) -> "Any":
        """The compiled code of a module; None for what is not in the bundle."""
        path = self._path(name)
        return self._code(path) if path else None

    def exec_module(self, module: "Any") -> None:
        """Run the module's code."""
        path = self._path(module.__name__)
        module.__builtins__ = self.builtins
        exec(self._code(path), module.__dict__)  # noqa: S102
        self.order[path] = None

    def run(self, order: "list[str]") -> None:
        """What was imported the first time, each after what it imports itself: without a search."""
        for path in order:
            name = path[: -len(_PACKAGE) if path.endswith(_PACKAGE) else -len(".py")].replace("/", ".")
            if path not in self.order:
                self.exec_module(sys.modules.get(name) or self._made(name, path))

    def _made(self, name: str, path: str) -> "Any":
        """A module that is still to be run. A package that imports its own modules is run after these."""
        module: Any = type(sys)(name)
        module.__spec__ = spec = self._spec_of(name, path)
        module.__loader__, module.__file__ = self, spec.origin
        module.__package__ = spec.parent
        if path.endswith(_PACKAGE):
            module.__path__ = []
        sys.modules[name] = module
        parent, _, own = name.rpartition(".")
        if parent:
            package = sys.modules.get(parent) or self._made(parent, parent.replace(".", "/") + _PACKAGE)
            setattr(package, own, module)
        return module


def become(  # noqa: PLR0917
    stage: "Any",
    names: "tuple[str, str]",
    data: bytes,
    sources: int,
    made: "dict[str, Any]",
    rest: "tuple[int, int]",
    silence: float,
) -> int:
    """Import the agent, say that it is ready, and serve until the controller is gone (its exit status).

    ``names`` are the bundle's and that of the file with its compiled code; ``data`` is the bundle, unless only its
    file is open (``sources``; -1: it has just arrived); ``made`` is what the file of compiled code has, or just this
    file's; ``rest`` is that file and where the rest of it begins.
    """
    name = names[0]
    warm = "order" in made
    problem = ""
    if not warm:
        import json

        made["files"] = stage.compiled(json.loads(data.decode()))
    bundle = Bundle(stage, name, sources if warm else data, made, rest)
    sys.meta_path.insert(0, bundle)
    bundle.builtins = __builtins__ if isinstance(__builtins__, dict) else vars(__builtins__)
    # What stands in comes first, and for everything but itself.
    first = made.get("first", 0)
    if warm:
        bundle.run(made["order"][:first])
    from netcompose.agent import standins

    made["first"] = first or len(bundle.order)
    bundle.builtins = standins.builtins_with(made.setdefault("methods", {}))
    if warm:
        bundle.run(made["order"][first:])
    import netcompose
    import netcompose.agent.__main__ as program
    import netcompose.agent.agent
    import netcompose.agent.server

    if not warm:
        standins.import_observed()
        made["order"] = list(bundle.order)
        from netcompose.agent import cache

        problem = cache.keep(stage, names, data, made, arrived=sources < 0)
    import gc

    gc.freeze()
    gc.enable()
    stage.say(
        '{{"ready": true, "version": "{}", "cached": {}, "problem": {}, "python": {}, "pid": {}}}'.format(
            netcompose.__version__,
            "true" if sources >= 0 else "false",
            _quoted(problem),
            list(sys.version_info[:3]),
            os.getpid(),
        )
    )
    return program.main(silence or None)


def _quoted(text: str) -> str:
    if not text:
        return '""'
    import json

    return json.dumps(text)
