"""Logging in with keys: of files that need no passphrase, and of a running ssh-agent."""

from __future__ import annotations

import contextlib
import functools
import os
import socket
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from netcompose.errors import HostUnreachable, LoginRefused
from netcompose.transports.ssh.deadline import Deadline
from netcompose.transports.ssh.dial import silent
from netcompose.transports.ssh.settings import Hop

if TYPE_CHECKING:
    import paramiko

#: Seconds that ssh-agent may take for an answer.
_AGENT_TIMEOUT = 30.0


class Identities:
    """The keys for a hop in the order in which they are offered, and why others are not."""

    def __init__(self, hop: Hop) -> None:
        self.hop = hop
        #: What could not be used, in words.
        self.unusable: list[str] = []
        self._agent: Any = None

    def __iter__(self) -> Iterator[tuple[str, paramiko.PKey]]:
        """``(what it is called in messages, key)``: keys of the named files first, then the agent's others."""
        held = {key.asbytes(): key for key in self._held()}
        for path in self.hop.identity_files:
            public = _public(path)
            if public in held:
                yield f"{path} (in ssh-agent)", held.pop(public)
            elif os.path.exists(path):
                key = self._load(path)
                if key is not None:
                    held.pop(key.asbytes(), None)
                    yield path, key
        if not self.hop.identities_only:
            for key in held.values():
                comment = getattr(key, "comment", "")
                yield f"{comment or key.get_name()} (in ssh-agent)", key

    def _held(self) -> list[paramiko.PKey]:
        path = self.hop.identity_agent
        if not path:
            return []
        import paramiko

        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.settimeout(_AGENT_TIMEOUT)
            sock.connect(path)
            # paramiko's Agent knows one path, the environment's; IdentityAgent may name another.
            agent: Any = paramiko.agent.AgentSSH()
            agent._connect(sock)
        except (OSError, paramiko.SSHException) as error:
            sock.close()
            self.unusable.append(f"ssh-agent at {path} does not answer ({error})")
            return []
        self._agent = agent
        return list(agent.get_keys())

    def _load(self, path: str) -> paramiko.PKey | None:
        import paramiko

        try:
            return _key(path)
        except FileNotFoundError:
            return None
        except (paramiko.PasswordRequiredException, TypeError):
            # cryptography says by a TypeError that a passphrase is missing.
            self.unusable.append(f"{path} needs a passphrase: ssh-add {path}")
        except OSError as error:
            self.unusable.append(f"{path}: {error.strerror}")
        except (paramiko.SSHException, paramiko.pkey.UnknownKeyType, ValueError):
            self.unusable.append(f"{path} is no private key that can be read")
        return None

    def close(self) -> None:
        """Say goodbye to ssh-agent."""
        if self._agent is not None:
            with contextlib.suppress(OSError):
                self._agent._close()
            self._agent = None


#: What all hosts need at the same moment is read once, while the others wait.
_reading = threading.Lock()


def _key(path: str) -> paramiko.PKey:
    status = os.stat(path)
    with _reading:
        return _read_key(path, (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns))


@functools.lru_cache(maxsize=64)
def _read_key(path: str, stamp: object) -> paramiko.PKey:
    """The key of a file; ``stamp`` is of the file as it is now."""
    import paramiko

    key: paramiko.PKey = paramiko.PKey.from_path(path)
    return key


def _public(path: str) -> bytes:
    """The public key beside a private one, as far as there is one."""
    import base64

    with contextlib.suppress(OSError, ValueError, IndexError), open(path + ".pub", encoding="utf-8") as file:
        return base64.b64decode(file.read().split()[1])
    return b""


def log_in(host: str, hop: Hop, transport: paramiko.Transport, deadline: Deadline) -> None:
    """Offer one key after the other. Raises ``LoginRefused`` with what was tried."""
    import paramiko

    identities = Identities(hop)
    tried: list[str] = []
    accepts: list[str] = []
    ended = ""
    try:
        for name, key in identities:
            transport.auth_timeout = deadline.left()
            tried.append(f"{name} {_fingerprint(key)}")
            try:
                more = transport.auth_publickey(hop.user, key)
            except paramiko.BadAuthenticationType as error:
                accepts = list(error.allowed_types)
                break
            except Exception as error:
                # Whatever paramiko's thread has met in what the other side sent is raised here.
                if deadline.over:
                    raise TimeoutError from None
                if not transport.is_active():
                    ended = "the server ended the connection"
                    break
                if not isinstance(error, paramiko.AuthenticationException):
                    identities.unusable.append(f"{name}: {error}")
                    tried.pop()
                continue
            if not more:
                return
            accepts = list(more)
            ended = "the key is right, but the server wants more"
            break
        if deadline.over:
            raise TimeoutError
    except TimeoutError:
        raise silent(host, hop, deadline) from None
    finally:
        identities.close()
    raise _refused(hop, host=host, tried=tried, unusable=identities.unusable, accepts=accepts, ended=ended)


def _fingerprint(key: paramiko.PKey) -> str:
    from netcompose.transports.ssh.knownhosts import fingerprint

    return fingerprint(key.asbytes())


def _refused(
    hop: Hop, *, host: str, tried: list[str], unusable: list[str], accepts: list[str], ended: str
) -> HostUnreachable:
    text = f"host {host}: {hop.place} does not let you log in"
    text += f"; tried: {', '.join(tried)}" if tried else "; there is no key to try"
    text += f"; not usable: {'; '.join(unusable)}" if unusable else ""
    text += f"; {ended}" if ended else ""
    text += f"; it accepts: {', '.join(accepts)}" if accepts else ""
    if not tried:
        hint = "make a key (ssh-keygen), or name one: `identity_file:` of the host"
    elif accepts and "publickey" not in accepts:
        hint = "netcompose logs in with keys alone: allow them in the server's sshd_config (PubkeyAuthentication)"
    else:
        hint = f"is the user right, and the key in its ~/.ssh/authorized_keys? try: {hop.command}"
    return LoginRefused(text, hint=hint)
