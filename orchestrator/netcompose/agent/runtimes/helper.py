"""The helper interpreter: a small, single-threaded Python that the agent starts to enter containers.

The agent may have threads and a large memory, so it never forks itself. Its helper gets everything over a pipe: the
request, which may hold secrets and therefore is no command-line argument, and the few modules that it runs, compiled
(it is the same interpreter) by the package's loader, so that a zip bundle works too. It answers over a second pipe, one
JSON line per container: ``{"index": n, "failure": null}``.
"""

from __future__ import annotations

import errno
import functools
import json
import os
import select
import sys
import time
from typing import Any, Mapping, Optional, Sequence

from netcompose.errors import HostLacks, KernelRefused, NetcomposeError, NotPermitted

_MODULES = (
    "netcompose.agent.kernel.syscalls",
    "netcompose.agent.runtimes.records",
    "netcompose.agent.runtimes.output",
    "netcompose.agent.runtimes.inside",
    "netcompose.agent.runtimes.init",
)
#: Seconds within which a helper has to have started everything that it was asked to.
DEADLINE = 60.0

#: All that ps(1) has to show of the program; the rest comes with the request.
_STUB = (
    "import json,marshal,sys;pipe=open(int(sys.argv[2]),'rb');"
    "request=json.loads(pipe.readline());exec(marshal.load(pipe))"
)
_BOOT = """
import os, types
report = int(sys.argv[3])
os.set_inheritable(report, False)
for name, code in marshal.load(pipe):
    parts = name.split(".")
    for end in range(1, len(parts)):
        package = ".".join(parts[:end])
        if package not in sys.modules:
            sys.modules[package] = types.ModuleType(package)
            sys.modules[package].__path__ = []
    module = sys.modules[name] = types.ModuleType(name)
    setattr(sys.modules[name.rpartition(".")[0]], parts[-1], module)
    exec(code, module.__dict__)
pipe.close()
sys.exit(module.main(request, report))
"""


@functools.lru_cache(maxsize=1)
def _program() -> bytes:
    """What the helper runs: code that imports modules, and these with their names, in the order in which they need each
    other."""
    import importlib.util
    import marshal

    modules = []
    for name in _MODULES:
        spec = importlib.util.find_spec(name)
        loader: Any = spec.loader if spec else None
        code = loader.get_code(name) if loader else None
        if code is None:
            raise HostLacks("the code of {} is missing from this installation".format(name))
        modules.append((name, code))
    return marshal.dumps(compile(_BOOT, "<boot>", "exec", dont_inherit=True)) + marshal.dumps(modules)


class Helper:
    """A running helper with a request; :meth:`failures` collects its answers."""

    def __init__(self, request: Mapping[str, Any], *, label: str, keep: Sequence[int] = (), **popen: Any) -> None:
        """Start it. ``label`` is what ps(1) shows, ``keep`` are descriptors that it holds until it ends; ``popen`` goes
        to ``subprocess.Popen`` (stdin, stdout, ...)."""
        import subprocess

        if not sys.executable:
            raise HostLacks("the path of the Python interpreter is not known", hint="run the agent with python3 itself")
        receive, send = os.pipe()
        self._report, report = os.pipe()
        try:
            self.process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _STUB, label, str(receive), str(report)],
                pass_fds=(receive, report, *keep),
                **popen,
            )
        except OSError:
            os.close(send)
            os.close(self._report)
            raise
        finally:
            os.close(receive)
            os.close(report)
        try:
            with open(send, "wb") as pipe:
                pipe.write(json.dumps(request).encode("ascii") + b"\n" + _program())
        except BrokenPipeError:
            pass  # It has ended already; the missing answer says so.

    def failures(self, count: int) -> list[Optional[dict[str, Any]]]:
        """Per item of the request None if it started, or what failed. Returns as soon as all is known."""
        silent = {"step": "internal", "errno": 0, "path": "", "text": "its first process ended without a word"}
        results: list[Optional[dict[str, Any]]] = [dict(silent) for _ in range(count)]
        missing = set(range(count))
        rest = b""
        end = time.monotonic() + DEADLINE
        poller = select.poll()
        poller.register(self._report, select.POLLIN)
        try:
            while missing:
                if not poller.poll(max(0.0, end - time.monotonic()) * 1000):
                    for index in missing:
                        results[index] = dict(silent, text="it did not start within {:g} s".format(DEADLINE))
                    break
                block = os.read(self._report, 1 << 16)
                if not block:
                    break
                *lines, rest = (rest + block).split(b"\n")
                for line in lines:
                    answer = json.loads(line)
                    results[answer["index"]] = answer["failure"]
                    missing.discard(answer["index"])
        finally:
            os.close(self._report)
        return results

    def failure(self) -> Optional[dict[str, Any]]:
        """What failed before the command of an ``exec`` request ran; None if it runs (the pipe ends with that)."""
        with open(self._report, "rb") as pipe:
            answer = pipe.read()
        failure: Optional[dict[str, Any]] = json.loads(answer)["failure"] if answer else None
        return failure


