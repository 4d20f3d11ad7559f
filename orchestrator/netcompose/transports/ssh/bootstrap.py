"""From a login to a running agent: front and stage are sent as a command, the bundle only where it is not in the cache.

On a warm host that is one exec and its first output; nothing is asked in between.
"""

from __future__ import annotations

import functools
import json
import shlex
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from netcompose import __version__
from netcompose.agent.protocol import NOISE_LIMIT, StreamEnded
from netcompose.errors import HostLacks, HostUnreachable, NetcomposeError, NotPermitted, ProtocolError
from netcompose.transports.ssh import front, stage
from netcompose.transports.ssh.bundle import Bundle
from netcompose.transports.ssh.deadline import Deadline
from netcompose.transports.ssh.stream import ChannelStream

if TYPE_CHECKING:
    import paramiko

#: Seconds for the commands that find out why no agent starts.
_DIAGNOSIS = 10.0
#: The exit status of a shell, and of env(1), for a command that is not there.
_NOT_FOUND = 127
_SUDO = ["sudo", "-n", "--"]
_OLDEST = "3.9"
#: Isolated from the user's modules and environment; without site-packages, which take longer than the stage; without
#: the columns of tracebacks, which would be a third of what is kept compiled (before Python 3.11 there are none).
_PYTHON = ("python3", "-I", "-S", "-X", "no_debug_ranges")


@dataclass(frozen=True)
class Started:
    """What the stage said. ``cached``: the bundle was there already; ``problem``: why it could not be kept."""

    version: str
    python: tuple[int, ...]
    pid: int
    cached: bool
    problem: str


@dataclass(frozen=True)
class Login:
    """Who is logged in where: what errors are about. ``host`` is the name in the topology."""

    host: str
    user: str
    transport: paramiko.Transport
    sudo: bool


def start(login: Login, stream: ChannelStream, bundle: Bundle, deadline: Deadline, *, silence: float = 0) -> Started:
    """Start the agent on a fresh channel; what comes next on the stream is the protocol. After ``silence`` seconds
    without a sign of life (0: never) the agent ends.

    Raises ``HostLacks``, ``NotPermitted``, ``HostUnreachable`` or ``ProtocolError``, each with what to do.
    """
    stream.execute(command(login.sudo, "agent", bundle.name, f"{silence:g}"))
    said = _statement(login, stream, deadline)
    if said.get("send"):
        packed = bundle.packed
        try:
            stream.send(len(packed).to_bytes(4, "big") + packed, deadline.left())
        except StreamEnded:
            raise _no_agent(login, stream, b"") from None
        said = _statement(login, stream, deadline)
    if not said.get("ready"):
        raise _refusal(login, said)
    if said["version"] != __version__:
        raise ProtocolError(
            f"host {login.host}: its agent is of version {said['version']}, this netcompose is {__version__}",
            hint=f"netcompose hosts clean --host {login.host}",
        )
    return Started(said["version"], tuple(said["python"]), said["pid"], bool(said["cached"]), str(said["problem"]))


def clean(login: Login, stream: ChannelStream, deadline: Deadline) -> list[str]:
    """Empty the cache; the names of the files that were removed. Errors as for :func:`start`."""
    stream.execute(command(login.sudo, "clean"))
    said = _statement(login, stream, deadline)
    if "removed" not in said:
        raise _refusal(login, said)
    if said.get("problem"):
        raise NetcomposeError(
            f"host {login.host}: the cache is not empty: {said['problem']}",
            hint=f"what is left in {front.CACHE} is not netcompose's",
        )
    return [str(name) for name in said["removed"]]


def command(sudo: bool, *words: str) -> str:
    """The command line. sshd hands it to the login shell, whichever that is, so it has words without any quotes but
    one pair, which all shells read alike, around letters, digits and a few signs."""
    unpacked = f"zlib.decompress(binascii.a2b_base64({_packed_texts()!r}))"
    code = f"import zlib,binascii;FRONT,ZERO,TEXT={unpacked}.partition(bytes(1));exec(FRONT)"
    return shlex.join([*(_SUDO if sudo else []), *_PYTHON, "-c", code.replace("'", '"'), *words])


@functools.cache
def _packed_texts() -> str:
    import base64
    import inspect

    texts = [inspect.getsource(part).encode() for part in (front, stage)]
    return base64.b64encode(zlib.compress(b"\0".join(texts), 9)).decode()


def _statement(login: Login, stream: ChannelStream, deadline: Deadline) -> dict[str, Any]:
    """The stage's next line; what a login shell prints before it is skipped."""
    seen = b""
    while True:
        begin = seen.find(stage.MARKER)
        end = seen.find(b"\n", begin) if begin >= 0 else -1
        if end >= 0:
            stream.unread(seen[end + 1 :])
            return dict(json.loads(seen[begin + len(stage.MARKER) : end]))
        if len(seen) > NOISE_LIMIT:
            raise ProtocolError(
                f"host {login.host}: no agent answers, but {len(seen)} bytes of something else: {seen[:80]!r} ...",
                hint="what does the login shell's start-up file print?",
            )
        try:
            data = stream.receive(1 << 16, deadline.left())
        except TimeoutError:
            words = _words(stream, seen)
            raise HostUnreachable(
                f"host {login.host}: the agent did not start within {deadline.seconds:g} s" + (words and f": {words}"),
                hint="does the login shell's start-up file wait for something?",
            ) from None
        if not data:
            raise _no_agent(login, stream, seen)
        seen += data


