"""Speaking SSH over a connected socket, with a host that shows the key that is known, and with nobody else."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from netcompose.errors import HostKeyRefused, HostUnreachable, NetcomposeError
from netcompose.transports.ssh import knownhosts
from netcompose.transports.ssh.deadline import Deadline
from netcompose.transports.ssh.dial import silent
from netcompose.transports.ssh.knownhosts import Known, Verdict
from netcompose.transports.ssh.settings import Hop

if TYPE_CHECKING:
    import paramiko

#: The algorithms that show a key of a type (RFC 8332: an RSA key has three names).
_ALGORITHMS = {"ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256")}


class Dropped(HostUnreachable):
    """The other side ended the connection before it said anything: it may have too many others (MaxStartups)."""


def handshake(host: str, hop: Hop, sock: Any, *, accept_new: bool, deadline: Deadline) -> paramiko.Transport:
    """An encrypted connection to the right host, nobody logged in yet.

    Raises ``HostKeyRefused`` for a key that is unknown, changed or revoked, ``HostUnreachable`` for what is no SSH
    server. An unknown key is written to known_hosts instead if ``accept_new``, or ssh_config(5), wants that.
    """
    import paramiko

    known = knownhosts.read(hop.known_hosts)
    name = known_as(hop)
    transport = paramiko.Transport(sock)
    _spare(transport)
    _prefer(transport, knownhosts.known_types(known, name))
    done = threading.Event()
    try:
        left = deadline.left()
        transport.banner_timeout = transport.handshake_timeout = left
        transport.start_client(done)
        if not done.wait(left):
            raise TimeoutError
        if not transport.is_active():
            raise transport.get_exception() or EOFError()
        key = transport.get_remote_server_key().asbytes()
        _judge(host, hop, known, name, key, accept_new=accept_new or hop.accept_new)
    except BaseException as error:
        transport.close()
        # paramiko's thread hands on whatever it has met in what the other side sent.
        if isinstance(error, Exception) and not isinstance(error, NetcomposeError):
            raise _failed(host, hop, error, deadline) from None
        raise
    return transport


def known_as(hop: Hop) -> str:
    """The name that known_hosts has the host under. A HostKeyAlias stands alone, without a port."""
    return hop.known_as.lower() if hop.known_as else knownhosts.name_of(hop.hostname, hop.port)


def _spare(transport: paramiko.Transport) -> None:
    """Leave out what would be made for every host and is never looked at: a thread for the deadline, which is ours, and
    the words of sshd's debug messages for a log that nobody reads."""

    def nothing(*arguments: object) -> None:
        pass

    for owner, name in ((transport.packetizer, "start_handshake"), (transport, "_parse_debug")):
        setattr(owner, name, nothing)


def _prefer(transport: paramiko.Transport, types: list[str]) -> None:
    """Ask for the keys that are known first: a server has several, and shows the one that is asked for."""
    options = transport.get_security_options()
    wanted = [algorithm for kind in types for algorithm in _ALGORITHMS.get(kind, (kind,))]
    first = [algorithm for algorithm in wanted if algorithm in options.key_types]
    options.key_types = [*first, *(algorithm for algorithm in options.key_types if algorithm not in first)]
    # Ciphers that authenticate what they encrypt first: paramiko compares the codes of the others in Python.
    options.ciphers = sorted(options.ciphers, key=lambda cipher: "-gcm" not in cipher)
    # Of the two kinds of curves that RFC 9142 recommends alike, the one that OpenSSL computes on both sides: sshd does
    # Curve25519 in plain C of its own, which takes a tenth of a connection's processor time there.
    options.kex = sorted(options.kex, key=lambda exchange: exchange != "ecdh-sha2-nistp256")


def _judge(host: str, hop: Hop, known: Known, name: str, key: bytes, *, accept_new: bool) -> None:
    found = knownhosts.judge(known, name, key)
    if found.verdict is Verdict.UNKNOWN and hop.port != 22 and not hop.known_as:
        # As ssh(1) does: a key that is known without the port is right as well; another one says nothing.
        plain = knownhosts.judge(known, hop.hostname.lower(), key)
        found = plain if plain.verdict in (Verdict.KNOWN, Verdict.REVOKED) else found
    if found.verdict is Verdict.KNOWN:
        return
    shown = f"{knownhosts.key_type(key)} {knownhosts.fingerprint(key)}"
    where = f"host {host}: {hop.hostname} port {hop.port}"
    if found.verdict is Verdict.UNKNOWN:
        if accept_new:
            _remember(host, hop, name, key)
            return
        text = f"{where} shows a host key that is not known: {shown}"
        if found.authority:
            text += f" ({found.authority[0].place} trusts certificates for it, which are not supported)"
        raise HostKeyRefused(
            text,
            hint="compare it with `ssh-keygen -lf /etc/ssh/ssh_host_*_key.pub` on the host, then run again with"
            " --accept-new-host-keys",
        )
    places = ", ".join(entry.place for entry in found.entries)
    if found.verdict is Verdict.REVOKED:
        raise HostKeyRefused(f"{where} shows a host key that {places} revokes: {shown}")
    before = ", ".join(f"{entry.key_type} {knownhosts.fingerprint(entry.key)}" for entry in found.entries)
    raise HostKeyRefused(
        f"{where} shows another host key than the known one: {shown}, but {places} has {before}",
        hint="somebody may be in between. If the host was installed anew, compare its key, then:"
        f" ssh-keygen -R '{name}', and run again with --accept-new-host-keys",
    )


def _remember(host: str, hop: Hop, name: str, key: bytes) -> None:
    if not hop.user_known_hosts:
        return
    path = hop.user_known_hosts[0]
    try:
        knownhosts.remember(path, name, key, hashed=hop.hash_known_hosts)
    except OSError as error:
        raise HostKeyRefused(
            f"host {host}: its key cannot be written to {path}: {error.strerror}", hint="make that file writable"
        ) from None


def _failed(host: str, hop: Hop, error: BaseException, deadline: Deadline) -> HostUnreachable:
    import paramiko

    if isinstance(error, TimeoutError) or deadline.over:
        return silent(host, hop, deadline)
    where = f"{hop.hostname} port {hop.port}"
    if isinstance(error, paramiko.ssh_exception.IncompatiblePeer):
        return HostUnreachable(f"host {host}: no common algorithm with the SSH server of {where}: {error}")
    if "banner" in str(error).lower() or "protocol version" in str(error).lower():
        return Dropped(
            f"host {host}: what answers on {where} does not speak SSH, or ends the connection at once",
            hint="is `port:` right? a busy sshd refuses connections too (MaxStartups)",
        )
    return HostUnreachable(
        f"host {host}: the SSH server of {where} ended the connection ({error or 'no reason given'})"
    )