def explain(container: str, command: Mapping[str, Any], failure: Mapping[str, Any]) -> NetcomposeError:
    """What failed on the way into a container, as the error that the user sees."""
    number, path, step = failure["errno"], failure["path"], failure["step"]
    reason = os.strerror(number) if number else failure["text"]
    where = "container {}: ".format(container)
    if step == "exec":
        return _explain_exec(where, command, number, reason)
    if step == "working_dir":
        return HostLacks(
            "{}cannot work in {}: {}".format(where, command["working_dir"], reason),
            hint="make the folder on the host, or change working_dir",
        )
    if step == "netns" and number == errno.ENOENT:
        return KernelRefused("{}its network namespace {} is not there".format(where, path), errno=number)
    if number in (errno.EPERM, errno.EACCES):
        return NotPermitted(
            "{}no permission to set up its {}: {}".format(where, step, reason),
            hint="in a sandbox without root only one user id exists" if step == "user" else "run as root",
        )
    if step == "join":
        return KernelRefused("{}its process ended".format(where), errno=number)
    text = "{}cannot start: {}{}: {}".format(where, step, " (" + path + ")" if path else "", reason)
    return KernelRefused(text, errno=number)


def _explain_exec(where: str, command: Mapping[str, Any], number: int, reason: str) -> NetcomposeError:
    program = command["argv"][0]
    if number == errno.ENOENT and "/" not in program:
        return HostLacks(
            "{}command not found: {}".format(where, program),
            hint="install it on the host, or give its full path (searched: {})".format(
                command["environment"].get("PATH", os.defpath)
            ),
        )
    if number == errno.ENOENT and os.path.exists(program):
        return HostLacks(
            "{}cannot run {}: the interpreter that its first line names does not exist".format(where, program)
        )
    if number == errno.ENOENT:
        return HostLacks("{}command not found: {}".format(where, program), hint="there is no such file on the host")
    if number == errno.EACCES:
        return HostLacks(
            "{}cannot run {}: it is not executable".format(where, program), hint="chmod +x, or name its interpreter"
        )
    return HostLacks("{}cannot run {}: {}".format(where, program, reason))


def command_of(
    argv: Sequence[str],
    environment: Mapping[str, str],
    *,
    working_dir: str,
    user: str,
    hostname: str,
    where: str,
    term: str = "dumb",
) -> dict[str, Any]:
    """A command for ``inside.become``: the user looked up, the environment complete."""
    identity, home = _user(user, where)
    defaults = {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": home,
        "TERM": term,
    }
    if hostname:
        defaults["HOSTNAME"] = hostname
    return {
        "argv": list(argv),
        "environment": {**defaults, **environment},
        "working_dir": working_dir or "/",
        "user": identity,
    }


def _user(user: str, where: str) -> tuple[Optional[tuple[int, int, list[int]]], str]:
    """``(uid, gid, groups)`` and the home folder of a user given as ``name`` or ``uid[:gid]``; None: as the agent."""
    import pwd

    name, _, group = user.partition(":")
    entry: Optional[pwd.struct_passwd] = None
    try:
        entry = pwd.getpwnam(name) if name and not name.isdigit() else pwd.getpwuid(int(name or os.geteuid()))
    except (KeyError, OverflowError):
        if name and not name.isdigit():
            raise HostLacks(
                "{}there is no user {} on this host".format(where, name), hint="create it, or give its number"
            ) from None
    home = entry.pw_dir if entry else "/"
    if not name:
        return None, home
    uid = entry.pw_uid if entry else int(name)
    if group:
        gid = _group(group, where)
        return (uid, gid, [gid]), home
    if entry is None:
        return (uid, uid, [uid]), home
    return (uid, entry.pw_gid, os.getgrouplist(entry.pw_name, entry.pw_gid)), home


def _group(group: str, where: str) -> int:
    import grp

    if group.isdigit():
        return int(group)
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        raise HostLacks("{}there is no group {} on this host".format(where, group)) from None