def _words(stream: ChannelStream, seen: bytes) -> str:
    return " / ".join(part for part in (seen.decode("utf-8", "replace").strip(), stream.last_words()) if part)[-500:]


def _refusal(login: Login, said: dict[str, Any]) -> NetcomposeError:
    problem = said.get("problem")
    if problem == "python":
        version = ".".join(map(str, said.get("python", ())))
        return HostLacks(
            f"host {login.host}: its python3 is {version}, and the agent needs {_OLDEST} or newer"
            f" ({said.get('executable')})",
            hint=f"install a newer Python and have it found as python3 by commands of {login.user}",
        )
    if problem == "root":
        return NotPermitted(
            f"host {login.host}: {login.user} is not root there (user id {said.get('uid')})",
            hint="write `become: sudo` for this host, or `user: root`",
        )
    return ProtocolError(f"host {login.host}: the agent did not arrive as it was sent ({said})", hint="try again")


def _no_agent(login: Login, stream: ChannelStream, seen: bytes) -> NetcomposeError:
    """Why nothing that speaks has started, found out by smaller commands on the same connection."""
    status = stream.exit_status(2.0)
    words = _words(stream, seen)
    if status is None and not login.transport.is_active():
        return HostUnreachable(f"host {login.host}: the connection was lost while the agent was started")
    try:
        found = _diagnose(login)
    except (HostUnreachable, TimeoutError):
        found = None
    return found or HostUnreachable(
        f"host {login.host}: the agent did not start"
        + (f" (exit status {status})" if status is not None else "")
        + (f": {words}" if words else "")
    )


def _diagnose(login: Login) -> NetcomposeError | None:
    deadline = Deadline(_DIAGNOSIS)
    status, words = _run(login, ["true"], deadline)
    if status != 0:
        return HostUnreachable(
            f"host {login.host}: the login shell of {login.user} runs no commands: {words or 'it says nothing'}",
            hint="log in as another user (`user:`), or give this one a shell (chsh)",
        )
    prefix = []
    if login.sudo:
        # In English, whatever the language of the host.
        prefix = ["env", "LC_ALL=C", *_SUDO]
        status, words = _run(login, [*prefix, "true"], deadline)
        if status == _NOT_FOUND:
            return HostLacks(
                f"host {login.host}: there is no sudo, and `become: sudo` asks for it",
                hint="install sudo there, or log in as root (`user: root`, without `become`)",
            )
        if "password is required" in words:
            return NotPermitted(
                f"host {login.host}: sudo wants a password of {login.user}",
                hint=f"allow it without, by a file in /etc/sudoers.d (visudo): {login.user} ALL=(ALL) NOPASSWD: ALL",
            )
        if "must have a tty" in words:
            return NotPermitted(
                f"host {login.host}: sudo works only on a terminal there: {words}",
                hint=f"allow it without, by a file in /etc/sudoers.d (visudo): Defaults:{login.user} !requiretty",
            )
        if status != 0:
            return NotPermitted(
                f"host {login.host}: sudo does not let {login.user} become root: {words}",
                hint=f"allow it by a file in /etc/sudoers.d (visudo): {login.user} ALL=(ALL) NOPASSWD: ALL",
            )
    status, words = _run(login, [*prefix, "python3", "-V"], deadline)
    if status == _NOT_FOUND or (login.sudo and status == 1 and "command not found" in words):
        return HostLacks(
            f"host {login.host}: there is no python3",
            hint=f"install Python {_OLDEST} or newer there, for example: apt-get install python3",
        )
    if login.sudo and status != 0:
        return NotPermitted(
            f"host {login.host}: sudo does not let {login.user} run python3 as root: {words}",
            hint=f"allow it by a file in /etc/sudoers.d (visudo): {login.user} ALL=(ALL) NOPASSWD: ALL",
        )
    return None


def _run(login: Login, argv: Sequence[str], deadline: Deadline) -> tuple[int | None, str]:
    """A short command on a channel of its own: its exit status and what it printed."""
    import paramiko

    try:
        channel = login.transport.open_session(timeout=deadline.left())
    except (paramiko.SSHException, EOFError, OSError) as error:
        raise HostUnreachable(f"host {login.host}: {error}") from None
    stream = ChannelStream(channel)
    try:
        stream.execute(shlex.join(argv))
        seen = b""
        while data := stream.receive(1 << 16, deadline.left()):
            seen += data
        return stream.exit_status(deadline.left()), _words(stream, seen)
    finally:
        stream.close()
