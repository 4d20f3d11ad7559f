"""How a host is reached, as OpenSSH's configuration and the topology say it together: a chain of hops.

``ssh -G`` knows ssh_config(5) best (Include, Match, canonical names), so it is asked where it is installed; elsewhere
sshconfig.py reads the files.
"""

from __future__ import annotations

import functools
import os
import pwd
import re
import socket
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from netcompose.errors import HostUnreachable
from netcompose.transports.ssh import alike
from netcompose.transports.ssh.target import SshTarget

#: Options by lower-case name; several values for those that may be given several times.
Options = Mapping[str, Sequence[str]]

#: Seconds for ``ssh -G``, which may run the user's ``Match exec`` commands.
_ASKING = 20.0
#: Most hops of a chain; a longer one is a loop.
_MOST_HOPS = 8
_SYSTEM_KNOWN_HOSTS = "/etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2"
_USER_KNOWN_HOSTS = "~/.ssh/known_hosts ~/.ssh/known_hosts2"
#: What ssh(1) tries when no identity is named, as far as paramiko can.
_IDENTITIES = ("~/.ssh/id_rsa", "~/.ssh/id_ecdsa", "~/.ssh/id_ed25519")


@dataclass(frozen=True)
class Hop:
    """One SSH connection of the chain. ``alias`` is what was asked for, ``hostname`` what is connected to.

    ``identity_agent`` is the path of the agent's socket, empty for none. ``known_as`` is the name in known_hosts if it
    is not the hostname (HostKeyAlias). ``accept_new`` is the user's own wish (StrictHostKeyChecking).
    """

    alias: str
    hostname: str
    port: int
    user: str
    identity_files: tuple[str, ...] = ()
    identities_only: bool = False
    identity_agent: str = ""
    user_known_hosts: tuple[str, ...] = ()
    known_hosts: tuple[str, ...] = ()
    known_as: str = ""
    accept_new: bool = False
    hash_known_hosts: bool = False
    proxy_command: str = ""
    proxy_jump: str = ""
    address_family: str = "any"

    @property
    def place(self) -> str:
        """``root@10.0.0.4 port 22``, for messages."""
        return f"{self.user}@{self.hostname} port {self.port}"

    @property
    def command(self) -> str:
        """The ssh(1) command line that goes the same way, for hints."""
        port = f"-p {self.port} " if self.port != 22 else ""
        return f"ssh {port}{self.user}@{self.hostname if self.alias == self.hostname else self.alias}"


def route(target: SshTarget, known: alike.Configuration | None = None) -> tuple[Hop, ...]:
    """The hops to a host, the host itself last. Raises ``HostUnreachable`` for a configuration that is wrong. With
    ``known`` the configuration is not read again for each host."""
    options = [("User", target.user), ("Port", str(target.port or "")), ("IdentityFile", target.identity_file)]
    try:
        last = _hop(target.address, options, known)
        if target.proxy_jump:
            # Not asked of ssh -G, whose versions differ in what they take for a list of hosts.
            jump = "" if target.proxy_jump.lower() == "none" else target.proxy_jump
            last = replace(last, proxy_jump=jump, proxy_command="")
        if not target.agent:
            last = replace(last, identity_agent="")
        return (*_jumps(last, 0), last)
    except ValueError as error:
        raise HostUnreachable(f"host {target.name}: {error}", hint=f"ssh -G {target.address}") from None


def _jumps(hop: Hop, depth: int) -> tuple[Hop, ...]:
    """The hops in front of one. Only the first of a written list goes its own configured way (ssh_config(5))."""
    if not hop.proxy_jump:
        return ()
    if depth >= _MOST_HOPS:
        raise ValueError(f"the chain of ProxyJump at {hop.alias} does not end")
    written = [part.strip() for part in hop.proxy_jump.split(",")]
    hops = [_jump(part) for part in written]
    # The others are reached through the one before them, whatever their own configuration says.
    hops[1:] = [replace(item, proxy_jump="", proxy_command="") for item in hops[1:]]
    return (*_jumps(hops[0], depth + 1), *hops)


def _jump(text: str) -> Hop:
    """``[user@]host[:port]`` or ``ssh://[user@]host[:port]``."""
    text = text.removeprefix("ssh://").rstrip("/")
    user, _, rest = text.rpartition("@")
    match = re.fullmatch(r"\[([^\]]+)\](?::(\d+))?|([^:]+)(?::(\d+))?|(.+)", rest)
    if match is None:
        raise ValueError(f"ProxyJump {text!r} names no host")
    host = match[1] or match[3] or match[5]
    return _hop(host, [("User", user), ("Port", match[2] or match[4] or "")])


