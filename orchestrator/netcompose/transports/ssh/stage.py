"""What runs on a host behind the front (front.py): finds or receives the agent's bundle, verifies it, and becomes the
agent; or says why it cannot, or empties the cache.

It comes as text on the command line, compiled only where nothing is kept compiled, and with that what is left to do
(``agent/start.py``). Like the front, whose names it shares and whose arguments it has, it has to read as Python 3.4 and
imports and does next to nothing. On stdout it says one line of JSON after ``MARKER`` for each thing that the controller
has to know:

    {"problem": "python" | "root", ...}   it ends here
    {"send": true}                        the bundle is not in the cache: 4 bytes of length, then the bundle, please
    {"ready": true, ...}                  what comes next is the agent's own first word
    {"removed": [...], "problem": ...}    the cache is empty (``clean``)

A bundle's SHA-256 is the one that was asked for, wherever it is from.
"""

import os
import sys

if False:  # for the type checker; a host needs none
    from typing import Any

    from netcompose.transports.ssh.front import CACHE, code_file, content, opened

MARKER = b"\0netcompose-stage "
#: Commands of an administrator, which a login without a login shell may not find (ip, nft).
_SBIN = ("/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/local/bin", "/usr/bin", "/bin")
#: The part of a bundle that takes over.
START = "netcompose/agent/start.py"


def say(text: str) -> None:
    data = MARKER + text.encode() + b"\n"
    while data:
        data = data[os.write(1, data) :]


def state(**status: "Any") -> None:
    import json

    say(json.dumps(status))


def _read(count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = os.read(0, count - len(data))
        if not piece:
            sys.exit(1)
        data += piece
    return data


def digest(*parts: bytes) -> str:
    """SHA-256 by Python's own: to load OpenSSL takes longer than all of this."""
    try:
        found = __import__("_sha2" if sys.version_info >= (3, 12) else "_sha256").sha256()
    except ImportError:
        found = __import__("hashlib").sha256()
    for part in parts:
        found.update(part)
    return str(found.hexdigest())


def compiled(texts: "dict[str, str]") -> "dict[str, Any]":
    """The code of each file of a bundle by its path, without its docstrings: nobody reads them there."""
    return {path: compile(text, "bundle/" + path, "exec", optimize=2) for path, text in texts.items()}


def ours() -> "list[str]":
    """The names of our files in the cache, rests of interrupted writes included."""
    import re

    pattern = re.compile(r"[0-9a-f]{64}(\.bundle|\.library|\.[0-9a-f]+\.code)(\.[0-9]+)?")
    return [name for name in os.listdir(CACHE) if pattern.fullmatch(name)]


def _clean() -> int:
    """Remove what is ours from the cache, and the folder if it is empty then."""
    removed, problem = [], ""
    try:
        for name in ours():
            os.unlink(os.path.join(CACHE, name))
            removed.append(name)
        os.rmdir(CACHE)
    except OSError as error:
        if os.path.lexists(CACHE):
            problem = "{}: {}".format(CACHE, error.strerror)
    state(removed=removed, problem=problem)
    return 0


def _agent(name: str, silence: float, found: "Any") -> int:
    data = b""
    if found:
        made, sources, rest = found
    else:
        import json

        sources, rest = opened(name + ".bundle"), (-1, 0)
        data = content(sources)
        if not data or digest(data) != name:
            import zlib

            say('{"send": true}')
            data = zlib.decompress(_read(int.from_bytes(_read(4), "big")))
            if digest(data) != name:
                state(problem="hash")
                return 1
            sources = -1
        made = {"files": compiled({START: json.loads(data.decode())[START]})}
    here = {"__name__": "netcompose.agent.start"}  # type: dict[str, Any]
    exec(made["files"][START], here)  # noqa: S102
    return int(here["become"](sys.modules[__name__], (name, code_file(name)), data, sources, made, rest, silence))


def main(argv: "list[str]", found: "Any" = None) -> int:
    """What the controller asks for, unless this Python or this user cannot. ``found`` is what the front has found."""
    if sys.version_info < (3, 9):
        state(problem="python", python=list(sys.version_info[:3]), executable=sys.executable)
        return 1
    if os.geteuid() != 0:
        state(problem="root", uid=os.geteuid())
        return 1
    os.umask(0o022)
    path = os.environ.get("PATH", "").split(":")
    os.environ["PATH"] = ":".join([item for item in path if item] + [item for item in _SBIN if item not in path])
    return _clean() if argv[0] == "clean" else _agent(argv[1], float(argv[2]), found)


if __name__ == "__main__":
    STATUS = main(sys.argv[1:], globals()["FOUND"])
    sys.stderr.flush()
    # At once: to take everything apart again takes a tenth of what the agent does for a plan.
    os._exit(STATUS)