def _hop(alias: str, options: Sequence[tuple[str, str]], known: alike.Configuration | None = None) -> Hop:
    if alias.startswith("-") or not alias.strip():
        raise ValueError(f"{alias!r} is no address")
    given = [(name, value) for name, value in options if value]
    known = known or alike.Configuration()
    if not known.readable_by_ssh:
        return hop_of(alias, _read(alias, given))
    return hop_of(alias, alike.ask(alias, given, lambda: _ask(alias, given), known))


def _ask(alias: str, options: Sequence[tuple[str, str]]) -> Options:
    words = [word for name, value in options for word in ("-o", f"{name}={value}")]
    try:
        done = subprocess.run(
            ["ssh", "-G", *words, "--", alias],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_ASKING,
            env={**os.environ, "LC_ALL": "C"},
        )
    except subprocess.TimeoutExpired:
        raise ValueError(f"`ssh -G {alias}` does not end: which commands does `Match exec` run?") from None
    if done.returncode != 0:
        raise ValueError(f"ssh does not understand its configuration: {done.stderr.strip()}")
    found: dict[str, list[str]] = {}
    for line in done.stdout.splitlines():
        name, _, value = line.partition(" ")
        found.setdefault(name.lower(), []).append(value.strip())
    return found


def _read(alias: str, options: Sequence[tuple[str, str]]) -> Options:
    from netcompose.transports.ssh.sshconfig import options_for

    return options_for(alias, {name.lower(): value for name, value in options})


_me = functools.lru_cache(maxsize=4)(pwd.getpwuid)


def hop_of(alias: str, options: Options) -> Hop:
    """A hop from options as ``ssh -G`` prints them, defaults filled in and tokens expanded. Pure but for the user."""

    def one(name: str, default: str = "") -> str:
        return (options.get(name) or [default])[0] or default

    me = _me(os.getuid())
    hostname = one("hostname", alias).replace("%h", alias).replace("%%", "%")
    port, user = int(one("port", "22")), one("user", me.pw_name)
    tokens = {
        "h": hostname,
        "n": alias,
        "p": str(port),
        "r": user,
        "u": me.pw_name,
        "d": me.pw_dir,
        "i": str(me.pw_uid),
    }
    tokens |= {
        "L": socket.gethostname().partition(".")[0],
        "l": socket.gethostname(),
        "k": one("hostkeyalias", hostname),
    }

    def path(text: str) -> str:
        text = _expand(text, tokens)
        text = re.sub(r"\$\{(\w+)\}", lambda match: os.environ.get(match[1], ""), text)
        return me.pw_dir + text[1:] if text == "~" or text.startswith("~/") else os.path.expanduser(text)

    def none(text: str) -> str:
        return "" if text.lower() == "none" else text

    own = tuple(path(word) for word in one("userknownhostsfile", _USER_KNOWN_HOSTS).split())
    system = tuple(path(word) for word in one("globalknownhostsfile", _SYSTEM_KNOWN_HOSTS).split())
    agent = none(one("identityagent", "SSH_AUTH_SOCK"))
    if agent == "SSH_AUTH_SOCK":
        agent = os.environ.get("SSH_AUTH_SOCK", "")
    elif agent.startswith("$") and not agent.startswith("${"):
        agent = os.environ.get(agent[1:], "")
    strict = one("stricthostkeychecking", "ask").lower()
    return Hop(
        alias=alias,
        hostname=hostname,
        port=port,
        user=user,
        identity_files=tuple(path(text) for text in options.get("identityfile") or _IDENTITIES if none(text)),
        identities_only=one("identitiesonly", "no") == "yes",
        identity_agent=path(agent) if agent else "",
        user_known_hosts=tuple(item for item in own if item.lower() != "none"),
        known_hosts=tuple(item for item in (*own, *system) if item.lower() != "none"),
        known_as=one("hostkeyalias"),
        # "no" would accept even a key that is not the known one; that is never done here.
        accept_new=strict in ("accept-new", "no", "off", "false"),
        hash_known_hosts=one("hashknownhosts", "no") == "yes",
        proxy_command=_expand(none(one("proxycommand")), tokens),
        proxy_jump=none(one("proxyjump")),
        address_family=one("addressfamily", "any").lower(),
    )


def _expand(text: str, tokens: Mapping[str, str]) -> str:
    """ssh_config(5), TOKENS; one that is not known stays."""
    return re.sub(r"%(.)", lambda match: "%" if match[1] == "%" else tokens.get(match[1], match[0]), text)
